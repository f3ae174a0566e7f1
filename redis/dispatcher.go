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
)

// dispatcher hands lanes that can be taken to waiting workers. It hears of them
// from this process at once, from other processes through the bell, and from
// the store's own list whenever the soonest alarm of that list is due.
type dispatcher struct {
	store *Store
	// lanes is unbuffered: a lane leaves when a worker is there to take it.
	lanes chan string
	// changed wakes run, and free wakes listen; capacity 1.
	changed, free chan struct{}

	mutex sync.Mutex
	// idle is how many workers wait for a lane, offered says that one is held
	// out to them, and reserved is how many more are being added for them.
	idle, reserved int
	offered        bool
	// ready are lanes to offer, oldest first, each at most once.
	ready  []string
	queued map[string]bool
	// poll is when the store's list must be looked at next.
	poll time.Time
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
	return &dispatcher{
		store: store, lanes: make(chan string), changed: make(chan struct{}, 1), free: make(chan struct{}, 1), queued: map[string]bool{},
	}
}

// notify takes note of an alarm.
func (d *dispatcher) notify(set alarm) {
	if set.at < 0 {
		return
	}
	d.mutex.Lock()
	at := time.UnixMilli(set.at)
	if !at.After(d.store.Now()) {
		if !d.queued[set.lane] {
			d.queued[set.lane] = true
			d.ready = append(d.ready, set.lane)
		}
	} else if at.Before(d.poll) {
		d.poll = at
	}
	d.mutex.Unlock()
	d.wake()
}

// take waits for a lane.
func (d *dispatcher) take(ctx context.Context) (lane string, err error) {
	d.mutex.Lock()
	d.idle++
	d.mutex.Unlock()
	select {
	case d.free <- struct{}{}:
	default:
	}
	select {
	case lane = <-d.lanes:
		return lane, nil // run has counted it
	case <-ctx.Done():
		d.mutex.Lock()
		d.idle--
		d.mutex.Unlock()
		return "", ctx.Err()
	}
}

// spare says whether a worker waits for whom no lane is on its way. The caller
// holds the mutex.
func (d *dispatcher) spare() bool {
	taken := len(d.ready) + d.reserved
	if d.offered {
		taken++
	}
	return d.idle > taken
}

// reserve keeps a waiting worker for a lane that is about to become ready, until
// release; false means that there is none to spare.
func (d *dispatcher) reserve() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !d.spare() {
		return false
	}
	d.reserved++
	return true
}

func (d *dispatcher) release(count int) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.reserved -= count
}

// again makes the dispatcher look at the store's list after a short while.
func (d *dispatcher) again() {
	d.mutex.Lock()
	if soon := d.store.Now().Add(idlePoll); soon.Before(d.poll) {
		d.poll = soon
	}
	d.mutex.Unlock()
	d.wake()
}

func (d *dispatcher) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run offers lanes until the context ends.
func (d *dispatcher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := d.wait()
		if wait <= 0 {
			d.look(ctx)
			continue
		}
		lane, offered := d.next()
		var lanes chan string
		if offered {
			lanes = d.lanes
		}
		timer.Reset(wait)
		select {
		case lanes <- lane:
			d.handed()
			continue
		case <-d.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		if offered {
			d.back(lane)
		}
	}
}

// wait is how long until the list must be looked at.
func (d *dispatcher) wait() time.Duration {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.poll.Sub(d.store.Now())
}

// next takes out the lane to offer, if any. It is out before a worker has it, so
// that an alarm which comes while the worker already takes the lane makes it
// ready once more instead of being folded into the offer.
func (d *dispatcher) next() (lane string, offered bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if len(d.ready) == 0 {
		return "", false
	}
	lane, d.ready = d.ready[0], d.ready[1:]
	delete(d.queued, lane)
	d.offered = true
	return lane, true
}

// handed notes that a worker has the lane that was offered.
func (d *dispatcher) handed() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.offered = false
	d.idle--
}

// back puts a lane that nobody took in front again.
func (d *dispatcher) back(lane string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.offered = false
	if !d.queued[lane] {
		d.queued[lane] = true
		d.ready = slices.Insert(d.ready, 0, lane)
	}
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
		if !d.reserve() {
			select {
			case <-d.free:
			case <-ctx.Done():
			}
			continue
		}
		d.release(1)
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
	free := d.reserve()
	d.notify(alarm{lane: lane, at: 0})
	if free {
		d.release(1)
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
