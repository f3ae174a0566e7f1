package reconciler_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// encounter is one meeting of Alice's in both fake calendars, brought together by
// plans alone.
type encounter struct {
	test     *testing.T
	outlook  *fakeOutlook
	nightpos *fakeNightPOS
	copyID   string
	recordID int64
	link     *reconciler.Link
}

// newEncounter is a meeting that both sides agree on.
func newEncounter(t *testing.T, event reconciler.Event) *encounter {
	t.Helper()
	w := &world{now: noon.Add(-2 * time.Hour)}
	e := &encounter{
		test:     t,
		outlook:  &fakeOutlook{calendar: calendar{world: w}, copies: map[string]*reconciler.Copy{}},
		nightpos: &fakeNightPOS{calendar: calendar{world: w}, records: map[int64]*reconciler.Record{}},
	}
	e.copyID = e.outlook.create(event, 0).ID
	e.recordID = e.nightpos.create(event, alice.UserID, "", true).ID
	e.link = agreed(t, e.state())
	return e
}

func (e *encounter) state() reconciler.State {
	copied, record := *e.outlook.copies[e.copyID], *e.nightpos.records[e.recordID]
	s := state(alice, &copied, &record, e.link)
	s.Outlook, s.NightPOS = e.outlook, e.nightpos
	return s
}

// edit is one by a person.
func (e *encounter) edit(side reconciler.Side, change func(*reconciler.Event)) {
	if side == reconciler.SideOutlook {
		next := *e.outlook.copies[e.copyID]
		change(&next.Event)
		next.Event = outlookShows(next.Event)
		e.outlook.save(&next)
		return
	}
	next := *e.nightpos.records[e.recordID]
	change(&next.Event)
	next.Event = nightposShows(next.Event)
	e.nightpos.save(&next, true)
}

func (e *encounter) calendar(side reconciler.Side) *calendar {
	if side == reconciler.SideOutlook {
		return &e.outlook.calendar
	}
	return &e.nightpos.calendar
}

// meet carries one plan out, as far as the calendars' faults let it, and returns it.
func (e *encounter) meet() reconciler.Plan {
	e.test.Helper()
	s := e.state()
	plan := s.Plan()
	var outlook *reconciler.OutlookResult
	var nightpos *reconciler.RecordResult
	if plan.Outlook != nil {
		outlook = &e.outlook.Write(e.test.Context(), alice, []reconciler.OutlookWrite{*plan.Outlook})[0]
	}
	if plan.NightPOS != nil {
		nightpos = &e.nightpos.Write(e.test.Context(), []reconciler.RecordWrite{*plan.NightPOS})[0]
	}
	if settled := s.Settle(plan, outlook, nightpos); settled.Link != nil {
		e.link = settled.Link
	}
	return plan
}

// wants ends the encounter: both sides show these entries, and nothing is left to do.
func (e *encounter) wants(entries ...string) {
	e.test.Helper()
	for range 3 {
		e.meet()
	}
	if plan := e.state().Plan(); !plan.Idle() {
		e.test.Errorf("never at rest: %q is left to do", describe(plan))
	}
	for side, event := range map[reconciler.Side]reconciler.Event{
		reconciler.SideOutlook: e.outlook.copies[e.copyID].Event, reconciler.SideNightPOS: e.nightpos.records[e.recordID].Event,
	} {
		var people []string
		for _, person := range event.People {
			people = append(people, person.Name)
		}
		slices.Sort(people)
		if !slices.Equal(people, entries) {
			e.test.Errorf("%s lists the people %q, want %q", side, people, entries)
		}
		if !slices.Equal(event.Categories, entries) {
			e.test.Errorf("%s shows the categories %q, want %q", side, event.Categories, entries)
		}
	}
}

// adds and removes are edits of who is invited, and of the categories of the same name.
func adds(name string) func(*reconciler.Event) {
	return func(event *reconciler.Event) {
		event.People = append(slices.Clone(event.People), reconciler.Person{Name: name, Address: name + "@customer.example"})
		event.Categories = append(slices.Clone(event.Categories), name)
		slices.Sort(event.Categories)
	}
}

