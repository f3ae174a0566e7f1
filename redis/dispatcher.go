package redis

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// dispatcher hands lanes that can be taken to waiting workers. It hears of them
// from this process at once, from other processes through the bell, and from
// the store's own list whenever the soonest alarm of that list is due.
type dispatcher struct {
	store *Store
	// changed wakes run, and free wakes listen; capacity 1.
	changed, free chan struct{}

	mutex sync.Mutex
	// waiting are the workers for whom nothing is on its way, in the order in
	// which they came.
	waiting []*waiter
	// ready are lanes to hand out, oldest first, each at most once; empty while
	// somebody waits. A lane is out of it before a worker takes it, so that an
	// alarm which comes meanwhile makes it ready once more.
	ready  []string
	queued map[string]bool
	// poll is when the store's list must be looked at next.
	poll time.Time
}

// waiter is a worker that waits for work.
type waiter struct {
	// limit is how many items it takes at most.
	limit int
	// work is handed over here; capacity 1.
	work chan work
	// gone says that it left while it was reserved.
	gone bool
}

// work is a lane to take, or a batch of one that has been leased already.
type work struct {
	lane  string
	batch reconciler.Batch
}

const (
	// pollLanes bounds what one look at the store's list brings.
	pollLanes = 256
	// idlePoll is how often the list is looked at when nothing says so: a bell
	// that rang while a process died must not be lost for long.
	idlePoll = time.Second
	// quietPoll is the same for a store that no other process shares, where
	// every alarm is told at once.
	quietPoll = time.Hour
	// healing is how often a Cluster's lanes are compared with their alarms.
	healing = 15 * time.Second
)

func newDispatcher(store *Store) *dispatcher {
	return &dispatcher{store: store, changed: make(chan struct{}, 1), free: make(chan struct{}, 1), queued: map[string]bool{}}
}

// notify takes note of an alarm.
func (d *dispatcher) notify(set alarm) {
	if set.at < 0 {
		return
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	at := time.UnixMilli(set.at)
	switch {
	case !at.After(d.store.Now()):
		if !d.queued[set.lane] {
			d.queued[set.lane] = true
			d.ready = append(d.ready, set.lane)
		}
		d.match()
	case at.Before(d.poll):
		d.poll = at
		d.wake()
	}
}

// match hands ready lanes to waiting workers. The caller holds the mutex.
func (d *dispatcher) match() {
	for len(d.ready) > 0 && len(d.waiting) > 0 {
		lane := d.ready[0]
		d.ready = d.ready[1:]
		delete(d.queued, lane)
		d.waiting[0].work <- work{lane: lane}
		d.waiting = d.waiting[1:]
	}
}

// take waits for work. When the context ends it returns its error, or a batch
// that was leased for this worker just then.
func (d *dispatcher) take(ctx context.Context, limit int) (work, error) {
	w := &waiter{limit: limit, work: make(chan work, 1)}
	d.mutex.Lock()
	d.waiting = append(d.waiting, w)
	d.settle()
	d.mutex.Unlock()
	select {
	case taken := <-w.work:
		return taken, nil
	case <-ctx.Done():
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	w.gone = true
	d.waiting = slices.DeleteFunc(d.waiting, func(other *waiter) bool { return other == w })
	select {
	case taken := <-w.work:
		if len(taken.batch.Items) > 0 {
			return taken, nil
		}
		d.back(taken.lane)
	default:
	}
	return work{}, ctx.Err()
}

// settle matches, and tells listen when somebody waits for more. The caller
// holds the mutex.
func (d *dispatcher) settle() {
	d.match()
	if len(d.waiting) == 0 {
		return
	}
	select {
	case d.free <- struct{}{}:
	default:
	}
}

// spare says whether a worker waits for whom nothing is on its way.
func (d *dispatcher) spare() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return len(d.waiting) > 0
}

// reserve keeps a waiting worker for a lane that is about to be leased, until
// release or hand; nil means that there is none to spare.
func (d *dispatcher) reserve() *waiter {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.waiting) == 0 {
		return nil
	}
	w := d.waiting[0]
	d.waiting = d.waiting[1:]
	return w
}

// release lets a reserved worker wait on.
func (d *dispatcher) release(w *waiter) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !w.gone {
		d.waiting = slices.Insert(d.waiting, 0, w)
		d.settle()
	}
}

// hand gives a leased batch to the worker that was reserved for it, or to another
// one if that has left; false means that nobody is there to take it.
func (d *dispatcher) hand(w *waiter, batch reconciler.Batch) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if w.gone {
		index := slices.IndexFunc(d.waiting, func(other *waiter) bool { return other.limit >= len(batch.Items) })
		if index < 0 {
			return false
		}
		w = d.waiting[index]
		d.waiting = slices.Delete(d.waiting, index, index+1)
	}
	w.work <- work{batch: batch}
	return true
}

