package gateway

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// nightposStoreTime bounds the wait for the store. NightPOS gives a webhook one
// second, holds its own user's transaction for as long, and never sends again.
const nightposStoreTime = 600 * time.Millisecond

// nightposWebhook answers NightPOS's change webhooks.
type nightposWebhook struct {
	route    string
	senders  *Senders
	hints    *spill
	members  Members
	observer Observer
	now      func() time.Time
	log      *zap.Logger
}

func (n *nightposWebhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !n.senders.IsToken(mux.Vars(r)["token"]) {
		n.observer.Rejected(n.route, "token", 1)
		writeProblem(w, http.StatusNotFound, "no such address")
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	change, err := nightpos.ParseWebhook(r.URL.Query(), body)
	if err != nil {
		n.observer.Rejected(n.route, "body", 1)
		writeProblem(w, http.StatusBadRequest, "the body is not a NightPOS change webhook: "+err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), nightposStoreTime)
	defer cancel()
	members, err := n.members.Members(ctx)
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

// hintsOfChange finds the lanes that a change concerns: its organizer's and its
// attendees'. A change that names nobody is looked at by every lane, since the
// one it concerns cannot be told; lanes without a link to it forget it at the
// price of one shared read.
func hintsOfChange(change nightpos.Change, members []reconciler.Member, now time.Time) []reconciler.Hint {
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
