package reconciler_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// memory is a queue and a store for one lane in one goroutine.
type memory struct {
	now      func() time.Time
	items    map[string]reconciler.Item
	added    map[string]bool // while the batch was out
	links    map[int64]reconciler.Link
	meetings map[string]int64
	members  []reconciler.Member
	// stale is what Members still answers; nil for nothing of the kind.
	stale    []reconciler.Member
	fence    int64
	loseNext bool // the next commit finds its lease lost
	lines    []reconciler.Activity
	sweeps   reconciler.Sweeps
	pairs    map[int64]string
	making   map[string]string
}

func newMemory(now func() time.Time, members ...reconciler.Member) *memory {
	return &memory{
		now: now, items: map[string]reconciler.Item{}, added: map[string]bool{},
		links: map[int64]reconciler.Link{}, meetings: map[string]int64{}, members: members,
	}
}

func (m *memory) Add(_ context.Context, _ string, items ...reconciler.Item) error {
	for _, item := range items {
		m.added[item.Key] = true
		if old, waits := m.items[item.Key]; waits {
			old.Version = item.Version
			old.Priority = min(old.Priority, item.Priority)
			if item.Due.Before(old.Due) {
				old.Due = item.Due
			}
			item = old
		}
		m.items[item.Key] = item
	}
	return nil
}

func (m *memory) AddHints(ctx context.Context, hints []reconciler.Hint) (int, error) {
	for _, hint := range hints {
		if err := m.Add(ctx, hint.Lane, hint.Item); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// due is when the next item may be taken.
func (m *memory) due() (time.Time, bool) {
	var next time.Time
	found := false
	for _, item := range m.items {
		if !found || item.Due.Before(next) {
			next, found = item.Due, true
		}
	}
	return next, found
}

func (m *memory) Take(context.Context, int) (reconciler.Batch, error) {
	m.fence++
	m.added = map[string]bool{}
	batch := reconciler.Batch{Lease: reconciler.Lease{Lane: m.members[0].ID, Fence: m.fence}}
	for _, key := range slices.Sorted(maps.Keys(m.items)) {
		if !m.items[key].Due.After(m.now()) {
			batch.Items = append(batch.Items, m.items[key])
		}
	}
	return batch, nil
}

func (m *memory) Extend(context.Context, reconciler.Lease) error { return nil }

func (m *memory) Finish(_ context.Context, _ reconciler.Lease, outcomes []reconciler.Outcome) error {
	for _, outcome := range outcomes {
		item := m.items[outcome.Key]
		switch {
		case m.added[outcome.Key]:
			item.Due, item.Attempts = m.now(), 0
		case outcome.Park:
			item.Due, item.Reason = m.now().Add(outcome.After), outcome.Reason
		case outcome.Repeat:
			item.Due, item.Attempts, item.Reason = m.now().Add(outcome.After), 0, ""
		case outcome.Retry:
			item.Due, item.Attempts, item.Reason = m.now().Add(outcome.After), item.Attempts+1, outcome.Reason
		default:
			delete(m.items, outcome.Key)
			continue
		}
		m.items[outcome.Key] = item
	}
	return nil
}

func (m *memory) Links(_ context.Context, _ string, graphIDs []string, recordIDs []int64) ([]reconciler.Link, error) {
	var found []reconciler.Link
	for _, link := range m.links {
		if slices.Contains(recordIDs, link.RecordID) || slices.Contains(graphIDs, link.GraphID) {
			found = append(found, link)
		}
	}
	return found, nil
}

func (m *memory) AllLinks(_ context.Context, _ string, visit func(reconciler.Link) error) error {
	for _, id := range slices.Sorted(maps.Keys(m.links)) {
		if err := visit(m.links[id]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Commit(_ context.Context, _ reconciler.Lease, commit reconciler.Commit) error {
	if m.loseNext {
		m.loseNext = false
		return reconciler.ErrLeaseLost
	}
	for _, link := range commit.Links {
		m.links[link.RecordID] = link
	}
	for _, id := range commit.Drop {
		delete(m.links, id)
	}
	m.lines = append(m.lines, commit.Activities...)
	return nil
}

func (m *memory) Meetings(_ context.Context, iCalUIDs []string) (map[string]int64, error) {
	found := map[string]int64{}
	for _, uid := range iCalUIDs {
		if id, known := m.meetings[uid]; known {
			found[uid] = id
		}
	}
	return found, nil
}

func (m *memory) SetPairs(_ context.Context, _ string, copies map[int64]string) error {
	m.pairs = maps.Clone(copies)
	return nil
}

func (m *memory) Pairs(_ context.Context, _ string, recordIDs []int64) (map[int64]string, error) {
	found := map[int64]string{}
	for _, id := range recordIDs {
		if graphID := m.pairs[id]; graphID != "" {
			found[id] = graphID
		}
	}
	return found, nil
}

func (m *memory) SetMeetings(_ context.Context, records map[string]int64) error {
	maps.Copy(m.meetings, records)
	return nil
}

func (m *memory) ClaimMeetings(context.Context, string, []string, time.Duration) (map[string]bool, error) {
	return nil, nil
}

func (m *memory) UnclaimMeetings(context.Context, string, []string) error { return nil }

func (m *memory) SetMaking(_ context.Context, _ string, copies map[string]string, _ time.Duration) error {
	if m.making == nil {
		m.making = map[string]string{}
	}
	maps.Copy(m.making, copies)
	return nil
}

func (m *memory) Making(_ context.Context, _ string, keys []string) (map[string]string, error) {
	found := map[string]string{}
	for _, key := range keys {
		if id := m.making[key]; id != "" {
			found[key] = id
		}
	}
	return found, nil
}

func (m *memory) MemberNow(_ context.Context, id string) (reconciler.Member, bool, error) {
	for _, member := range m.members {
		if member.ID == id {
			return member, true, nil
		}
	}
	return reconciler.Member{}, false, nil
}

func (m *memory) Members(context.Context) ([]reconciler.Member, error) {
	if m.stale != nil {
		return m.stale, nil
	}
	return m.members, nil
}

func (m *memory) MembersNow(context.Context) ([]reconciler.Member, error) { return m.members, nil }

func (m *memory) Sweeps(context.Context, string) (reconciler.Sweeps, error) { return m.sweeps, nil }

func (m *memory) SaveSweeps(_ context.Context, _ string, sweeps reconciler.Sweeps) error {
	m.sweeps = sweeps
	return nil
}