// back makes a lane that nobody took the next one to hand out. The caller holds
// the mutex.
func (d *dispatcher) back(lane string) {
	if !d.queued[lane] {
		d.queued[lane] = true
		d.ready = slices.Insert(d.ready, 0, lane)
	}
	d.match()
}

// again makes the dispatcher look at the store's list after a short while.
func (d *dispatcher) again() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if soon := d.store.Now().Add(idlePoll); soon.Before(d.poll) {
		d.poll = soon
		d.wake()
	}
}

func (d *dispatcher) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run looks at the store's list in time, until the context ends.
func (d *dispatcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := d.wait()
		if wait <= 0 {
			d.look(ctx)
			continue
		}
		timer.Reset(wait)
		select {
		case <-d.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// wait is how long until the list must be looked at.
func (d *dispatcher) wait() time.Duration {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.poll.Sub(d.store.Now())
}

// look reads the store's list: what is due becomes ready, and the first that is
// not says when to look again.
func (d *dispatcher) look(ctx context.Context) {
	rest := quietPoll
	if d.store.shared {
		rest = idlePoll
	}
	now := d.store.Now()
	d.mutex.Lock()
	d.poll = now.Add(rest)
	d.mutex.Unlock()
	due := strconv.FormatInt(milliseconds(now), 10)
	var found, first *goredis.ZSliceCmd
	_, err := d.store.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		found = pipe.ZRangeByScoreWithScores(ctx, d.store.keys.ready(), &goredis.ZRangeBy{Min: "-inf", Max: due, Count: pollLanes})
		first = pipe.ZRangeByScoreWithScores(ctx, d.store.keys.ready(), &goredis.ZRangeBy{Min: "(" + due, Max: "+inf", Count: 1})
		return nil
	})
	if err != nil {
		if ctx.Err() == nil {
			d.store.Log.Warn("the list of ready lanes could not be read", zap.Error(err))
			d.again()
		}
		return
	}
	for _, entry := range append(found.Val(), first.Val()...) {
		lane, _ := entry.Member.(string)
		d.notify(alarm{lane: lane, at: int64(math.Ceil(entry.Score))})
	}
	if len(found.Val()) == pollLanes {
		d.again()
	}
}

// listen waits on the bell for what other processes added, as long as a worker
// here is free to take it: the store gives each ring to one listener only.
// go-redis is not woken by an ending context while it blocks, so each wait is
// short.
func (d *dispatcher) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if !d.spare() {
			select {
			case <-d.free:
			case <-ctx.Done():
			}
			continue
		}
		rung, err := d.store.client.BLPop(ctx, time.Second, d.store.keys.bell()).Result()
		switch {
		case err == nil && len(rung) == 2:
			err = d.heard(ctx, rung[1])
		case errors.Is(err, goredis.Nil):
			err = nil
		}
		if err != nil && ctx.Err() == nil {
			d.store.Log.Warn("the bell cannot be heard; lanes are found by looking", zap.Error(err))
			pause(ctx, time.Second)
		}
	}
}

// heard takes note of a lane that another process told of. When no worker is
// free any more, the bell is rung again, for a process that has one.
func (d *dispatcher) heard(ctx context.Context, lane string) error {
	free := d.spare()
	d.notify(alarm{lane: lane, at: 0})
	if free {
		return nil
	}
	return d.store.client.LPush(ctx, d.store.keys.bell(), lane).Err()
}

// heal finds lanes of a Cluster whose alarm was lost between two nodes.
func (d *dispatcher) heal(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, healing)
		if err := d.healOnce(ctx); err != nil && ctx.Err() == nil {
			d.store.Log.Warn("the lanes could not be compared with their alarms", zap.Error(err))
		}
	}
}

func (d *dispatcher) healOnce(ctx context.Context) error {
	members, err := d.store.client.HKeys(ctx, d.store.keys.members()).Result()
	if err != nil {
		return err
	}
	now := milliseconds(d.store.Now())
	for start := 0; start < len(members); start += pollLanes {
		lanes := members[start:min(start+pollLanes, len(members))]
		pipe := d.store.client.Pipeline()
		var heads []*goredis.ZSliceCmd
		for _, lane := range lanes {
			for priority := range 2 {
				heads = append(heads, pipe.ZRangeWithScores(ctx, d.store.keys.due(lane, priority), 0, 0))
			}
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for index, head := range heads {
			for _, entry := range head.Val() {
				if int64(entry.Score) <= now {
					d.notify(alarm{lane: lanes[index/2], at: 0})
				}
			}
		}
	}
	return nil
}

func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
