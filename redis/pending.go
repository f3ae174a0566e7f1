package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Pending says how many items of a lane wait or are being worked on, without
// those that are put off for more than the given time: work that comes round
// again, such as the next sweep, is always waiting.
func (s *Store) Pending(ctx context.Context, lane string, within time.Duration) (int, error) {
	until := strconv.FormatInt(milliseconds(s.Now().Add(within)), 10)
	pipeline := s.client.Pipeline()
	person := pipeline.ZCount(ctx, s.keys.due(lane, 0), "-inf", until)
	backfill := pipeline.ZCount(ctx, s.keys.due(lane, 1), "-inf", until)
	taken := pipeline.HLen(ctx, s.keys.taken(lane))
	if _, err := pipeline.Exec(ctx); err != nil {
		return 0, fmt.Errorf("reading the queue: %w", err)
	}
	return int(person.Val() + backfill.Val() + taken.Val()), nil
}
