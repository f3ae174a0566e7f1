package process_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestProcesses lives through bad minutes with each kind of Redis that is asked
// for.
func TestProcesses(t *testing.T) {
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
				w.live(rand.New(rand.NewPCG(number, 0)), *chaos)
				w.quiet()
				w.sync()
				w.check()
			})
		}
	}
}
