package reconciler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Observer is told what happened, for metrics. Its methods must not block.
type Observer interface {
	// Synced: a change made on one side was accepted by the other, lag after
	// its earliest hint.
	Synced(from Side, action Action, lag time.Duration)
	// Failed: an item was put back or set aside; cause is a short stable name.
	Failed(cause string)
	// Echo: hints about our own writes were dropped without a call.
	Echo(side Side, count int)
	// Conflict: both sides changed a field.
	Conflict(field Field)
	// Untold: a change made on one side was found by a sweep alone, long after
	// the notification that should have told of it.
	Untold(from Side)
}

// Chore does a piece of work of a lane that is not about one event. It returns
// when it wants to be called again, at the latest; the zero time means never.
type Chore func(ctx context.Context, member Member, item Item) (next time.Time, err error)

// Config is what an Engine needs.
type Config struct {
	Outlook  Outlook
	NightPOS NightPOS
	Store    Store
	Queue    Queue
	// StoreAway says that an error of the store or the queue means that they cannot be
	// reached just now, and will be again; nil: none does.
	StoreAway func(error) bool
	// Observer may be nil.
	Observer Observer
	// Told returns what notifications told of copies, without the body, as far as it
	// can be believed to come from the mailbox; it may be out of date. It makes no
	// call about the mailbox. Nil where notifications have no content.
	Told func(ctx context.Context, member Member, ids []string) map[string]Copy
	// Chores are run for the items of these keys.
	Chores map[string]Chore
	// Guard stops sweeps that would delete too much; the zero value never does.
	Guard Guard
	// OnHalt is told of a sweep that stopped, and with the zero value that its
	// question is over. It may be nil.
	OnHalt func(ctx context.Context, lane string, halt Halt) error
	// Resets are done for the items of KeyReset; nil for none.
	Resets Resets
	// Database identifies the NightPOS database.
	Database string
	// Policy decides conflicts; the zero value means PolicyNewest.
	Policy Policy
	// Choices are for members who have not chosen.
	Choices Choices
	Online  OnlineMeetings
	// PastDays and FutureDays are the window of a sweep around now.
	PastDays, FutureDays int
	// SweepEvery is how long after a sweep of a lane the next one is due; zero
	// for never. A sweep compares everything.
	SweepEvery time.Duration
	// ChangesEvery is about how long after a round of changes of a lane the next
	// one is due; zero for never. A round costs a call to each side when nothing
	// changed.
	ChangesEvery time.Duration
	// BatchSize is how many items are taken from a lane at once; default 200.
	BatchSize int
	// LeaseRenewal is how often a lease is extended while its batch is worked
	// on; default 10 s. It must be well under the queue's lease.
	LeaseRenewal time.Duration
	// Grace is how long a batch under way may go on once Run is to end, so that
	// what was written is also recorded; default 5 s.
	Grace time.Duration
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Random spreads retries; default seeded from the system. It is used under
	// a lock.
	Random *rand.Rand
	// Log gets failures that no activity log can hold; default none.
	Log *zap.Logger
}

// Engine takes what waits in a lane, reads both sides in one call each, plans,
// writes to both sides in one call each, and records.
type Engine struct {
	Config
	random sync.Mutex
	// known is the directory of the latest batch: members hardly ever change.
	known atomic.Pointer[directory]
	// chosen and stopped are what was changed since the start; see control.go.
	chosen  atomic.Pointer[Policy]
	stopped atomic.Pointer[string]
	// portion is how much backfill is done at a time; see backfill.go.
	portion atomic.Int64
	// listings are what sweeps have listed; see listing.go.
	listings listings
}

// NewEngine checks the configuration and fills in its defaults.
func NewEngine(config Config) (*Engine, error) {
	if config.Outlook == nil || config.NightPOS == nil || config.Store == nil || config.Queue == nil {
		return nil, errors.New("an engine needs both calendars, a store and a queue")
	}
	if config.Observer == nil {
		config.Observer = silent{}
	}
	if config.Policy == "" {
		config.Policy = PolicyNewest
	}
	if config.PastDays <= 0 {
		config.PastDays = 365
	}
	if config.FutureDays <= 0 {
		config.FutureDays = 730
	}
	if config.BatchSize <= 0 {
		config.BatchSize = 200
	}
	if config.LeaseRenewal <= 0 {
		config.LeaseRenewal = 10 * time.Second
	}
	if config.Grace <= 0 {
		config.Grace = 5 * time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // spreads retries only
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	return &Engine{Config: config}, nil
}

// Run works on lanes with this many workers until the context ends, and then
// returns nil once the batches under way are finished or given up.
func (e *Engine) Run(ctx context.Context, workers int) error {
	var group sync.WaitGroup
	for range max(workers, 1) {
		group.Go(func() { e.work(ctx) })
	}
	group.Wait()
	return nil
}

// work takes one batch after the other. A store that cannot be reached is tried
// again at growing steps.
func (e *Engine) work(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		batch, err := e.Queue.Take(ctx, e.BatchSize)
		if err == nil {
			err = e.finish(ctx, batch)
		}
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, ErrLeaseLost):
			e.Log.Warn("a lane was let go; whoever has it next begins anew", zap.String("lane", batch.Lane), zap.Error(err))
			failures = 0
		case ctx.Err() != nil:
			return
		default:
			e.Log.Error("the store could not be used; trying again", zap.Error(err))
			e.Observer.Failed("store")
			e.pause(ctx, e.backoff(failures))
			failures++
		}
	}
}

