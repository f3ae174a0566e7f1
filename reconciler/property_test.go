package reconciler_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// TestMain makes 2,000 histories the least that a run checks; -rapid.checks
// asks for more.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("2000"); err != nil {
			panic(err)
		}
	}
	m.Run()
}

var alice = reconciler.Member{ID: "6", UserID: 6, PartnerID: 7, Address: "alice@nightpos.example", Mailbox: "Alice@Outlook.example", Zone: "Europe/Brussels"}

// history is one run of random edits, faults and rounds against both fakes.
type history struct {
	*world
	test     *rapid.T
	outlook  *fakeOutlook
	nightpos *fakeNightPOS
	memory   *memory
	engine   *reconciler.Engine
	births   int
	deleted  map[string]bool // by a person, by tag, and not restored since
	restored map[string]bool // by a person at any time
}

func newHistory(t *rapid.T) *history {
	w := &world{now: time.Date(2027, 1, 11, 9, 0, 0, 0, time.UTC)}
	h := &history{
		world: w, test: t, deleted: map[string]bool{}, restored: map[string]bool{},
		outlook:  &fakeOutlook{calendar: calendar{world: w}, copies: map[string]*reconciler.Copy{}, keys: map[string]string{}, sent: map[string]reconciler.Event{}},
		nightpos: &fakeNightPOS{calendar: calendar{world: w}, records: map[int64]*reconciler.Record{}, keys: map[string]int64{}},
	}
	h.memory = newMemory(func() time.Time { return w.now }, alice)
	policy := rapid.SampledFrom([]reconciler.Policy{reconciler.PolicyNewest, reconciler.PolicyOutlook, reconciler.PolicyNightPOS}).Draw(t, "policy")
	engine, err := reconciler.NewEngine(reconciler.Config{
		Outlook: h.outlook, NightPOS: h.nightpos, Store: h.memory, Queue: h.memory,
		Database: "night", Policy: policy, Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.engine = engine
	return h
}

func drawEvent(t *rapid.T, tag string) reconciler.Event {
	start := time.Date(2027, 1, 12, rapid.IntRange(0, 20).Draw(t, "hour"), 0, 0, 0, time.UTC)
	event := reconciler.Event{
		Title: "title " + tag, Body: "<p>body</p>", When: reconciler.When{Start: start, End: start.Add(time.Hour)},
		Privacy: reconciler.PrivacyPublic, ShowAs: reconciler.ShowAsBusy, Categories: []string{tag},
		Organizer: reconciler.Person{Address: alice.Address},
	}
	for _, name := range []string{"carol", "dave"} {
		if rapid.Bool().Draw(t, "invites "+name) {
			event.People = append(event.People, reconciler.Person{Address: name + "@customer.example"})
		}
	}
	return event
}

// edit changes one field the way a person would.
func edit(t *rapid.T, event reconciler.Event, side reconciler.Side) reconciler.Event {
	number := strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "value"))
	switch rapid.IntRange(0, 10).Draw(t, "field") {
	case 0:
		event.Title = "title " + number
	case 1:
		event.Body = "<p>body " + number + "</p>"
	case 2:
		start := time.Date(2027, 1, 13, rapid.IntRange(0, 20).Draw(t, "hour"), 30, 0, 0, time.UTC)
		event.When = reconciler.When{Start: start, End: start.Add(time.Hour)}
		if side == reconciler.SideOutlook {
			event.When.Zone = "Europe/Brussels"
		}
	case 3:
		event.Place = "room " + number
	case 4:
		event.Privacy = rapid.SampledFrom([]reconciler.Privacy{reconciler.PrivacyPublic, reconciler.PrivacyPrivate, reconciler.PrivacyPersonal}).Draw(t, "privacy")
	case 5:
		event.ShowAs = rapid.SampledFrom([]reconciler.ShowAs{
			reconciler.ShowAsFree, reconciler.ShowAsBusy, reconciler.ShowAsTentative, reconciler.ShowAsWorkingElsewhere,
		}).Draw(t, "show as")
	case 6:
		event.Reminders = [][]time.Duration{nil, {15 * time.Minute}, {15 * time.Minute, time.Hour}}[rapid.IntRange(0, 2).Draw(t, "reminders")]
	case 7:
		event.MeetingLink = "https://meet.example/" + number
	case 8:
		event.People = slices.Clone(event.People)
		name := rapid.SampledFrom([]string{"carol", "dave", "erin"}).Draw(t, "person")
		person := reconciler.Person{Address: name + "@customer.example"}
		if index := slices.IndexFunc(event.People, func(p reconciler.Person) bool { return p.Key() == person.Key() }); index >= 0 {
			event.People = slices.Delete(event.People, index, index+1)
		} else {
			event.People = append(event.People, person)
		}
	case 9:
		event.People = slices.Clone(event.People)
		if len(event.People) > 0 {
			index := rapid.IntRange(0, len(event.People)-1).Draw(t, "who")
			event.People[index].Answer = rapid.SampledFrom([]reconciler.Answer{reconciler.AnswerAccepted, reconciler.AnswerDeclined}).Draw(t, "answer")
		}
	case 10:
		extra := "category " + number
		event.Categories = slices.Clone(event.Categories)
		if index := slices.Index(event.Categories, extra); index >= 0 {
			event.Categories = slices.Delete(event.Categories, index, index+1)
		} else {
			event.Categories = append(event.Categories, extra)
			slices.Sort(event.Categories)
		}
	}
	return event
}

