package reconciler

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// listingLife is how long what a sweep has listed is kept, and mostListed how
	// many copies of all lanes together.
	listingLife = 30 * time.Minute
	mostListed  = 20_000
	// listAgain is how many copies of a portion have to be wanting before the
	// calendar is listed again instead of each being read.
	listAgain = 16
)

// listings keep what sweeps have listed until it is looked at, so that a first sync
// of thousands of events does not read each of them a second time.
type listings struct {
	mutex  sync.Mutex
	byLane map[string]*listing
	count  int
}

type listing struct {
	read   time.Time
	copies map[string]Copy
}

// keep replaces what is kept of a lane, as far as there is room.
func (l *listings) keep(lane string, read time.Time, copies []Copy) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.byLane == nil {
		l.byLane = map[string]*listing{}
	}
	for other, known := range l.byLane {
		if other == lane || read.Sub(known.read) > listingLife {
			l.count -= len(known.copies)
			delete(l.byLane, other)
		}
	}
	kept := &listing{read: read, copies: map[string]Copy{}}
	for _, copied := range copies {
		if l.count+len(kept.copies) >= mostListed {
			break
		}
		kept.copies[copied.ID] = copied
	}
	l.count += len(kept.copies)
	l.byLane[lane] = kept
}

// take returns a copy that was listed since an instant, once.
func (l *listings) take(lane, id string, since, now time.Time) (Copy, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	known := l.byLane[lane]
	if known == nil || known.read.Before(since) || now.Sub(known.read) > listingLife {
		return Copy{}, false
	}
	copied, there := known.copies[id]
	if there {
		delete(known.copies, id)
		l.count--
	}
	return copied, there
}

// untouched says that nobody but a sweep spoke of a copy, and that it was not looked
// at since: whatever was told of it meanwhile would have made its item more urgent.
func (s *subject) untouched() bool {
	return s.link == nil && s.graphID != "" && !slices.ContainsFunc(s.items, func(item Item) bool {
		return item.Priority < PriorityBackfill || item.Version != "" || item.Attempts > 0
	})
}

// fromListing takes the copies of untouched subjects from what was listed, and
// returns those. Where many are wanting, as after a restart, the calendar is listed
// once more.
func (r *round) fromListing(ctx context.Context) (map[string]Copy, error) {
	found := map[string]Copy{}
	look := func() (wanting int) {
		for _, subject := range r.subjects {
			if _, there := found[subject.graphID]; there || !subject.untouched() {
				continue
			}
			copied, there := r.engine.listings.take(r.lease.Lane, subject.graphID, subject.items[0].First, r.engine.Now())
			if there {
				found[subject.graphID] = copied
			} else {
				wanting++
			}
		}
		return wanting
	}
	if look() < listAgain {
		return found, nil
	}
	read := r.engine.Now()
	copies, err := r.engine.Outlook.List(ctx, r.member, r.engine.window())
	if err != nil {
		return nil, err
	}
	r.engine.listings.keep(r.lease.Lane, read, copies)
	look()
	return found, nil
}
