package outlook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// mailboxConcurrency is one less than what Graph allows an application in one
// mailbox at once.
const mailboxConcurrency = 3

// gates hold back calls to single mailboxes: at most three at once, and none
// while Microsoft has asked to wait.
type gates struct {
	now   func() time.Time
	mutex sync.Mutex
	open  map[string]*gate
}

type gate struct {
	gates  *gates
	lane   string
	places chan struct{}
	// Guarded by gates.mutex.
	users int
	until time.Time
}

func newGates(now func() time.Time) *gates { return &gates{now: now, open: map[string]*gate{}} }

var errToldToWait = errors.New("asked by Microsoft to leave this mailbox alone for a while")

// enter waits for a place; leave gives it back. While the mailbox is to be left
// alone it fails at once with the time that is left: the lane comes back then,
// and holds nothing meanwhile.
func (g *gates) enter(ctx context.Context, lane string) (*gate, error) {
	g.mutex.Lock()
	found := g.open[lane]
	if found == nil {
		found = &gate{gates: g, lane: lane, places: make(chan struct{}, mailboxConcurrency)}
		g.open[lane] = found
	}
	if left := found.until.Sub(g.now()); left > 0 {
		g.mutex.Unlock()
		return nil, &reconciler.RetryError{After: left, Cause: "throttled", Err: errToldToWait}
	}
	found.users++
	g.mutex.Unlock()
	select {
	case found.places <- struct{}{}:
		return found, nil
	case <-ctx.Done():
		found.done()
		return nil, &reconciler.RetryError{Cause: "outlook_busy", Err: ctx.Err()}
	}
}

func (g *gate) leave() {
	<-g.places
	g.done()
}

// done forgets mailboxes that nobody calls and that need not wait.
func (g *gate) done() {
	g.gates.mutex.Lock()
	defer g.gates.mutex.Unlock()
	g.users--
	now := g.gates.now()
	if g.users == 0 && !g.until.After(now) {
		delete(g.gates.open, g.lane)
	}
	if len(g.gates.open) > maxIdleGates {
		for lane, other := range g.gates.open {
			if other.users == 0 && !other.until.After(now) {
				delete(g.gates.open, lane)
			}
		}
	}
}

// maxIdleGates is how many mailboxes may be remembered before those that waited
// long enough are looked for.
const maxIdleGates = 1_000

func (g *gate) wait(duration time.Duration) {
	g.gates.mutex.Lock()
	defer g.gates.mutex.Unlock()
	if until := g.gates.now().Add(duration); until.After(g.until) {
		g.until = until
	}
}
