package reconciler

import (
	"context"
	"fmt"
	"slices"
)

// Where the links were lost while an event stood in another calendar of the mailbox,
// its record is alone in what a sweep lists of the main one, and would be given a
// second copy. So a first sweep lists the other calendars too. What is one with a
// record there is noted as a pair that is left as it is. What is not is nobody's
// business.

// notes says that the halves of a meeting are to be noted as one, since the copy
// stands where it is not synced.
func (s State) notes(role Role) bool {
	return s.elsewhere() && s.Record != nil && (role != RoleStandIn || !s.organizerConnected())
}

// note is the link of halves that are one and never agreed.
func (s State) note(role Role) *Link {
	if s.claims() {
		// Nobody has said in NightPOS yet who organises it.
		role = RoleGuest
	}
	return &Link{RecordID: s.Record.ID, GraphID: s.Copy.ID, ICalUID: s.Copy.ICalUID, Role: role, Generation: s.generation(), Aside: true}
}

// noted says that a link is such a note.
func (l *Link) noted() bool {
	return l != nil && l.Aside && !l.Ended && !l.Listed && !l.Apart && !l.agreed()
}

// returned is the state of a noted pair that is synced again: its halves meet as if
// they had only just been found.
func (s State) returned() State {
	if s.Link.noted() && s.there() && s.active() && !s.elsewhere() {
		s.Link = nil
	}
	return s
}

// leaveElsewhere leaves alone what stands elsewhere without a link while another copy
// of the same record may stand in the main calendar.
func (r *round) leaveElsewhere(ctx context.Context) error {
	for _, subject := range r.subjects {
		if subject.skip || subject.link != nil || subject.plan.keep != fateAside {
			continue
		}
		free, err := r.free(ctx, subject.recordID, subject.graphID)
		if err != nil {
			return err
		}
		if !free {
			subject.skip = true
			for _, item := range subject.items {
				r.done(item.Key)
			}
		}
	}
	return nil
}

// free says that a first sweep has looked what is one with what, and that it found no
// other copy of a record.
func (r *round) free(ctx context.Context, recordID int64, graphID string) (bool, error) {
	known, err := r.sweeps(ctx)
	if err != nil || known.Since.IsZero() {
		return false, err
	}
	pairs, err := r.copiesOf(ctx, []int64{recordID})
	if err != nil {
		return false, err
	}
	return pairs[recordID] == "" || pairs[recordID] == graphID, nil
}

// listElsewhere lists the other calendars of the mailbox as long as no sweep has been
// made; later ones have links to go by.
func (r *round) listElsewhere(ctx context.Context, known Sweeps) ([]Copy, error) {
	calendars, there := r.engine.Outlook.(ElsewhereOutlook)
	if !there || !known.Since.IsZero() {
		return nil, nil
	}
	copies, err := calendars.ListElsewhere(ctx, r.member, r.engine.window())
	if err != nil {
		return nil, fmt.Errorf("listing other calendars: %w", err)
	}
	return copies, nil
}

// elsewheres are what a first sweep lists of other calendars: single events, and
// series by their masters.
type elsewheres struct {
	single map[string]*Copy
	series map[string][]*Copy
}

// gatherElsewhere leaves out what the main calendar shows as well.
func gatherElsewhere(copies []Copy, main map[string]*Copy) *elsewheres {
	found := &elsewheres{single: map[string]*Copy{}, series: gatherSeries(copies, nil).copies}
	for index := range copies {
		if copied := &copies[index]; main[copied.ID] == nil && !copied.Recurring {
			found.single[copied.ID] = copied
		}
	}
	return found
}

// forget leaves out what is linked.
func (e *elsewheres) forget(link *Link) {
	delete(e.single, link.GraphID)
	delete(e.series, link.GraphID)
}

// matchElsewhere pairs the records that are alone with copies elsewhere.
func (r *round) matchElsewhere(ctx context.Context, apart *elsewheres, found []halves) ([]halves, error) {
	records := map[int64]*Record{}
	for _, one := range found {
		if one.copied == nil && !one.ambiguous {
			records[one.record.ID] = one.record
		}
	}
	if len(apart.single) == 0 || len(records) == 0 {
		return found, nil
	}
	others, err := r.match(ctx, apart.single, records)
	if err != nil {
		return nil, fmt.Errorf("looking into other calendars: %w", err)
	}
	found = slices.DeleteFunc(found, func(one halves) bool { return one.copied == nil && !one.ambiguous })
	for _, one := range others {
		if one.record != nil {
			found = append(found, one)
		}
	}
	return found, nil
}

// mostAway is how many copies of pairs that are left as they are a preview reads when
// it does not find them in the main calendar, and awayStep how many at a time.
const (
	mostAway = 200
	awayStep = 20
)

// awayHalf is a record whose copy is not in the main calendar, and which is left as it
// is.
type awayHalf struct {
	link   Link
	record *Record
}

// previewAway says of such pairs where their copies are.
func (r *round) previewAway(ctx context.Context, away []awayHalf) ([]Foreseen, error) {
	var foreseen []Foreseen
	unread := func(one awayHalf) {
		foreseen = append(foreseen, Foreseen{
			Action: ForesightSkip, Why: "it is not in the main calendar, and was not looked for elsewhere just now", Unreadable: true, Linked: true,
			RecordID: one.link.RecordID, GraphID: one.link.GraphID, Event: one.record.Event, Mails: []string{},
		})
	}
	look := away[:min(len(away), mostAway)]
	for part := range slices.Chunk(look, awayStep) {
		ids := make([]string, len(part))
		for index, one := range part {
			ids[index] = one.link.GraphID
		}
		copies, failed, err := r.engine.Outlook.Read(ctx, r.member, ids)
		if err != nil {
			return nil, fmt.Errorf("reading what is left as it is: %w", err)
		}
		for _, one := range part {
			copied, there := copies[one.link.GraphID]
			switch {
			case there:
				foreseen = append(foreseen, r.foreseeLinked(&one.link, &copied, one.record))
			case failed[one.link.GraphID] != nil:
				unread(one)
			default:
				foreseen = append(foreseen, r.foreseeLinked(&one.link, nil, one.record))
			}
		}
	}
	for _, one := range away[len(look):] {
		unread(one)
	}
	return foreseen, nil
}
