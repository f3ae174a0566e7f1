package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/findings"
)

// console is the application as the running gateway has it. What administrators
// set in its console goes before the settings that it was started with.
type console struct {
	ClientID  string `json:"client_id"`
	SecretSet bool   `json:"client_secret_set"`
	Expires   string `json:"client_secret_expires"`
	// Entered are those of its settings that stand before what it was started with.
	Entered []string `json:"entered"`
}

// askConsole asks the gateway at the public URL; false when it cannot be asked.
func (e *examiner) askConsole(ctx context.Context) (console, bool) {
	if e.settings.AdminToken == "" || !e.has("GATEWAY_ADMIN_TOKEN", "GATEWAY_PUBLIC_URL") {
		return console{}, false
	}
	got, err := e.callWith(ctx, http.MethodGet, e.settings.PublicURL+"/api/v1/settings", http.Header{
		"Authorization": {"Bearer " + e.settings.AdminToken.Reveal()},
	}, nil)
	var told console
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &told) != nil {
		return console{}, false
	}
	return told, true
}

// applyConsole takes over what the settings lack and the console has. Elsewhere
// says that the secret is kept there alone.
func (e *examiner) applyConsole(ctx context.Context, s *sheet) (elsewhere bool) {
	told, ok := e.askConsole(ctx)
	if !ok || told.ClientID == "" || !told.SecretSet {
		return false
	}
	own := e.settings.MicrosoftClientID
	switch {
	case own == "" || e.settings.MicrosoftClientSecret == "" && e.settings.MicrosoftClientCertificate == "":
		e.settings.MicrosoftClientID, elsewhere = told.ClientID, true
	case own != told.ClientID:
		s.warn("console", findings.Say("microsoft.console", "Console", told.ClientID, "Own", own), findings.Say("microsoft.console.todo"))
	case e.settings.MicrosoftClientCertificate == "" && slices.Contains(told.Entered, "client_secret"):
		s.warn("console", findings.Say("microsoft.console.secret"), findings.Say("microsoft.console.secret.todo"))
	}
	if end, err := time.Parse(time.DateOnly, told.Expires); err == nil && e.settings.MicrosoftClientSecretExpires.IsZero() {
		e.settings.MicrosoftClientSecretExpires = end
	}
	return elsewhere
}

// setElsewhere is the row of an application whose secret only the gateway has.
func (s *sheet) setElsewhere(id string) {
	s.ok("application", findings.Say("microsoft.application.elsewhere", "ID", id))
}
