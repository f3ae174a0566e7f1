package outlook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// Content is what the event showed, still encrypted, for Client.Told; nil when
	// nothing came with it that could ever be believed.
	Content []byte
}

const (
	// maxNotifications is far more than Graph puts into one post.
	maxNotifications = 5_000
	// maxIdentifier bounds every text of an item; ids have about 150 characters.
	maxIdentifier = 1_024
)

var errNotNotifications = errors.New("not a collection of notifications")

type notificationItem struct {
	SubscriptionID string       `json:"subscriptionId"`
	ClientState    string       `json:"clientState"`
	ChangeType     string       `json:"changeType"`
	Lifecycle      string       `json:"lifecycleEvent"`
	TenantID       string       `json:"tenantId"`
	OrganizationID string       `json:"organizationId"`
	Expires        string       `json:"subscriptionExpirationDateTime"`
	Resource       string       `json:"resource"`
	ResourceData   resourceData `json:"resourceData"`
	Content        contentPart  `json:"encryptedContent"`
}

// contentPart is the content of an item. What cannot be read as that is none, and
// voids nothing else.
type contentPart struct{ *encryptedContent }

// UnmarshalJSON never fails.
func (p *contentPart) UnmarshalJSON(text []byte) error {
	var read encryptedContent
	p.encryptedContent = nil
	if len(text) <= maxContent && json.Unmarshal(text, &read) == nil && read.Data != "" {
		p.encryptedContent = &read
	}
	return nil
}

// resourceData names the event of a change. What cannot be read as that names
// none, and voids nothing else.
type resourceData struct {
	ID   string `json:"id"`
	ETag string `json:"@odata.etag"`
}

// UnmarshalJSON never fails.
func (d *resourceData) UnmarshalJSON(content []byte) error {
	type plain resourceData
	var read plain
	*d = resourceData{}
	if json.Unmarshal(content, &read) == nil {
		*d = resourceData(read)
	}
	return nil
}

// ParseNotifications reads the body of a post. It takes every form that Graph is
// known to send; items that make no sense are left out, since one bad item must
// not void the others. Only a body that is no collection at all, or one of far
// too many items, is an error. The caller has bounded the size; the memory used
// is of that order.
func ParseNotifications(body []byte) ([]Notification, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if !opens(decoder, '{') {
		return nil, errNotNotifications
	}
	var notifications []Notification
	var contents []*encryptedContent
	var tokens []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, errNotNotifications
		}
		text, _ := name.(string)
		if !strings.EqualFold(text, "value") {
			var other json.RawMessage
			if err := decoder.Decode(&other); err != nil {
				return nil, errNotNotifications
			}
			if strings.EqualFold(text, "validationTokens") {
				tokens = parseTokens(other)
			}
			continue
		}
		if notifications != nil {
			return nil, errNotNotifications
		}
		if notifications, contents, err = parseCollection(decoder); err != nil {
			return nil, err
		}
	}
	if _, err := decoder.Token(); err != nil || notifications == nil {
		return nil, errNotNotifications
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotNotifications // something follows
	}
	attach(notifications, contents, tokens)
	return notifications, nil
}

// parseTokens reads the validation tokens; what is none, or too much, is left out.
func parseTokens(text []byte) []string {
	var read []string
	if json.Unmarshal(text, &read) != nil {
		return nil
	}
	return slices.DeleteFunc(read[:min(len(read), maxTokens)], func(token string) bool { return len(token) > maxToken })
}

func opens(decoder *json.Decoder, want json.Delim) bool {
	found, err := decoder.Token()
	return err == nil && found == want
}

// parseCollection reads one item after the other.
func parseCollection(decoder *json.Decoder) ([]Notification, []*encryptedContent, error) {
	if !opens(decoder, '[') {
		return nil, nil, errNotNotifications
	}
	notifications, contents := []Notification{}, []*encryptedContent{}
	for count := 0; decoder.More(); count++ {
		if count == maxNotifications {
			return nil, nil, fmt.Errorf("%w: more than %d items", errNotNotifications, maxNotifications)
		}
		var item notificationItem
		var wrong *json.UnmarshalTypeError
		switch err := decoder.Decode(&item); {
		case errors.As(err, &wrong):
			continue
		case err != nil:
			return nil, nil, errNotNotifications
		}
		if notification, ok := notificationOf(item); ok {
			notifications, contents = append(notifications, notification), append(contents, item.Content.encryptedContent)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, nil, errNotNotifications
	}
	return notifications, contents, nil
}

func notificationOf(item notificationItem) (Notification, bool) {
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
	// The resource is written in several ways; its data, when there are any, name
	// the event in one.
	notification.GraphID, notification.ChangeKey = item.ResourceData.ID, changeKeyOf(item.ResourceData.ETag)
	if notification.GraphID == "" {
		notification.GraphID = eventOf(item.Resource)
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

// eventOf takes the event's id out of a resource: Users/…/Events/id or
// users('…')/events('id').
func eventOf(resource string) string {
	lower := strings.ToLower(resource)
	for mark, end := range map[string]string{"/events/": "", "/events('": "')"} {
		at := strings.LastIndex(lower, mark)
		if at < 0 {
			continue
		}
		id, complete := strings.CutSuffix(resource[at+len(mark):], end)
		if complete && !strings.ContainsAny(id, "/('") {
			return id
		}
	}
	return ""
}

// changeKeyOf takes the change key out of an entity tag, W/"…".
func changeKeyOf(etag string) string {
	return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
}

// etagOf is the opposite.
func etagOf(changeKey string) string { return `W/"` + changeKey + `"` }
