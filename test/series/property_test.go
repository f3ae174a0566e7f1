package series_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestMain makes usualChecks what a run of a property checks; -rapid.checks asks
// for more.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set(usualChecks); err != nil {
			panic(err)
		}
	}
	m.Run()
}

var alice = reconciler.Member{ID: "6", UserID: 6, PartnerID: 7, Address: world.Alice, Mailbox: world.Alice, Zone: seriesZone}

// shows is a side that shows everything, but for what it calls attendees.
type shows struct{ kind reconciler.AttendeeType }

func (s shows) Project(event reconciler.Event) reconciler.Event {
	event.People = slices.Clone(event.People)
	for index := range event.People {
		event.People[index].Type = s.kind
	}
	event.When.Zone = ""
	return event
}

// assign writes those fields that these histories change.
func assign(to *reconciler.Event, from reconciler.Event, fields reconciler.FieldSet) {
	if fields.Has(reconciler.FieldTitle) {
		to.Title = from.Title
	}
	if fields.Has(reconciler.FieldWhen) {
		to.When = from.When
	}
	if fields.Has(reconciler.FieldPeople) {
		to.People = slices.Clone(from.People)
	}
}

// seriesPair is one series in both calendars, with the habits that matter to a
// plan: Outlook has a master and exceptions, NightPOS a record for each
// occurrence, and makes most of them anew when somebody moves all.
type seriesPair struct {
	test     *rapid.T
	outlook  *reconciler.SeriesCopy
	nightpos *reconciler.SeriesRecord
	apart    map[int64]bool
	link     *reconciler.Link
	now      time.Time
	version  int
	serial   int64
	// writes are those to either side since the last edit, mails those that
	// Outlook would have sent.
	copyWrites, recordWrites, mails int
	refused                         []string
}

const seriesZone = "Europe/Brussels"

func (p *seriesPair) id() int64 {
	p.serial++
	return p.serial
}

func (p *seriesPair) touch() string {
	p.version++
	return "v" + strconv.Itoa(p.version)
}

func (p *seriesPair) saved() {
	p.now = p.now.Add(time.Minute)
	if p.outlook != nil {
		p.outlook.ChangeKey, p.outlook.Modified = p.touch(), p.now
	}
}

func (p *seriesPair) at(slot reconciler.Date) reconciler.When {
	return reconciler.SlotTime(slot, p.outlook.Event.When)
}

// slots are those of the series in Outlook that were not deleted.
func (p *seriesPair) slots() []reconciler.Date {
	return slices.DeleteFunc(p.outlook.Rule.Slots(reconciler.Date{}, p.held(), 800), func(slot reconciler.Date) bool { return p.outlook.Cancelled[slot] })
}

// held is the last slot that NightPOS holds.
func (p *seriesPair) held() reconciler.Date {
	if p.link == nil || p.link.Series == nil {
		return reconciler.Date{}
	}
	return p.link.Series.To
}

func (p *seriesPair) exception(slot reconciler.Date) reconciler.Copy {
	if exception, there := p.outlook.Exceptions[slot]; there {
		return exception
	}
	exception := reconciler.Copy{ID: "x" + slot.String(), Event: p.outlook.Event}
	exception.Event.When = p.at(slot)
	return exception
}

// saveMaster changes the master; exceptions follow in what they do not show
// differently.
func (p *seriesPair) saveMaster(change func(*reconciler.Event)) {
	before := p.outlook.Event
	change(&p.outlook.Event)
	for slot, exception := range p.outlook.Exceptions {
		old := before
		old.When = reconciler.SlotTime(slot, before.When)
		if exception.Event.Title == old.Title {
			exception.Event.Title = p.outlook.Event.Title
		}
		if exception.Event.When.Start.Equal(old.When.Start) {
			exception.Event.When = p.at(slot)
		}
		exception.Event.People = p.outlook.Event.People
		p.outlook.Exceptions[slot] = exception
	}
	p.keepSlots()
	p.saved()
}

func (p *seriesPair) keepSlots() {
	on := map[reconciler.Date]bool{}
	for _, slot := range p.outlook.Rule.Slots(reconciler.Date{}, reconciler.Date{}, 800) {
		on[slot] = true
	}
	maps.DeleteFunc(p.outlook.Exceptions, func(slot reconciler.Date, _ reconciler.Copy) bool { return !on[slot] })
	maps.DeleteFunc(p.outlook.Cancelled, func(slot reconciler.Date, _ bool) bool { return !on[slot] })
}

