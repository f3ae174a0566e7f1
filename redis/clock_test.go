package redis_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// A clock that is put right, or wrong, while the gateway runs is followed within
// a minute: from then on a lane that is leased stays leased.
func TestAClockThatIsSetIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &stalling{engine: miniredis.NewMiniRedis()}
		defer server.engine.Close()
		var set atomic.Int64
		one := open(t, redis.Config{URL: "redis://server:6379", Dialer: server.dial})
		other := open(t, redis.Config{URL: "redis://server:6379", Dialer: server.dial, Now: func() time.Time {
			return time.Now().Add(time.Duration(set.Load()))
		}})
		set.Store(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		if err := one.Add(t.Context(), "1", reconciler.Item{Key: "outlook:a"}); err != nil {
			t.Fatal(err)
		}
		takes(t, one, "outlook:a")
		began := time.Now()
		// It is given back when nobody extends the lease, and not before.
		if _, err := other.Take(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got < 29*time.Second || got > 32*time.Second {
			t.Errorf("the other replica took the lane after %s, want after the lease of 30s", got)
		}
	})
}
