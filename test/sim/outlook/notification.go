package outlook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	validationPatience = 10 * time.Second // 2.10
	firstPatience      = 3 * time.Second  // 3.4
	retryPatience      = 10 * time.Second // 3.5
	retryLimit         = 4 * time.Hour    // 3.5
	maximumWaiting     = 1000             // notifications on their way for one subscription
	maximumPosted      = 100              // notifications in one POST
	maximumPosts       = 4                // POSTs to one address at a time
)

// notification is one message about one event for one subscription.
type notification struct {
	to        *subscription
	id        string
	kind      string
	lifecycle string // the lifecycle event; then it is about no event of the calendar
	about     key
	event     *event // as it was, for a subscription with content; nil for deletions
	etag      string
	born      time.Time // on the clock of the schedule
	attempts  int
}

// endpoint collects what is ready for one address, also of several
// subscriptions (3.3).
type endpoint struct {
	address  string
	ready    []*notification
	flushing bool
	posting  int
}

// Delivery counts what became of the notifications since the start.
type Delivery struct {
	Delivered int // notifications answered with 2xx in time, doubles included
	Failed    int // attempts that were not
	Lost      int // given up: after 4 h, a full queue, an expired subscription
	Waiting   int // on their way, being retried, or paused
	Posts     int // POSTs sent
	Silent    int // changes that a switch keeps from being told to anybody
}

// Delivery returns the counters of the notifications.
func (s *Server) Delivery() Delivery {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.delivery
}

// Silence begins or ends an outage of the change notifications (13.3): what
// changes meanwhile is never told, and nothing says that it was not.
func (s *Server) Silence(silent bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.silent = silent
}

// announce starts the notifications of one change; the caller holds the mutex.
func (s *Server) announce(m *mailbox, e *event, kind string) {
	for _, one := range s.watching(m, func(one *subscription) bool { return one.covers(e.folder) }) {
		s.tell(one, e, kind)
	}
}

// announceMove tells of an event in another calendar. Who watches one calendar
// sees it leave or enter, as with a filter (3.10). Who watches all of them sees it
// change; but an id of the default form has become another one (7.3), and nothing
// but the end of the one and the beginning of the other can be told [U].
func (s *Server) announceMove(m *mailbox, before, after *event) {
	concerned := func(one *subscription) bool { return one.covers(before.folder) || one.covers(after.folder) }
	for _, one := range s.watching(m, concerned) {
		if one.immutable && one.covers(before.folder) && one.covers(after.folder) {
			s.tell(one, after, "updated")
			continue
		}
		if one.covers(before.folder) {
			s.tell(one, before, "deleted")
		}
		if one.covers(after.folder) {
			s.tell(one, after, "created")
		}
	}
}

// watching are the subscriptions that are to be told of a change, in the order of
// their creation: none during an outage.
func (s *Server) watching(m *mailbox, concerned func(*subscription) bool) []*subscription {
	var watching []*subscription
	for _, one := range s.subscriptions {
		if one.box == m && one.alive(s.now()) && concerned(one) {
			watching = append(watching, one)
		}
	}
	if s.silent {
		s.delivery.Lost += len(watching)
		return nil
	}
	slices.SortFunc(watching, func(a, b *subscription) int { return int(a.number) - int(b.number) })
	return watching
}

// tell starts the notifications of one change for one subscription.
func (s *Server) tell(one *subscription, e *event, kind string) {
	kinds := []string{kind}
	if !s.config.Switches.OneNotification { // 3.11
		extra := 0
		switch kind {
		case "created":
			extra = 1 + s.random.IntN(3)
		case "updated":
			extra = s.random.IntN(3)
		}
		kinds = append(kinds, slices.Repeat([]string{"updated"}, extra)...)
	}
	for _, sent := range kinds {
		if !slices.Contains(one.changeTypes, sent) {
			continue
		}
		s.send(one, e, sent)
		if s.random.Float64() < s.config.Switches.Duplicates {
			s.send(one, e, sent)
		}
	}
}

func (s *Server) send(to *subscription, e *event, kind string) {
	if to.waiting >= maximumWaiting {
		s.delivery.Lost++
		s.tellMissed(to)
		return
	}
	to.waiting++
	s.delivery.Waiting++
	s.counter++
	item := &notification{
		to: to, kind: kind, about: e.key().whole(), etag: e.etag(), born: time.Now(),
		id: strings.TrimRight(urlText(s.hash(fmt.Sprintf("notification %d", s.counter))[:12]), "="),
	}
	if to.content != nil && kind != "deleted" {
		item.event = e
	}
	s.after(s.pick(s.config.Switches.notificationDelay()), func() { s.ready(item) })
}

