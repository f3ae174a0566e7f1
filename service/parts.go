package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/subscriptions"
)

// secretKeys are the keys given, or for the embedded store one of its own.
func secretKeys(settings gateway.Settings) ([][]byte, error) {
	if len(settings.SecretKeys) > 0 {
		return settings.KeysOf(settings.SecretKeys)
	}
	key, err := redis.LoadOrCreateKey(settings.DataDir)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_DATA_DIR: %w", err)
	}
	return settings.KeysOf([][]byte{key})
}

func openStore(ctx context.Context, config Config, keys [][]byte) (*redis.Store, error) {
	seal, err := redis.NewSealer(keys...)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_SECRET_KEY: %w", err)
	}
	return redis.Open(ctx, redis.Config{
		URL: config.Settings.RedisURL.Reveal(), DataDir: config.Settings.DataDir, Engine: config.Engine, Server: config.RedisServer,
		Dialer: config.RedisDialer, Connection: config.Connection, Namespace: config.Settings.RedisNamespace,
		Seal: seal, Now: config.Now, Log: config.Log.Named("store"),
	})
}

// databaseID names one NightPOS database everywhere: its address and name, as a
// digest, since it is left in people's mailboxes.
func databaseID(settings gateway.Settings) string {
	sum := sha256.Sum256([]byte(settings.NightPOSURL + "\x00" + settings.NightPOSDatabase))
	return hex.EncodeToString(sum[:8])
}

func nightposClient(config Config, login string, key gateway.Secret, metrics *gateway.Metrics) (*nightpos.Client, error) {
	observe := func(string, time.Duration, error) {}
	if metrics != nil {
		observe = func(call string, took time.Duration, err error) {
			metrics.Called(reconciler.SideNightPOS, call, took, err)
		}
	}
	client, err := nightpos.New(nightpos.Config{
		Contacts: nightpos.ContactPolicy(config.Settings.CreateContacts),
		URL:      config.Settings.NightPOSURL, Database: config.Settings.NightPOSDatabase, Login: login, APIKey: key.Reveal(),
		Protocol: config.Settings.NightPOSProtocol, HTTP: config.Transport, Now: config.Now, Log: config.Log.Named("nightpos"), Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("NIGHTPOS_*: %w", err)
	}
	return client, nil
}

func outlookClient(config Config, store *tokens, certificate *outlook.Certificate, told *contents, metrics *gateway.Metrics) (*outlook.Client, error) {
	settings := config.Settings
	made := outlook.Config{
		GraphURL: settings.MicrosoftGraphURL, LoginURL: settings.MicrosoftLoginURL, Tenant: settings.MicrosoftTenant,
		ClientID: settings.MicrosoftClientID, ClientSecret: settings.MicrosoftClientSecret.Reveal(),
		RedirectURL: settings.PublicURL + "/microsoft_account/authentication",
		Certificate: certificate, DatabaseID: databaseID(settings), Store: store, Budget: budget{store.store},
		HTTP: config.Transport, Now: config.Now, Log: config.Log.Named("outlook"),
		Observe: func(call string, took time.Duration, err error) {
			metrics.Called(reconciler.SideOutlook, call, took, err)
		},
	}
	if told != nil {
		made.Contents = told
	}
	return outlook.New(made)
}

// calls translates between subscriptions and outlook, which do not know each
// other.
type calls struct {
	client *outlook.Client
	// contents is nil for notifications without.
	contents *contents
}

func (c calls) Create(ctx context.Context, member reconciler.Member, request subscriptions.Request) (subscriptions.Subscription, error) {
	key, err := c.contents.keyOf(ctx, request.Certificate)
	if err != nil {
		return subscriptions.Subscription{}, err
	}
	made, err := c.client.CreateSubscription(ctx, member, outlook.SubscriptionRequest{
		NotificationURL: request.NotificationURL, LifecycleURL: request.LifecycleURL,
		ClientState: request.ClientState, Expires: request.Expires, Key: key,
	})
	var answered *outlook.GraphError
	if errors.As(err, &answered) && answered.Status == http.StatusConflict {
		err = fmt.Errorf("%w: %w", subscriptions.ErrConflict, err)
	}
	return translated(made), err
}

func (c calls) Renew(ctx context.Context, member reconciler.Member, id string, expires time.Time, certificate string) (subscriptions.Subscription, error) {
	key, err := c.contents.keyOf(ctx, certificate)
	if err != nil {
		return subscriptions.Subscription{}, err
	}
	renewed, err := c.client.RenewSubscription(ctx, member, id, expires, key)
	return translated(renewed), err
}

func (c calls) Delete(ctx context.Context, member reconciler.Member, id string) error {
	err := c.client.DeleteSubscription(ctx, member, id)
	if errors.Is(err, reconciler.ErrGone) {
		return nil
	}
	return err
}

func (c calls) List(ctx context.Context, member reconciler.Member) ([]subscriptions.Subscription, error) {
	listed, err := c.client.Subscriptions(ctx, member)
	found := make([]subscriptions.Subscription, 0, len(listed))
	for _, one := range listed {
		found = append(found, translated(one))
	}
	return found, err
}

func translated(subscription outlook.Subscription) subscriptions.Subscription {
	return subscriptions.Subscription{
		ID: subscription.ID, NotificationURL: subscription.NotificationURL, Expires: subscription.Expires, Authorized: subscription.Authorized,
	}
}

// records keeps subscriptions in the store.
type records struct{ store *redis.Store }

func (r records) Subscription(ctx context.Context, lane string) (subscriptions.Subscription, error) {
	var kept subscriptions.Subscription
	text, err := r.store.Subscription(ctx, lane)
	if errors.Is(err, redis.ErrNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, err
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return kept, fmt.Errorf("reading a subscription: %w", err)
	}
	return kept, nil
}

func (r records) SaveSubscription(ctx context.Context, lane string, subscription subscriptions.Subscription) error {
	text, err := json.Marshal(subscription)
	if err != nil {
		return fmt.Errorf("keeping a subscription: %w", err)
	}
	return r.store.SaveSubscription(ctx, lane, text)
}