// finish processes a batch to its end, even if the context ends meanwhile, as
// long as that takes no longer than the grace: a lane given back is free at
// once, one let go of only when its lease is over.
func (e *Engine) finish(ctx context.Context, batch Batch) error {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		e.pause(working, e.Grace)
		cancel()
	})
	defer stop()
	return e.Process(working, batch)
}

func (e *Engine) pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// backoff grows from one second to five minutes, spread by half so that lanes
// that failed together do not come back together.
func (e *Engine) backoff(attempts int) time.Duration {
	step := time.Second << min(max(attempts, 0), 9)
	step = min(step, 5*time.Minute)
	e.random.Lock()
	defer e.random.Unlock()
	return step/2 + time.Duration(e.Random.Int64N(int64(step/2)+1))
}

// pace is a pause that is up to a tenth longer or shorter, so that lanes do not
// come round together.
func (e *Engine) pace(pause time.Duration) time.Duration {
	e.random.Lock()
	defer e.random.Unlock()
	return pause - pause/10 + time.Duration(e.Random.Int64N(int64(pause/5)+1))
}

// Process works on one batch and gives its lane back. Its error means that the
// store failed or the lease was lost; failures of the calendars are outcomes of
// the items.
func (e *Engine) Process(ctx context.Context, batch Batch) error {
	working, held, stop := e.keepLease(ctx, batch.Lease)
	defer stop()
	outcomes, err := e.process(working, batch, held)
	if err != nil {
		if cause := context.Cause(working); errors.Is(cause, ErrLeaseLost) {
			return cause
		}
		if !e.away(err) {
			return err
		}
		return errors.Join(err, e.giveBack(working, batch.Lease, held, unfinished(batch.Items, outcomes)))
	}
	return e.giveBack(working, batch.Lease, held, outcomes)
}

// giveBack ends the work on a batch.
func (e *Engine) giveBack(ctx context.Context, lease Lease, held *heldLease, outcomes []Outcome) error {
	tried := false
	err := e.persist(ctx, held, func(ctx context.Context) error {
		err := e.Queue.Finish(ctx, lease, outcomes)
		if tried && errors.Is(err, ErrLeaseLost) {
			return nil // the first try has arrived, only its answer has not
		}
		tried = true
		return err
	})
	if err != nil {
		return fmt.Errorf("giving the lane back: %w", err)
	}
	return nil
}

// storePause is how long items are left alone in the midst of which the store went
// away.
const storePause = time.Second

// unfinished adds to the outcomes of a batch that came to no end: what has none is put
// back, which is no failure of its own.
func unfinished(items []Item, outcomes []Outcome) []Outcome {
	known := map[string]bool{}
	for _, outcome := range outcomes {
		known[outcome.Key] = true
	}
	for _, item := range items {
		if !known[item.Key] {
			outcomes = append(outcomes, Outcome{Key: item.Key, Park: true, After: storePause, Reason: item.Reason})
		}
	}
	return outcomes
}

