package nightpos_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// While NightPOS is out, whoever asks learns so at once, however many do, and one call
// every few seconds finds out whether it is back.
func TestAnOutageKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		wire := &wire{answer: func(*http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Millisecond)
			if back.Load() {
				return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
			}
			return answered(http.StatusBadGateway, "<html>"), nil
		}}
		client := wire.client(t)
		began := time.Now()
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				for time.Since(began) < time.Minute {
					asked := time.Now()
					_, err := client.Read(t.Context(), []int64{1})
					var retry *reconciler.RetryError
					if !errors.As(err, &retry) || retry.Cause != "nightpos_unavailable" {
						t.Errorf("got %v, want an error to try again", err)
					}
					if took := time.Since(asked); took > 5*time.Second && time.Since(began) > 10*time.Second {
						t.Errorf("somebody waited for %s", took)
					}
					time.Sleep(time.Second)
				}
			})
		}
		group.Wait()
		// Each call is made three times before it counts as failed.
		if calls, most := wire.calls.Load(), int64(3*(5+60/5+1)); calls > most {
			t.Errorf("NightPOS got %d calls in a minute, want %d at most", calls, most)
		}
		_, err := client.Read(t.Context(), []int64{1})
		if err == nil || !strings.Contains(err.Error(), "NightPOS is out since 2000-01-01T00:00:") || !strings.Contains(err.Error(), "502") {
			t.Errorf("got %v, want since when it is out and why", err)
		}
		back.Store(true)
		time.Sleep(6 * time.Second)
		for range 3 {
			_, err := client.Read(t.Context(), []int64{1})
			var retry *reconciler.RetryError
			if errors.As(err, &retry) {
				t.Errorf("back again: %v", err)
			}
		}
	})
}

// Failures of single calls between others that succeed are no outage.
func TestSingleFailuresAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		wire := &wire{answer: func(*http.Request) (*http.Response, error) {
			if count.Add(1)%13 == 0 {
				return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
			}
			return answered(http.StatusBadGateway, "<html>"), nil
		}}
		client := wire.client(t)
		for range 100 {
			_, err := client.Read(t.Context(), []int64{1})
			if err != nil && strings.Contains(err.Error(), "is out") {
				t.Fatalf("after %d calls: %v", count.Load(), err)
			}
		}
		if got := count.Load(); got < 200 {
			t.Errorf("%d calls were made, want them all", got)
		}
	})
}
