package process_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/demo"
)

// TestProcesses lives through bad minutes with each kind of Redis that is asked
// for.
func TestProcesses(t *testing.T) {
	t.Parallel()
	for _, setUp := range strings.Split(*setUps, ",") {
		for run := range *runs {
			number := *seed + uint64(run)
			t.Run(fmt.Sprintf("%s/seed=%d", setUp, number), func(t *testing.T) {
				w := newWorld(t, setUp)
				defer func() {
					if t.Failed() {
						w.keep()
					}
				}()
				begun := time.Now()
				random := rand.New(rand.NewPCG(number, 0))
				watching, stop := context.WithCancel(t.Context())
				var watcher sync.WaitGroup
				watcher.Go(func() { w.subscribed(watching) })
				defer func() {
					stop()
					watcher.Wait()
				}()
				w.live(random, *chaos)
				w.quiet()
				quiet := time.Now()
				w.checkTold()
				for _, side := range []demo.Side{demo.Outlook, demo.NightPOS} {
					w.burst(side, random)
				}
				w.sync()
				w.check()
				t.Logf("%d edits of %d meetings, quiet after %s, checked after %s", len(w.people.ledger.lines), len(w.people.ledger.edits),
					quiet.Sub(begun).Round(time.Second), time.Since(begun).Round(time.Second))
			})
		}
	}
}

// TestAGatewayWaitsForItsStore: one that is started while its store is away, as while
// another server takes the place of one that failed, waits for it.
func TestAGatewayWaitsForItsStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "single")
	store, gateway := w.store.nodes[0], w.gateways[0]
	store.mutex.Lock()
	store.end(syscall.SIGKILL)
	store.mutex.Unlock()
	gateway.replace(syscall.SIGKILL, 0)
	eventually(t, "the gateway's waiting", 20*time.Second, func() error {
		if !strings.Contains(gateway.written(), "the store is away; waiting for it") {
			return errors.New("it does not say so")
		}
		return nil
	})
	store.run()
	w.ready()
}
