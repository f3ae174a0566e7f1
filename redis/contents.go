package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// contentLife is how long the content of a notification is kept: what was not
// looked at by then is read instead.
const contentLife = 10 * time.Minute

// KeepContents keeps what notifications told, as Microsoft encrypted it, for a few
// minutes. Of two about one copy the last one stays.
func (s *Store) KeepContents(ctx context.Context, contents []reconciler.Content) error {
	if len(contents) == 0 {
		return nil
	}
	_, err := s.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for _, content := range contents {
			pipe.Set(ctx, s.keys.content(content.Lane, content.GraphID), content.Sealed, contentLife)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping the content of notifications: %w", err)
	}
	return nil
}

// Contents returns what notifications told of these copies of a lane lately; of
// most copies that is nothing.
func (s *Store) Contents(ctx context.Context, lane string, graphIDs []string) (map[string][]byte, error) {
	if len(graphIDs) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(graphIDs))
	for _, id := range graphIDs {
		names = append(names, s.keys.content(lane, id))
	}
	values, err := s.client.MGet(ctx, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the content of notifications: %w", err)
	}
	found := map[string][]byte{}
	for index, value := range values {
		if text, there := value.(string); there {
			found[graphIDs[index]] = []byte(text)
		}
	}
	return found, nil
}