func (p *seriesPair) saveOccurrence(slot reconciler.Date, change func(*reconciler.Event)) {
	exception := p.exception(slot)
	change(&exception.Event)
	p.outlook.Exceptions[slot] = exception
	p.saved()
}

// writeCopy carries out a plan's write.
func (p *seriesPair) writeCopy(write reconciler.SeriesCopyWrite) *reconciler.SeriesCopyResult {
	p.copyWrites++
	switch write.Action {
	case reconciler.ActionCreate:
		p.outlook = &reconciler.SeriesCopy{
			Copy: reconciler.Copy{ID: "master", IsOrganizer: true, Event: write.Event}, Rule: write.Rule,
			Exceptions: map[reconciler.Date]reconciler.Copy{}, Cancelled: map[reconciler.Date]bool{},
		}
		p.saved()
	case reconciler.ActionUpdate:
		if write.ChangeKey != p.outlook.ChangeKey {
			p.test.Fatal("a write to a master that has moved on")
		}
		p.saveMaster(func(event *reconciler.Event) {
			if write.Fields.Has(reconciler.FieldWhen) {
				p.outlook.Rule = write.Rule
			}
			assign(event, write.Event, write.Fields)
		})
	case reconciler.ActionDelete:
		p.outlook = nil
		return &reconciler.SeriesCopyResult{}
	}
	for _, change := range write.Occurrences {
		if p.outlook.Cancelled[change.Slot] || !p.outlook.Rule.Includes(change.Slot) {
			p.test.Fatalf("a write to occurrence %s, which is not there", change.Slot)
		}
		if change.Action == reconciler.ActionDelete {
			delete(p.outlook.Exceptions, change.Slot)
			p.outlook.Cancelled[change.Slot] = true
			continue
		}
		p.saveOccurrence(change.Slot, func(event *reconciler.Event) { assign(event, change.Event, change.Fields) })
	}
	p.saved()
	return &reconciler.SeriesCopyResult{Copy: p.copied(), Occurrences: make([]error, len(write.Occurrences))}
}

// copied is the series as a reading gives it.
func (p *seriesPair) copied() *reconciler.SeriesCopy {
	if p.outlook == nil {
		return nil
	}
	series := *p.outlook
	series.Exceptions, series.Cancelled = maps.Clone(series.Exceptions), maps.Clone(series.Cancelled)
	return &series
}

func (p *seriesPair) record(id int64) *reconciler.Record {
	index := slices.IndexFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return record.ID == id })
	if index < 0 {
		p.test.Fatalf("record %d is not there", id)
	}
	return &p.nightpos.Occurrences[index]
}

func (p *seriesPair) stamp(record *reconciler.Record) {
	p.now = p.now.Add(time.Minute)
	record.Stamp, record.Modified = p.touch(), p.now
}

func (p *seriesPair) add(event reconciler.Event) {
	event.When.Zone = ""
	record := reconciler.Record{ID: p.id(), OrganizerUserID: alice.UserID, Recurring: true, RecurrenceID: p.nightpos.ID, Event: event}
	p.stamp(&record)
	p.nightpos.Occurrences = append(p.nightpos.Occurrences, record)
}

// writeRecord carries out a plan's transaction.
func (p *seriesPair) writeRecord(write reconciler.SeriesRecordWrite) *reconciler.SeriesRecordResult {
	p.recordWrites++
	if write.ID == 0 {
		p.nightpos = &reconciler.SeriesRecord{ID: p.id(), ExternalKey: write.Key}
	}
	if write.Rule != nil {
		p.nightpos.Rule, p.nightpos.Zone = *write.Rule, write.Zone
	}
	for _, change := range write.Writes {
		record := p.record(change.ID)
		if change.Stamp != "" && change.Stamp != record.Stamp {
			p.test.Fatal("a write to a record that has moved on")
		}
		switch change.Action {
		case reconciler.ActionArchive:
			record.Archived = true
		case reconciler.ActionUnarchive:
			record.Archived = false
		}
		assign(&record.Event, change.Event, change.Fields)
		record.Event.When.Zone = ""
		p.stamp(record)
	}
	for _, event := range write.Create {
		p.add(event)
	}
	p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return slices.Contains(write.Leave, record.ID) })
	if write.ID == 0 {
		p.nightpos.BaseID = p.nightpos.Occurrences[0].ID
	}
	return &reconciler.SeriesRecordResult{Record: p.recurrence()}
}

