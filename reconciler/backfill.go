package reconciler

import "time"

// Whoever waits for a change waits for the batch that is being worked on in that
// lane. So backfill is done in portions that take about portionTime, however fast
// the servers are; what a person waits for is never cut.
const (
	portionTime  = 700 * time.Millisecond
	leastPortion = 4
	firstPortion = 20
)

// share cuts a batch: all that people wait for, and a portion of backfill. What is
// cut off is due again at once.
func (e *Engine) share(items []Item) []Item {
	left := e.portionNow()
	kept := items[:0:0]
	for _, item := range items {
		if side, _, _ := ParseKey(item.Key); side != "" && item.Priority >= PriorityBackfill {
			if left == 0 {
				continue
			}
			left--
		}
		kept = append(kept, item)
	}
	return kept
}

func (e *Engine) portionNow() int64 {
	if portion := e.portion.Load(); portion > 0 {
		return portion
	}
	return firstPortion
}

// paced learns from how long a portion took. One that was over quickly may have
// been small, and only says that there can be more.
func (e *Engine) paced(items []Item, took time.Duration) {
	var backfill int64
	for _, item := range items {
		if item.Priority >= PriorityBackfill {
			backfill++
		}
	}
	portion := e.portionNow()
	switch {
	case backfill == 0 || backfill < portion/2 && took < portionTime:
	case took > portionTime:
		e.portion.Store(max(portion*int64(portionTime)/int64(took), portion/4, leastPortion))
	default:
		e.portion.Store(min(portion*2, int64(e.BatchSize)))
	}
}
