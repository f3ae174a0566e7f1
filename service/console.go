package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

const (
	// consoleSetting is under what the store keeps what was set in the console.
	consoleSetting = "console"
	// switchedOff is the reason of everything that waits for Outlook sync to be
	// switched on.
	switchedOff = "Outlook sync is switched off in the settings"
)

// chosen is what administrators set while the gateway runs; what is nil is as the
// gateway was started. It is kept encrypted.
type chosen struct {
	Off           bool    `json:"off,omitempty"`
	ClientID      *string `json:"client_id,omitempty"`
	ClientSecret  *string `json:"client_secret,omitempty"`
	SecretExpires *string `json:"client_secret_expires,omitempty"`
	Conflict      *string `json:"conflict,omitempty"`
}

// entered names what was set about the application. Where there is a certificate, a
// secret is of no use and stands before nothing.
func (c chosen) entered(certificate bool) []string {
	names := []string{}
	for _, one := range []struct {
		name string
		is   *string
		of   bool
	}{{"client_id", c.ClientID, true}, {"client_secret", c.ClientSecret, !certificate}, {"client_secret_expires", c.SecretExpires, !certificate}} {
		if one.is != nil && one.of {
			names = append(names, one.name)
		}
	}
	return names
}

// console applies what administrators set.
type console struct {
	service *Service
	// changing is held while a change is kept and applied.
	changing sync.Mutex

	mutex sync.Mutex
	text  string
	now   chosen
	// doubt is why the NightPOS database is not trusted; see identity.go.
	doubt string
	// meant is the database that calls are meant for.
	meant string
}