// settle takes a notification off the queue of its subscription.
func (s *Server) settle(item *notification, outcome *int) {
	item.to.waiting--
	s.delivery.Waiting--
	*outcome++
}

// ready puts a notification up for the next POST to its address.
func (s *Server) ready(item *notification) {
	to := item.to
	switch {
	case time.Since(item.born) > retryLimit:
		s.lost(item)
		return
	case item.lifecycle == subscriptionRemoved: // the one message that outlives its subscription
	case s.subscriptions[to.id] != to || !to.alive(s.now()):
		s.lost(item)
		return
	case item.lifecycle != "": // also while the token is expired
	case !s.config.Switches.TokensIgnored && !s.now().Before(to.tokenExpires): // 2.17
		if s.config.Switches.PauseLoses {
			s.settle(item, &s.delivery.Lost) // 4.3: no word about it either
		} else {
			to.paused = append(to.paused, item)
			s.after(retryLimit-time.Since(item.born), func() { s.giveUp(item) })
		}
		return
	}
	address := to.address
	if item.lifecycle != "" {
		address = to.lifecycleAddress
	}
	target := s.endpoints[address]
	if target == nil {
		target = &endpoint{address: address}
		s.endpoints[address] = target
	}
	target.ready = append(target.ready, item)
	if !target.flushing {
		target.flushing = true
		// A moment's wait lets notifications of one burst share a POST.
		s.after(min(2*time.Millisecond, s.config.Switches.notificationDelay().Most), func() {
			target.flushing = false
			s.flush(target)
		})
	}
}

// giveUp drops a notification that has been paused for too long.
func (s *Server) giveUp(item *notification) {
	if at := slices.Index(item.to.paused, item); at >= 0 {
		item.to.paused = slices.Delete(item.to.paused, at, at+1)
		s.lost(item)
	}
}

// flush sends what is ready; the caller holds the mutex.
func (s *Server) flush(target *endpoint) {
	for len(target.ready) > 0 && target.posting < maximumPosts && !s.closed {
		size := min(len(target.ready), maximumPosted)
		items := slices.Clone(target.ready[:size])
		target.ready = slices.Clone(target.ready[size:])
		s.random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] }) // 3.7
		patience := firstPatience
		value := []any{}
		for _, item := range items {
			value = append(value, s.renderNotification(item))
			if item.attempts > 0 {
				patience = retryPatience
			}
		}
		body := map[string]any{"value": value}
		if tokens, err := s.validationTokens(items); err == nil {
			body["validationTokens"] = tokens
		}
		target.posting++
		s.delivery.Posts++
		s.group.Go(func() { s.post(target, items, body, patience) })
	}
	if len(target.ready) == 0 && target.posting == 0 && !target.flushing {
		delete(s.endpoints, target.address)
	}
}

func (s *Server) post(target *endpoint, items []*notification, body map[string]any, patience time.Duration) {
	err := s.postBody(target.address, body, patience)
	s.mutex.Lock()
	defer s.unlock()
	target.posting--
	for _, item := range items {
		if err == nil {
			s.settle(item, &s.delivery.Delivered)
			continue
		}
		s.delivery.Failed++
		pause := s.config.Switches.retryBase() << min(item.attempts, 20)
		item.attempts++
		if time.Since(item.born)+pause > retryLimit {
			s.lost(item)
			continue
		}
		s.after(pause, func() { s.ready(item) })
	}
	s.flush(target)
}

// postBody delivers and waits for a 2xx.
func (s *Server) postBody(address string, body any, patience time.Duration) error {
	rendered, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("rendering notifications: %w", err)
	}
	ctx, cancel := context.WithTimeout(s.context, patience)
	defer cancel()
	outgoing, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(rendered))
	if err != nil {
		return fmt.Errorf("notifying: %w", err)
	}
	outgoing.Header.Set("Content-Type", "application/json; charset=utf-8")
	given, err := s.config.Transport.RoundTrip(outgoing)
	if err != nil {
		return fmt.Errorf("notifying: %w", err)
	}
	defer given.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(given.Body, maximumBody)); err != nil {
		return fmt.Errorf("reading the answer to notifications: %w", err)
	}
	if given.StatusCode < 200 || given.StatusCode > 299 {
		return fmt.Errorf("notifying: status %d", given.StatusCode)
	}
	return nil
}

