package nightpos_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/test/network"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// TestAnImportLeavesNightPOSUsable makes the calls of an import of ten thousand events,
// fifty in each, to servers of one, two and four workers, which share themselves among
// the calls there are, while somebody goes on working in NightPOS: every 300 ms a call
// of 20 ms.
func TestAnImportLeavesNightPOSUsable(t *testing.T) {
	const events, batch = 10_000, 50
	for _, workers := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &network.Network{}
				// As measured: some 20 ms for a call, and 1 to 2 ms for a record in it.
				var total time.Duration
				var mutex sync.Mutex
				server, err := sim.New(sim.Config{
					BaseURL: "http://nightpos.test", Transport: memory.Transport(), Workers: workers,
					Work: func(model, _ string, records int) time.Duration {
						took := 20*time.Millisecond + time.Duration(records)*3*time.Millisecond/2
						if model == "ir.actions.server" {
							mutex.Lock()
							total += took
							mutex.Unlock()
						}
						return took
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				listener, err := memory.Listen("nightpos.test")
				if err != nil {
					t.Fatal(err)
				}
				serving := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: time.Second}
				ended := make(chan struct{})
				go func() { defer close(ended); _ = serving.Serve(listener) }()
				transport := memory.Transport()
				defer func() { server.Close(); _ = serving.Close(); transport.CloseIdleConnections(); <-ended }()
				client, err := nightpos.New(nightpos.Config{URL: "http://nightpos.test", Database: "night", Login: "admin", APIKey: "admin", HTTP: transport})
				if err != nil {
					t.Fatal(err)
				}
				id, err := client.UserID(t.Context())
				if err == nil {
					_, err = client.Register(t.Context(), nightpos.Registration{PublicURL: "http://127.0.0.1:1", Token: "t", AccountID: id})
				}
				if err != nil {
					t.Fatal(err)
				}
				alice := server.Member("alice")
				person := func() time.Duration {
					began := time.Now()
					if err := alice.Write(t.Context(), []int{}, map[string]any{}); err != nil {
						t.Error(err)
					}
					return time.Since(began)
				}
				idle := person()
				imported := make(chan struct{})
				var lags []time.Duration
				var watching sync.WaitGroup
				watching.Go(func() {
					for {
						select {
						case <-imported:
							return
						case <-time.After(300 * time.Millisecond):
							lags = append(lags, person())
						}
					}
				})
				mutex.Lock()
				total = 0
				mutex.Unlock()
				began := time.Now()
				var group sync.WaitGroup
				for worker := range 16 {
					group.Go(func() {
						for first := worker * batch; first < events; first += 16 * batch {
							ids := make([]int64, batch)
							for index := range ids {
								ids[index] = int64(1_000_000 + first + index)
							}
							if _, err := client.Read(t.Context(), ids); err != nil {
								t.Errorf("importing from %d on: %v", first, err)
								return
							}
						}
					})
				}
				group.Wait()
				took := time.Since(began)
				close(imported)
				watching.Wait()
				slices.Sort(lags)
				sum := time.Duration(0)
				for _, lag := range lags {
					sum += lag
				}
				mean, worst := sum/time.Duration(len(lags)), lags[len(lags)*95/100]
				t.Logf("%d workers: a person's call takes %s when idle, and %s on average and %s at the 95th percentile of %d during an import of %s (%s of work), which ended with %d calls at once",
					workers, idle, mean, worst, len(lags), took, total, client.Concurrency())
				if mean >= 2*idle || 2*worst > 5*idle {
					t.Errorf("a person's call takes %s on average and %s at the 95th percentile during an import, want less than twice and at most two and a half times %s", mean, worst, idle)
				}
				if ideal := total / time.Duration(workers); took > ideal*3/2 {
					t.Errorf("the import took %s for %s of work of each worker, want at most half as much again", took, ideal)
				}
			})
		})
	}
}

// TestACallThatHangsHoldsNobodyUp: the others wait for it for a while and no longer,
// and an overloaded server is asked less.
func TestACallThatHangsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		wire := &wire{answer: func(r *http.Request) (*http.Response, error) {
			if calls.Add(1) == 1 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return answered(200, `{"jsonrpc":"2.0","id":1,"result":[]}`), nil
		}}
		client := wire.client(t)
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() { _, _ = client.UsersByID(t.Context(), 1) })
		synctest.Wait()
		began := time.Now()
		for range 10 {
			if _, err := client.UsersByID(t.Context(), 2); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("ten calls took %s beside one that hangs, want some five seconds for the first and nothing for the others", took)
		}
	})
}