func tagOf(event reconciler.Event) string {
	for _, category := range event.Categories {
		if len(category) > 4 && category[:4] == "tag-" {
			return category
		}
	}
	return ""
}

func (h *history) tag() string {
	h.births++
	return fmt.Sprintf("tag-%03d", h.births)
}

func (h *history) calendars() []*calendar {
	return []*calendar{&h.outlook.calendar, &h.nightpos.calendar}
}

// pass lets the world catch up with what was changed.
func (h *history) pass() {
	for _, side := range h.calendars() {
		if side.changed.After(h.now) {
			h.now = side.changed
		}
	}
}

// step lets one thing happen.
func (h *history) step() {
	h.happen(rapid.SampledFrom([]string{
		"create outlook", "create nightpos", "edit outlook", "edit outlook", "edit nightpos", "edit nightpos", "delete outlook",
		"archive", "unarchive", "unlink", "deliver", "deliver", "deliver", "work", "work", "work", "fault", "lose lease", "wait", "ask", "forget",
	}).Draw(h.test, "step"))
}

// happen lets what is named happen.
func (h *history) happen(what string) {
	t := h.test
	defer h.pass()
	switch what {
	case "create outlook":
		h.outlook.create(drawEvent(t, h.tag()), 0)
	case "create nightpos":
		h.nightpos.create(drawEvent(t, h.tag()), alice.UserID, "", true)
	case "edit outlook":
		if copied := pick(t, h.outlook.copies); copied != nil {
			next := *copied
			next.Event = outlookShows(edit(t, next.Event, reconciler.SideOutlook))
			h.outlook.save(&next)
		}
	case "edit nightpos":
		if record := pick(t, h.nightpos.records); record != nil {
			next := *record
			next.Event = nightposShows(edit(t, next.Event, reconciler.SideNightPOS))
			h.nightpos.save(&next, true)
		}
	case "delete outlook":
		if copied := pick(t, h.outlook.copies); copied != nil {
			h.deleted[tagOf(copied.Event)] = true
			if !h.linked(copied.ID) {
				// A copy whose making was never answered, deleted before anybody
				// could see it again, cannot be told from one never made.
				h.restored[tagOf(copied.Event)] = true
			}
			h.outlook.remove(copied.ID)
		}
	case "archive", "unarchive":
		if record := pick(t, h.nightpos.records); record != nil {
			next := *record
			next.Archived = !record.Archived
			h.deleted[tagOf(next.Event)] = next.Archived
			if !next.Archived {
				h.restored[tagOf(next.Event)] = true
			}
			h.nightpos.save(&next, true)
		}
	case "unlink":
		if record := pick(t, h.nightpos.records); record != nil {
			h.deleted[tagOf(record.Event)] = true
			if _, known := h.memory.links[record.ID]; !known {
				h.restored[tagOf(record.Event)] = true // likewise
			}
			h.nightpos.remove(record.ID)
		}
	case "deliver":
		h.deliver()
	case "work":
		h.work()
	case "fault":
		at := h.calendars()[rapid.IntRange(0, 1).Draw(t, "at")]
		at.faults = append(at.faults, rapid.SampledFrom([]fault{faultBefore, faultAfter}).Draw(t, "fault"))
	case "ask":
		h.add(reconciler.ChangesItem(reconciler.PriorityBackfill, h.now))
	case "forget":
		h.outlook.forgotten = len(h.outlook.told)
	case "lose lease":
		h.memory.loseNext = true
	case "wait":
		h.now = h.now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "milliseconds")) * time.Millisecond)
	}
}

