package outlook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Subscription is a change-notification subscription of a mailbox.
type Subscription struct {
	ID              string    `json:"id"`
	Resource        string    `json:"resource"`
	NotificationURL string    `json:"notificationUrl"`
	LifecycleURL    string    `json:"lifecycleNotificationUrl"`
	Expires         time.Time `json:"expirationDateTime"`
	// Authorized is when the token ends that Graph delivers with; zero when that
	// is not known. Graph does not tell it.
	Authorized time.Time `json:"-"`
}

// SubscriptionRequest is what a subscription is made with.
type SubscriptionRequest struct {
	// NotificationURL and LifecycleURL must answer Graph's validation before
	// the call returns.
	NotificationURL, LifecycleURL string
	// ClientState has at most 128 characters and comes back in every notification.
	ClientState string
	// Expires is at most 10,070 minutes ahead, with content less than a day.
	Expires time.Time
	// Key is what the content of notifications is encrypted for; nil for
	// notifications without content.
	Key *ContentKey
}

// eventsResource is every event of the mailbox's owner.
const eventsResource = "/me/events"

// CreateSubscription subscribes to the member's mailbox. Ids in notifications
// are immutable ones. It asks once: after an error that is no refusal there may be
// a subscription all the same.
func (c *Client) CreateSubscription(ctx context.Context, member reconciler.Member, request SubscriptionRequest) (Subscription, error) {
	var made Subscription
	body := content{
		"changeType": "created,updated,deleted", "resource": eventsResource,
		"notificationUrl": request.NotificationURL, "lifecycleNotificationUrl": request.LifecycleURL,
		"clientState": request.ClientState, "expirationDateTime": graphTime(request.Expires),
		"latestSupportedTlsVersion": "v1_2",
	}
	if request.Key != nil {
		body["resource"], body["includeResourceData"] = eventsResource+"?$select="+told, true
		request.Key.enter(body)
	}
	err := c.do(context.WithValue(ctx, freshToken{}, true), member.ID, call{
		name: "POST subscription", method: http.MethodPost, path: "/subscriptions", body: body,
		// Graph makes as many as it is asked for, and each tells of every change. Whoever
		// gets no answer looks for what came of it.
		once: true,
	}, &made)
	if err != nil {
		return Subscription{}, fmt.Errorf("making a subscription: %w", unvalidated(err))
	}
	made.Authorized = c.authorized(ctx, member)
	return made, nil
}

// unvalidated says of a refusal that came about because Graph could not reach the
// gateway that it goes by: the request itself is in order.
func unvalidated(err error) error {
	var answered *GraphError
	if errors.As(err, &answered) && answered.Status == http.StatusBadRequest &&
		(answered.is("ValidationError") || strings.Contains(strings.ToLower(answered.message), "validation request")) {
		return &reconciler.RetryError{Cause: "gateway_unreachable", Err: fmt.Errorf("Microsoft could not reach the gateway's public address: %w", err)} //nolint:staticcheck // a name comes first
	}
	return err
}

// authorized is when the token ends that a call for the member was just made
// with.
func (c *Client) authorized(ctx context.Context, member reconciler.Member) time.Time {
	token, _, err := c.config.Store.Token(ctx, member.ID)
	if err != nil {
		return time.Time{} // the subscription stands all the same
	}
	return token.Expires
}

// enter names the key in the body of a request about a subscription.
func (k *ContentKey) enter(body content) {
	body["encryptionCertificate"], body["encryptionCertificateId"] = base64.StdEncoding.EncodeToString(k.certificate), k.ID
}

// RenewSubscription prolongs a subscription and has Graph deliver with the present
// token and, where there is content, encrypt it for this key; nil where there is
// none. The error wraps reconciler.ErrGone when there is no such subscription.
func (c *Client) RenewSubscription(ctx context.Context, member reconciler.Member, id string, expires time.Time, key *ContentKey) (Subscription, error) {
	var renewed Subscription
	body := content{"expirationDateTime": graphTime(expires)}
	if key != nil {
		key.enter(body)
	}
	err := c.do(context.WithValue(ctx, freshToken{}, true), member.ID, call{
		name: "PATCH subscription", method: http.MethodPatch, path: "/subscriptions/" + url.PathEscape(id), body: body,
	}, &renewed)
	if err != nil {
		return Subscription{}, fmt.Errorf("renewing a subscription: %w", err)
	}
	if renewed.ID == "" {
		renewed.ID = id
	}
	if renewed.Expires.IsZero() {
		renewed.Expires = expires
	}
	renewed.Authorized = c.authorized(ctx, member)
	return renewed, nil
}

// DeleteSubscription ends a subscription. The error wraps reconciler.ErrGone
// when there is none.
func (c *Client) DeleteSubscription(ctx context.Context, member reconciler.Member, id string) error {
	err := c.do(ctx, member.ID, call{name: "DELETE subscription", method: http.MethodDelete, path: "/subscriptions/" + url.PathEscape(id)}, nil)
	if err != nil {
		return fmt.Errorf("ending a subscription: %w", err)
	}
	return nil
}

// Subscriptions lists the subscriptions that this application has for the
// member.
func (c *Client) Subscriptions(ctx context.Context, member reconciler.Member) ([]Subscription, error) {
	listed, err := pages[Subscription](ctx, c, member.ID, "GET subscriptions", "/subscriptions")
	if err != nil {
		return nil, fmt.Errorf("listing subscriptions: %w", err)
	}
	return listed, nil
}

func graphTime(instant time.Time) string { return instant.UTC().Format("2006-01-02T15:04:05.0000000Z") }