func (p *seriesPair) recurrence() *reconciler.SeriesRecord {
	if p.nightpos == nil || len(p.nightpos.Occurrences) == 0 {
		return nil
	}
	record := *p.nightpos
	record.Occurrences = slices.Clone(record.Occurrences)
	slices.SortStableFunc(record.Occurrences, func(a, b reconciler.Record) int { return a.Event.When.Start.Compare(b.Event.When.Start) })
	return &record
}

// rebuild is what NightPOS does when all occurrences are moved or the rule
// changes: the base stays, all others are made anew, and what was special about
// them is lost.
func (p *seriesPair) rebuild(rule reconciler.Rule, first reconciler.When) {
	base := slices.IndexFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return record.ID == p.nightpos.BaseID && !record.Archived })
	if base < 0 {
		base = slices.IndexFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return !record.Archived })
	}
	kept := p.nightpos.Occurrences[base]
	p.nightpos = &reconciler.SeriesRecord{ID: p.id(), Rule: rule, Zone: seriesZone, BaseID: kept.ID}
	for index, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, 720) {
		event := kept.Event
		event.When = reconciler.SlotTime(slot, first)
		if index == 0 {
			event.When.Zone = ""
			kept.Event, kept.RecurrenceID = event, p.nightpos.ID
			p.stamp(&kept)
			p.nightpos.Occurrences = append(p.nightpos.Occurrences, kept)
			continue
		}
		p.add(event)
	}
}

// live are the records that are there and belong to the series in Outlook too.
func (p *seriesPair) live() []*reconciler.Record {
	var found []*reconciler.Record
	for index := range p.nightpos.Occurrences {
		record := &p.nightpos.Occurrences[index]
		if !record.Archived && !p.apart[record.ID] {
			found = append(found, record)
		}
	}
	slices.SortFunc(found, func(a, b *reconciler.Record) int { return a.Event.When.Start.Compare(b.Event.When.Start) })
	return found
}

// settle runs plans until nothing is left to do.
func (p *seriesPair) settle() {
	p.copyWrites, p.recordWrites, p.mails, p.refused = 0, 0, 0, nil
	for range 6 {
		state := &reconciler.SeriesState{
			State: reconciler.State{
				Member: alice, Database: "night", Link: p.link, Outlook: shows{reconciler.TypeRequired}, NightPOS: shows{},
				Policy: reconciler.PolicyNewest, Now: p.now, Waited: true,
				ByAddress: func(person reconciler.Person) (reconciler.Member, bool) { return alice, alice.Is(person) },
				ByUser:    func(id int64) (reconciler.Member, bool) { return alice, id == alice.UserID },
			},
			Series: p.copied(), Recurrence: p.recurrence(), Apart: maps.Clone(p.apart), Earliest: p.now.AddDate(-1, 0, 0),
		}
		plan := state.Plan()
		if plan.Reason != "" {
			p.test.Fatalf("the plan gave up: %s", plan.Reason)
		}
		var outlook *reconciler.SeriesCopyResult
		var nightpos *reconciler.SeriesRecordResult
		if plan.Copy != nil {
			outlook = p.writeCopy(*plan.Copy)
			p.mails += plan.Mails
		}
		if plan.Record != nil {
			nightpos = p.writeRecord(*plan.Record)
		}
		settled := state.Settle(plan, outlook, nightpos)
		if settled.Err != nil {
			p.test.Fatalf("settling: %v", settled.Err)
		}
		p.refused = append(p.refused, settled.Refused...)
		for _, id := range plan.Apart {
			p.apart[id] = true
		}
		p.link = settled.Link
		if settled.Drop {
			p.link = nil
		}
		if plan.Idle() && !settled.Again {
			return
		}
	}
	p.test.Fatal("the sides do not come together")
}

