package reconciler

import (
	"context"
	"maps"
	"slices"
)

// VersionDrifted is the Version of a hint about a pair that was found to differ
// though both sides show what they agreed on: the sides are brought together as
// if they had never agreed.
const VersionDrifted = "drifted"

// Cause names why the two sides of a calendar differ in a meeting.
type Cause string

// The causes. Those up to CauseUnlinked are drift: something that ought to be
// equal is not. The others say why something is left as it is.
const (
	// CauseOnlyOutlook and CauseOnlyNightPOS: the other half is missing.
	CauseOnlyOutlook  Cause = "only_in_outlook"
	CauseOnlyNightPOS Cause = "only_in_nightpos"
	// CauseNotCarried: a side was changed since the two agreed, and the other one
	// does not show it.
	CauseNotCarried Cause = "not_carried"
	// CauseDiffers: both show what they agreed on, and that is not the same.
	CauseDiffers Cause = "differs"
	// CauseUnlinked: both halves are there and the gateway does not know that they
	// are one meeting.
	CauseUnlinked Cause = "not_linked"
	// CauseAmbiguous: it may be one of several.
	CauseAmbiguous Cause = "ambiguous"
	// CauseHeldBack: a first sync keeps it back.
	CauseHeldBack Cause = "held_back"
	// CauseLeft: it is left as it is for the reason that Why gives.
	CauseLeft Cause = "left_alone"
	// CauseUnreadable: one of the servers does not show it just now.
	CauseUnreadable Cause = "unreadable"
)

// DriftCauses are the causes that are drift.
func DriftCauses() []Cause {
	return []Cause{CauseOnlyOutlook, CauseOnlyNightPOS, CauseNotCarried, CauseDiffers, CauseUnlinked}
}

// Drift says whether a cause is one of DriftCauses.
func (c Cause) Drift() bool { return slices.Contains(DriftCauses(), c) }

// Difference is a meeting in which the two sides differ.
type Difference struct {
	Cause Cause
	// Why says in words why.
	Why      string
	Fields   []Field
	RecordID int64
	GraphID  string
	// Event is the meeting as one side shows it.
	Event Event
}

// Validation is what came of comparing a calendar.
type Validation struct {
	// Pairs is how many meetings both sides have.
	Pairs int
	// Differences are those that are not equal, in the order of their start.
	Differences []Difference
}

// Validate compares a calendar as a whole, in the window of a sweep, and writes
// nothing. It lists both calendars.
func (e *Engine) Validate(ctx context.Context, lane string) (Validation, error) {
	foreseen, err := e.Preview(ctx, lane)
	if err != nil {
		return Validation{}, err
	}
	return validated(foreseen), nil
}

// Compare compares linked pairs, each by its id, and writes nothing. Links that
// have ended are left out.
func (e *Engine) Compare(ctx context.Context, lane string, links []Link) (Validation, error) {
	r, err := e.onlooker(ctx, lane)
	if err != nil {
		return Validation{}, err
	}
	var series []Link
	for _, link := range links {
		switch {
		case link.Ended || link.GraphID == "":
		case link.Series != nil:
			series = append(series, link)
		default:
			r.subjects = append(r.subjects, &subject{
				link: &link, graphID: link.GraphID, recordID: link.RecordID,
				// A version keeps what an earlier listing said out of it.
				items: []Item{{Key: NightPOSKey(link.RecordID), Attempts: 1, Version: "compared"}},
			})
		}
	}
	if err := r.read(ctx); err != nil {
		return Validation{}, err
	}
	var foreseen []Foreseen
	for _, subject := range r.subjects {
		switch {
		case subject.skip:
			foreseen = append(foreseen, Foreseen{Action: ForesightSkip, Unreadable: true, RecordID: subject.recordID, GraphID: subject.graphID, Linked: true})
		case subject.isSeries():
			// One half became a series; its next turn compares it as one.
		default:
			r.consider(subject)
			foreseen = append(foreseen, foresee(subject, MatchNone, false))
		}
	}
	ofSeries, err := r.previewSeries(ctx, gatherSeries(nil, nil), gatherElsewhere(nil, nil), series)
	if err != nil {
		return Validation{}, err
	}
	return validated(append(foreseen, ofSeries...)), nil
}

