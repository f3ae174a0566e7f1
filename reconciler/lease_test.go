package reconciler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// extending is a queue whose leases are extended as a test says.
type extending struct {
	*memory
	extend func(ctx context.Context) error
}

func (q extending) Extend(ctx context.Context, _ reconciler.Lease) error { return q.extend(ctx) }

// slowOutlook takes a while to be read.
type slowOutlook struct {
	*fakeOutlook
	delay time.Duration
}

func (o slowOutlook) Read(ctx context.Context, member reconciler.Member, ids []string) (map[string]reconciler.Copy, map[string]error, error) {
	time.Sleep(o.delay)
	return o.fakeOutlook.Read(ctx, member, ids)
}

// TestNobodyWritesWithoutTheLane: a worker that read a calendar and then could not
// reach the store for as long as a lease lasts may have been followed by another.
func TestNobodyWritesWithoutTheLane(t *testing.T) {
	unreachable := errors.New("the store cannot be reached")
	for name, play := range map[string]struct {
		delay  time.Duration
		extend func(context.Context) error
		writes bool
	}{
		"the lease is extended":           {delay: time.Minute, extend: func(context.Context) error { return nil }, writes: true},
		"the store is away for a moment":  {delay: 12 * time.Second, extend: func(context.Context) error { return unreachable }, writes: true},
		"the store is away for too long":  {delay: 26 * time.Second, extend: func(context.Context) error { return unreachable }},
		"the store does not answer":       {delay: 26 * time.Second, extend: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		"another worker holds it by then": {delay: 12 * time.Second, extend: func(context.Context) error { return reconciler.ErrLeaseLost }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, nil)
				engine, err := reconciler.NewEngine(reconciler.Config{
					Outlook: slowOutlook{l.outlook, play.delay}, NightPOS: l.nightpos, Store: l.memory, Queue: extending{l.memory, play.extend},
					Database: "night", Now: func() time.Time { return l.now },
				})
				if err != nil {
					t.Fatal(err)
				}
				l.outlook.create(at("Made in Outlook", l.now.Add(48*time.Hour)), 0)
				l.tell(&l.outlook.calendar)
				batch, err := l.memory.Take(t.Context(), 100)
				if err != nil {
					t.Fatal(err)
				}
				err = engine.Process(t.Context(), batch)
				if play.writes != (err == nil) || err != nil && !errors.Is(err, reconciler.ErrLeaseLost) {
					t.Errorf("the batch ended with %v", err)
				}
				if wrote := len(l.nightpos.records) == 1; wrote != play.writes {
					t.Errorf("NightPOS was written: %t, want %t", wrote, play.writes)
				}
			})
		})
	}
}
