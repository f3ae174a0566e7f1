package outlook

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// mailboxConcurrency is one less than what Graph allows an application in one
	// mailbox at once. A batch takes all of it: Graph carries out four of its
	// requests at a time.
	mailboxConcurrency = 3
	// budgetEvery and budgetBurst keep a mailbox's calls under 10,000 in ten
	// minutes, however they are spread.
	budgetEvery = time.Second / 16
	budgetBurst = 300
	// budgetPatience is how long a call waits for the budget before its lane is
	// given back instead.
	budgetPatience = 5 * time.Second
)

// Budget is how many calls may be made for a mailbox, and when none may, for all
// replicas together. Package redis keeps one.
type Budget interface {
	// Spend takes calls out of a lane's budget, which gives one every so often and
	// burst at once. They may be made after wait. When that would be longer than
	// longest, or the mailbox is to be left alone, nothing is taken and wait says
	// when to ask again.
	Spend(ctx context.Context, lane string, every time.Duration, burst, calls int, longest time.Duration) (wait time.Duration, spent bool, err error)
	// LeaveAlone has the mailbox left alone for so long.
	LeaveAlone(ctx context.Context, lane string, pause time.Duration) error
}

// gates hold back calls to single mailboxes: at most three at once, no more than
// their budget, and none while Microsoft has asked to wait.
//
// Three at once holds within a process. Across replicas it is the lane that
// keeps the calls about events together: one worker has it at a time, and it
// makes one call after the other. What may run beside it elsewhere is a call of
// a sign-in or about a subscription, which Graph does not count for the mailbox.
type gates struct {
	now    func() time.Time
	budget Budget
	mutex  sync.Mutex
	open   map[string]*gate
}

type gate struct {
	places *semaphore.Weighted
	// Guarded by gates.mutex.
	users int
	until time.Time
}

func newGates(now func() time.Time, budget Budget) *gates {
	if budget == nil {
		budget = &localBudget{lanes: map[string]*rate.Limiter{}, now: now}
	}
	return &gates{now: now, budget: budget, open: map[string]*gate{}}
}

var errToldToWait = errors.New("asked by Microsoft to leave this mailbox alone for a while")

// enter waits for places and for the budget of a number of calls; leave gives
// the places back. While the mailbox is to be left alone it fails at once with
// the time that is left: the lane comes back then, and holds nothing meanwhile.
func (g *gates) enter(ctx context.Context, lane string, places int64, calls int) (leave func(), err error) {
	found, err := g.take(lane)
	if err != nil {
		return nil, err
	}
	if err := found.places.Acquire(ctx, places); err != nil {
		g.done(lane, found)
		return nil, &reconciler.RetryError{Cause: "outlook_busy", Err: err}
	}
	leave = func() {
		found.places.Release(places)
		g.done(lane, found)
	}
	if err := g.spend(ctx, lane, calls); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (g *gates) spend(ctx context.Context, lane string, calls int) error {
	pause, spent, err := g.budget.Spend(ctx, lane, budgetEvery, budgetBurst, calls, budgetPatience)
	switch {
	case err != nil:
		return &reconciler.RetryError{Cause: "store", Err: err}
	case !spent:
		return &reconciler.RetryError{After: max(pause, time.Millisecond), Cause: "throttled", Err: errToldToWait}
	case !wait(ctx, pause):
		return &reconciler.RetryError{Cause: "outlook_busy", Err: ctx.Err()}
	}
	return nil
}

func (g *gates) take(lane string) (*gate, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	found := g.open[lane]
	if found == nil {
		found = &gate{places: semaphore.NewWeighted(mailboxConcurrency)}
		g.open[lane] = found
	}
	if left := found.until.Sub(g.now()); left > 0 {
		return nil, &reconciler.RetryError{After: left, Cause: "throttled", Err: errToldToWait}
	}
	found.users++
	return found, nil
}

// done forgets mailboxes that nobody calls and that need not wait.
func (g *gates) done(lane string, left *gate) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	left.users--
	now := g.now()
	if left.users == 0 && !left.until.After(now) {
		delete(g.open, lane)
	}
	if len(g.open) > maxIdleGates {
		for lane, other := range g.open {
			if other.users == 0 && !other.until.After(now) {
				delete(g.open, lane)
			}
		}
	}
}

// maxIdleGates is how many mailboxes may be remembered before those that waited
// long enough are looked for.
const maxIdleGates = 1_000

// leaveAlone has a mailbox left alone, here at once and by every other replica.
func (g *gates) leaveAlone(ctx context.Context, lane string, pause time.Duration) error {
	g.mutex.Lock()
	found := g.open[lane]
	if found == nil {
		found = &gate{places: semaphore.NewWeighted(mailboxConcurrency)}
		g.open[lane] = found
	}
	if until := g.now().Add(pause); until.After(found.until) {
		found.until = until
	}
	g.mutex.Unlock()
	return g.budget.LeaveAlone(ctx, lane, pause)
}

// localBudget is the budget of a process that shares its mailboxes with nobody.
// That a mailbox is to be left alone is known to its gate.
type localBudget struct {
	now   func() time.Time
	mutex sync.Mutex
	lanes map[string]*rate.Limiter
}

// localBudgets bounds how many mailboxes' budgets are remembered.
const localBudgets = 10_000

func (b *localBudget) Spend(_ context.Context, lane string, every time.Duration, burst, calls int, longest time.Duration) (time.Duration, bool, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	limiter := b.lanes[lane]
	if limiter == nil {
		if len(b.lanes) >= localBudgets {
			clear(b.lanes)
		}
		limiter = rate.NewLimiter(rate.Every(every), burst)
		b.lanes[lane] = limiter
	}
	now := b.now()
	reservation := limiter.ReserveN(now, calls)
	pause := reservation.DelayFrom(now)
	if pause > longest {
		reservation.CancelAt(now)
		return pause, false, nil
	}
	return pause, true, nil
}

func (b *localBudget) LeaveAlone(context.Context, string, time.Duration) error { return nil }
