package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// SetMaking implements reconciler.Store.
func (s *Store) SetMaking(ctx context.Context, lane string, copies map[string]string, life time.Duration) error {
	if len(copies) == 0 {
		return nil
	}
	_, err := s.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for key, graphID := range copies {
			pipe.Set(ctx, s.keys.making(lane, key), graphID, life)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting what is about to be made: %w", err)
	}
	return nil
}

// Making implements reconciler.Store.
func (s *Store) Making(ctx context.Context, lane string, keys []string) (map[string]string, error) {
	found := map[string]string{}
	commands := make([]*goredis.StringCmd, 0, len(keys))
	_, err := s.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for _, key := range keys {
			commands = append(commands, pipe.Get(ctx, s.keys.making(lane, key)))
		}
		return nil
	})
	if err != nil && !errors.Is(err, goredis.Nil) {
		return nil, fmt.Errorf("reading what was about to be made: %w", err)
	}
	for index, command := range commands {
		if graphID := command.Val(); graphID != "" {
			found[keys[index]] = graphID
		}
	}
	return found, nil
}
