package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"
)

// pairStep is how many pairs are written with one command.
const pairStep = 500

// SetPairs implements reconciler.Store.
func (s *Store) SetPairs(ctx context.Context, lane string, copies map[int64]string) error {
	_, err := s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.Del(ctx, s.keys.pairs(lane))
		for records := range slices.Chunk(slices.Sorted(maps.Keys(copies)), pairStep) {
			values := make([]any, 0, 2*len(records))
			for _, record := range records {
				values = append(values, record, copies[record])
			}
			pipe.HSet(ctx, s.keys.pairs(lane), values...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping which copies records are one with: %w", err)
	}
	return nil
}

// Pairs implements reconciler.Store.
func (s *Store) Pairs(ctx context.Context, lane string, recordIDs []int64) (map[int64]string, error) {
	found := map[int64]string{}
	if len(recordIDs) == 0 {
		return found, nil
	}
	fields := make([]string, len(recordIDs))
	for index, id := range recordIDs {
		fields[index] = strconv.FormatInt(id, 10)
	}
	kept, err := s.client.HMGet(ctx, s.keys.pairs(lane), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("reading which copies records are one with: %w", err)
	}
	for index, value := range kept {
		if graphID, there := value.(string); there {
			found[recordIDs[index]] = graphID
		}
	}
	return found, nil
}
