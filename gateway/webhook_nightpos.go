package gateway

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// nightposStoreTime bounds the wait for the store. NightPOS gives a webhook one
// second, holds its own user's transaction for as long, and never sends again.
// What goes into the answer besides is microseconds; asking who is connected may
// take half of that.
const (
	nightposStoreTime  = 600 * time.Millisecond
	nightposMemberTime = nightposStoreTime / 2
)

// nightposWebhook answers NightPOS's change webhooks.
type nightposWebhook struct {
	route    string
	intake   *intake
	senders  *Senders
	hints    *spill
	members  Members
	observer Observer
	now      func() time.Time
	log      *zap.Logger
	// known is who was connected when the store last answered.
	known atomic.Pointer[[]reconciler.Member]
}

func (n *nightposWebhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !n.senders.IsToken(mux.Vars(r)["token"]) {
		n.observer.Rejected(n.route, "token", 1)
		writeProblem(w, http.StatusNotFound, "no such address")
		return
	}
	n.intake.admit(w, r, func(body []byte) { n.take(w, r, body) })
}

// take answers what was posted.
func (n *nightposWebhook) take(w http.ResponseWriter, r *http.Request, body []byte) {
	change, err := nightpos.ParseWebhook(r.URL.Query(), body)
	if err != nil {
		n.observer.Rejected(n.route, "body", 1)
		writeProblem(w, http.StatusBadRequest, "the body is not a NightPOS change webhook: "+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), nightposStoreTime)
	defer cancel()
	members, err := n.connected(ctx)
	if err != nil {
		n.log.Error("a NightPOS change could not be routed; the next sweep finds it", zap.Error(err))
		writeProblem(w, http.StatusServiceUnavailable, "the store cannot be reached")
		return
	}
	hints := hintsOfChange(change, members, n.now().UTC())
	if len(hints) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if err := n.hints.add(ctx, hints); err != nil {
		n.log.Error("a NightPOS change could not be stored; the next sweep finds it", zap.Error(err))
		writeProblem(w, http.StatusServiceUnavailable, "the store cannot be reached")
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// connected is who is connected, or was when the store last answered: somebody
// who connects while the store is away is swept afterwards.
func (n *nightposWebhook) connected(ctx context.Context) ([]reconciler.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, nightposMemberTime)
	defer cancel()
	members, err := n.members.Members(ctx)
	if err == nil {
		n.known.Store(&members)
		return members, nil
	}
	if known := n.known.Load(); known != nil {
		return *known, nil
	}
	return nil, err
}

// hintsOfChange finds the lanes that a change concerns: its organizer's and its
// attendees'. A change that names nobody is looked at by every lane, since the
// one it concerns cannot be told; lanes without a link to it forget it at the
// price of one shared read.
func hintsOfChange(change nightpos.Change, members []reconciler.Member, now time.Time) []reconciler.Hint {
	if change.RecordID == 0 {
		return nil
	}
	item := reconciler.Item{Key: reconciler.NightPOSKey(change.RecordID), First: now, Due: now.Add(reconciler.FirstLook), Version: change.WriteDate}
	if change.Deleted {
		item.Version = reconciler.VersionDeleted
	}
	named := change.OrganizerUserID != 0 || len(change.PartnerIDs) > 0
	var hints []reconciler.Hint
	for _, member := range members {
		if !named || member.UserID == change.OrganizerUserID || slices.Contains(change.PartnerIDs, member.PartnerID) {
			hints = append(hints, reconciler.Hint{Lane: member.ID, Item: item})
		}
	}
	return hints
}
