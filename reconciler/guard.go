package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Guard says when a sweep would delete so much that it stops and asks: more than
// AtOnce events, or more than half of a calendar of at least Small pairs.
type Guard struct{ AtOnce, Small int }

// stops says whether so many of so many pairs are too many.
func (g Guard) stops(count, of int) bool {
	return g.AtOnce > 0 && (count > g.AtOnce || of >= g.Small && 2*count > of)
}

// missing are links one half of which a sweep did not find.
type missing struct {
	outlook, nightpos []Link
	// pairs are those that both halves of were found.
	pairs int
}

func (m *missing) add(side Side, link Link) {
	if side == SideOutlook {
		m.outlook = append(m.outlook, link)
	} else {
		m.nightpos = append(m.nightpos, link)
	}
}

func (m *missing) of() int { return m.pairs + len(m.outlook) + len(m.nightpos) }

// deletions returns which of the missing may be looked at, and so deleted on the
// other side. Where that would be too many at once it looks for each by its id
// first, since it may only lie outside what was listed; if they are gone all the
// same, nothing is deleted and an administrator is asked.
func (r *round) deletions(ctx context.Context, gone *missing) ([]Link, error) {
	var allowed []Link
	for side, links := range map[Side][]Link{SideOutlook: gone.outlook, SideNightPOS: gone.nightpos} {
		passed, err := r.guard(ctx, side, links, gone.of(), true)
		if err != nil {
			return nil, err
		}
		allowed = append(allowed, passed...)
	}
	return allowed, nil
}

// guard returns the links that may be looked at, of those that are missing on a
// side. Only who looked at everything answers, or ends, a question.
func (r *round) guard(ctx context.Context, side Side, links []Link, of int, everything bool) ([]Link, error) {
	halt := r.member.Halt
	if halt.Missing != side || !everything && !halt.Open() {
		halt = Halt{}
	}
	if !r.engine.Guard.stops(len(links), of) && halt.Answer != AnswerKeep {
		if halt.Missing != "" && everything {
			return links, r.engine.halt(ctx, r.lease.Lane, Halt{})
		}
		return links, nil
	}
	certain, err := r.certain(ctx, side, links)
	if err != nil {
		return nil, err
	}
	switch {
	case halt.Answer != "" && len(certain) <= halt.Count:
		if halt.Answer == AnswerApply {
			return links, r.engine.halt(ctx, r.lease.Lane, Halt{})
		}
		return nil, r.keepAlone(ctx, certain)
	case !r.engine.Guard.stops(len(certain), of):
		return links, nil
	case halt.Open() && halt.Count == len(certain):
		return nil, nil // it is asked already
	}
	asked := Halt{Missing: side, Count: len(certain), Of: of, Since: r.engine.Now().UTC()}
	if err := r.engine.halt(ctx, r.lease.Lane, asked); err != nil {
		return nil, err
	}
	line := Activity{Time: r.engine.Now(), Lane: r.lease.Lane, Reason: fmt.Sprintf(
		"%d of %d synced events are gone from %s; nothing was deleted on the other side, an administrator has to say whether that is right", asked.Count, asked.Of, side)}
	if err := r.engine.Store.Commit(ctx, r.lease, Commit{Activities: []Activity{line}}); err != nil {
		return nil, fmt.Errorf("recording that a sweep stopped: %w", err)
	}
	return nil, nil
}

// removals is the guard of a round of changes. How many pairs there are is counted
// only where so many are removed that it could matter.
func (r *round) removals(ctx context.Context, removed []Link) ([]Link, error) {
	if !r.engine.Guard.stops(len(removed), len(removed)) {
		return removed, nil
	}
	of := 0
	err := r.engine.Store.AllLinks(ctx, r.lease.Lane, func(link Link) error {
		if !link.Ended && link.GraphID != "" {
			of++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	return r.guard(ctx, SideOutlook, removed, of, false)
}

// keepAlone remembers links as gone, and what is left of them as to stay.
func (r *round) keepAlone(ctx context.Context, links []Link) error {
	kept := slices.Clone(links)
	for index := range kept {
		kept[index].Ended, kept[index].Alone, kept[index].Updated = true, true, r.engine.Now()
	}
	if err := r.engine.Store.Commit(ctx, r.lease, Commit{Links: kept}); err != nil {
		return fmt.Errorf("recording what is kept: %w", err)
	}
	return r.engine.halt(ctx, r.lease.Lane, Halt{})
}

// certain are the links whose half on a side does not exist any more.
func (r *round) certain(ctx context.Context, side Side, links []Link) ([]Link, error) {
	var certain []Link
	for part := range slices.Chunk(links, linkStep) {
		if side == SideOutlook {
			ids := make([]string, len(part))
			for index, link := range part {
				ids[index] = link.GraphID
			}
			there, failed, err := r.engine.Outlook.Read(ctx, r.member, ids)
			if err != nil {
				return nil, fmt.Errorf("looking for what is missing: %w", err)
			}
			for _, link := range part {
				if _, found := there[link.GraphID]; !found && failed[link.GraphID] == nil {
					certain = append(certain, link)
				}
			}
			continue
		}
		var ids []int64
		for _, link := range part {
			ids = append(ids, link.records()...)
		}
		there, err := r.engine.NightPOS.Read(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("looking for what is missing: %w", err)
		}
		for _, link := range part {
			if !slices.ContainsFunc(link.records(), func(id int64) bool { _, found := there[id]; return found }) {
				certain = append(certain, link)
			}
		}
	}
	return certain, nil
}

// records are those that a link is about: of a series all occurrences.
func (l Link) records() []int64 {
	ids := []int64{l.RecordID}
	if l.Series != nil {
		ids = append(ids, slices.Sorted(maps.Values(l.Series.Occurrences))...)
	}
	return ids
}

// halt has an administrator asked, or tells that the question is over.
func (e *Engine) halt(ctx context.Context, lane string, halt Halt) error {
	if e.OnHalt == nil {
		return nil
	}
	if err := e.OnHalt(ctx, lane, halt); err != nil {
		return fmt.Errorf("having an administrator asked: %w", err)
	}
	return nil
}
