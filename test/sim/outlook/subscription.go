package outlook

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maximumLifetime      = 10070 * time.Minute // 2.3
	minimumLifetime      = 45 * time.Minute    // 2.4
	maximumSubscriptions = 1000                // 2.7
	maximumClientState   = 128                 // 2.8
)

// subscription asks for notifications about one mailbox. Guarded by the
// server's mutex.
type subscription struct {
	id               string
	number           uint64 // in the order of creation
	box              *mailbox
	application      string
	resource         string
	folder           uint64 // the calendar it tells of; 0 for all of them
	changeTypes      []string
	address          string
	lifecycleAddress string
	clientState      string
	immutable        bool
	tls              string
	expires          time.Time
	tokenExpires     time.Time // of the access token that it was last authorized with (2.17)
	content          *content  // nil without resource data
	waiting          int       // notifications on their way
	paused           []*notification
	watched          int       // counts authorizations, so that old reminders fall silent
	missedAt         time.Time // of the last "missed"
}

func (s *subscription) alive(now time.Time) bool { return now.Before(s.expires) }

// covers says whether it tells of a calendar.
func (s *subscription) covers(folder uint64) bool { return s.folder == 0 || s.folder == folder }

// render shows a subscription; the client state only in the answer to its
// creation (2.8).
func (s *subscription) render(state any) map[string]any {
	shown := map[string]any{
		"id": s.id, "resource": s.resource, "applicationId": s.application, "changeType": strings.Join(s.changeTypes, ","),
		"clientState": state, "notificationUrl": s.address, "lifecycleNotificationUrl": orNull(s.lifecycleAddress),
		"expirationDateTime": s.expires.UTC().Format(time.RFC3339Nano), "creatorId": s.box.objectID,
		"latestSupportedTlsVersion": s.tls, "includeResourceData": nil, "encryptionCertificate": nil,
		"encryptionCertificateId": nil, "notificationContentType": "application/json",
		"notificationQueryOptions": nil, "notificationUrlAppId": nil,
	}
	if s.content != nil {
		shown["includeResourceData"], shown["encryptionCertificate"], shown["encryptionCertificateId"] = true, s.content.certificate, s.content.id
	}
	return shown
}

var subscriptionProperties = []string{
	"changeType", "notificationUrl", "lifecycleNotificationUrl", "resource", "expirationDateTime", "clientState",
	"latestSupportedTlsVersion", "includeResourceData", "encryptionCertificate", "encryptionCertificateId", "notificationUrlAppId",
	"notificationQueryOptions", "notificationContentType", "id", "applicationId", "creatorId",
}

func (s *Server) postSubscription(ctx context.Context, q *request) (*answer, error) {
	wanted, err := s.readSubscription(q)
	if err != nil {
		return nil, err
	}
	if err := s.room(wanted); err != nil {
		return nil, err
	}
	// Both addresses are asked before the answer is given, without the lock:
	// the endpoint may well call Graph meanwhile (2.10).
	addresses := []string{wanted.address}
	if wanted.lifecycleAddress != "" {
		addresses = append(addresses, wanted.lifecycleAddress)
	}
	for _, address := range addresses {
		if err := s.validate(ctx, address); err != nil && !s.config.Switches.UnvalidatedTaken {
			return nil, err
		}
	}
	if err := s.room(wanted); err != nil { // others may have subscribed meanwhile
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	s.counter++
	wanted.number = s.counter
	wanted.id = s.guid(fmt.Sprintf("subscription %d", s.counter))
	s.subscriptions[wanted.id] = wanted
	s.watch(wanted)
	body := wanted.render(wanted.clientState)
	body["@odata.context"] = s.contextURL("subscriptions/$entity")
	return &answer{status: http.StatusCreated, body: body}, nil
}

// room enforces the limits on subscriptions and forgets the expired ones.
func (s *Server) room(wanted *subscription) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	count := 0
	for id, other := range s.subscriptions {
		if !other.alive(s.now()) {
			delete(s.subscriptions, id)
			continue
		}
		if other.box != wanted.box {
			continue
		}
		count++
		if s.config.Switches.DuplicateConflict && other.application == wanted.application && other.resource == wanted.resource && slices.Equal(other.changeTypes, wanted.changeTypes) {
			return failure(http.StatusConflict, "Conflict", "Subscription Id <%s> already exists for the requested combination", other.id)
		}
	}
	if count >= maximumSubscriptions {
		return failure(http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: The limit of %d subscriptions for the mailbox is reached.]", maximumSubscriptions)
	}
	return nil
}

