package process_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
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
				w.live(rand.New(rand.NewPCG(number, 0)), *chaos)
				w.quiet()
				quiet := time.Now()
				w.sync()
				w.check()
				t.Logf("%d edits of %d meetings, quiet after %s, checked after %s", len(w.people.ledger.lines), len(w.people.ledger.edits),
					quiet.Sub(begun).Round(time.Second), time.Since(begun).Round(time.Second))
			})
		}
	}
}
