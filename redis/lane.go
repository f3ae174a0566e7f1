package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// leasingTime bounds how long a worker that leaves is held up.
const leasingTime = 2 * time.Second

// lease takes two trips on a Cluster, and a lane that is given up between them
// would be nobody's until its lease is over; so once begun it goes on to its end,
// though the worker leaves.
func (s *Store) lease(ctx context.Context, lane string, limit int) (reconciler.Batch, error) {
	if err := ctx.Err(); err != nil {
		return reconciler.Batch{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leasingTime)
	defer cancel()
	now := s.Now()
	answer, err := takeScript.Run(ctx, s.client, s.laneKeys(lane), lane, milliseconds(now), milliseconds(now.Add(s.Lease)), limit, fenceStep()).Slice()
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
	return s.parseBatch(lane, rest)
}

// fenceStep is by how much a fence grows: enough to tell apart what was leased with
// the same fence before, and little enough for more leases than a lane ever sees,
// since Lua's numbers are exact up to 2^53 only.
func fenceStep() int { return 1 + rand.IntN(1<<20) }

// parseBatch reads fence, key, due, payload, ...; nothing is an empty batch.
func (s *Store) parseBatch(lane string, answer []any) (reconciler.Batch, error) {
	batch := reconciler.Batch{Lease: reconciler.Lease{Lane: lane}}
	if len(answer) > 0 {
		batch.Fence, _ = answer[0].(int64)
	}
	for index := 1; index+2 < len(answer); index += 3 {
		item, err := parseItem(answer[index], answer[index+1], answer[index+2])
		if err != nil {
			return reconciler.Batch{}, err
		}
		item.Due, item.First = s.clock.ours(item.Due), s.clock.ours(item.First)
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
		oldest = s.clock.ours(time.UnixMilli(int64(found[0].Score)).UTC())
	}
	return len(found), oldest, nil
}
