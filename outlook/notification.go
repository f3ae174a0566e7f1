package outlook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Notification is one item of what Graph posts: a change of an event, or a word
// about a subscription. It is a hint and nothing in it but ClientState can be
// believed.
type Notification struct {
	SubscriptionID string
	ClientState    string
	// ChangeType is created, updated or deleted; empty for lifecycle items.
	ChangeType string
	// GraphID is the event, in the form the subscription asked for; it may be
	// empty.
	GraphID string
	// ChangeKey is the version that the event had; it may be empty.
	ChangeKey string
	// Lifecycle is reauthorizationRequired, subscriptionRemoved or missed; empty
	// for changes.
	Lifecycle string
	TenantID  string
	// Expires is when the subscription ends; zero when not told.
	Expires time.Time
}

const (
	// maxNotifications is far more than Graph puts into one post.
	maxNotifications = 5_000
	// maxIdentifier bounds every text of an item; ids have about 150 characters.
	maxIdentifier = 1_024
)

var errNotNotifications = errors.New("not a collection of notifications")

type notificationItem struct {
	SubscriptionID string          `json:"subscriptionId"`
	ClientState    string          `json:"clientState"`
	ChangeType     string          `json:"changeType"`
	Lifecycle      string          `json:"lifecycleEvent"`
	TenantID       string          `json:"tenantId"`
	OrganizationID string          `json:"organizationId"`
	Expires        string          `json:"subscriptionExpirationDateTime"`
	ResourceData   json.RawMessage `json:"resourceData"`
}

// ParseNotifications reads the body of a post. It takes every form that Graph is
// known to send; items that make no sense are left out, since one bad item must
// not void the others. Only a body that is no collection at all is an error. The
// caller has bounded the size.
func ParseNotifications(body []byte) ([]Notification, error) {
	var collection struct {
		Value *[]json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(body, &collection); err != nil || collection.Value == nil {
		return nil, errNotNotifications
	}
	if len(*collection.Value) > maxNotifications {
		return nil, fmt.Errorf("%w: %d items are more than %d", errNotNotifications, len(*collection.Value), maxNotifications)
	}
	notifications := make([]Notification, 0, len(*collection.Value))
	for _, raw := range *collection.Value {
		if notification, ok := parseNotification(raw); ok {
			notifications = append(notifications, notification)
		}
	}
	return notifications, nil
}

func parseNotification(raw []byte) (Notification, bool) {
	var item notificationItem
	if err := json.Unmarshal(raw, &item); err != nil {
		return Notification{}, false
	}
	notification := Notification{
		SubscriptionID: item.SubscriptionID, ClientState: item.ClientState,
		ChangeType: strings.ToLower(item.ChangeType), Lifecycle: item.Lifecycle, TenantID: item.TenantID,
	}
	if notification.TenantID == "" {
		notification.TenantID = item.OrganizationID
	}
	// The zone may be Z or an offset; what cannot be read is not told.
	if expires, err := time.Parse(time.RFC3339Nano, item.Expires); err == nil {
		notification.Expires = expires.UTC()
	}
	// The resource is written in several ways; its data names the event in one.
	var data struct {
		ID   string `json:"id"`
		ETag string `json:"@odata.etag"`
	}
	if json.Unmarshal(item.ResourceData, &data) == nil {
		notification.GraphID, notification.ChangeKey = data.ID, changeKeyOf(data.ETag)
	}
	switch {
	case notification.Lifecycle != "":
		notification.ChangeType = ""
	case notification.ChangeType != "created" && notification.ChangeType != "updated" && notification.ChangeType != "deleted":
		return Notification{}, false
	}
	for _, text := range []string{
		notification.SubscriptionID, notification.ClientState, notification.GraphID, notification.ChangeKey,
		notification.Lifecycle, notification.TenantID,
	} {
		if len(text) > maxIdentifier {
			return Notification{}, false
		}
	}
	return notification, true
}

// changeKeyOf takes the change key out of an entity tag, W/"…".
func changeKeyOf(etag string) string {
	return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
}

// etagOf is the opposite.
func etagOf(changeKey string) string { return `W/"` + changeKey + `"` }
