package process_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
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
