package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// clock tells Redis's time. Replicas whose own clocks differ would otherwise take
// lanes from one another as soon as they are leased, or leave those of one that
// died for as long as it was ahead.
type clock struct {
	own   func() time.Time
	ahead atomic.Int64 // of Redis's clock before our own
}

const (
	// clockTolerance is how far clocks may be apart without being corrected: less
	// than that tells nothing, since the answer may have been under way for as long.
	clockTolerance = time.Second
	// clockEvery is how often they are compared.
	clockEvery = time.Minute
)

func (c *clock) now() time.Time { return c.theirs(c.own()) }

// theirs is a time of our clock as Redis's shows it.
func (c *clock) theirs(at time.Time) time.Time { return at.Add(time.Duration(c.ahead.Load())) }

// ours is a time of Redis's clock as ours shows it.
func (c *clock) ours(at time.Time) time.Time { return at.Add(-time.Duration(c.ahead.Load())) }

// theirs is a time from a caller as Redis's clock shows it; the zero time stays.
func (s *Store) theirs(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return s.clock.theirs(at)
}

// compareClocks asks Redis what time it is. Where it does not answer, what was
// found last stands.
func (s *Store) compareClocks(ctx context.Context) error {
	client, err := s.clockNode(ctx)
	if err != nil {
		return fmt.Errorf("comparing clocks: %w", err)
	}
	began := s.clock.own()
	told, err := client.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("comparing clocks: %w", err)
	}
	took := s.clock.own().Sub(began)
	ahead := told.Sub(began.Add(took / 2))
	if ahead.Abs() < clockTolerance+took {
		ahead = 0
	}
	if former := time.Duration(s.clock.ahead.Swap(int64(ahead))); (former - ahead).Abs() > clockTolerance {
		s.Log.Warn("the clock of this machine and that of Redis differ; Redis's is gone by", zap.Duration("ahead", ahead))
	}
	return nil
}

// clockNode is the server whose clock counts: on a Cluster, the one that has the
// alarms of all lanes.
func (s *Store) clockNode(ctx context.Context) (goredis.Cmdable, error) {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, s.keys.ready())
	}
	return s.client, nil
}

// followClock compares clocks again and again until the context ends.
func (s *Store) followClock(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, clockEvery)
		if err := s.compareClocks(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("the clock of Redis could not be read", zap.Error(err))
		}
	}
}
