package command

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/service"
)

// registerCommand prepares NightPOS for the gateway, once, with an
// administrator's account.
type registerCommand struct {
	Config   string `help:"YAML file with settings, named as the environment variables in lower case; the environment wins." placeholder:"FILE"`
	Database string `help:"Which database of the settings' list, where there are several." placeholder:"NAME"`
	Remove   bool   `help:"Take everything out of NightPOS again instead." xor:"work"`
	Rotate   bool   `name:"rotate-secret" help:"Have the running gateway change the secret in the address that NightPOS posts to; no change is lost meanwhile." xor:"work"`
}

// Run registers, or removes, and prints a line for each thing it changed.
func (c registerCommand) Run(in *invocation) error {
	settings, err := gateway.LoadDatabase(in.Lookup, c.Config, c.Database)
	if err != nil {
		return err
	}
	if c.Rotate {
		return c.rotate(in, settings)
	}
	work, nothing := service.Register, "NightPOS is registered already; nothing was changed."
	if c.Remove {
		work, nothing = service.Unregister, "Nothing of the gateway is in NightPOS; nothing was removed."
	}
	changed, err := work(in.ctx, service.Config{Settings: settings, Log: in.logger(settings.LogLevel, settings.LogFormat)})
	for _, line := range changed {
		fmt.Fprintln(in.Out, line)
	}
	switch {
	case errors.Is(err, nightpos.ErrAccess):
		return fmt.Errorf("%w: this account is no administrator's; give one with NIGHTPOS_ADMIN_LOGIN and NIGHTPOS_ADMIN_API_KEY", err)
	case err != nil:
		return err
	case len(changed) == 0:
		fmt.Fprintln(in.Out, nothing)
	}
	return nil
}

// rotate asks the running gateway, which alone can take both secrets for a while.
func (registerCommand) rotate(in *invocation, settings gateway.Settings) error {
	running, err := remoteFlags{URL: settings.PublicURL, Token: settings.AdminToken.Reveal()}.open(in)
	if err != nil {
		return err
	}
	if _, _, err := running.call(in.ctx, http.MethodPost, "/api/v1/webhooks/rotate", nil); err != nil {
		return err
	}
	fmt.Fprintln(in.Out, "The secret of the webhooks is being rotated: NightPOS gets the new one within a minute, and the former one is refused a quarter of an hour later. The activity log says when.")
	return nil
}