func pick[K string | int64, V any](t *rapid.T, from map[K]*V) *V {
	if len(from) == 0 {
		return nil
	}
	return from[rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "which")]
}

func (h *history) linked(graphID string) bool {
	for _, link := range h.memory.links {
		if link.GraphID == graphID {
			return true
		}
	}
	return false
}

// deliver brings one of the waiting hints, in any order, once, twice or never.
func (h *history) deliver() {
	var waiting []*calendar
	for _, side := range h.calendars() {
		if len(side.hints) > 0 {
			waiting = append(waiting, side)
		}
	}
	if len(waiting) == 0 {
		return
	}
	side := waiting[rapid.IntRange(0, len(waiting)-1).Draw(h.test, "side")]
	index := rapid.IntRange(0, len(side.hints)-1).Draw(h.test, "hint")
	switch rapid.IntRange(0, 5).Draw(h.test, "delivery") {
	case 0: // lost
	case 1: // now, and once more later
		h.add(side.hints[index])
		return
	default:
		h.add(side.hints[index])
	}
	side.hints = slices.Delete(side.hints, index, index+1)
}

func (h *history) add(item reconciler.Item) {
	if err := h.memory.Add(context.Background(), alice.ID, item); err != nil {
		h.test.Fatal(err)
	}
}

func (h *history) work() {
	batch, err := h.memory.Take(context.Background(), 100)
	if err != nil {
		h.test.Fatal(err)
	}
	if len(batch.Items) == 0 {
		return
	}
	if err := h.engine.Process(context.Background(), batch); err != nil && !errors.Is(err, reconciler.ErrLeaseLost) {
		h.test.Fatalf("a round failed: %v", err)
	}
	h.pass()
}

// quiet delivers everything, sweeps, and works until nothing waits.
func (h *history) quiet() {
	h.memory.loseNext = false
	for range 3 {
		for _, side := range h.calendars() {
			for _, item := range side.hints {
				h.add(item)
			}
			side.hints, side.faults = nil, nil
		}
		h.add(reconciler.SweepItem(reconciler.PriorityPerson, h.now))
		for round := 0; ; round++ {
			due, waiting := h.memory.due()
			if !waiting {
				break
			}
			if round > 500 {
				h.test.Fatalf("never quiet: %+v", h.memory.items)
			}
			if due.After(h.now) {
				h.now = due
			}
			h.work()
		}
	}
}

