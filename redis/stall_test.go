package redis_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// stalling is a Redis that takes everything and answers nothing once it has
// stalled, as a server does whose disk or machine hangs. One that is mute does
// what it is asked, and its answers get lost.
type stalling struct {
	engine        *miniredis.Miniredis
	stalled, mute atomic.Bool
}

func (s *stalling) dial(context.Context, string, string) (net.Conn, error) {
	engine, err := s.engine.Dial()
	if err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	go func() {
		defer engine.Close()
		buffer := make([]byte, 32<<10)
		for {
			count, err := server.Read(buffer)
			if err != nil {
				return
			}
			if s.stalled.Load() {
				continue
			}
			if _, err := engine.Write(buffer[:count]); err != nil {
				return
			}
		}
	}()
	go func() {
		defer server.Close()
		buffer := make([]byte, 32<<10)
		for {
			count, err := engine.Read(buffer)
			if err != nil {
				return
			}
			if s.mute.Load() {
				continue
			}
			if _, err := server.Write(buffer[:count]); err != nil {
				return
			}
		}
	}()
	return client, nil
}

// A webhook's sender must have its answer before the store has found out that
// Redis hangs.
func TestCallsEndWithTheirContextWhenRedisStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalling := &stalling{engine: miniredis.NewMiniRedis()}
		defer stalling.engine.Close()
		store, err := redis.Open(t.Context(), redis.Config{URL: "redis://stalling:6379", Dialer: stalling.dial, Seal: seal(t)})
		if err != nil {
			t.Fatal(err)
		}
		hints := []reconciler.Hint{{Lane: "6", Item: reconciler.Item{Key: "outlook:e"}}}
		if _, err := store.AddHints(t.Context(), hints); err != nil {
			t.Fatalf("before the stall: %v", err)
		}
		stalling.stalled.Store(true)
		const patience = 600 * time.Millisecond
		for name, call := range map[string]func(context.Context) error{
			"AddHints":   func(ctx context.Context) error { _, err := store.AddHints(ctx, hints); return err },
			"MembersNow": func(ctx context.Context) error { _, err := store.MembersNow(ctx); return err },
			"Ping":       store.Ping,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			began := time.Now()
			err := call(ctx)
			if took := time.Since(began); err == nil || took > patience {
				t.Errorf("%s: got %v after %s, want an error within %s", name, err, took, patience)
			}
			cancel()
		}
		stalling.stalled.Store(false)
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An item whose addition was carried out but never answered is worked on long
// before the lease that it may have been taken under is over.
func TestALeaseWhoseAnswerWasLostIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalling := &stalling{engine: miniredis.NewMiniRedis()}
		defer stalling.engine.Close()
		store, err := redis.Open(t.Context(), redis.Config{URL: "redis://stalling:6379", Dialer: stalling.dial, Seal: seal(t)})
		if err != nil {
			t.Fatal(err)
		}
		taken := make(chan reconciler.Batch)
		go func() {
			for range 2 {
				batch, err := store.Take(t.Context(), 10)
				if err != nil {
					t.Errorf("Take: %v", err)
				}
				if err := store.Finish(t.Context(), batch.Lease, []reconciler.Outcome{{Key: batch.Items[0].Key}}); err != nil {
					t.Errorf("Finish: %v", err)
				}
				taken <- batch
			}
		}()
		add := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := store.AddHints(ctx, []reconciler.Hint{{Lane: "6", Item: reconciler.Item{Key: "outlook:e"}}})
			return err
		}
		if err := add(); err != nil {
			t.Fatalf("while Redis answers: %v", err)
		}
		<-taken
		synctest.Wait()
		stalling.mute.Store(true)
		began := time.Now()
		if err := add(); err == nil {
			t.Fatal("an addition without an answer is no error")
		}
		stalling.mute.Store(false)
		<-taken
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the item was worked on after %s, want long before a lease is over", took)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}
