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

// outage is a store and queue that cannot be reached until a moment.
type outage struct {
	*memory
	until time.Time
	// read says that links cannot be read either, and extends that leases can be
	// extended all the while.
	read, extends bool
	finished      int
}

var errAway = errors.New("the store cannot be reached")

func (o *outage) away() error {
	if time.Now().Before(o.until) {
		return errAway
	}
	return nil
}

func (o *outage) Extend(context.Context, reconciler.Lease) error {
	if o.extends {
		return nil
	}
	return o.away()
}

func (o *outage) Links(ctx context.Context, lane string, graphIDs []string, recordIDs []int64) ([]reconciler.Link, error) {
	if err := o.away(); o.read && err != nil {
		return nil, err
	}
	return o.memory.Links(ctx, lane, graphIDs, recordIDs)
}

func (o *outage) Commit(ctx context.Context, lease reconciler.Lease, commit reconciler.Commit) error {
	if err := o.away(); err != nil {
		return err
	}
	return o.memory.Commit(ctx, lease, commit)
}

func (o *outage) Finish(ctx context.Context, lease reconciler.Lease, outcomes []reconciler.Outcome) error {
	if err := o.away(); err != nil {
		return err
	}
	o.finished++
	return o.memory.Finish(ctx, lease, outcomes)
}

// TestAStoreThatIsAwayForAMoment: whoever wrote to a calendar records it once the store
// is back, before a person deletes what nobody knows of; and a lane whose batch came to
// nothing is given back, instead of being nobody's for a whole lease.
func TestAStoreThatIsAwayForAMoment(t *testing.T) {
	for name, play := range map[string]struct {
		read, extends, broken bool
		away                  time.Duration
		writes                bool
		err                   error
		// given says that the lane was given back, and within how long all is over.
		given  bool
		within time.Duration
	}{
		"after the calendars were written":             {away: 8 * time.Second, writes: true, given: true, within: 10 * time.Second},
		"before they were read":                        {away: 8 * time.Second, read: true, err: errAway, given: true, within: 10 * time.Second},
		"for longer than the lease is certainly held":  {away: 40 * time.Second, writes: true, err: errAway, within: 26 * time.Second},
		"in a part, while the lease is extended":       {away: time.Hour, extends: true, writes: true, err: errAway, within: time.Minute},
		"or answers with what waiting does not change": {away: time.Hour, broken: true, writes: true, err: errAway, within: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife(t, nil)
				began := time.Now()
				store := &outage{memory: l.memory, until: began.Add(play.away), read: play.read, extends: play.extends}
				engine, err := reconciler.NewEngine(reconciler.Config{
					Outlook: l.outlook, NightPOS: l.nightpos, Store: store, Queue: store, Database: "night", Now: func() time.Time { return l.now },
					StoreAway: func(err error) bool { return !play.broken && errors.Is(err, errAway) },
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
				if err := engine.Process(t.Context(), batch); !errors.Is(err, play.err) {
					t.Errorf("the batch ended with %v, want %v", err, play.err)
				}
				if took := time.Since(began); took > play.within {
					t.Errorf("the worker was kept for %s, want at most %s", took, play.within)
				}
				if wrote := len(l.nightpos.records) == 1; wrote != play.writes {
					t.Errorf("NightPOS was written: %t, want %t", wrote, play.writes)
				}
				if given := store.finished == 1; given != play.given {
					t.Errorf("the lane was given back: %t", given)
				}
				if known := len(l.memory.links) == 1; known != (play.writes && play.err == nil) {
					t.Errorf("what was written is recorded: %t", known)
				}
				if play.read {
					if due, waits := l.memory.due(); !waits || due.Sub(l.now) > 2*time.Second {
						t.Errorf("the batch is due in %s: %t", due.Sub(l.now), waits)
					}
				}
			})
		})
	}
}
