package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ErrNotConnected says that nobody is connected on a lane.
var ErrNotConnected = errors.New("nobody is connected on this lane")

// Foreseen is what a sweep would do about one meeting.
type Foreseen struct {
	// Action is what would be done on Side. A match links two halves and writes
	// nothing, a skip does nothing.
	Action Foresight
	Side   Side
	// Why says in words why.
	Why string
	// Withheld is what a first sync keeps back.
	Withheld Withheld
	RecordID int64
	GraphID  string
	// Event is the meeting, as the side that would be copied shows it.
	Event  Event
	Fields []Field
	// Mails are the addresses that Outlook would write to, also for what is kept
	// back.
	Mails []string
	// Linked says that the two halves are known to be one meeting, Ambiguous that it
	// may be one of several, Unreadable that a server does not show it just now.
	Linked, Ambiguous, Unreadable bool
	// Differs are the fields in which linked halves differ though both show what
	// the sides agreed on. Nothing is done about it.
	Differs []Field
	// reason is why the plan does nothing about a difference, and both says that
	// both halves are there.
	reason string
	both   bool
}

// Foresight is what a preview says of a meeting: an Action, or one of these.
type Foresight string

// What writes nothing.
const (
	ForesightMatch Foresight = "match"
	ForesightSkip  Foresight = "skip"
)

// onlooker is a round that only looks.
func (e *Engine) onlooker(ctx context.Context, lane string) (*round, error) {
	directory, err := e.directory(ctx, e.Store.MembersNow)
	if err != nil {
		return nil, err
	}
	member, connected := directory.byID[lane]
	if !connected {
		return nil, ErrNotConnected
	}
	return &round{engine: e, member: member, directory: directory, lease: Lease{Lane: lane}}, nil
}

