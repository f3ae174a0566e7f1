package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// spill keeps NightPOS's hints in memory while the store cannot take them, and
// hands them over once it can: NightPOS itself never sends again. It is a
// bridge over seconds (a failover), not a store: a process that ends meanwhile
// leaves them to the next sweep.
type spill struct {
	hints    Hints
	observer Observer
	limit    int
	// wake tells the flusher that something was spilled; capacity 1.
	wake chan struct{}

	mutex   sync.Mutex
	waiting map[string]reconciler.Hint
}

var errSpillFull = errors.New("the store cannot be reached and too many changes wait in memory")

// spillStep is how often a store that failed is tried again.
const spillStep = 500 * time.Millisecond

func newSpill(hints Hints, observer Observer, limit int) *spill {
	return &spill{hints: hints, observer: observer, limit: limit, wake: make(chan struct{}, 1), waiting: map[string]reconciler.Hint{}}
}

// add stores hints, or keeps them for later.
func (s *spill) add(ctx context.Context, hints []reconciler.Hint) error {
	if _, err := s.hints.AddHints(ctx, hints); err == nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, hint := range hints {
		key := hint.Lane + "\x00" + hint.Item.Key
		known, again := s.waiting[key]
		if !again && len(s.waiting) >= s.limit {
			return errSpillFull
		}
		if again {
			hint.Item.First = known.Item.First
		}
		s.waiting[key] = hint
	}
	s.observer.Rejected(routeNightPOS, "kept_in_memory", len(hints))
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// run hands over what waits until the context ends.
func (s *spill) run(ctx context.Context) {
	timer := time.NewTimer(spillStep)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		if !s.flush(ctx) {
			timer.Reset(spillStep)
		}
	}
}

// flush reports whether nothing is left.
func (s *spill) flush(ctx context.Context) bool {
	s.mutex.Lock()
	taken := s.waiting
	s.waiting = map[string]reconciler.Hint{}
	s.mutex.Unlock()
	if len(taken) == 0 {
		return true
	}
	hints := make([]reconciler.Hint, 0, len(taken))
	for _, hint := range taken {
		hints = append(hints, hint)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := s.hints.AddHints(ctx, hints); err == nil {
		return true
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for key, hint := range taken {
		if newer, again := s.waiting[key]; again {
			newer.Item.First = hint.Item.First
			hint = newer
		}
		s.waiting[key] = hint
	}
	return false
}

// size is how many hints wait in memory.
func (s *spill) size() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.waiting)
}