func (c *console) current() chosen {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

// follow applies what is stored now, if that changed.
func (c *console) follow(ctx context.Context) error {
	text, err := c.service.store.Setting(ctx, consoleSetting)
	if errors.Is(err, redis.ErrNotFound) {
		text, err = []byte("{}"), nil
	}
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	c.mutex.Lock()
	same := c.text == string(text)
	c.mutex.Unlock()
	if same {
		return nil
	}
	var found chosen
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	c.mutex.Lock()
	c.text, c.now = string(text), found
	c.mutex.Unlock()
	return c.apply(ctx)
}

// apply makes the parts of this process do as is set.
func (c *console) apply(ctx context.Context) error {
	s, now := c.service, c.current()
	settings := s.config.Settings
	id, secret := settings.MicrosoftClientID, settings.MicrosoftClientSecret.Reveal()
	if now.ClientID != nil {
		id = *now.ClientID
	}
	if now.ClientSecret != nil {
		secret = *now.ClientSecret
	}
	s.outlook.SetApplication(id, secret)
	policy := settings.Conflict
	if now.Conflict != nil {
		policy = *now.Conflict
	}
	s.engine.SetPolicy(reconciler.Policy(cmp.Or(policy, string(reconciler.PolicyNewest))))
	if now.SecretExpires != nil {
		at, _ := time.Parse(time.DateOnly, *now.SecretExpires) // checked when it was set
		s.expiry.set(at)
	} else {
		s.expiry.set(settings.MicrosoftClientSecretExpires)
	}
	return c.halt(ctx)
}

// halt stops everything, or goes on with everything.
func (c *console) halt(ctx context.Context) error {
	c.mutex.Lock()
	reason := c.doubt
	if c.now.Off {
		reason = switchedOff
	}
	c.mutex.Unlock()
	engine := c.service.engine
	before := engine.Stopped()
	engine.Stop(reason)
	if before == "" || reason != "" {
		return nil
	}
	members, err := c.service.store.Members(ctx)
	if err != nil {
		return err
	}
	for _, member := range members {
		err = errors.Join(err, c.service.store.Hurry(ctx, member.ID))
	}
	return err
}

// run follows what other replicas were told.
func (c *console) run(ctx context.Context) {
	ticker := time.NewTicker(c.service.config.SettingsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := errors.Join(c.follow(ctx), c.remember(ctx), c.service.rotation.follow(ctx)); err != nil && ctx.Err() == nil {
			c.service.config.Log.Warn("the settings made in the console could not be read; the former ones stay", zap.Error(err))
		}
	}
}

// Settings implements gateway.Admin.
func (a admin) Settings(ctx context.Context) (gateway.ConsoleSettings, error) {
	s := a.service
	if err := s.console.follow(ctx); err != nil {
		return gateway.ConsoleSettings{}, err
	}
	now, given := s.console.current(), s.config.Settings
	shown := gateway.ConsoleSettings{
		OutlookSync: !now.Off, ClientID: given.MicrosoftClientID, SecretSet: given.MicrosoftClientSecret != "", Conflict: given.Conflict,
	}
	if !given.MicrosoftClientSecretExpires.IsZero() {
		shown.SecretExpires = given.MicrosoftClientSecretExpires.Format(time.DateOnly)
	}
	if now.ClientID != nil {
		shown.ClientID = *now.ClientID
	}
	if now.ClientSecret != nil {
		shown.SecretSet = *now.ClientSecret != ""
	}
	if now.SecretExpires != nil {
		shown.SecretExpires = *now.SecretExpires
	}
	if now.Conflict != nil {
		shown.Conflict = *now.Conflict
	}
	shown.Entered = now.entered(given.MicrosoftClientCertificate != "")
	if given.MicrosoftClientSecret != "" || given.MicrosoftClientCertificate != "" {
		shown.ConfiguredID = given.MicrosoftClientID
	}
	return shown, nil
}

// SaveSettings implements gateway.Admin. An application is another one only with
// its secret.
func (a admin) SaveSettings(ctx context.Context, change gateway.SettingsChange) (gateway.ConsoleSettings, error) {
	c := a.service.console
	c.changing.Lock()
	defer c.changing.Unlock()
	before, err := a.Settings(ctx)
	if err != nil {
		return gateway.ConsoleSettings{}, err
	}
	if change.UseConfigured && before.ConfiguredID == "" {
		return gateway.ConsoleSettings{}, refuse(http.StatusConflict, "the gateway was started without MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET; set these and restart it, or go on with what was entered")
	}
	if change.ClientID != nil && *change.ClientID != before.ClientID && change.ClientSecret == nil && before.SecretSet {
		return gateway.ConsoleSettings{}, refuse(http.StatusUnprocessableEntity, "client_secret is missing: another application has another secret")
	}
	next := c.current()
	if change.OutlookSync != nil {
		next.Off = !*change.OutlookSync
	}
	if change.UseConfigured {
		next.ClientID, next.ClientSecret, next.SecretExpires = nil, nil, nil
	}
	if change.ClientID != nil {
		next.ClientID = change.ClientID
	}
	if change.ClientSecret != nil {
		secret := change.ClientSecret.Reveal()
		next.ClientSecret = &secret
		if next.ClientID == nil && before.ClientID != "" && a.service.config.Settings.MicrosoftClientCertificate == "" {
			// It is that application's, whatever the gateway is configured with later.
			next.ClientID = &before.ClientID
		}
	}
	switch another := change.ClientSecret != nil || change.ClientID != nil && *change.ClientID != before.ClientID; {
	case change.SecretExpires != nil:
		next.SecretExpires = change.SecretExpires
	case another:
		// The date was that of the secret before. Empty is not the same as unset: the
		// environment's is not that of this one either.
		next.SecretExpires = new(string)
	}
	if change.Conflict != nil {
		next.Conflict = change.Conflict
	}
	text, err := json.Marshal(next)
	if err != nil {
		return gateway.ConsoleSettings{}, fmt.Errorf("keeping the settings: %w", err)
	}
	if err := a.service.store.SaveSetting(ctx, consoleSetting, text); err != nil {
		return gateway.ConsoleSettings{}, err
	}
	if change.ClientID != nil || change.ClientSecret != nil || change.SecretExpires != nil || change.UseConfigured {
		// What was found about another application is not true of this one.
		if err := a.forgetExamination(ctx); err != nil {
			return gateway.ConsoleSettings{}, err
		}
	}
	return a.Settings(ctx)
}
