package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// TestALaneWhoseLastSecondIsLost: a replica that had not yet heard of a lease takes
// over from its master. Whoever still has that lease must not pass for the next one
// to have the lane, and the lane is due at once.
func TestALaneWhoseLastSecondIsLost(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) []string{
		"one server": func(t *testing.T) []string { return startServers(t, 1) },
		"a cluster": func(t *testing.T) []string {
			addresses := startServers(t, 6, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
			formCluster(t, addresses)
			return addresses
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addresses := start(t)
			one := open(t, redis.Config{URL: "redis://" + strings.Join(addresses, ",redis://")})
			two := open(t, redis.Config{URL: "redis://" + strings.Join(addresses, ",redis://")})
			client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: addresses})
			defer client.Close()
			add := func(key string) {
				t.Helper()
				if err := one.Add(t.Context(), "1", reconciler.Item{Key: key}); err != nil {
					t.Fatal(err)
				}
			}
			take := func(store *redis.Store) reconciler.Batch {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				batch, err := store.Take(ctx, 10)
				if err != nil {
					t.Fatalf("Take: %v", err)
				}
				return batch
			}
			for range 3 {
				add("outlook:a")
				if err := one.Finish(t.Context(), take(one).Lease, []reconciler.Outcome{{Key: "outlook:a"}}); err != nil {
					t.Fatal(err)
				}
			}
			add("outlook:a")
			restore := kept(t, client, "1")
			lost := take(one)
			for range 3 {
				if err := one.Extend(t.Context(), lost.Lease); err != nil {
					t.Fatal(err)
				}
			}
			restore()
			add("outlook:b")
			for _, ready := range scan(t, client, "*{wake}:ready") {
				if due := client.ZScore(t.Context(), ready, "1").Val(); due <= 0 || due > float64(time.Now().UnixMilli()) {
					t.Errorf("the lane's alarm is set to %.0f, want it due", due)
				}
			}
			batch := take(two)
			if len(batch.Items) != 2 {
				t.Errorf("the next worker got %v, want both items", batch.Items)
			}
			for what, err := range map[string]error{
				"Extend": one.Extend(t.Context(), lost.Lease),
				"Commit": one.Commit(t.Context(), lost.Lease, reconciler.Commit{Links: []reconciler.Link{{RecordID: 3, GraphID: "A"}}}),
				"Finish": one.Finish(t.Context(), lost.Lease, nil),
			} {
				if !errors.Is(err, reconciler.ErrLeaseLost) {
					t.Errorf("%s under the lease that was lost: got %v, want %v", what, err, reconciler.ErrLeaseLost)
				}
			}
			if err := two.Extend(t.Context(), batch.Lease); err != nil {
				t.Errorf("Extend: got %v, want no error", err)
			}
		})
	}
}

// kept remembers all there is of a lane, and returns what brings it back.
func kept(t *testing.T, client goredis.UniversalClient, lane string) (restore func()) {
	t.Helper()
	content := map[string]string{}
	var names []string
	for _, name := range []string{"due0", "due1", "items", "taken", "state"} {
		keys := scan(t, client, "*{lane:"+lane+"}:"+name)
		for _, key := range keys {
			dump, err := client.Dump(t.Context(), key).Result()
			if err != nil {
				t.Fatal(err)
			}
			content[key] = dump
		}
		names = append(names, name)
	}
	if len(content) == 0 {
		t.Fatal("nothing is kept of the lane")
	}
	return func() {
		for _, name := range names {
			for _, key := range scan(t, client, "*{lane:"+lane+"}:"+name) {
				if err := client.Del(t.Context(), key).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for key, dump := range content {
			if err := client.RestoreReplace(t.Context(), key, 0, dump).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// scan returns the keys that match a pattern, on whichever server they are.
func scan(t *testing.T, client goredis.UniversalClient, pattern string) []string {
	t.Helper()
	if cluster, is := client.(*goredis.ClusterClient); is {
		found := make(chan []string, 16)
		if err := cluster.ForEachMaster(t.Context(), func(ctx context.Context, master *goredis.Client) error {
			keys, err := master.Keys(ctx, pattern).Result()
			found <- keys
			return err
		}); err != nil {
			t.Fatal(err)
		}
		close(found)
		var all []string
		for keys := range found {
			all = append(all, keys...)
		}
		return all
	}
	keys, err := client.Keys(t.Context(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
