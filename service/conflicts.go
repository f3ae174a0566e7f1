package service

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// UseOther implements gateway.Admin. What is replaced takes the place of what is
// put back, so that the next call turns it round again. It is noted before the
// write and takes that place after it: whatever fails in between, neither version
// is lost, and the call may be repeated.
func (a admin) UseOther(ctx context.Context, id, conflict string) error {
	s := a.service
	state, err := a.ready(ctx, id)
	switch {
	case err != nil:
		return err
	case state.Paused:
		return refuse(http.StatusConflict, "this person is paused; resume first")
	case s.engine.Stopped() != "":
		return refuse(http.StatusConflict, "nothing is synced at present: %s", s.engine.Stopped())
	}
	gone := refuse(http.StatusNotFound, "the other version of this conflict is not kept any more; GET /api/v1/activity shows which are")
	kept, err := s.store.Lost(ctx, id, conflict)
	if errors.Is(err, redis.ErrNotFound) || err == nil && kept.Value == nil {
		return gone
	}
	if err != nil {
		return err
	}
	line, of, err := a.conflictOf(ctx, id, conflict)
	if err != nil {
		return err
	}
	if of.ID == "" {
		return gone
	}
	side := of.Loser
	if kept.Restored {
		side = side.Other()
	}
	err = s.engine.Restore(ctx, id, reconciler.Restoration{RecordID: line.RecordID, Field: of.Field, Side: side, Value: *kept.Value}, func(before reconciler.Event) error {
		kept.Replacing = &before
		return s.store.SaveLost(ctx, id, conflict, kept)
	})
	if err != nil {
		return a.notRestored(err)
	}
	if kept.Replacing == nil {
		return refuse(http.StatusConflict, "this version is in use already")
	}
	err = s.store.SaveLost(ctx, id, conflict, redis.LostValue{
		Text: reconciler.FieldText(*kept.Replacing, of.Field), Value: kept.Replacing, Restored: !kept.Restored,
	})
	if errors.Is(err, redis.ErrNotFound) {
		return nil // it expired meanwhile, and is in use
	}
	return err
}

// conflictOf finds the conflict whose other version is kept under an id, and the
// line that tells of it.
func (a admin) conflictOf(ctx context.Context, lane, id string) (reconciler.Activity, reconciler.Conflict, error) {
	lines, err := a.service.store.Activities(ctx, lane, time.Time{}, laneLines)
	for _, line := range lines {
		for _, conflict := range line.Conflicts {
			if conflict.ID == id {
				return line, conflict, nil
			}
		}
	}
	return reconciler.Activity{}, reconciler.Conflict{}, err
}

// notRestored says why a version could not be put back, where there is something
// to do about it.
func (a admin) notRestored(err error) error {
	var refused *reconciler.RefusedError
	var retry *reconciler.RetryError
	switch {
	case errors.Is(err, reconciler.ErrNotRestorable):
		return refuse(http.StatusConflict, "%s; change the event by hand", err)
	case errors.Is(err, reconciler.ErrNotConnected):
		return gateway.ErrNobody
	case errors.Is(err, reconciler.ErrReconnect):
		return refuse(http.StatusConflict, "this person has to connect Outlook again first; make a connect link")
	case errors.Is(err, reconciler.ErrStale):
		return refuse(http.StatusConflict, "somebody is changing this event just now; look at it and try again")
	case errors.Is(err, redis.ErrNotFound):
		return refuse(http.StatusNotFound, "the other version of this conflict is not kept any more; GET /api/v1/activity shows which are")
	case errors.As(err, &refused):
		return refuse(http.StatusConflict, "the calendar refused the other version: %s; change the event by hand", refused.Reason)
	case errors.As(err, &retry):
		return refuse(http.StatusServiceUnavailable, "the calendar asks to be left alone for a while; try again in some minutes")
	}
	return err
}
