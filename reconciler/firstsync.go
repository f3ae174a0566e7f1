package reconciler

import "time"

// FirstSync says what may cross of what was there before a member connected.
// The zero value lets everything cross. It is comparable.
type FirstSync struct {
	// Began is when the member connected, by the gateway's clock; zero for never.
	Began time.Time
	// New lets nothing older than that cross: pairs are linked, and what is on
	// one side alone stays there alone.
	New bool
	// Quiet keeps back whatever of it Outlook would mail people about.
	Quiet bool
	// Send are the classes that may be sent all the same.
	Send Classes
}

// Class names events that a first sync keeps back, as the admin API does.
type Class string

// The classes. Past goes before the others.
const (
	// ClassWithAttendees are future meetings that the member organises.
	ClassWithAttendees Class = "mine_with_attendees"
	// ClassAlone are future events of the member's with nobody else in them.
	ClassAlone Class = "mine_alone"
	// ClassPast are events that are over.
	ClassPast Class = "past"
)

// Classes is a set of classes.
type Classes struct{ WithAttendees, Alone, Past bool }

// Has says whether the class is among them.
func (c Classes) Has(class Class) bool {
	switch class {
	case ClassWithAttendees:
		return c.WithAttendees
	case ClassAlone:
		return c.Alone
	case ClassPast:
		return c.Past
	}
	return false
}

// With adds a class; false says that there is none of that name.
func (c Classes) With(class Class) (Classes, bool) {
	switch class {
	case ClassWithAttendees:
		c.WithAttendees = true
	case ClassAlone:
		c.Alone = true
	case ClassPast:
		c.Past = true
	default:
		return c, false
	}
	return c, true
}

// List returns the names of the classes in the set.
func (c Classes) List() []Class {
	names := []Class{}
	for _, class := range []Class{ClassWithAttendees, ClassAlone, ClassPast} {
		if c.Has(class) {
			names = append(names, class)
		}
	}
	return names
}

// Progress is what a full sweep found of a first sync. It is comparable.
type Progress struct {
	// Total is how many events and pairs the first sweep found, Linked how many
	// of them were in agreement and linked at once.
	Total, Linked int
	// Held is how many events of each class are kept back, Older how many stay on
	// their side alone since only new ones cross, and Ambiguous how many may be
	// one of several.
	Held             ClassCounts
	Older, Ambiguous int
}

// ClassCounts counts events by class.
type ClassCounts struct{ WithAttendees, Alone, Past int }

// add counts one more of a class.
func (c *ClassCounts) add(class Class) {
	switch class {
	case ClassWithAttendees:
		c.WithAttendees++
	case ClassAlone:
		c.Alone++
	case ClassPast:
		c.Past++
	}
}

// Map returns the counts by name.
func (c ClassCounts) Map() map[Class]int {
	return map[Class]int{ClassWithAttendees: c.WithAttendees, ClassAlone: c.Alone, ClassPast: c.Past}
}

// Withheld is what a first sync keeps back of a plan; the zero value is nothing.
type Withheld struct {
	// Class is the class that has to be released for it; empty when nothing
	// releases it.
	Class Class
	// Mails is how many mails Outlook would have sent.
	Mails int
	// Why says in words why it is kept back; empty for nothing.
	Why string
}

