package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Backlog says how many items of backfill about events wait in a lane, whenever
// they are due. Those of the batch that is out do not count.
func (s *Store) Backlog(ctx context.Context, lane string) (int, error) {
	waiting, err := s.client.ZCard(ctx, s.keys.due(lane, int(reconciler.PriorityBackfill))).Result()
	if err != nil {
		return 0, fmt.Errorf("reading the queue: %w", err)
	}
	pipe := s.client.Pipeline()
	regular := make([]*goredis.FloatCmd, 0, len(regularKeys))
	for _, key := range regularKeys {
		regular = append(regular, pipe.ZScore(ctx, s.keys.due(lane, int(reconciler.PriorityBackfill)), key))
	}
	_, _ = pipe.Exec(ctx) // each tells its own error
	for _, command := range regular {
		if command.Err() == nil {
			waiting--
		}
	}
	return int(waiting), nil
}

// Untried says how many items of backfill about events wait in a lane and are
// due, or are in the batch that is out. What was put off after a failure does not
// count.
func (s *Store) Untried(ctx context.Context, lane string) (int, error) {
	pipe := s.client.Pipeline()
	due := pipe.ZRangeByScore(ctx, s.keys.due(lane, int(reconciler.PriorityBackfill)), &goredis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(milliseconds(s.Now()), 10), Count: int64(len(regularKeys)) + 1,
	})
	taken := pipe.HKeys(ctx, s.keys.taken(lane))
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("reading the queue: %w", err)
	}
	count := 0
	for _, key := range append(due.Val(), taken.Val()...) {
		if !slices.Contains(regularKeys, key) {
			count++
		}
	}
	return count, nil
}

// regularKeys are the items that come round again and are about no event.
var regularKeys = []string{
	reconciler.KeySweep, reconciler.KeyChanges, reconciler.KeySubscription, reconciler.KeyFirstSync, reconciler.KeyReset,
}

// Trouble is why the regular work of a lane was put back last, empty when it was
// not: a sweep that fails, a subscription that cannot be renewed.
func (s *Store) Trouble(ctx context.Context, lane string) (string, error) {
	payloads, err := s.client.HMGet(ctx, s.keys.items(lane), regularKeys...).Result()
	if err != nil {
		return "", fmt.Errorf("reading the queue: %w", err)
	}
	for index, payload := range payloads {
		if payload == nil {
			continue
		}
		item, err := parseItem(regularKeys[index], "0", payload)
		if err != nil {
			return "", err
		}
		if item.Reason != "" {
			return item.Reason, nil
		}
	}
	return "", nil
}

// lastCrossing is how many lines of a log are looked at for the last crossing.
const lastCrossing = 50

// Crossed is when something last crossed in a lane, as far as the newest lines of
// its log tell; the zero time when they do not.
func (s *Store) Crossed(ctx context.Context, lane string) (time.Time, error) {
	stored, err := s.client.LRange(ctx, s.keys.log(lane), 0, lastCrossing-1).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the log: %w", err)
	}
	for _, text := range stored {
		var kept line
		if err := json.Unmarshal([]byte(text), &kept); err != nil {
			return time.Time{}, fmt.Errorf("reading the log: %w", err)
		}
		if kept.Action != "" {
			return time.UnixMilli(kept.Time).UTC(), nil
		}
	}
	return time.Time{}, nil
}
