package nightpos_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// While NightPOS is out, whoever asks learns so at once, however many do, and one call
// every few seconds finds out whether it is back.
func TestAnOutageKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		var calls atomic.Int64
		wire := &wire{answer: always(200, `{"jsonrpc":"2.0","id":1,"result":[]}`)}
		client, err := nightpos.New(nightpos.Config{
			URL: "http://nightpos.test", Database: "night", Login: account, APIKey: password, Protocol: nightpos.ProtocolJSONRPC, ActionID: 200,
			HTTP: roundTripper(func(r *http.Request) (*http.Response, error) {
				if back.Load() {
					return wire.RoundTrip(r)
				}
				calls.Add(1)
				time.Sleep(20 * time.Millisecond)
				return answered(http.StatusBadGateway, "<html>"), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
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
		if got, most := calls.Load(), int64(3*(5+60/5+1)); got > most {
			t.Errorf("NightPOS got %d calls in a minute, want %d at most", got, most)
		}
		_, err = client.Read(t.Context(), []int64{1})
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

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

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

// A NightPOS that is slow, but answers every call within three seconds, is not out.
func TestASlowNightPOSIsNotOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worker := make(chan struct{}, 1)
		wire := &wire{answer: func(r *http.Request) (*http.Response, error) {
			select {
			case worker <- struct{}{}:
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			defer func() { <-worker }()
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
		}}
		client := wire.client(t)
		began := time.Now()
		var mutex sync.Mutex
		count := map[string]int{}
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				for time.Since(began) < 20*time.Minute {
					_, err := client.Read(t.Context(), []int64{1})
					what := "ok"
					if err != nil {
						what = err.Error()
						if strings.Contains(what, "is out") {
							what = "OUT"
						}
					}
					mutex.Lock()
					count[what]++
					mutex.Unlock()
					time.Sleep(time.Second)
				}
			})
		}
		group.Wait()
		if count["OUT"] > 0 {
			t.Errorf("a NightPOS that answers counted as out %d times", count["OUT"])
		}
	})
}

// Callers that are in a hurry do not make an outage of a slow answer for the others.
func TestImpatientCallersAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &wire{answer: func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(6 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
		}}
		client := wire.client(t)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, _ = client.Read(ctx, []int64{1})
			cancel()
		}
		if _, err := client.Read(t.Context(), []int64{1}); err != nil && strings.Contains(err.Error(), "is out") {
			t.Errorf("got %v", err)
		}
	})
}

// A call that always takes too long does not keep others out, while NightPOS answers those.
func TestACallThatNeverEndsIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &wire{answer: func(r *http.Request) (*http.Response, error) {
			if r.Context().Value(poison{}) != nil {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
		}}
		client := wire.client(t)
		var group sync.WaitGroup
		began := time.Now()
		for range 2 {
			group.Go(func() {
				for time.Since(began) < time.Hour {
					_, _ = client.Read(context.WithValue(t.Context(), poison{}, true), []int64{1})
					time.Sleep(3 * time.Second)
				}
			})
		}
		out, all := 0, 0
		group.Go(func() {
			for time.Since(began) < time.Hour {
				time.Sleep(7 * time.Minute)
				for range 30 {
					all++
					if _, err := client.Read(t.Context(), []int64{1}); err != nil && !strings.Contains(err.Error(), "the door answered") {
						out++
						time.Sleep(time.Second)
						continue
					}
				}
			}
		})
		group.Wait()
		// Now and then five of the others come together with no good call in between.
		if out > all/10 {
			t.Errorf("%d of %d good calls were refused", out, all)
		}
	})
}

type poison struct{}