func (s *Server) readSubscription(q *request) (*subscription, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	read := map[string]string{}
	for name, value := range content {
		if !slices.Contains(subscriptionProperties, name) && !strings.Contains(name, "@odata.") {
			return nil, badRequest("BadRequest", "The property '%s' does not exist on type 'microsoft.graph.subscription'.", name)
		}
		if text, ok := value.(string); ok {
			read[name] = text
		}
	}
	wanted := &subscription{
		box: q.box, application: q.grant.application, resource: read["resource"], address: read["notificationUrl"],
		lifecycleAddress: read["lifecycleNotificationUrl"], clientState: read["clientState"], immutable: q.view.immutable,
		tls: read["latestSupportedTlsVersion"], tokenExpires: q.grant.expires,
	}
	for _, name := range []string{"changeType", "notificationUrl", "resource", "expirationDateTime"} {
		if read[name] == "" {
			return nil, badRequest("InvalidRequest", "The subscription needs a value for '%s'.", name)
		}
	}
	if len(wanted.clientState) > maximumClientState {
		return nil, badRequest("InvalidRequest", "The client state is longer than %d characters.", maximumClientState)
	}
	if wanted.tls == "" {
		wanted.tls = "v1_2"
	}
	if !slices.Contains([]string{"v1_0", "v1_1", "v1_2", "v1_3"}, wanted.tls) {
		return nil, badRequest("InvalidRequest", "The value '%s' of latestSupportedTlsVersion is not supported.", wanted.tls)
	}
	for kind := range strings.SplitSeq(read["changeType"], ",") {
		kind = strings.ToLower(strings.TrimSpace(kind))
		if !slices.Contains([]string{"created", "updated", "deleted"}, kind) {
			return nil, badRequest("InvalidRequest", "The change type '%s' is not supported.", kind)
		}
		if !slices.Contains(wanted.changeTypes, kind) {
			wanted.changeTypes = append(wanted.changeTypes, kind)
		}
	}
	rich := content["includeResourceData"] == true
	if err := s.readResource(wanted, rich); err != nil {
		return nil, err
	}
	if rich {
		_, query, _ := strings.Cut(wanted.resource, "?")
		if wanted.content, err = readContent(query, read["encryptionCertificate"], read["encryptionCertificateId"]); err != nil {
			return nil, err
		}
	}
	for _, address := range []string{wanted.address, wanted.lifecycleAddress} {
		if address != "" {
			if err := s.checkAddress(address); err != nil {
				return nil, err
			}
		}
	}
	wanted.expires, err = s.expiry(read["expirationDateTime"], "Create", wanted.content)
	return wanted, err
}

// readResource takes the documented event paths of the own mailbox, and those of a
// calendar (2.5, 2.6). me/events is all of its calendars, by the documentation
// (11.2).
func (s *Server) readResource(wanted *subscription, rich bool) error {
	path, filter, filtered := strings.Cut(wanted.resource, "?")
	if filtered && !rich {
		return badRequest("InvalidRequest", "This simulator takes no query options in a resource: '%s'.", filter)
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if len(segments) > 1 && strings.EqualFold(segments[0], "users") {
		if !strings.EqualFold(segments[1], wanted.box.objectID) && !strings.EqualFold(segments[1], wanted.box.person.Address) {
			return errorAccessDenied()
		}
		segments = append([]string{"me"}, segments[2:]...)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(segments) == 4 && strings.EqualFold(segments[1], "calendars") {
		if named := wanted.box.calendarOf(segments[2]); named != nil {
			wanted.folder = named.folder
			segments = []string{segments[0], "calendar", segments[3]}
		}
	}
	switch strings.ToLower(strings.Join(segments, "/")) {
	case "me/events":
		if s.config.Switches.SecondaryQuiet {
			wanted.folder = defaultFolder
		}
		wanted.resource = strings.TrimPrefix(wanted.resource, "/")
		return nil
	case "me/calendar/events":
		if wanted.folder == 0 {
			wanted.folder = defaultFolder
		}
		wanted.resource = strings.TrimPrefix(wanted.resource, "/")
		return nil
	}
	return badRequest("ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: The value of parameter 'Resource' is not supported.]")
}

// near tells the hosts that need no TLS: this machine and simulated networks.
func near(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".sim") || ip != nil && ip.IsLoopback()
}

// checkAddress wants https, except on this machine and in simulated networks.
func (s *Server) checkAddress(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return badRequest("InvalidRequest", "The notification address '%s' is not a URL.", address)
	}
	if parsed.Scheme == "http" && !near(parsed.Hostname()) && !s.config.Switches.AnyAddress {
		return badRequest("InvalidRequest", "Notification URL must use the HTTPS protocol.")
	}
	return nil
}

