package service

import (
	"context"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// firstSyncStep is how often it is looked whether a first sync is done, and
// listingStep whether it has begun.
const (
	firstSyncStep = 500 * time.Millisecond
	listingStep   = 2 * time.Second
)

// firstSync is the chore that sees whether a first sync is done: everything that
// the first sweep found has been looked at at least once. What failed meanwhile
// is tried again like anything else.
func (s *Service) firstSync(ctx context.Context, member reconciler.Member, _ reconciler.Item) (time.Time, error) {
	again := s.config.Now().Add(firstSyncStep)
	sweeps, err := s.store.Sweeps(ctx, member.ID)
	if err != nil {
		return time.Time{}, err
	}
	if sweeps.Since.IsZero() || sweeps.Mailbox != member.Mailbox {
		return s.config.Now().Add(listingStep), nil
	}
	untried, err := s.store.Untried(ctx, member.ID)
	if err != nil || untried > 0 {
		return again, err
	}
	return time.Time{}, s.store.UpdateMember(ctx, member.ID, func(state *redis.MemberState) (bool, error) {
		changed := !state.Synced
		state.Standing = state.After(reconciler.TurnSynced, "")
		return changed, nil
	})
}

// firstSync shows how far a first sync is; nil for connections that never had
// one. It is worked out from what still waits, and so goes on after a restart.
func (a admin) firstSync(ctx context.Context, state redis.MemberState, sweeps reconciler.Sweeps) (*gateway.FirstSyncView, error) {
	first := state.First
	if first.Began.IsZero() {
		return nil, nil
	}
	view := &gateway.FirstSyncView{
		Mode: gateway.FirstSyncAll, Quiet: first.Quiet, Began: first.Began, Listed: !sweeps.Since.IsZero(), Total: sweeps.First.Total,
		Finished: state.Synced, Send: first.Send.List(), Held: sweeps.First.Held.Map(), Ambiguous: sweeps.First.Ambiguous,
	}
	if first.New {
		view.Mode = gateway.FirstSyncNew
	}
	view.Done = view.Total
	if state.Synced || !view.Listed {
		if !view.Listed {
			view.Done = 0
		}
		return view, nil
	}
	waiting, err := a.service.store.Backlog(ctx, state.ID)
	if err != nil {
		return nil, err
	}
	view.Done = max(view.Total-waiting, sweeps.First.Linked, 0)
	if took := a.service.config.Now().Sub(first.Began).Seconds(); took > 0 && view.Done > 0 {
		view.Rate = float64(view.Done) / took
		view.SecondsLeft = float64(view.Total-view.Done) / view.Rate
	}
	return view, nil
}

// Send implements gateway.Admin.
func (a admin) Send(ctx context.Context, id string, classes []reconciler.Class) error {
	if _, err := a.ready(ctx, id); err != nil {
		return err
	}
	err := a.service.store.UpdateMember(ctx, id, func(state *redis.MemberState) (bool, error) {
		before := state.First.Send
		for _, class := range classes {
			state.First.Send, _ = state.First.Send.With(class)
		}
		return state.First.Send != before, nil
	})
	if err != nil {
		return err
	}
	return a.service.Sweep(ctx, id)
}