// Preview says what a sweep of a lane would do about every meeting in its window,
// and does nothing. It lists both calendars.
func (e *Engine) Preview(ctx context.Context, lane string) ([]Foreseen, error) {
	r, err := e.onlooker(ctx, lane)
	if err != nil {
		return nil, err
	}
	known, err := r.sweeps(ctx)
	if err != nil {
		return nil, err
	}
	var copies, elsewhere []Copy
	var records []Record
	group, listing := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		copies, err = e.Outlook.List(listing, r.member, e.window())
		return err
	})
	group.Go(func() (err error) {
		elsewhere, err = r.listElsewhere(listing, known)
		return err
	})
	group.Go(func() (err error) {
		records, err = e.NightPOS.List(listing, r.member, e.window())
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("listing both calendars: %w", err)
	}
	copyByID, recordByID := map[string]*Copy{}, map[int64]*Record{}
	for index := range copies {
		copyByID[copies[index].ID] = &copies[index]
	}
	for index := range records {
		recordByID[records[index].ID] = &records[index]
	}
	apart := gatherElsewhere(elsewhere, copyByID)
	listed := gatherSeries(copies, records)
	var foreseen []Foreseen
	var linked []Link
	var away []awayHalf
	err = e.Store.AllLinks(ctx, lane, func(link Link) error {
		apart.forget(&link)
		if link.Series != nil {
			for _, id := range link.Series.Occurrences {
				delete(recordByID, id)
			}
			if len(listed.copies[link.GraphID])+len(listed.records[link.Series.RecurrenceID]) > 0 {
				linked = append(linked, link)
			}
			listed.forget(&link)
			return nil
		}
		copied, record := copyByID[link.GraphID], recordByID[link.RecordID]
		delete(copyByID, link.GraphID)
		delete(recordByID, link.RecordID)
		if listed.became(&link, record) {
			linked = append(linked, link)
			return nil
		}
		if copied == nil && record == nil {
			return nil
		}
		if copied == nil && link.Aside {
			away = append(away, awayHalf{link: link, record: record})
			return nil
		}
		foreseen = append(foreseen, r.foreseeLinked(&link, copied, record))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	set, err := r.previewAway(ctx, away)
	if err != nil {
		return nil, err
	}
	foreseen = append(foreseen, set...)
	withoutOccurrences(copyByID, recordByID)
	ofSeries, err := r.previewSeries(ctx, listed, apart, linked)
	if err != nil {
		return nil, err
	}
	foreseen = append(foreseen, ofSeries...)
	found, err := r.match(ctx, copyByID, recordByID)
	if err != nil {
		return nil, err
	}
	if found, err = r.matchElsewhere(ctx, apart, found); err != nil {
		return nil, err
	}
	for _, one := range found {
		foreseen = append(foreseen, foresee(r.candidate(one), one.match, one.ambiguous))
	}
	slices.SortFunc(foreseen, func(a, b Foreseen) int {
		if order := a.Event.When.Start.Compare(b.Event.When.Start); order != 0 {
			return order
		}
		if a.RecordID != b.RecordID {
			return int(a.RecordID - b.RecordID)
		}
		return strings.Compare(a.GraphID, b.GraphID)
	})
	return foreseen, nil
}

// foreseeLinked says what would be done about a linked pair.
func (r *round) foreseeLinked(link *Link, copied *Copy, record *Record) Foreseen {
	candidate := r.candidate(halves{copied: copied, record: record})
	candidate.link, candidate.skip = link, false
	candidate.items = []Item{{Attempts: 1}}
	r.consider(candidate)
	return foresee(candidate, MatchNone, false)
}

// foresee says in words what a plan is.
func foresee(candidate *subject, match Match, ambiguous bool) Foreseen {
	state, plan := candidate.state, candidate.plan
	one := Foreseen{
		Action: ForesightSkip, Withheld: candidate.withheld, Mails: []string{}, Why: plan.Reason, reason: plan.Reason,
		Linked: candidate.link != nil, Ambiguous: ambiguous, both: state.Copy != nil && state.Record != nil,
	}
	if candidate.link != nil {
		one.RecordID, one.GraphID = candidate.link.RecordID, candidate.link.GraphID
	}
	if healing, differs := state.drifted(plan); differs && (candidate.link == nil || candidate.link.Series == nil) {
		fields := FieldSet{}
		if healing.Outlook != nil {
			maps.Copy(fields, fieldsOf(healing.Outlook.Action, healing.Outlook.Fields))
		}
		if healing.NightPOS != nil {
			maps.Copy(fields, fieldsOf(healing.NightPOS.Action, healing.NightPOS.Fields))
		}
		one.Differs = fields.Sorted()
	}
	if state.Copy != nil {
		one.GraphID, one.Event = state.Copy.ID, state.Copy.Event
	}
	if state.Record != nil {
		one.RecordID = state.Record.ID
		if plan.Outlook != nil || state.Copy == nil {
			one.Event = state.Record.Event
		}
	}
	if match != MatchNone {
		one.Why = "the same meeting by " + string(match)
	}
	switch write, record := plan.Outlook, plan.NightPOS; {
	case ambiguous:
		one.Why = ambiguousReason
		return one
	case candidate.withheld.Why != "":
		one.Why = candidate.withheld.Why
		if candidate.withheld.Mails > 0 {
			one.Mails = state.addressees()
		}
		if plan.keep == fateLive && plan.Idle() {
			one.Action = ForesightMatch
		} else if record != nil {
			one.Action, one.Side, one.Fields = Foresight(record.Action), SideNightPOS, record.Fields.Sorted()
		}
		return one
	case write != nil:
		one.Action, one.Side, one.Fields = Foresight(write.Action), SideOutlook, write.Fields.Sorted()
		switch {
		case plan.Mails > 0 && write.Action == ActionAnswer:
			one.Mails = append(one.Mails, state.Copy.Event.Organizer.Key())
		case plan.Mails > 0:
			one.Mails = state.addressees()
		}
		one.Why = why(one.Why, write.Action, SideNightPOS)
	case record != nil:
		one.Action, one.Side, one.Fields = Foresight(record.Action), SideNightPOS, record.Fields.Sorted()
		one.Why = why(one.Why, record.Action, SideOutlook)
	case plan.keep == fateLive && state.Copy != nil && state.Record != nil:
		one.Action = ForesightMatch
		if one.Why == "" {
			one.Why = "both sides agree"
		}
	case one.Why == "":
		one.Why = nothing(state)
	}
	return one
}

func why(known string, action Action, from Side) string {
	side := map[Side]string{SideOutlook: "Outlook", SideNightPOS: "NightPOS"}[from]
	said := "changed in " + side
	switch action {
	case ActionCreate:
		said = "only in " + side
	case ActionDelete, ActionArchive:
		said = "gone from " + side
	case ActionUnarchive:
		said = "back in " + side
	case ActionAnswer:
		said = "answered in " + side
	}
	return strings.TrimPrefix(known+"; "+said, "; ")
}

// nothing says why nothing would be done.
func nothing(state State) string {
	switch {
	case state.Link != nil && state.Link.Ended:
		return "it is gone on one side, and stays so"
	case state.Record != nil && state.Record.Archived:
		return "it is archived in NightPOS"
	case state.Copy != nil && state.Copy.Cancelled:
		return "it was called off in Outlook"
	}
	return "there is nothing to do about it"
}

// addressees are whom Outlook writes to about a meeting.
func (s State) addressees() []string {
	found := []string{}
	add := func(event Event) {
		for _, person := range event.People {
			if key := person.Key(); key != "" && !s.Member.Is(person) && !slices.Contains(found, key) {
				found = append(found, key)
			}
		}
	}
	if s.Record != nil {
		add(s.Record.Event)
	}
	if s.Copy != nil {
		add(s.inOutlook())
	}
	slices.Sort(found)
	return found
}
