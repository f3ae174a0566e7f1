// Package snapshot copies a whole store, and puts the copy in the place of what the
// store has come to hold since, as a failover does that loses the last writes. It is
// for tests.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Snapshot is what a store held at one instant.
type Snapshot struct {
	client *goredis.Client
	// remake makes each key anew.
	remake []func(goredis.Pipeliner)
}

// errChanged says that keys came or went while they were read.
var errChanged = errors.New("the keys have changed")

// Take copies the store that is dialed.
func Take(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Snapshot, error) {
	s := &Snapshot{client: goredis.NewClient(&goredis.Options{
		Dialer: dial, DisableIdentity: true, Protocol: 2, MaxRetries: -1, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
	for {
		err := s.take(ctx)
		switch {
		case errors.Is(err, errChanged):
			s.remake = nil
		case err != nil:
			return nil, errors.Join(fmt.Errorf("copying the store: %w", err), s.client.Close())
		default:
			return s, nil
		}
	}
}

// Restore puts the copy in the place of what the store holds, at one instant, and
// closes the snapshot. Scripts do not come along.
func (s *Snapshot) Restore(ctx context.Context) error {
	_, err := s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.FlushAll(ctx)
		for _, remake := range s.remake {
			remake(pipe)
		}
		return nil
	})
	if err = errors.Join(err, s.client.ScriptFlush(ctx).Err(), s.client.Close()); err != nil {
		return fmt.Errorf("putting a copy of the store in its place: %w", err)
	}
	return nil
}

// take reads every key as it is at one instant.
func (s *Snapshot) take(ctx context.Context) error {
	keys, err := s.client.Keys(ctx, "*").Result()
	if err != nil {
		return err
	}
	kinds := map[string]string{}
	for _, key := range keys {
		if kinds[key], err = s.client.Type(ctx, key).Result(); err != nil {
			return err
		}
	}
	var now *goredis.StringSliceCmd
	var reads []func() error
	_, err = s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		now = pipe.Keys(ctx, "*")
		for key, kind := range kinds {
			left, read := pipe.PTTL(ctx, key), copyOfKey(ctx, pipe, key, kind)
			reads = append(reads, func() error {
				remake, err := read()
				s.remake = append(s.remake, remake)
				if during := left.Val(); during > 0 {
					s.remake = append(s.remake, func(pipe goredis.Pipeliner) { pipe.PExpire(ctx, key, during) })
				}
				return err
			})
		}
		return nil
	})
	there := now.Val()
	slices.Sort(keys)
	slices.Sort(there)
	switch {
	case (err == nil || errors.Is(err, goredis.Nil)) && !slices.Equal(keys, there):
		return errChanged
	case err != nil:
		return err
	}
	for _, read := range reads {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// copyOfKey asks for a key's value, and returns what takes the answer.
func copyOfKey(ctx context.Context, pipe goredis.Pipeliner, key, kind string) func() (func(goredis.Pipeliner), error) {
	switch kind {
	case "string":
		value := pipe.Get(ctx, key)
		return func() (func(goredis.Pipeliner), error) {
			return func(pipe goredis.Pipeliner) { pipe.Set(ctx, key, value.Val(), 0) }, value.Err()
		}
	case "hash":
		fields := pipe.HGetAll(ctx, key)
		return func() (func(goredis.Pipeliner), error) {
			return func(pipe goredis.Pipeliner) { pipe.HSet(ctx, key, fields.Val()) }, fields.Err()
		}
	case "list":
		values := pipe.LRange(ctx, key, 0, -1)
		return func() (func(goredis.Pipeliner), error) {
			return func(pipe goredis.Pipeliner) { pipe.RPush(ctx, key, values.Val()) }, values.Err()
		}
	case "set":
		values := pipe.SMembers(ctx, key)
		return func() (func(goredis.Pipeliner), error) {
			return func(pipe goredis.Pipeliner) { pipe.SAdd(ctx, key, values.Val()) }, values.Err()
		}
	case "zset":
		values := pipe.ZRangeWithScores(ctx, key, 0, -1)
		return func() (func(goredis.Pipeliner), error) {
			return func(pipe goredis.Pipeliner) { pipe.ZAdd(ctx, key, values.Val()...) }, values.Err()
		}
	}
	return func() (func(goredis.Pipeliner), error) {
		return nil, fmt.Errorf("%s is a %q, which is not copied", key, kind)
	}
}