// renderNotification has the documented shape (3.1), or one of the variations
// that have been seen (3.2).
func (s *Server) renderNotification(item *notification) map[string]any {
	to := item.to
	if item.lifecycle != "" { // 4.1
		return map[string]any{
			"subscriptionId": to.id, "subscriptionExpirationDateTime": to.expires.Format(instantLayout + "Z07:00"),
			"clientState": orNull(to.clientState), "tenantId": s.config.TenantID, "lifecycleEvent": item.lifecycle,
		}
	}
	eventID := to.box.idOf(item.about, to.immutable)
	user := to.box.objectID
	path := "Users/" + user + "/Events/" + eventID
	data := map[string]any{"@odata.type": "#Microsoft.Graph.Event", "@odata.id": path, "@odata.etag": item.etag, "id": eventID}
	shown := map[string]any{
		"id": item.id, "subscriptionId": to.id, "subscriptionExpirationDateTime": to.expires.Format(instantLayout + "Z07:00"),
		"clientState": orNull(to.clientState), "changeType": item.kind, "resource": path,
		"tenantId": s.config.TenantID, "resourceData": data,
	}
	if item.event != nil {
		if sealed, err := s.contentOf(item); err == nil {
			shown["encryptedContent"] = sealed
		}
	}
	if !s.config.Switches.VaryShapes {
		return shown
	}
	if s.random.IntN(2) == 0 {
		delete(shown, "id")
	}
	if s.random.IntN(2) == 0 {
		data["@odata.type"] = "#microsoft.graph.event"
	}
	switch s.random.IntN(3) {
	case 0:
		shown["resource"] = "users/" + user + "@" + s.config.TenantID + "/events/" + eventID
	case 1:
		shown["resource"] = "Users('" + user + "')/events('" + eventID + "')"
	}
	data["@odata.id"] = shown["resource"]
	if s.random.IntN(2) == 0 {
		offset := time.FixedZone("", 5*3600+1800)
		shown["subscriptionExpirationDateTime"] = to.expires.In(offset).Format(instantLayout + "-07:00")
	}
	return shown
}

// validate asks an address whether it wants notifications (2.10, 2.11).
func (s *Server) validate(ctx context.Context, address string) error {
	s.mutex.Lock()
	s.counter++
	token := "Validation: Testing client application reachability for subscription Request-Id: " + s.guid(fmt.Sprintf("validation %d", s.counter))
	s.mutex.Unlock()
	parsed, err := url.Parse(address)
	if err != nil {
		return badRequest("InvalidRequest", "The notification address '%s' is not a URL.", address)
	}
	if parsed.RawQuery != "" {
		parsed.RawQuery += "&"
	}
	parsed.RawQuery += "validationToken=" + url.QueryEscape(token)
	ctx, cancel := context.WithTimeout(ctx, validationPatience)
	defer cancel()
	outgoing, err := http.NewRequestWithContext(ctx, http.MethodPost, parsed.String(), nil)
	if err != nil {
		return badRequest("InvalidRequest", "The notification address '%s' is not a URL.", address)
	}
	outgoing.Header.Set("Content-Type", "text/plain; charset=utf-8")
	given, err := s.config.Transport.RoundTrip(outgoing)
	if err != nil {
		if ctx.Err() != nil {
			return badRequest("ValidationError", "Subscription validation request timed out.")
		}
		return badRequest("ValidationError", "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.")
	}
	defer given.Body.Close()
	body, err := io.ReadAll(io.LimitReader(given.Body, 1<<16))
	switch {
	case err != nil && ctx.Err() != nil:
		return badRequest("ValidationError", "Subscription validation request timed out.")
	case given.StatusCode != http.StatusOK:
		return badRequest("ValidationError", "Subscription validation request failed. HTTP status code is '%s'. Notification endpoint must respond with 200 OK to validation request.", strings.ReplaceAll(http.StatusText(given.StatusCode), " ", ""))
	case err != nil || !strings.HasPrefix(given.Header.Get("Content-Type"), "text/plain") || string(body) != token && string(body) != html.EscapeString(token):
		return badRequest("ValidationError", "Subscription validation request failed. The answer must be the validation token as text/plain.")
	}
	return nil
}