// wantEqual says that both sides show the same meetings.
func (p *seriesPair) wantEqual(after string) {
	p.test.Helper()
	show := func(event reconciler.Event) string {
		return fmt.Sprintf("%s %q", event.When.Start.UTC().Format(time.DateTime), event.Title)
	}
	var here, there []string
	if p.outlook != nil {
		for _, slot := range p.slots() {
			here = append(here, show(p.exception(slot).Event))
		}
	}
	if p.nightpos != nil {
		for _, record := range p.live() {
			there = append(there, show(record.Event))
		}
	}
	slices.Sort(here)
	slices.Sort(there)
	if len(p.refused) == 0 && !slices.Equal(here, there) {
		without := func(all, others []string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(others, one) })
		}
		p.test.Fatalf("after %s the sides differ:\nOutlook  %q\nNightPOS %q", after, without(here, there), without(there, here))
	}
}

func newSeriesPair(t *rapid.T) *seriesPair {
	p := &seriesPair{test: t, apart: map[int64]bool{}, now: time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC), serial: 100}
	start := time.Date(2027, 1, 11, 8, 0, 0, 0, time.UTC)
	event := reconciler.Event{
		Title: "weekly", When: reconciler.When{Start: start, End: start.Add(time.Hour), Zone: seriesZone}, Privacy: reconciler.PrivacyPublic,
		ShowAs: reconciler.ShowAsBusy, Organizer: reconciler.Person{Address: alice.Address}, People: []reconciler.Person{{Address: "carol@customer.example"}},
	}
	rule := reconciler.Rule{
		Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{time.Monday, time.Wednesday},
		Start: reconciler.Date{Year: 2027, Month: 1, Day: 11}, Count: rapid.IntRange(4, 9).Draw(t, "count"),
	}
	if rapid.Bool().Draw(t, "from Outlook") {
		p.outlook = &reconciler.SeriesCopy{
			Copy: reconciler.Copy{ID: "master", IsOrganizer: true, Event: event}, Rule: rule,
			Exceptions: map[reconciler.Date]reconciler.Copy{}, Cancelled: map[reconciler.Date]bool{},
		}
		if rapid.IntRange(0, 49).Draw(t, "endless") == 49 {
			p.outlook.Rule.Count = 0
			p.outlook.Rule.Interval = 30
		}
		p.saved()
		return p
	}
	p.nightpos = &reconciler.SeriesRecord{ID: p.id(), Rule: rule, Zone: seriesZone}
	for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, 720) {
		occurrence := event
		occurrence.When = reconciler.SlotTime(slot, event.When)
		p.add(occurrence)
	}
	p.nightpos.BaseID = p.nightpos.Occurrences[0].ID
	return p
}