// check holds the invariants of a quiet moment.
func (h *history) check() {
	t := h.test
	inOutlook, inNightPOS := map[string]reconciler.Event{}, map[string]reconciler.Event{}
	for _, copied := range h.outlook.copies {
		if _, twice := inOutlook[tagOf(copied.Event)]; twice {
			t.Fatalf("%s is in Outlook twice", tagOf(copied.Event))
		}
		inOutlook[tagOf(copied.Event)] = copied.Event
	}
	for _, record := range h.nightpos.records {
		if record.Archived {
			continue
		}
		if _, twice := inNightPOS[tagOf(record.Event)]; twice {
			t.Fatalf("%s is in NightPOS twice", tagOf(record.Event))
		}
		inNightPOS[tagOf(record.Event)] = record.Event
	}
	for number := 1; number <= h.births; number++ {
		tag := fmt.Sprintf("tag-%03d", number)
		outlook, there := inOutlook[tag]
		nightpos, here := inNightPOS[tag]
		if there != here {
			t.Fatalf("%s: in Outlook %v, in NightPOS %v", tag, there, here)
		}
		if h.deleted[tag] && there && !h.restored[tag] {
			t.Fatalf("%s was deleted and came back", tag)
		}
		if !h.deleted[tag] && !there && !h.restored[tag] {
			t.Fatalf("%s was lost", tag)
		}
		if there {
			if difference := cmp.Diff(comparable(outlook), comparable(nightpos)); difference != "" {
				t.Fatalf("%s differs (-outlook +nightpos):\n%s", tag, difference)
			}
		}
	}
	before := h.outlook.writes + h.nightpos.writes
	h.quiet()
	if writes := h.outlook.writes + h.nightpos.writes - before; writes != 0 {
		t.Fatalf("a second full reconcile wrote %d times", writes)
	}
}

// comparable is what both sides can show of an event. Answers given in NightPOS
// for people without a mailbox of their own cannot be told to Outlook, and a
// meeting link given in NightPOS cannot be written there.
func comparable(event reconciler.Event) reconciler.Event {
	event = nightposShows(outlookShows(event))
	event.Organizer = reconciler.Person{}
	event.MeetingLink = ""
	slices.SortFunc(event.People, func(a, b reconciler.Person) int {
		return cmpStrings(a.Key(), b.Key())
	})
	for index := range event.People {
		event.People[index] = reconciler.Person{Address: event.People[index].Key()}
	}
	if len(event.People) == 0 {
		event.People = nil
	}
	return event
}

func cmpStrings(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// TestHistories lets people edit both calendars while hints are lost, doubled
// and reordered, servers fail before and after committing, and workers lose
// their lease, and then checks that everything is well.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			h.step()
		}
		h.quiet()
		h.check()
	})
}

// TestOneEventHistories is TestHistories with a single event and nothing but edits and
// faults, so that both sides often change the same field while writes fail.
func TestOneEventHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		h.outlook.create(drawEvent(t, h.tag()), 0)
		h.quiet()
		for range rapid.IntRange(3, 20).Draw(t, "steps") {
			h.happen(rapid.SampledFrom([]string{"edit outlook", "edit nightpos", "deliver", "work", "fault", "lose lease", "wait"}).Draw(t, "step"))
		}
		h.quiet()
		h.check()
	})
}

// TestOneEditOneWrite: an edit by a person in a quiet world is one write on the
// other side, none back, and at most one mail to each attendee.
func TestOneEditOneWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		h.outlook.create(drawEvent(t, h.tag()), 0)
		h.nightpos.create(drawEvent(t, h.tag()), alice.UserID, "", true)
		h.quiet()
		outlookWrites, nightposWrites, mails := h.outlook.writes, h.nightpos.writes, h.outlook.mails
		limit := 0
		if rapid.Bool().Draw(t, "in outlook") {
			next := *pick(t, h.outlook.copies)
			next.Event = outlookShows(edit(t, next.Event, reconciler.SideOutlook))
			h.outlook.save(&next)
		} else {
			next := *pick(t, h.nightpos.records)
			limit = len(next.Event.People)
			next.Event = nightposShows(edit(t, next.Event, reconciler.SideNightPOS))
			h.nightpos.save(&next, true)
			limit = max(limit, len(next.Event.People))
		}
		h.quiet()
		toOutlook, toNightPOS := h.outlook.writes-outlookWrites, h.nightpos.writes-nightposWrites
		if toOutlook+toNightPOS > 1 {
			t.Fatalf("one edit made %d writes to Outlook and %d to NightPOS", toOutlook, toNightPOS)
		}
		if sent := h.outlook.mails - mails; sent > limit {
			t.Fatalf("one edit made %d mails, at most %d are due", sent, limit)
		}
		h.check()
	})
}
