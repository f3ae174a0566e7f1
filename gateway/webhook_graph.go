package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// graphStoreTime bounds the wait for the store. Graph counts an endpoint as
	// slow from 3 s on, and one that is too slow too often loses notifications.
	graphStoreTime = 2 * time.Second
	// maxValidationToken is far more than the few hundred characters seen.
	maxValidationToken = 4 << 10
)

// graphWebhook answers change and lifecycle notifications: both may come to
// either address, since Graph may mix them.
type graphWebhook struct {
	route    string
	intake   *intake
	senders  *Senders
	hints    Hints
	contents Contents // nil for none
	observer Observer
	now      func() time.Time
	log      *zap.Logger
}

func (g *graphWebhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("validationToken") {
		g.validate(w, r.URL.Query().Get("validationToken"))
		return
	}
	g.intake.admit(w, r, func(body []byte) { g.take(w, r, body) })
}

// take answers what was posted.
func (g *graphWebhook) take(w http.ResponseWriter, r *http.Request, body []byte) {
	notifications, err := outlook.ParseNotifications(body)
	if err != nil {
		g.observer.Rejected(g.route, "body", 1)
		writeProblem(w, http.StatusBadRequest, "the body is not a collection of change notifications")
		return
	}
	hints, contents := g.collect(notifications)
	if len(hints) > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), graphStoreTime)
		defer cancel()
		g.keep(ctx, contents)
		echoes, err := g.hints.AddHints(ctx, hints)
		if err != nil {
			g.log.Error("notifications could not be stored; Graph will send them again", zap.Int("count", len(hints)), zap.Error(err))
			w.Header().Set("Retry-After", "10")
			writeProblem(w, http.StatusServiceUnavailable, "the store cannot be reached, send it again")
			return
		}
		if echoes > 0 {
			g.observer.Echo(reconciler.SideOutlook, echoes)
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// contentTime is what keeping contents may take of graphStoreTime.
const contentTime = 500 * time.Millisecond

// keep keeps what the notifications told, before their hints, so that who takes
// those finds it.
func (g *graphWebhook) keep(ctx context.Context, contents []reconciler.Content) {
	if len(contents) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, contentTime)
	defer cancel()
	if err := g.contents.KeepContents(ctx, contents); err != nil {
		g.log.Warn("the content of notifications could not be kept; what they spoke of is read instead", zap.Int("count", len(contents)), zap.Error(err))
	}
}

// validate echoes the token of the handshake and nothing else. The type is
// plain text, so that nothing a stranger sends becomes a page.
func (g *graphWebhook) validate(w http.ResponseWriter, token string) {
	if token == "" || len(token) > maxValidationToken {
		writeProblem(w, http.StatusBadRequest, "the validationToken is empty or too long")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(token)) // #nosec G705 -- text/plain with nosniff
}

// collect turns notifications into hints, one per item of work and version: Graph
// says several times what one change is. Two versions of an event are two hints,
// since one of them may be an echo and the order of them says nothing. With them
// comes what was told of the events themselves.
func (g *graphWebhook) collect(notifications []outlook.Notification) ([]reconciler.Hint, []reconciler.Content) {
	now := g.now().UTC()
	var hints []reconciler.Hint
	var contents []reconciler.Content
	told := map[reconciler.Hint]bool{}
	strangers := 0
	for _, notification := range notifications {
		lane, known := g.senders.Lane(notification.ClientState)
		if !known {
			strangers++
			continue
		}
		if g.contents != nil && notification.Content != nil {
			contents = append(contents, reconciler.Content{Lane: lane, GraphID: notification.GraphID, Sealed: notification.Content})
		}
		for _, hint := range hintsOf(notification, lane, now) {
			if !told[hint] {
				told[hint] = true
				hints = append(hints, hint)
			}
		}
	}
	if strangers > 0 {
		g.observer.Rejected(g.route, "client_state", strangers)
	}
	return hints, contents
}

// hintsOf says where one notification tells to look.
func hintsOf(notification outlook.Notification, lane string, now time.Time) []reconciler.Hint {
	if notification.Lifecycle != "" {
		return lifecycleHints(notification, lane, now)
	}
	if notification.GraphID == "" {
		// A change that names no event can still be found.
		return []reconciler.Hint{{Lane: lane, Item: reconciler.ChangesItem(reconciler.PriorityBackfill, now)}}
	}
	version := notification.ChangeKey
	if notification.ChangeType == "deleted" {
		version = reconciler.VersionDeleted
	}
	return []reconciler.Hint{{
		Lane: lane, GraphID: notification.GraphID,
		Item: reconciler.Item{Key: reconciler.OutlookKey(notification.GraphID), First: now, Version: version},
	}}
}

// lifecycleHints say what is to be done about a word about a subscription. Where
// changes may have gone untold, looking after the subscription also has the gap
// swept, once it delivers again.
func lifecycleHints(notification outlook.Notification, lane string, now time.Time) []reconciler.Hint {
	care := func(signal string) reconciler.Hint {
		if notification.SubscriptionID != "" && signal != reconciler.SignalNone {
			signal += " " + notification.SubscriptionID
		}
		return reconciler.Hint{Lane: lane, Item: reconciler.Item{Key: reconciler.KeySubscription, First: now, Version: signal}}
	}
	sweep := reconciler.Hint{Lane: lane, Item: reconciler.SweepItem(reconciler.PriorityBackfill, now)}
	switch strings.ToLower(notification.Lifecycle) {
	case "reauthorizationrequired":
		return []reconciler.Hint{care(reconciler.SignalReauthorize)}
	case "subscriptionremoved":
		return []reconciler.Hint{care(reconciler.SignalRemoved)}
	case "missed":
		return []reconciler.Hint{sweep}
	}
	// One that is not known yet: whatever it means, looking does no harm.
	return []reconciler.Hint{care(reconciler.SignalReauthorize), sweep}
}
