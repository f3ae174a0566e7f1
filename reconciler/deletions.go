package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"
)

// Inventory knows which records are linked, and which records there are.
type Inventory interface {
	// Linked returns every record of a lane's links, those of series' occurrences and
	// of links that have ended included.
	Linked(ctx context.Context, lane string) ([]int64, error)
	// Existing returns those of the records that exist, archived ones included. It
	// answers for all of them or with an error.
	Existing(ctx context.Context, ids []int64) ([]int64, error)
}

// FindDeleted asks NightPOS for everybody at once which linked records are left,
// since a deletion leaves no trace by which it could be found. What is missing is
// put into its lane as a hint to look there, twice, before anything is deleted in
// Outlook; where so much is missing that the Guard would stop a sweep, the lane is
// swept instead, which asks. An error, or an answer that cannot be right, means
// that nothing is known and nothing is done. It returns how many are missing.
func (e *Engine) FindDeleted(ctx context.Context, inventory Inventory) (int, error) {
	if e.Stopped() != "" {
		return 0, nil
	}
	members, err := e.Store.Members(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading who is connected: %w", err)
	}
	linked := map[string][]int64{}
	var asked []int64
	for _, member := range members {
		if member.Parked != "" || member.Halt.Open() {
			continue
		}
		ids, err := inventory.Linked(ctx, member.ID)
		if err != nil {
			return 0, fmt.Errorf("reading which records are linked: %w", err)
		}
		linked[member.ID] = ids
		asked = append(asked, ids...)
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) == 0 {
		return 0, nil
	}
	left, err := inventory.Existing(ctx, asked)
	if err != nil {
		return 0, fmt.Errorf("asking which records exist: %w", err)
	}
	there := make(map[int64]bool, len(left))
	for _, id := range left {
		if _, known := slices.BinarySearch(asked, id); !known || there[id] {
			return 0, errors.New("asking which records exist: the answer is to another question")
		}
		there[id] = true
	}
	total := 0
	for _, member := range members {
		gone := slices.DeleteFunc(linked[member.ID], func(id int64) bool { return there[id] })
		if len(gone) == 0 {
			continue
		}
		missing, err := e.hintDeleted(ctx, member.ID, gone)
		if err != nil {
			// The others have nothing to do with it.
			e.Log.Warn("deletions could not be queued; the next look finds them", zap.String("lane", member.ID), zap.Error(err))
			continue
		}
		total += missing
	}
	return total, nil
}

// hintDeleted puts what is missing into a lane, and returns how many links that
// concerns.
func (e *Engine) hintDeleted(ctx context.Context, lane string, gone []int64) (int, error) {
	links, err := e.Store.Links(ctx, lane, nil, gone)
	if err != nil {
		return 0, fmt.Errorf("reading links: %w", err)
	}
	live := func(link Link) bool { return !link.Ended && link.GraphID != "" }
	links = slices.DeleteFunc(links, func(link Link) bool { return !live(link) })
	if len(links) == 0 {
		return 0, nil
	}
	pairs := 0
	err = e.Store.AllLinks(ctx, lane, func(link Link) error {
		if live(link) {
			pairs++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("reading links: %w", err)
	}
	now := e.Now()
	items := make([]Item, 0, len(links))
	for _, link := range links {
		// Without VersionDeleted, a record has to be missed twice.
		items = append(items, Item{Key: NightPOSKey(link.RecordID), Priority: PriorityBackfill, First: now})
	}
	if e.Guard.stops(len(links), pairs) {
		items = []Item{SweepItem(PriorityBackfill, now)}
	}
	if err := e.Queue.Add(ctx, lane, items...); err != nil {
		return 0, fmt.Errorf("queueing what is missing: %w", err)
	}
	return len(links), nil
}
