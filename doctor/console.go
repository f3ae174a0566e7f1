package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// console is what administrators set of the application while the gateway runs,
// which goes before the settings it was started with.
type console struct {
	ClientID  string `json:"client_id"`
	SecretSet bool   `json:"client_secret_set"`
	Expires   string `json:"client_secret_expires"`
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

// applyConsole takes over what the console has in place of the settings. Elsewhere
// says that the secret is kept there alone.
func (e *examiner) applyConsole(ctx context.Context) (elsewhere bool) {
	told, ok := e.askConsole(ctx)
	if !ok || told.ClientID == "" || !told.SecretSet {
		return false
	}
	elsewhere = e.settings.MicrosoftClientID != told.ClientID || e.settings.MicrosoftClientSecret == "" && e.settings.MicrosoftClientCertificate == ""
	e.settings.MicrosoftClientID = told.ClientID
	if end, err := time.Parse(time.DateOnly, told.Expires); err == nil {
		e.settings.MicrosoftClientSecretExpires = end
	}
	return elsewhere
}

// setElsewhere is the row of an application whose secret only the gateway has.
func (s *sheet) setElsewhere(id string) {
	s.add("application", OK, fmt.Sprintf("the application %s is set in the console; gateway.ready tells whether Microsoft takes its secret", id), "")
}
