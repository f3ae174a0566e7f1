package bench_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// starts is what enqueuing gave: from before the item is added until a waiting
// worker has it in its hands. The floor is a value pushed to a list until a
// waiting blocking pop has it.
type starts struct {
	floor, same, other *latencies
}

// enqueue adds one item at a time to a lane, turn by turn: to the bare list, for
// a worker of the same process, and for one of another process, which only the
// store tells of it. No worker waits in the process that adds for another. Some
// turns come first that do not count.
func enqueue(t testing.TB, redisURL string, unmeasured, turns int) starts {
	t.Helper()
	measured := starts{floor: newLatencies(), same: newLatencies(), other: newLatencies()}
	popped := blockingPop(t, redisURL)
	pusher := driver(t, redisURL)
	same := openStore(t, redisURL, "same")
	other, far := openStore(t, redisURL, "other"), openStore(t, redisURL, "other")
	taken, takenFar := takeItems(t, same), takeItems(t, far)
	for turn := range unmeasured + turns {
		if turn == unmeasured {
			measured = starts{floor: newLatencies(), same: newLatencies(), other: newLatencies()}
		}
		began := time.Now()
		if err := pusher.LPush(t.Context(), "list", "outlook:a").Err(); err != nil {
			t.Fatal(err)
		}
		measured.floor.add((<-popped).Sub(began))
		enqueueOne(t, same, turn, taken, measured.same)
		enqueueOne(t, other, turn, takenFar, measured.other)
	}
	return measured
}

func enqueueOne(t testing.TB, store *redis.Store, turn int, taken <-chan time.Time, into *latencies) {
	t.Helper()
	hint := reconciler.Hint{
		Lane: strconv.Itoa(turn % 100), GraphID: "a",
		Item: reconciler.Item{Key: reconciler.OutlookKey("a"), Version: "v"},
	}
	began := time.Now()
	if _, err := store.AddHints(t.Context(), []reconciler.Hint{hint}); err != nil {
		t.Fatal(err)
	}
	into.add((<-taken).Sub(began))
	// The lane is given back before the next turn begins.
	<-taken
}

func openStore(t testing.TB, redisURL, namespace string) *redis.Store {
	t.Helper()
	seal, err := redis.NewSealer(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	store, err := redis.Open(t.Context(), redis.Config{URL: redisURL, Seal: seal, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// takeItems is a worker that does nothing with what it takes. It tells when it
// had it, and then when it gave the lane back.
func takeItems(t testing.TB, store *redis.Store) <-chan time.Time {
	times := make(chan time.Time)
	go func() {
		defer close(times)
		for {
			batch, err := store.Take(t.Context(), 10)
			at := time.Now()
			if err != nil {
				if t.Context().Err() == nil {
					t.Errorf("taking a lane: %v", err)
				}
				return
			}
			times <- at
			outcomes := []reconciler.Outcome{{Key: batch.Items[0].Key}}
			if err := store.Finish(t.Context(), batch.Lease, outcomes); err != nil {
				t.Errorf("giving a lane back: %v", err)
				return
			}
			times <- time.Now()
		}
	}()
	return times
}

// blockingPop tells when each value of the list was there.
func blockingPop(t testing.TB, redisURL string) <-chan time.Time {
	client := driver(t, redisURL)
	times := make(chan time.Time)
	go func() {
		defer close(times)
		for t.Context().Err() == nil {
			_, err := client.BLPop(t.Context(), time.Second, "list").Result()
			at := time.Now()
			switch {
			case err == nil:
				times <- at
			case errors.Is(err, goredis.Nil), t.Context().Err() != nil:
			default:
				t.Errorf("waiting for the list: %v", err)
				return
			}
		}
	}()
	return times
}

// TestEnqueue has a few items started by a worker of the same process and by one
// of another.
func TestEnqueue(t *testing.T) {
	t.Parallel()
	measured := enqueue(t, startRedis(t), 1, 5)
	for name, part := range map[string]*latencies{"list": measured.floor, "same process": measured.same, "other process": measured.other} {
		if got, want := part.count(), 5; got != want {
			t.Errorf("items started, %s: got %d, want %d", name, got, want)
		}
	}
}