// validated sorts what a preview says by cause.
func validated(foreseen []Foreseen) Validation {
	var result Validation
	for _, one := range foreseen {
		if one.both {
			result.Pairs++
		}
		cause, why := one.cause()
		if cause == "" {
			continue
		}
		fields := one.Fields
		if cause == CauseDiffers {
			fields = one.Differs
		}
		result.Differences = append(result.Differences, Difference{
			Cause: cause, Why: why, Fields: fields, RecordID: one.RecordID, GraphID: one.GraphID, Event: one.Event,
		})
	}
	return result
}

// cause is why a meeting differs; empty when it does not.
func (f Foreseen) cause() (cause Cause, why string) {
	switch {
	case f.Unreadable:
		return CauseUnreadable, f.Why
	case f.Ambiguous:
		return CauseAmbiguous, f.Why
	case f.Withheld.Why != "":
		return CauseHeldBack, f.Withheld.Why
	case len(f.Differs) > 0:
		return CauseDiffers, "both sides show what they agreed on, and it is not the same"
	}
	switch f.Action {
	case ForesightMatch:
		if !f.Linked {
			return CauseUnlinked, f.Why
		}
		return "", ""
	case ForesightSkip:
		if f.reason != "" {
			return CauseLeft, f.reason
		}
		return "", ""
	case Foresight(ActionCreate), Foresight(ActionArchive), Foresight(ActionDelete), Foresight(ActionUnarchive):
		// What would be made in one place, or taken away in the other, is missing.
		if (f.Side == SideNightPOS) == (f.Action == Foresight(ActionCreate) || f.Action == Foresight(ActionUnarchive)) {
			return CauseOnlyOutlook, f.Why
		}
		return CauseOnlyNightPOS, f.Why
	}
	return CauseNotCarried, f.Why
}

// unagreed is a link as if the sides had never agreed on what they show.
func (l *Link) unagreed() *Link {
	link := *l
	link.Outlook, link.NightPOS, link.Series = nil, nil, nil
	return &link
}

// comparable says that both halves of a linked pair are there and nothing is to be
// done about them by what the sides agreed on.
func (s State) comparable(plan Plan) bool {
	return s.Link != nil && !s.Link.Ended && !s.Link.Held && !s.Link.Alone && s.there() && s.active() &&
		plan.keep == fateLive && plan.Idle() && !plan.Wait && plan.Reason == "" && plan.Role != RoleGuest
}

// drifted is the plan that brings halves together which differ though both show
// what the sides agreed on; false when they do not, or when nothing but more than
// an update would do.
func (s State) drifted(plan Plan) (Plan, bool) {
	if !s.comparable(plan) {
		return plan, false
	}
	state := s
	state.Link = s.Link.unagreed()
	healing := state.Plan()
	fields := FieldSet{}
	if write := healing.Outlook; write != nil {
		if write.Action == ActionUpdate && s.past(s.Record.Event) {
			// Whoever was invited to the past is not invited again.
			delete(write.Fields, FieldPeople)
		}
		if write.Action == ActionUpdate && len(write.Fields) == 0 {
			healing.Outlook, healing.Mails = nil, 0
		} else {
			maps.Copy(fields, fieldsOf(write.Action, write.Fields))
		}
		healing.Conflicts = append(healing.Conflicts, s.overruled(SideOutlook, write.Fields)...)
	}
	if write := healing.NightPOS; write != nil {
		maps.Copy(fields, fieldsOf(write.Action, write.Fields))
		healing.Conflicts = append(healing.Conflicts, s.overruled(SideNightPOS, write.Fields)...)
	}
	return healing, !healing.Idle() && updates(healing) && len(fields) > 0
}

// overruled are the values that healing writes over; they can be put back.
func (s State) overruled(side Side, fields FieldSet) []Conflict {
	var event Event
	switch side {
	case SideOutlook:
		event = s.Copy.Event
	default:
		event = s.Record.Event
	}
	var conflicts []Conflict
	for _, scalar := range scalars {
		if fields.Has(scalar.field) {
			conflicts = append(conflicts, Conflict{Field: scalar.field, Loser: side, Lost: scalar.text(event), Value: scalar.alone(event)})
		}
	}
	return conflicts
}