// expiry reads an expiration: too late is refused, too early is raised.
func (s *Server) expiry(text, operation string, with *content) (time.Time, error) {
	expires, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return expires, badRequest("InvalidRequest", "The value '%s' of expirationDateTime is not a date and time with an offset.", text)
	}
	now := s.now()
	most := maximumLifetime
	if with != nil {
		most = maximumContentLifetime
	}
	if expires.Sub(now) > most {
		return expires, badRequest("ExtensionError", "Operation: %s; Exception: [Status Code: BadRequest; Reason: Subscription expiration can only be %d minutes in the future.]", operation, int(most/time.Minute))
	}
	if !expires.After(now) {
		return expires, badRequest("InvalidRequest", "The expirationDateTime '%s' is in the past.", text)
	}
	if expires.Sub(now) < minimumLifetime {
		expires = now.Add(minimumLifetime)
	}
	return expires.UTC(), nil
}

// own finds a living subscription of the caller; the caller holds the mutex.
func (s *Server) own(q *request) (*subscription, error) {
	found := s.subscriptions[q.params["subscription"]]
	if found == nil || found.application != q.grant.application || found.box != q.box || !found.alive(s.now()) {
		if s.config.Switches.GoneOtherwise {
			return nil, failure(http.StatusNotFound, "ExtensionError", "Operation: Read; Exception: [Status Code: NotFound; Reason: Subscription not found.]")
		}
		return nil, failure(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
	}
	return found, nil
}

func (s *Server) listSubscriptions(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	var mine []*subscription
	for _, one := range s.subscriptions {
		if one.application == q.grant.application && one.box == q.box && one.alive(s.now()) {
			mine = append(mine, one)
		}
	}
	slices.SortFunc(mine, func(a, b *subscription) int { return int(a.number) - int(b.number) })
	value := []any{}
	for _, one := range mine {
		value = append(value, one.render(nil))
	}
	return &answer{status: http.StatusOK, body: map[string]any{"@odata.context": s.contextURL("subscriptions"), "value": value}}, nil
}

func (s *Server) getSubscription(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	found, err := s.own(q)
	if err != nil {
		return nil, err
	}
	return s.shownSubscription(found), nil
}

func (s *Server) shownSubscription(found *subscription) *answer {
	body := found.render(nil)
	body["@odata.context"] = s.contextURL("subscriptions/$entity")
	return &answer{status: http.StatusOK, body: body}
}

// patchSubscription renews, which also authorizes anew (2.12).
func (s *Server) patchSubscription(ctx context.Context, q *request) (*answer, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	known, err := s.own(q)
	s.mutex.Unlock()
	if err != nil {
		return nil, err
	}
	var expires time.Time
	var address string
	var certificate, certificateID string
	for name, value := range content {
		text, _ := value.(string)
		switch {
		case name == "expirationDateTime":
			expires, err = s.expiry(text, "Update", known.content)
		case name == "encryptionCertificate" && known.content != nil:
			certificate = text
		case name == "encryptionCertificateId" && known.content != nil:
			certificateID = text
		case name == "notificationUrl":
			if err = s.checkAddress(text); err == nil {
				address, err = text, s.validate(ctx, text)
			}
		case strings.Contains(name, "@odata."):
		default:
			err = badRequest("InvalidRequest", "The property '%s' of a subscription cannot be changed.", name)
		}
		if err != nil {
			return nil, err
		}
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := s.own(q)
	if err != nil {
		return nil, err
	}
	if certificate+certificateID != "" {
		next, err := found.content.encryptedFor(certificate, certificateID)
		if err != nil {
			return nil, err
		}
		found.content = next
	}
	if !expires.IsZero() {
		found.expires = expires
	}
	if address != "" {
		found.address = address
	}
	s.authorize(found, q.grant)
	return s.shownSubscription(found), nil
}

func (s *Server) reauthorizeSubscription(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	found, err := s.own(q)
	if err != nil {
		return nil, err
	}
	s.authorize(found, q.grant)
	return &answer{status: http.StatusNoContent}, nil
}

// authorize renews the token behind a subscription and lets go what waited for
// it (3.9).
func (s *Server) authorize(found *subscription, by *grant) {
	found.tokenExpires = by.expires
	s.watch(found)
	paused := found.paused
	found.paused = nil
	for _, item := range paused {
		s.after(s.pick(s.config.Switches.notificationDelay()), func() { s.ready(item) })
	}
}

func (s *Server) deleteSubscription(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	found, err := s.own(q)
	if err != nil {
		return nil, err
	}
	delete(s.subscriptions, found.id)
	return &answer{status: http.StatusNoContent}, nil
}
