package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// AddHints implements reconciler.Queue. It takes one round trip; two on a
// Cluster, where a lane and its alarm live on different nodes. A lane that is
// free is leased on the same trip for a worker that waits here.
func (s *Store) AddHints(ctx context.Context, hints []reconciler.Hint) (int, error) {
	additions := s.additions(hints)
	if err := s.runAdditions(ctx, additions); err != nil {
		for _, one := range additions {
			s.unanswered(one)
		}
		return 0, fmt.Errorf("adding to the lanes: %w", err)
	}
	echoes := 0
	alarms := make([]alarm, 0, len(additions))
	var failed error
	for _, one := range additions {
		set, count, err := s.added(ctx, one)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		echoes += count
		alarms = append(alarms, set)
	}
	if err := cmp.Or(s.armed(ctx, alarms), failed); err != nil {
		return 0, fmt.Errorf("adding to the lanes: %w", err)
	}
	return echoes, nil
}

// unanswered is for what may have been added with only the answer lost.
func (s *Store) unanswered(one *addition) {
	s.waking.again()
	if one.worker == nil {
		return
	}
	s.waking.release(one.worker)
	s.reclaim(one)
}

// addition is what is added to one lane.
type addition struct {
	lane      string
	arguments []any
	ring      string
	// worker is reserved for the lane, if one waits and something is due; holder
	// then names the lease.
	worker *waiter
	holder string
	// answer is that of addScript, and err says that there is none.
	answer []any
	err    error
}

// additions groups hints by lane, in order, into the arguments of addScript, and
// reserves workers that wait for those that something is due in.
func (s *Store) additions(hints []reconciler.Hint) []*addition {
	now := s.Now()
	byLane := map[string]*addition{}
	var additions []*addition
	due := map[string]bool{}
	for _, hint := range hints {
		one := byLane[hint.Lane]
		if one == nil {
			one = &addition{lane: hint.Lane, arguments: make([]any, 7, 7+7)}
			byLane[hint.Lane] = one
			additions = append(additions, one)
		}
		hint.Item.Due, hint.Item.First = s.theirs(hint.Item.Due), s.theirs(hint.Item.First)
		one.add(hint, now)
		due[hint.Lane] = due[hint.Lane] || !hint.Item.Due.After(now)
	}
	for _, one := range additions {
		limit := 0
		if due[one.lane] {
			one.worker = s.waking.reserve()
		}
		if one.worker != nil {
			limit = one.worker.limit
			one.holder = s.name + strconv.FormatInt(s.holders.Add(1), 36)
		}
		one.ring = s.ring(one.worker != nil)
		copy(one.arguments, []any{one.lane, milliseconds(now), one.ring, limit, milliseconds(now.Add(s.Lease)), one.holder, fenceStep()})
	}
	return additions
}

func (a *addition) add(hint reconciler.Hint, now time.Time) {
	item := hint.Item
	due, first := item.Due, item.First
	if due.IsZero() {
		due = now
	}
	if first.IsZero() {
		first = now
	}
	copyDigest, versionDigest := "", ""
	if hint.GraphID != "" {
		copyDigest, versionDigest = shortDigest(hint.GraphID), shortDigest(item.Version)
	}
	a.arguments = append(a.arguments, item.Key, milliseconds(due), milliseconds(first),
		int(clampPriority(item.Priority)), cleanVersion(item.Version), copyDigest, versionDigest)
}

// added reads the answer to an addition, and gives the batch that was leased on
// the way to the worker that was reserved for it.
func (s *Store) added(ctx context.Context, one *addition) (set alarm, echoes int, err error) {
	if one.err != nil {
		s.unanswered(one)
		return alarm{}, 0, one.err
	}
	set, rest, err := parseAlarm(one.lane, one.answer)
	if err != nil || len(rest) < 1 {
		s.unanswered(one)
		return alarm{}, 0, fmt.Errorf("an answer that cannot be understood: %v", one.answer)
	}
	set.ring = one.ring
	count, _ := rest[0].(int64)
	if one.worker == nil {
		return set, int(count), nil
	}
	batch, err := s.parseBatch(one.lane, rest[1:])
	switch {
	case err != nil:
		s.unanswered(one)
		return alarm{}, 0, err
	case len(batch.Items) == 0:
		s.waking.release(one.worker)
	case !s.waking.hand(one.worker, batch):
		if s.handBack(ctx, batch.Lease) != nil {
			s.reclaim(one)
		}
	}
	return set, int(count), nil
}

// lost is a lane that was leased for a worker whom the batch did not reach.
type lost struct{ lane, holder string }

// reclaim has a lane given back that may have been leased though the answer did
// not arrive, instead of leaving it until its lease is over, which is what happens
// to those that are too many.
func (s *Store) reclaim(one *addition) {
	select {
	case s.lost <- lost{lane: one.lane, holder: one.holder}:
	default:
	}
}

// reclaims gives lost lanes back until the context ends, each as soon as the
// store answers again.
func (s *Store) reclaims(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case one := <-s.lost:
			s.reclaimOne(ctx, one)
		}
	}
}

