package weeks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// lastSecond is what a store that writes its log every second can lose.
const lastSecond = time.Second

// failOver has a copy of the store, made now, take over after a while: what is
// written meanwhile is gone, and nobody is told. Scripts do not come along. It
// returns what waits for that.
func (s *store) failOver(ctx context.Context, after time.Duration) (wait func() error, err error) {
	client := goredis.NewClient(&goredis.Options{
		Dialer: s.dial, DisableIdentity: true, Protocol: 2, MaxRetries: -1, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	remake, err := copyOf(ctx, client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	done := make(chan error, 1)
	go func() {
		time.Sleep(after)
		s.set(true, 0)
		_, err := client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
			pipe.FlushAll(ctx)
			for _, make := range remake {
				make(pipe)
			}
			return nil
		})
		err = errors.Join(err, client.ScriptFlush(ctx).Err(), client.Close())
		s.set(false, 0)
		done <- err
	}()
	return func() error { return <-done }, nil
}

// errChanged says that keys came or went while they were read.
var errChanged = errors.New("the keys have changed")

// copyOf reads everything as it is at one instant, and returns what makes it anew.
func copyOf(ctx context.Context, client *goredis.Client) ([]func(goredis.Pipeliner), error) {
	for {
		remake, err := copyOnce(ctx, client)
		if !errors.Is(err, errChanged) {
			return remake, err
		}
	}
}

func copyOnce(ctx context.Context, client *goredis.Client) ([]func(goredis.Pipeliner), error) {
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	kinds := map[string]string{}
	for _, key := range keys {
		if kinds[key], err = client.Type(ctx, key).Result(); err != nil {
			return nil, err
		}
	}
	var remake []func(goredis.Pipeliner)
	var reads []func() error
	var now *goredis.StringSliceCmd
	_, err = client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		now = pipe.Keys(ctx, "*")
		for key, kind := range kinds {
			left := pipe.PTTL(ctx, key)
			again := copyOfKey(ctx, pipe, key, kind)
			reads = append(reads, func() error {
				one, err := again()
				remake = append(remake, one)
				if time := left.Val(); time > 0 {
					remake = append(remake, func(pipe goredis.Pipeliner) { pipe.PExpire(ctx, key, time) })
				}
				return err
			})
		}
		return nil
	})
	slices.Sort(keys)
	if there := now.Val(); err == nil || errors.Is(err, goredis.Nil) {
		if slices.Sort(there); !slices.Equal(keys, there) {
			return nil, errChanged
		}
	}
	if err != nil {
		return nil, err
	}
	for _, read := range reads {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return remake, nil
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