func removes(name string) func(*reconciler.Event) {
	return func(event *reconciler.Event) {
		event.People = slices.DeleteFunc(slices.Clone(event.People), func(person reconciler.Person) bool { return person.Name == name })
		event.Categories = slices.DeleteFunc(slices.Clone(event.Categories), func(category string) bool { return category == name })
	}
}

// TestHalfOfAnExchangeFails: both sides changed who is invited and the categories, and
// of the two writes the one to the far side failed, or its answer was lost. What it was
// to bring is still brought. What the other one brought has arrived: whoever takes that
// back before the next attempt is heeded.
func TestHalfOfAnExchangeFails(t *testing.T) {
	t.Parallel()
	type edit = func(*reconciler.Event)
	for _, test := range []struct {
		name                        string
		near, far                   edit
		nearMeanwhile, farMeanwhile edit
		want                        []string
	}{
		{name: "each adds one", near: adds("dan"), far: adds("cid"), want: []string{"ann", "ben", "cid", "dan"}},
		{name: "the near one removes one", near: removes("ben"), far: adds("cid"), want: []string{"ann", "cid"}},
		{name: "the far one removes one", near: adds("dan"), far: removes("ben"), want: []string{"ann", "dan"}},
		{name: "each removes one", near: removes("ann"), far: removes("ben"), want: nil},
		{name: "what arrived is taken back there", near: adds("dan"), far: adds("cid"), nearMeanwhile: removes("cid"), want: []string{"ann", "ben", "dan"}},
		{name: "what arrived is taken back where it came from", near: adds("dan"), far: adds("cid"), farMeanwhile: removes("cid"), want: []string{"ann", "ben", "dan"}},
		{name: "what went is put back there", near: adds("dan"), far: removes("ben"), nearMeanwhile: adds("ben"), want: []string{"ann", "ben", "dan"}},
		{name: "what went is put back where it was removed", near: adds("dan"), far: removes("ben"), farMeanwhile: adds("ben"), want: []string{"ann", "ben", "dan"}},
	} {
		for _, far := range []reconciler.Side{reconciler.SideOutlook, reconciler.SideNightPOS} {
			for name, wrong := range map[string]fault{"the write failed": faultBefore, "the answer was lost": faultAfter} {
				t.Run(test.name+", far is "+string(far)+", "+name, func(t *testing.T) {
					t.Parallel()
					event := meeting()
					event.People = nil
					adds("ann")(&event)
					adds("ben")(&event)
					e := newEncounter(t, event)
					e.edit(far.Other(), test.near)
					e.edit(far, test.far)
					e.calendar(far).faults = []fault{wrong}
					if plan := e.meet(); plan.Outlook == nil || plan.NightPOS == nil {
						t.Fatalf("got %q, want a write to each side", describe(plan))
					}
					if test.nearMeanwhile != nil {
						e.edit(far.Other(), test.nearMeanwhile)
					}
					if test.farMeanwhile != nil {
						e.edit(far, test.farMeanwhile)
					}
					e.wants(test.want...)
				})
			}
		}
	}
}

// invitation is one from outside in Bob's mailbox, agreed on with NightPOS.
func invitation(t *testing.T) (copied reconciler.Copy, record reconciler.Record, link *reconciler.Link) {
	t.Helper()
	event := meeting()
	event.Organizer = reconciler.Person{Address: "zoe@customer.example"}
	copied = reconciler.Copy{ID: "copy", ICalUID: "uid", ChangeKey: "k1", OwnAnswer: reconciler.AnswerNone, Event: event}
	s := state(bob, &copied, nil, nil)
	plan := s.Plan()
	record = reconciler.Record{ID: 9, Stamp: "s", Event: nightposShows(plan.NightPOS.Event), ExternalKey: plan.NightPOS.Key}
	return copied, record, s.Settle(plan, nil, &reconciler.RecordResult{Record: &record}).Link
}