// Withhold takes out of a plan what a first sync keeps back, and says what that
// is. It is a pure function. Only what was there on either side before the member
// connected is ever kept back, and only until the sides have agreed on it once.
func (s State) Withhold(plan Plan) (Plan, Withheld) {
	if s.Link != nil && s.Link.Alone && (s.Copy == nil || s.Record == nil) {
		why := "it was kept on this side alone"
		return Plan{Role: plan.Role, Reason: why}, Withheld{Why: why}
	}
	if !s.old() || plan.Idle() {
		return plan, Withheld{}
	}
	first, paired := s.Member.First, s.Copy != nil && s.Record != nil
	keepBack := func(class Class, why string) (Plan, Withheld) {
		return Plan{Role: plan.Role, Reason: why}, Withheld{Class: class, Mails: plan.Mails, Why: why}
	}
	switch write := plan.Outlook; {
	case !paired && first.New:
		return keepBack("", "it was there before the calendars were connected, and only new events cross")
	case !paired && first.Quiet && write != nil && plan.Role == RoleStandIn && s.class() == ClassPast && !first.Send.Past:
		return keepBack(ClassPast, "it is over and somebody else's, whose own calendar may bring it; it waits until past is released")
	case paired && write != nil && write.Action == ActionDelete:
		return keepBack("", "NightPOS has it archived and Outlook still shows it; a first sync deletes nothing")
	case write == nil || plan.Mails == 0 || !first.Quiet:
		return plan, Withheld{}
	}
	class := s.class()
	if first.Send.Has(class) {
		return plan, Withheld{}
	}
	why := "Outlook would mail people about it; it waits until " + string(class) + " is released"
	if !paired {
		return keepBack(class, why)
	}
	// The pair is linked as it stands: what either side changes from now on
	// crosses as ever.
	held := Withheld{Class: class, Mails: plan.Mails, Why: why}
	plan.Outlook, plan.Mails, plan.held = nil, 0, true
	if plan.NightPOS == nil {
		plan.From, plan.Reason = "", why
	}
	return plan, held
}

// old says that the meeting was there before the member connected, and that the
// sides have not agreed on it since.
func (s State) old() bool {
	began := s.Member.First.Began
	if began.IsZero() {
		return false
	}
	if link := s.Link; link != nil && (!link.Ended && link.GraphID != "" || !link.Updated.Before(began)) {
		return false
	}
	if s.Copy != nil && !s.Member.First.older(s.Copy.born()) || s.Record != nil && !s.Member.First.older(s.Record.Created) {
		return false
	}
	return s.Copy != nil || s.Record != nil
}

// older says that what was made at that instant, by the clock of its own server, was
// there before the member connected: before that very instant, not before its
// second. Of what is known to the second only, whatever may have been made since
// counts as new, since that would be missed for good.
func (f FirstSync) older(made time.Time) bool {
	precision := time.Microsecond
	if made.Nanosecond() == 0 {
		precision = time.Second
	}
	return made.Before(f.Began.Truncate(precision))
}

// born is when a copy was made, as far as is known: listings need not tell, but
// then it is older than its last change.
func (c Copy) born() time.Time {
	if c.Created.IsZero() {
		return c.Modified
	}
	return c.Created
}

// class is what a meeting that Outlook would mail about is called.
func (s State) class() Class {
	event := Event{}
	if s.Record != nil {
		event = s.Record.Event
	} else if s.Copy != nil {
		event = s.Copy.Event
	}
	switch {
	case s.past(event):
		return ClassPast
	case s.mails(event) > 0 || s.Copy != nil && s.mails(s.inOutlook()) > 0:
		return ClassWithAttendees
	}
	return ClassAlone
}

// released is the state of a pair that was linked as it stood and may now be
// brought together.
func (s State) released() State {
	if s.Link == nil || !s.Link.Held || !s.Member.First.Send.Has(s.class()) {
		return s
	}
	link := *s.Link
	link.Held, link.Outlook, link.NightPOS = false, nil, nil
	s.Link = &link
	return s
}

// organizerKeepsBack says that the organizer's own first sync does not bring the
// meeting to Outlook, for now or ever.
func (s State) organizerKeepsBack() bool {
	if s.Record == nil {
		return false
	}
	organizer, connected := s.ByUser(s.Record.OrganizerUserID)
	first := organizer.First
	if !connected || first.Began.IsZero() || !first.older(s.Record.Created) {
		return false
	}
	return first.New || first.Quiet && !s.past(s.Record.Event) && !first.Send.WithAttendees
}

// organizerKeepsAlone says that the organizer's own first sync never brings the
// meeting to NightPOS, since it is older and only new ones cross.
func (s State) organizerKeepsAlone() bool {
	organizer, connected := s.ByAddress(s.Copy.Event.Organizer)
	first := organizer.First
	return connected && first.New && !first.Began.IsZero() && first.older(s.Copy.born())
}
