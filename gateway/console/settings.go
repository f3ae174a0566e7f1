package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/nightpos/outlook-gateway/gateway"
)

// settingsPage are the settings that can be changed while the gateway runs.
type settingsPage struct {
	application
	Policies []string
}

// variables are how the gateway is configured with what can be entered.
var variables = map[string]string{
	"client_id": "MICROSOFT_CLIENT_ID", "client_secret": "MICROSOFT_CLIENT_SECRET", "client_secret_expires": "MICROSOFT_CLIENT_SECRET_EXPIRES",
}

// application is what the form of the application shows.
type application struct {
	gateway.ConsoleSettings
}

// Standing are the variables that change nothing, as something else was entered;
// empty where there is nothing to go back to.
func (a application) Standing() string {
	if a.ConfiguredID == "" {
		return ""
	}
	var names []string
	for _, name := range a.Entered {
		names = append(names, variables[name])
	}
	return strings.Join(names, ", ")
}

// Another says that what the gateway is configured with is another application.
func (a application) Another() bool { return a.ConfiguredID != a.ClientID }

// settings shows them. The client secret is never shown.
func (c *Console) settings(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	now, err := c.Admin.Settings(ctx)
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "settings", settingsPage{application{now}, []string{"newest", "outlook", "nightpos"}})
	return nil
}

// saveSettings changes what the form has; a secret that was left empty stays.
func (c *Console) saveSettings(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	before, err := c.Admin.Settings(ctx)
	if err != nil {
		return err
	}
	form := r.PostForm
	var change gateway.SettingsChange
	text := func(name, is string) *string {
		if !form.Has(name) || strings.TrimSpace(form.Get(name)) == is {
			return nil
		}
		value := strings.TrimSpace(form.Get(name))
		return &value
	}
	change.ClientID = text("client_id", before.ClientID)
	change.SecretExpires = text("client_secret_expires", before.SecretExpires)
	change.Conflict = text("conflict", before.Conflict)
	if form.Has("outlook_sync") {
		if on := form.Get("outlook_sync") == "on"; on != before.OutlookSync {
			change.OutlookSync = &on
		}
	}
	if secret := gateway.Secret(strings.TrimSpace(form.Get("client_secret"))); secret != "" {
		change.ClientSecret = &secret
	}
	if form.Get("use_configured") == "on" {
		if change.ClientSecret != nil {
			return &gateway.Refusal{Status: http.StatusUnprocessableEntity, Text: "a client secret was entered and given up at once; do one of the two"}
		}
		// What the form was filled with is what is given up.
		change.UseConfigured, change.ClientID, change.ClientSecret, change.SecretExpires = true, nil, nil, nil
	}
	if err := change.Check(); err != nil {
		return err
	}
	if names := change.Names(); names != "" {
		if _, err := c.Admin.SaveSettings(ctx, change); err != nil {
			return err
		}
		c.note(ctx, v, "settings", 0, names)
	}
	next := "/settings"
	if form.Get("next") == "guide" {
		next = "/guide"
	}
	c.turn(v, w, r, next, "settings")
	return nil
}

// confirmDatabase answers the question whether the NightPOS database is the right
// one.
func (c *Console) confirmDatabase(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	if err := c.Admin.ConfirmDatabase(ctx); err != nil {
		return err
	}
	c.note(ctx, v, "confirm database", 0, "")
	c.turn(v, w, r, "/gateway", "database")
	return nil
}