// process sorts the items of a batch and returns an outcome for each; with an error,
// for those that are done with.
func (e *Engine) process(ctx context.Context, batch Batch, held *heldLease) ([]Outcome, error) {
	if reason := e.Stopped(); reason != "" {
		return park(batch, reason), nil
	}
	directory, err := e.directory(ctx, e.Store.Members)
	if err != nil {
		return nil, err
	}
	member, connected := directory.byID[batch.Lane]
	if !connected {
		// Somebody may have connected a moment ago, through another replica;
		// dropping the first items of such a lane would lose the person.
		if directory, err = e.directory(ctx, e.Store.MembersNow); err != nil {
			return nil, err
		}
		member, connected = directory.byID[batch.Lane]
	}
	// The list may be of a moment ago: a parking may be over by now, and a reset, for
	// which its member is parked, must not be taken for nobody's.
	if member.Parked != "" || slices.ContainsFunc(batch.Items, func(item Item) bool { return item.Key == KeyReset }) {
		now, there, err := e.Store.MemberNow(ctx, batch.Lane)
		if err != nil {
			return nil, fmt.Errorf("reading whether a member is still parked: %w", err)
		}
		if there && now.Parked != "" {
			return e.processParked(ctx, now, directory, batch, held), nil
		}
		member, connected = now, there
	}
	began := e.Now()
	batch.Items = e.share(batch.Items)
	round := &round{engine: e, member: member, directory: directory, lease: batch.Lease, held: held}
	round.asks = slices.ContainsFunc(batch.Items, func(item Item) bool { return item.Key == KeyChanges })
	for _, item := range batch.Items {
		side, _, _ := ParseKey(item.Key)
		switch {
		case !connected:
			round.done(item.Key)
		case side != "":
			round.events = append(round.events, item)
		case item.Key == KeySweep:
			round.chore(ctx, item, func(ctx context.Context, _ Member, _ Item) (time.Time, error) {
				if err := round.sweep(ctx); err != nil || e.SweepEvery <= 0 {
					return time.Time{}, err
				}
				return e.Now().Add(e.SweepEvery), nil
			})
		case item.Key == KeyChanges:
			round.chore(ctx, item, func(ctx context.Context, _ Member, _ Item) (time.Time, error) {
				if err := round.changes(ctx); err != nil || e.ChangesEvery <= 0 {
					return time.Time{}, err
				}
				return e.Now().Add(e.pace(e.ChangesEvery)), nil
			})
		case e.Chores[item.Key] != nil:
			round.chore(ctx, item, e.Chores[item.Key])
		default:
			round.done(item.Key)
		}
	}
	if len(round.events) > 0 {
		round.settled = len(round.outcomes)
		if err := round.run(ctx); err != nil {
			return round.outcomes[:round.settled], err
		}
		e.paced(round.events, e.Now().Sub(began))
	}
	return round.outcomes, nil
}

// parkTime is how long the work of a parked member is put off at a time. Whoever
// ends the parking has it come due; this only makes sure that nothing is
// forgotten if they could not.
const parkTime = 6 * time.Hour

// park puts a whole batch off.
func park(batch Batch, reason string) []Outcome {
	outcomes := make([]Outcome, 0, len(batch.Items))
	for _, item := range batch.Items {
		outcomes = append(outcomes, Outcome{Key: item.Key, Park: true, After: parkTime, Reason: reason})
	}
	return outcomes
}

// processParked puts a batch off, but for a reset: that is what its member is
// parked for.
func (e *Engine) processParked(ctx context.Context, member Member, directory *directory, batch Batch, held *heldLease) []Outcome {
	round := &round{engine: e, member: member, directory: directory, lease: batch.Lease, held: held}
	var rest []Item
	for _, item := range batch.Items {
		if item.Key == KeyReset && e.Resets != nil {
			round.chore(ctx, item, func(ctx context.Context, _ Member, _ Item) (time.Time, error) { return round.reset(ctx) })
		} else {
			rest = append(rest, item)
		}
	}
	batch.Items = rest
	return append(round.outcomes, park(batch, member.Parked)...)
}

// directory is who is connected, by everything a plan asks for. It is shared
// and not changed once it is made.
type directory struct {
	// members are what it was made from.
	members   []Member
	byID      map[string]Member
	byUser    map[int64]Member
	byAddress map[string]Member
}

// same says that two lists are one.
func same(a, b []Member) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

func (e *Engine) directory(ctx context.Context, read func(context.Context) ([]Member, error)) (*directory, error) {
	members, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading who is connected: %w", err)
	}
	if known := e.known.Load(); known != nil && same(known.members, members) {
		return known, nil
	}
	found := &directory{members: members, byID: map[string]Member{}, byUser: map[int64]Member{}, byAddress: map[string]Member{}}
	for _, member := range members {
		found.byID[member.ID] = member
		found.byUser[member.UserID] = member
		for _, address := range []string{member.Address, member.Mailbox} {
			if key := (Person{Address: address}).Key(); key != "" {
				found.byAddress[key] = member
			}
		}
	}
	e.known.Store(found)
	return found, nil
}

// silent is the observer of those who do not ask.
type silent struct{}

func (silent) Synced(Side, Action, time.Duration) {}
func (silent) Failed(string)                      {}
func (silent) Echo(Side, int)                     {}
func (silent) Conflict(Field)                     {}
func (silent) Untold(Side)                        {}
