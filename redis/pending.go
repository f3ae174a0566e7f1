package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Pending says how many items of a lane wait or are being worked on, without
// those that are put off for more than the given time, and without work that is
// done and comes round again, such as the next sweep, until its time has come.
func (s *Store) Pending(ctx context.Context, lane string, within time.Duration) (int, error) {
	now := milliseconds(s.Now())
	until := &goredis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(milliseconds(s.Now().Add(within)), 10)}
	pipeline := s.client.Pipeline()
	person := pipeline.ZRangeByScoreWithScores(ctx, s.keys.due(lane, 0), until)
	backfill := pipeline.ZRangeByScoreWithScores(ctx, s.keys.due(lane, 1), until)
	taken := pipeline.HLen(ctx, s.keys.taken(lane))
	if _, err := pipeline.Exec(ctx); err != nil {
		return 0, fmt.Errorf("reading the queue: %w", err)
	}
	count := int(taken.Val())
	var later []string
	for _, waiting := range append(person.Val(), backfill.Val()...) {
		key, _ := waiting.Member.(string)
		if int64(waiting.Score) <= now {
			count++
		} else {
			later = append(later, key)
		}
	}
	if len(later) == 0 {
		return count, nil
	}
	payloads, err := s.client.HMGet(ctx, s.keys.items(lane), later...).Result()
	if err != nil {
		return 0, fmt.Errorf("reading the queue: %w", err)
	}
	for index, payload := range payloads {
		if payload == nil {
			continue // taken and done meanwhile
		}
		item, err := parseItem(later[index], "0", payload)
		if err != nil {
			return 0, err
		}
		if item.First.UnixMilli() <= now {
			count++
		}
	}
	return count, nil
}