// reclaimOne tries for as long as a lease lasts.
func (s *Store) reclaimOne(ctx context.Context, one lost) {
	ctx, cancel := context.WithTimeout(ctx, s.Lease)
	defer cancel()
	for try := 0; ctx.Err() == nil; try++ {
		pause(ctx, idlePoll)
		fence, err := reclaimScript.Run(ctx, s.client, s.laneKeys(one.lane), one.holder).Int64()
		if err == nil && fence > 0 {
			err = s.Finish(ctx, reconciler.Lease{Lane: one.lane, Fence: fence}, nil)
		}
		// The trip may be under way yet if nothing was leased so far.
		found := fence > 0 || time.Duration(try)*idlePoll > addingTime
		if found && (err == nil || errors.Is(err, reconciler.ErrLeaseLost)) {
			return
		}
	}
}

// handBack gives back at once what was leased for a worker who has left.
func (s *Store) handBack(ctx context.Context, lease reconciler.Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBackTime)
	defer cancel()
	return s.Finish(ctx, lease, nil)
}

// handBackTime bounds how much longer adding takes when a worker left meanwhile.
const handBackTime = 200 * time.Millisecond

// addingAtOnce is how many trips that add may be under way at once. What comes
// meanwhile waits for the next one and goes with it: under load a trip carries
// many additions, and both sides are spared most of the calls to the network.
const (
	addingAtOnce = 2
	// addingTime bounds a trip for others; each of them waits as long as it wants.
	addingTime = 2 * time.Second
	// addingMost bounds what goes with one trip.
	addingMost = 256
)

// trips are those that add.
type trips struct {
	mutex    sync.Mutex
	underWay int
	waiting  []*call
}

// call is one call of AddHints that waits for a trip. It is answered once.
type call struct {
	additions []*addition
	answered  chan struct{}
}

// runAdditions runs addScript for each lane, in one trip, alone or with others.
// Each addition then has its answer or its error, unless the context ended before.
func (s *Store) runAdditions(ctx context.Context, additions []*addition) error {
	if s.cluster {
		// A node that hangs must not keep others' lanes waiting.
		s.addNow(ctx, additions)
		return nil
	}
	s.trips.mutex.Lock()
	if s.trips.underWay < addingAtOnce {
		s.trips.underWay++
		s.trips.mutex.Unlock()
		s.addNow(ctx, additions)
		s.nextTrip(ctx)
		return nil
	}
	waits := &call{additions: additions, answered: make(chan struct{})}
	s.trips.waiting = append(s.trips.waiting, waits)
	s.trips.mutex.Unlock()
	select {
	case <-waits.answered:
		return nil
	case <-ctx.Done():
	}
	s.trips.mutex.Lock()
	s.trips.waiting = slices.DeleteFunc(s.trips.waiting, func(other *call) bool { return other == waits })
	s.trips.mutex.Unlock()
	return ctx.Err()
}

// nextTrip ends a trip, and begins another for those that wait.
func (s *Store) nextTrip(ctx context.Context) {
	s.trips.mutex.Lock()
	defer s.trips.mutex.Unlock()
	if len(s.trips.waiting) == 0 {
		s.trips.underWay--
		return
	}
	count := min(len(s.trips.waiting), addingMost)
	calls := slices.Clone(s.trips.waiting[:count])
	s.trips.waiting = slices.Delete(s.trips.waiting, 0, count)
	ctx = context.WithoutCancel(ctx)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, addingTime)
		defer cancel()
		var additions []*addition
		for _, one := range calls {
			additions = append(additions, one.additions...)
		}
		s.addNow(ctx, additions)
		for _, one := range calls {
			close(one.answered)
		}
		s.nextTrip(ctx)
	}()
}

// addNow makes the trip.
func (s *Store) addNow(ctx context.Context, additions []*addition) {
	if len(additions) == 1 {
		one := additions[0]
		one.answer, one.err = addScript.Run(ctx, s.client, s.laneKeys(one.lane), one.arguments...).Slice()
		return
	}
	if unknown := s.pipelined(ctx, addScript.EvalSha, additions); len(unknown) > 0 {
		s.pipelined(ctx, addScript.Eval, unknown)
	}
}

// pipelined returns those additions whose node does not know the script.
func (s *Store) pipelined(ctx context.Context, run func(context.Context, goredis.Scripter, []string, ...any) *goredis.Cmd, additions []*addition) []*addition {
	pipe := s.client.Pipeline()
	commands := make([]*goredis.Cmd, 0, len(additions))
	for _, one := range additions {
		commands = append(commands, run(ctx, pipe, s.laneKeys(one.lane), one.arguments...))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var unknown []*addition
	for index, command := range commands {
		additions[index].answer, additions[index].err = command.Slice()
		if goredis.HasErrorPrefix(additions[index].err, "NOSCRIPT") {
			unknown = append(unknown, additions[index])
		}
	}
	return unknown
}

func clampPriority(priority reconciler.Priority) reconciler.Priority {
	return min(max(priority, reconciler.PriorityPerson), reconciler.PriorityBackfill)
}

// cleanVersion takes out the mark that separates the parts of a payload.
func cleanVersion(version string) string { return strings.ReplaceAll(version, "|", "/") }
