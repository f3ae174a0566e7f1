package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Add implements reconciler.Queue.
func (s *Store) Add(ctx context.Context, lane string, items ...reconciler.Item) error {
	if len(items) == 0 {
		return nil
	}
	hints := make([]reconciler.Hint, 0, len(items))
	for _, item := range items {
		hints = append(hints, reconciler.Hint{Lane: lane, Item: item})
	}
	_, err := s.AddHints(ctx, hints)
	return err
}

// AddHints implements reconciler.Queue. It takes one round trip; two on a
// Cluster, where a lane and its alarm live on different nodes. A lane that is
// free is leased on the same trip for a worker that waits here.
func (s *Store) AddHints(ctx context.Context, hints []reconciler.Hint) (int, error) {
	additions := s.additions(hints)
	if err := s.runAdditions(ctx, additions); err != nil {
		// They may have been added and only the answer lost.
		s.waking.again()
		for _, one := range additions {
			if one.worker != nil {
				s.waking.release(one.worker)
				s.reclaim(one)
			}
		}
		return 0, fmt.Errorf("adding to the lanes: %w", err)
	}
	echoes := 0
	alarms := make([]alarm, 0, len(additions))
	var failed error
	for _, one := range additions {
		set, count, err := s.added(ctx, one)
		echoes, failed = echoes+count, errors.Join(failed, err)
		alarms = append(alarms, set)
	}
	if err := errors.Join(failed, s.armed(ctx, alarms)); err != nil {
		return 0, err
	}
	return echoes, nil
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
	answer []any
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
			one = &addition{lane: hint.Lane, arguments: make([]any, 6, 6+7)}
			byLane[hint.Lane] = one
			additions = append(additions, one)
		}
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
		copy(one.arguments, []any{one.lane, milliseconds(now), one.ring, limit, milliseconds(now.Add(s.Lease)), one.holder})
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
	set, rest, err := parseAlarm(one.lane, one.answer)
	if err != nil || len(rest) < 1 {
		if one.worker != nil {
			s.waking.release(one.worker)
			s.reclaim(one)
		}
		return alarm{lane: one.lane, at: -1}, 0, fmt.Errorf("adding to the lanes: an answer that cannot be understood: %v", one.answer)
	}
	set.ring = one.ring
	count, _ := rest[0].(int64)
	if one.worker == nil {
		return set, int(count), nil
	}
	batch, err := parseBatch(one.lane, rest[1:])
	switch {
	case err != nil:
		s.reclaim(one)
		s.waking.release(one.worker)
	case len(batch.Items) == 0:
		s.waking.release(one.worker)
	case !s.waking.hand(one.worker, batch):
		if s.handBack(ctx, batch.Lease) != nil {
			s.reclaim(one)
		}
	}
	return set, int(count), err
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
	for ctx.Err() == nil {
		// The call whose answer was lost may be under way yet.
		pause(ctx, idlePoll)
		fence, err := reclaimScript.Run(ctx, s.client, s.laneKeys(one.lane), one.holder).Int64()
		if err == nil && fence > 0 {
			err = s.Finish(ctx, reconciler.Lease{Lane: one.lane, Fence: fence}, nil)
		}
		if err == nil || errors.Is(err, reconciler.ErrLeaseLost) {
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

// runAdditions runs addScript once for each lane, in one round trip.
func (s *Store) runAdditions(ctx context.Context, additions []*addition) error {
	switch len(additions) {
	case 0:
		return nil
	case 1:
		one := additions[0]
		answer, err := addScript.Run(ctx, s.client, s.laneKeys(one.lane), one.arguments...).Slice()
		one.answer = answer
		return err
	}
	unknown, err := s.pipelined(ctx, addScript.EvalSha, additions)
	if err != nil || len(unknown) == 0 {
		return err
	}
	unknown, err = s.pipelined(ctx, addScript.Eval, unknown)
	if err == nil && len(unknown) > 0 {
		err = errors.New("Redis does not keep scripts") //nolint:staticcheck // a name comes first
	}
	return err
}

// pipelined returns those additions whose node does not know the script.
func (s *Store) pipelined(ctx context.Context, run func(context.Context, goredis.Scripter, []string, ...any) *goredis.Cmd, additions []*addition) ([]*addition, error) {
	pipe := s.client.Pipeline()
	commands := make([]*goredis.Cmd, 0, len(additions))
	for _, one := range additions {
		commands = append(commands, run(ctx, pipe, s.laneKeys(one.lane), one.arguments...))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var unknown []*addition
	for index, command := range commands {
		answer, err := command.Slice()
		switch {
		case goredis.HasErrorPrefix(err, "NOSCRIPT"):
			unknown = append(unknown, additions[index])
		case err != nil:
			return nil, err
		}
		additions[index].answer = answer
	}
	return unknown, nil
}

func clampPriority(priority reconciler.Priority) reconciler.Priority {
	return min(max(priority, reconciler.PriorityPerson), reconciler.PriorityBackfill)
}

// cleanVersion takes out the mark that separates the parts of a payload.
func cleanVersion(version string) string { return strings.ReplaceAll(version, "|", "/") }

// alarm says when a lane can next be taken; never when the time is negative.
type alarm struct {
	lane    string
	at      int64
	version int64
	// ring is what Store.ring said; empty means "1".
	ring string
}

// parseAlarm reads the first two values of a script's answer.
func parseAlarm(lane string, answer []any) (alarm, []any, error) {
	if len(answer) < 2 {
		return alarm{}, nil, reconciler.ErrLeaseLost
	}
	text, ok := answer[0].(string)
	version, isNumber := answer[1].(int64)
	at, err := strconv.ParseInt(text, 10, 64)
	if !ok || !isNumber || err != nil {
		return alarm{}, nil, fmt.Errorf("an answer that cannot be understood: %v", answer[:2])
	}
	return alarm{lane: lane, at: at, version: version}, answer[2:], nil
}

// armed passes alarms on: on a Cluster to the node that holds them all, and
// everywhere to this process's own dispatcher.
func (s *Store) armed(ctx context.Context, alarms []alarm) error {
	if s.cluster {
		now := milliseconds(s.Now())
		pipe := s.client.Pipeline()
		for _, set := range alarms {
			alarmScript.Eval(ctx, pipe, s.wakeKeys(), set.lane, set.at, set.version, now, cmp.Or(set.ring, "1"))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("waking the workers: %w", err)
		}
	}
	for _, set := range alarms {
		s.waking.notify(set)
		if s.engine != nil {
			s.engine.tell(set)
		}
	}
	return nil
}

// Take implements reconciler.Queue.
func (s *Store) Take(ctx context.Context, limit int) (reconciler.Batch, error) {
	limit = max(limit, 1)
	for {
		found, err := s.waking.take(ctx, limit)
		if err != nil || len(found.batch.Items) > 0 {
			return found.batch, err
		}
		batch, err := s.lease(ctx, found.lane, limit)
		if err != nil {
			// The lane is still in the store's list of ready ones.
			s.waking.again()
			return reconciler.Batch{}, fmt.Errorf("taking a lane: %w", err)
		}
		if len(batch.Items) > 0 {
			return batch, nil
		}
	}
}

func (s *Store) lease(ctx context.Context, lane string, limit int) (reconciler.Batch, error) {
	now := s.Now()
	answer, err := takeScript.Run(ctx, s.client, s.laneKeys(lane), lane, milliseconds(now), milliseconds(now.Add(s.Lease)), limit).Slice()
	if err != nil {
		return reconciler.Batch{}, err
	}
	set, rest, err := parseAlarm(lane, answer)
	if err != nil {
		return reconciler.Batch{}, err
	}
	if err := s.armed(ctx, []alarm{set}); err != nil {
		return reconciler.Batch{}, err
	}
	return parseBatch(lane, rest)
}

// parseBatch reads fence, key, due, payload, ...; nothing is an empty batch.
func parseBatch(lane string, answer []any) (reconciler.Batch, error) {
	batch := reconciler.Batch{Lease: reconciler.Lease{Lane: lane}}
	if len(answer) > 0 {
		batch.Fence, _ = answer[0].(int64)
	}
	for index := 1; index+2 < len(answer); index += 3 {
		item, err := parseItem(answer[index], answer[index+1], answer[index+2])
		if err != nil {
			return reconciler.Batch{}, err
		}
		batch.Items = append(batch.Items, item)
	}
	return batch, nil
}

func parseItem(key, due, payload any) (reconciler.Item, error) {
	name, _ := key.(string)
	dueText, _ := due.(string)
	text, _ := payload.(string)
	parts := strings.SplitN(text, "|", 5)
	if name == "" || len(parts) != 5 {
		return reconciler.Item{}, fmt.Errorf("an item that cannot be understood: %q", text)
	}
	dueAt, errDue := strconv.ParseFloat(dueText, 64)
	priority, errPriority := strconv.Atoi(parts[0])
	first, errFirst := strconv.ParseInt(parts[1], 10, 64)
	attempts, errAttempts := strconv.Atoi(parts[2])
	if err := errors.Join(errDue, errPriority, errFirst, errAttempts); err != nil {
		return reconciler.Item{}, fmt.Errorf("an item that cannot be understood: %w", err)
	}
	return reconciler.Item{
		Key: name, Due: time.UnixMilli(int64(dueAt)).UTC(), First: time.UnixMilli(first).UTC(),
		Priority: reconciler.Priority(priority), Attempts: attempts, Version: parts[3], Reason: parts[4],
	}, nil
}

// Extend implements reconciler.Queue.
func (s *Store) Extend(ctx context.Context, lease reconciler.Lease) error {
	now := s.Now()
	answer, err := extendScript.Run(ctx, s.client, s.laneKeys(lease.Lane),
		lease.Lane, milliseconds(now), lease.Fence, milliseconds(now.Add(s.Lease))).Slice()
	return s.given(ctx, lease, answer, err)
}

// Finish implements reconciler.Queue.
func (s *Store) Finish(ctx context.Context, lease reconciler.Lease, outcomes []reconciler.Outcome) error {
	now := s.Now()
	arguments := []any{lease.Lane, milliseconds(now), lease.Fence, s.ring(false)}
	for _, outcome := range outcomes {
		again := "0"
		switch {
		case outcome.Park:
			again = "3"
		case outcome.Repeat:
			again = "2"
		case outcome.Retry:
			again = "1"
		}
		arguments = append(arguments, outcome.Key, again, milliseconds(now)+roundUp(outcome.After), outcome.Reason)
	}
	answer, err := finishScript.Run(ctx, s.client, s.laneKeys(lease.Lane), arguments...).Slice()
	return s.given(ctx, lease, answer, err)
}

// Hurry makes everything due that was put off in a lane, for whatever reason:
// what stood in its way is gone.
func (s *Store) Hurry(ctx context.Context, lane string) error {
	answer, err := hurryScript.Run(ctx, s.client, s.laneKeys(lane), lane, milliseconds(s.Now()), s.ring(false)).Slice()
	if err != nil {
		s.waking.again()
		return fmt.Errorf("hurrying a lane: %w", err)
	}
	set, _, err := parseAlarm(lane, answer)
	if err != nil {
		return fmt.Errorf("hurrying a lane: %w", err)
	}
	return s.armed(ctx, []alarm{set})
}

// given handles the answer of a script that only the holder of a lease may run.
func (s *Store) given(ctx context.Context, lease reconciler.Lease, answer []any, err error) error {
	if err != nil {
		// The lane may have been given back and only the answer lost.
		s.waking.again()
		return fmt.Errorf("holding the lane: %w", err)
	}
	set, _, err := parseAlarm(lease.Lane, answer)
	if err != nil {
		return err
	}
	return s.armed(ctx, []alarm{set})
}

// Depth says how many items wait in all lanes together and since when the
// oldest of those that are due waits; the zero time when none is. It looks at
// the lanes that are ready, at most a thousand, which is what a monitor needs.
func (s *Store) Depth(ctx context.Context) (lanes int, oldest time.Time, err error) {
	now := s.Now()
	ready := s.client.ZRangeByScoreWithScores(ctx, s.keys.ready(), &goredis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(milliseconds(now), 10), Count: 1000})
	found, err := ready.Result()
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("reading the queue: %w", err)
	}
	if len(found) > 0 {
		oldest = time.UnixMilli(int64(found[0].Score)).UTC()
	}
	return len(found), oldest, nil
}