// replied is a record with Bob's answer in it.
func replied(record reconciler.Record, answer reconciler.Answer) *reconciler.Record {
	record.Event.People = slices.Clone(record.Event.People)
	record.Event.People[0].Answer = answer
	return &record
}

// TestGuestsAnswerOutlivesAFailure: Bob answered in NightPOS while somebody outside
// changed the meeting, and one of the two writes failed. The answer, if it was not given
// in Outlook, has yet to be; if it was, Outlook's showing it says nothing against the next.
func TestGuestsAnswerOutlivesAFailure(t *testing.T) {
	t.Parallel()
	copied, record, link := invitation(t)
	adds("dan")(&copied.Event)
	s := state(bob, &copied, replied(record, reconciler.AnswerAccepted), link)
	plan := s.Plan()
	if got, want := describe(plan), "outlook answer accepted, nightpos update people"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	taken := record
	taken.Event = nightposShows(plan.NightPOS.Event)
	settled := s.Settle(plan, &reconciler.OutlookResult{Err: errUpstream}, &reconciler.RecordResult{Record: &taken})
	if got, want := describe(state(bob, &copied, &taken, settled.Link).Plan()), "outlook answer accepted"; got != want {
		t.Errorf("Outlook failed: got %q, want %q", got, want)
	}
	settled = s.Settle(plan, &reconciler.OutlookResult{}, &reconciler.RecordResult{Err: errUpstream})
	copied.OwnAnswer = reconciler.AnswerAccepted
	if got, want := describe(state(bob, &copied, replied(record, reconciler.AnswerDeclined), settled.Link).Plan()), "outlook answer declined, nightpos update people"; got != want {
		t.Errorf("NightPOS failed, and Bob declined there meanwhile: got %q, want %q", got, want)
	}
}

// TestGuestChangesAnAnswer: Bob accepted in NightPOS, and declines there before anybody
// has looked at the copy that shows him as accepting. What he then answers in Outlook is an
// answer of its own.
func TestGuestChangesAnAnswer(t *testing.T) {
	t.Parallel()
	copied, record, link := invitation(t)
	s := state(bob, &copied, replied(record, reconciler.AnswerAccepted), link)
	link = s.Settle(s.Plan(), &reconciler.OutlookResult{}, nil).Link
	copied.OwnAnswer = reconciler.AnswerAccepted
	s = state(bob, &copied, replied(record, reconciler.AnswerDeclined), link)
	plan := s.Plan()
	if got, want := describe(plan), "outlook answer declined"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	link = s.Settle(plan, &reconciler.OutlookResult{}, nil).Link
	copied.OwnAnswer = reconciler.AnswerTentative
	if got, want := describe(state(bob, &copied, replied(record, reconciler.AnswerDeclined), link).Plan()), "nightpos update answers"; got != want {
		t.Errorf("tentative in Outlook after all: got %q, want %q", got, want)
	}
}

// TestAnEditThatIsTakenBackAfterAFailedWrite: both sides are edited, the write that was
// to overrule one of them fails, and before it is tried again the edit that won is taken
// back. What is left is the other side's edit, and not two titles for good. (Found by
// the histories of one meeting after 850,000 of them: rapid.seed=1511205116.)
func TestAnEditThatIsTakenBackAfterAFailedWrite(t *testing.T) {
	for name, failing := range map[string]fault{"not written": faultBefore, "written, with the answer lost": faultAfter} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, nil)
			copied := l.outlook.create(at("Agreed", l.now.Add(48*time.Hour)), 0)
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Minute)
			l.want("Agreed")
			for _, record := range l.nightpos.records {
				next := *record
				next.Event.Title = "Overruled"
				l.nightpos.save(&next, true)
			}
			l.now = l.now.Add(time.Minute)
			l.retitle(copied, "Won")
			l.nightpos.faults = []fault{failing}
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(0)
			l.retitle(copied, "Agreed")
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Hour)
			shown := ""
			for _, record := range l.nightpos.records {
				shown = record.Event.Title
			}
			l.want(shown)
		})
	}
}
