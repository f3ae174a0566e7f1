package command

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/nightpos/outlook-gateway/demo"
	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// demoCommand shows the gateway at work.
type demoCommand struct {
	Check  bool   `help:"Run a scripted tour and end, instead of serving the page."`
	JSON   bool   `name:"json" help:"With --check: print the outcome as JSON."`
	Listen string `help:"Address of the page, on loopback; default 127.0.0.1:8088, or a free port." placeholder:"ADDR"`
}

// Validate is asked once the flags are read.
func (c demoCommand) Validate() error {
	if c.JSON && !c.Check {
		return errors.New("--json belongs to --check")
	}
	return nil
}

// Run runs the demo until it is done or interrupted.
func (c demoCommand) Run(in *invocation) error {
	in.untilInterrupted = !c.Check
	log := in.logger(zapcore.WarnLevel, "console")
	return demo.Run(in.ctx, demo.Options{
		Listen: c.Listen, Check: c.Check, JSON: c.JSON, Out: in.Out, Log: log,
		NightPOS: func(start demo.NightPOSStart) (demo.NightPOSServer, error) {
			server, err := simnightpos.New(simnightpos.Config{BaseURL: start.URL, Database: start.Database, Now: start.Now, Seed: start.Seed})
			return demoNightPOS{server}, err
		},
		Gateway: startDemoGateway,
	})
}

// demoNightPOS is the simulated NightPOS as the demo sees it.
type demoNightPOS struct{ *simnightpos.Server }

// Observe implements demo.NightPOSServer.
func (d demoNightPOS) Observe(observer func(demo.NightPOSChange)) {
	d.OnChange(func(change simnightpos.Change) {
		observer(demo.NightPOSChange{Event: change.Event, Deleted: change.Deleted, User: change.User, Time: change.Time})
	})
}

// SentMails implements demo.NightPOSServer.
func (d demoNightPOS) SentMails() []demo.NightPOSMail {
	sent := d.Mails()
	mails := make([]demo.NightPOSMail, len(sent))
	for index, mail := range sent {
		mails[index] = demo.NightPOSMail{Time: mail.Time, To: mail.To, Kind: mail.Kind, Event: mail.Event, Subject: mail.Subject, User: mail.User}
	}
	return mails
}

// demoGateway is the running gateway as the demo sees it.
type demoGateway struct {
	*service.Service
	transport *http.Transport
	around    demo.Surroundings
	token     string
}

// startDemoGateway registers in NightPOS, starts the gateway, connects everybody
// and waits for their first sync.
func startDemoGateway(ctx context.Context, around demo.Surroundings) (demo.Gateway, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	token := rand.Text() + rand.Text()
	config := service.Config{
		Listener: around.Listener, Now: around.Now, Log: around.Log, Transport: transport,
		Settings: gateway.Settings{
			PublicURL: around.PublicURL, DataDir: around.DataDir, AdminToken: gateway.Secret(token),
			MicrosoftClientID: around.ClientID, MicrosoftClientSecret: gateway.Secret(around.ClientSecret), MicrosoftTenant: "common",
			MicrosoftLoginURL: around.MicrosoftLoginURL, MicrosoftGraphURL: around.MicrosoftGraphURL,
			NightPOSURL: around.NightPOSURL, NightPOSDatabase: around.NightPOSDatabase,
			NightPOSLogin: around.NightPOSLogin, NightPOSAPIKey: gateway.Secret(around.NightPOSPassword), NightPOSProtocol: "auto",
			NightPOSAdminLogin: around.NightPOSAdminLogin, NightPOSAdminAPIKey: gateway.Secret(around.NightPOSAdminSecret),
			PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true,
		},
	}
	if _, err := service.Register(ctx, config); err != nil {
		return nil, err
	}
	running, err := service.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	started := demoGateway{Service: running, transport: transport, around: around, token: token}
	if err := started.connect(ctx, around.Members...); err != nil {
		return nil, errors.Join(err, started.Close())
	}
	return started, nil
}

// firstSyncTime bounds the wait for the first sync of empty calendars.
const firstSyncTime = 15 * time.Second

func (d demoGateway) connect(ctx context.Context, members ...demo.Member) error {
	for _, member := range members {
		consent, err := d.around.Consent(ctx, member.Login)
		if err != nil {
			return err
		}
		_, err = d.Connect(ctx, member.Login, outlook.Token{
			AccessToken: consent.AccessToken, RefreshToken: consent.RefreshToken, Expires: consent.Expires, Scopes: consent.Scopes,
		})
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, firstSyncTime)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		quiet, err := d.Quiet(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the first sync: %w", err)
		}
		if quiet {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the first sync did not end within %s: %w", firstSyncTime, ctx.Err())
		case <-ticker.C:
		}
	}
}

// Reset implements demo.Resetter, as an administrator does it.
func (d demoGateway) Reset(ctx context.Context, member demo.Member) error {
	ctx, cancel := context.WithTimeout(ctx, firstSyncTime)
	defer cancel()
	var begun struct{ Job string }
	if err := d.ask(ctx, http.MethodPost, "/users/"+member.Login+"/reset", `{"events":"leave","next_sync":"all"}`, &begun); err != nil {
		return err
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		var job gateway.Job
		if err := d.ask(ctx, http.MethodGet, "/jobs/"+begun.Job, "", &job); err != nil {
			return err
		}
		switch job.State {
		case "done":
			return d.connect(ctx, member)
		case "failed":
			return errors.New("the reset failed: " + job.Error)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the reset did not end within %s: %w", firstSyncTime, ctx.Err())
		case <-ticker.C:
		}
	}
}

// ask makes a call of the admin API.
func (d demoGateway) ask(ctx context.Context, method, path, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, d.PublicURL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the admin API: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	answer, err := (&http.Client{Transport: d.transport}).Do(request)
	if err != nil {
		return fmt.Errorf("asking the admin API: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the admin API answered %s %s with %s", method, path, answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("reading an answer of the admin API: %w", err)
	}
	return nil
}

// Health implements demo.Gateway.
func (d demoGateway) Health(ctx context.Context) []demo.Health {
	var shown []demo.Health
	for _, dependency := range d.Service.Health(ctx) {
		shown = append(shown, demo.Health{Name: dependency.Name, State: dependency.Status, Detail: dependency.Error})
	}
	return shown
}

// Close implements demo.Gateway.
func (d demoGateway) Close() error {
	err := d.Service.Close()
	d.transport.CloseIdleConnections()
	return err
}