func fieldsOf(action Action, fields FieldSet) FieldSet {
	if action == ActionAnswer {
		return NewFieldSet(FieldAnswers)
	}
	return fields
}

// updates says that a plan takes nothing away and makes nothing.
func updates(plan Plan) bool {
	gentle := func(action Action) bool { return action == ActionUpdate || action == ActionAnswer }
	return (plan.Outlook == nil || gentle(plan.Outlook.Action)) && (plan.NightPOS == nil || gentle(plan.NightPOS.Action))
}

// drifted is State.drifted for a series and its occurrences. Fields says in what
// its occurrences differ, as a person sees them: what a master shows that no
// occurrence follows is no difference.
func (s *SeriesState) drifted(plan SeriesPlan) (healing SeriesPlan, fields FieldSet, differs bool) {
	if !s.comparable(plan.Plan) || plan.Copy != nil || plan.Record != nil || len(plan.Refused) > 0 || s.Link.Series == nil {
		return plan, nil, false
	}
	state := *s
	state.Link = s.Link.unagreed()
	healing = state.Plan()
	fields = s.apart()
	if plan.Role == RoleAttendee {
		fields = healing.fields()
	}
	return healing, fields, len(fields) > 0 && (healing.Copy != nil || healing.Record != nil) && healing.updates()
}

// apart are the fields in which occurrences that both sides show differ.
func (s *SeriesState) apart() FieldSet {
	fields := FieldSet{}
	view := viewCopy(s.Series, s.Link.Series.From, s.Link.Series.To)
	for slot, nightpos := range s.nightpos.occurrences {
		outlook, there := view.occurrences[slot]
		if !there {
			continue
		}
		merged := newMerge(newShown(outlook.event, nil, s.Series.Modified, s.Outlook), newShown(nightpos.event, nil, s.nightpos.modified, s.NightPOS), s.Policy)
		merged.scalarFields()
		merged.categories()
		if s.Link.Role != RoleStandIn {
			merged.people()
			merged.answers(func(person Person) bool {
				_, connected := s.ByAddress(person)
				return !connected
			})
		}
		for _, change := range merged.deltas {
			maps.Copy(fields, change.fields)
		}
	}
	return fields
}

// updates says that a plan for a series changes what its occurrences show, and not
// which there are or when.
func (p SeriesPlan) updates() bool {
	if write := p.Copy; write != nil {
		for _, occurrence := range write.Occurrences {
			if occurrence.Action != ActionUpdate && occurrence.Action != ActionAnswer || occurrence.Fields.Has(FieldWhen) {
				return false
			}
		}
		if write.Fields.Has(FieldWhen) || write.Action != "" && write.Action != ActionUpdate && write.Action != ActionAnswer {
			return false
		}
	}
	if write := p.Record; write != nil {
		if write.Rule != nil || len(write.Create) > 0 {
			return false
		}
		for _, one := range write.Writes {
			if one.Action != ActionUpdate && one.Action != ActionAnswer || one.Fields.Has(FieldWhen) {
				return false
			}
		}
	}
	return true
}

// fields are all that a plan for a series writes.
func (p SeriesPlan) fields() FieldSet {
	fields := FieldSet{}
	if p.Copy != nil {
		maps.Copy(fields, p.Copy.fields())
		if slices.ContainsFunc(p.Copy.Occurrences, func(write OccurrenceWrite) bool { return write.Action == ActionAnswer }) {
			fields[FieldAnswers] = true
		}
	}
	if p.Record != nil {
		maps.Copy(fields, p.Record.fields())
		if slices.ContainsFunc(p.Record.Writes, func(write RecordWrite) bool { return write.Action == ActionAnswer }) {
			fields[FieldAnswers] = true
		}
	}
	return fields
}

// hinted says that one of the hints speaks of drift.
func hinted(items []Item) bool {
	return slices.ContainsFunc(items, func(item Item) bool { return item.Version == VersionDrifted })
}