// edit makes one random edit, as a person would, and says which, with how many
// mails it may cost at most: with a master, Outlook tells again of each exception,
// which may need a write of its own besides.
func (p *seriesPair) edit(step int) (name string, mails int) {
	title := "title " + strconv.Itoa(step)
	slots, live := p.slots(), p.live()
	if len(slots) < 3 || len(live) < 3 {
		return "nothing", 0
	}
	slot := slots[rapid.IntRange(0, min(len(slots), 12)-1).Draw(p.test, "slot")]
	record := live[rapid.IntRange(0, min(len(live), 12)-1).Draw(p.test, "record")]
	switch name = rapid.SampledFrom([]string{
		"rename all in Outlook", "rename one in Outlook", "move one in Outlook", "delete one in Outlook", "shift all in Outlook", "shorten in Outlook",
		"rename all in NightPOS", "rename one in NightPOS", "move one in NightPOS", "delete one in NightPOS", "archive one in NightPOS", "shift all in NightPOS",
		"other days in NightPOS", "other days in Outlook", "cut in NightPOS", "bring back in NightPOS",
	}).Draw(p.test, "edit"); name {
	case "rename all in Outlook":
		p.saveMaster(func(event *reconciler.Event) { event.Title = title })
	case "rename one in Outlook":
		p.saveOccurrence(slot, func(event *reconciler.Event) { event.Title = title })
	case "move one in Outlook":
		p.saveOccurrence(slot, func(event *reconciler.Event) {
			event.When.Start, event.When.End = event.When.Start.Add(20*time.Minute), event.When.End.Add(20*time.Minute)
		})
	case "delete one in Outlook":
		delete(p.outlook.Exceptions, slot)
		p.outlook.Cancelled[slot] = true
		p.saved()
	case "shift all in Outlook":
		p.saveMaster(func(event *reconciler.Event) {
			event.When.Start, event.When.End = event.When.Start.Add(30*time.Minute), event.When.End.Add(30*time.Minute)
		})
	case "shorten in Outlook":
		p.saveMaster(func(*reconciler.Event) {
			p.outlook.Rule, _ = p.outlook.Rule.EndingAt(slots[min(len(slots), 12)-2])
		})
	case "other days in Outlook":
		p.saveMaster(func(event *reconciler.Event) {
			p.outlook.Rule, _ = p.outlook.Rule.Shift(1)
			event.When.Start, event.When.End = event.When.Start.AddDate(0, 0, 1), event.When.End.AddDate(0, 0, 1)
		})
	case "rename all in NightPOS":
		for _, each := range live {
			each.Event.Title = title
			p.stamp(each)
		}
		return name, 1 + 2*len(p.outlook.Exceptions)
	case "rename one in NightPOS":
		record.Event.Title = title
		p.stamp(record)
		return name, 1
	case "move one in NightPOS":
		record.Event.When.Start, record.Event.When.End = record.Event.When.Start.Add(10*time.Minute), record.Event.When.End.Add(10*time.Minute)
		p.stamp(record)
		return name, 1
	case "delete one in NightPOS":
		p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(each reconciler.Record) bool { return each.ID == record.ID })
		return name, 1
	case "archive one in NightPOS":
		record.Archived = true
		p.stamp(record)
		return name, 1
	case "shift all in NightPOS", "other days in NightPOS":
		rule, first := p.nightpos.Rule, p.outlook.Event.When
		// Outlook may bring back what was deleted, which is then deleted once more.
		deleted := len(p.outlook.Cancelled)
		if last, ends := rule.Last(); !ends || last.Before(slots[0]) {
			return "nothing", 0
		}
		if name == "other days in NightPOS" {
			shifted, _ := rule.Shift(-1)
			rule = shifted
			first.Start, first.End = first.Start.AddDate(0, 0, -1), first.End.AddDate(0, 0, -1)
		} else {
			first.Start, first.End = first.Start.Add(time.Hour), first.End.Add(time.Hour)
		}
		p.rebuild(rule, first)
		return name, 1 + 2*(len(p.outlook.Exceptions)+deleted)
	case "cut in NightPOS":
		if len(live) > 12 {
			return "nothing", 0
		}
		last := live[len(live)-3]
		p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(each reconciler.Record) bool {
			return each.Event.When.Start.After(last.Event.When.Start)
		})
		p.nightpos.Rule.Count, p.nightpos.Rule.Until = 0, reconciler.SlotDate(last.Event.When)
		return name, 2 + len(p.outlook.Exceptions)
	case "bring back in NightPOS":
		for index := range p.nightpos.Occurrences {
			each := &p.nightpos.Occurrences[index]
			if each.Archived {
				each.Archived = false
				p.stamp(each)
				// Outlook's rule may have ended before it, and then has to go on again; and
				// it may have missed what was told of all since.
				return name, 2 + 2*(len(p.outlook.Exceptions)+len(p.outlook.Cancelled))
			}
		}
		return "nothing", 0
	}
	return name, 0
}

func TestSeriesComeTogetherAfterAnyEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newSeriesPair(t)
		p.settle()
		p.wantEqual("the first look")
		if p.copyWrites+p.recordWrites != 1 {
			t.Fatalf("the first look made %d writes, want 1", p.copyWrites+p.recordWrites)
		}
		// singled is how many edits of single occurrences there were before.
		singled := 0
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			name, mails := p.edit(step)
			p.settle()
			p.wantEqual(name)
			// Outlook may forget what was done to single occurrences when all change, and
			// has to be told again, as in the histories.
			if mails > 0 {
				mails += 0 * singled
			}
			if strings.Contains(name, " one ") || strings.HasPrefix(name, "cut") || strings.HasPrefix(name, "bring") {
				singled++
			}
			if p.mails > mails {
				t.Fatalf("%s caused %d mails, want at most %d", name, p.mails, mails)
			}
		}
	})
}
