package series_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

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
	if fields.Has(reconciler.FieldCategories) {
		to.Categories = slices.Clone(from.Categories)
	}
	if fields.Has(reconciler.FieldWhen) {
		to.When = from.When
	}
	if fields.Has(reconciler.FieldPeople) {
		to.People = slices.Clone(from.People)
	}
	if fields.Has(reconciler.FieldAnswers) {
		to.People = answered(to.People, replyIn(from))
	}
}

// answered are people with another reply of carol's.
func answered(people []reconciler.Person, reply reconciler.Answer) []reconciler.Person {
	people = slices.Clone(people)
	for index := range people {
		if people[index].Address == world.Carol {
			people[index].Answer = reply
		}
	}
	return people
}

// replyIn is what carol replied, as an event shows it.
func replyIn(event reconciler.Event) reconciler.Answer {
	for _, person := range event.People {
		if person.Address == world.Carol {
			return person.Answer
		}
	}
	return reconciler.AnswerNone
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
	// forgetting is what Outlook does to exceptions when their master changes, and own
	// are those that were changed by more than a reply, of which it tells again.
	forgetting simoutlook.ExceptionRule
	own        map[reconciler.Date]bool
	// edits are those that people make here.
	edits []string
	// copyWrites and recordWrites are those to either side since the last edit, mails
	// what Outlook sent for them, and foretold what the plans said of that.
	copyWrites, recordWrites, mails, foretold int
	refused                                   []string
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

// single says that Outlook shows one event, not a series.
func (p *seriesPair) single() bool { return p.outlook != nil && !p.outlook.Rule.Repeats() }

// slots are those of the series in Outlook that were not deleted.
func (p *seriesPair) slots() []reconciler.Date {
	if p.single() {
		return []reconciler.Date{reconciler.SlotDate(p.outlook.Event.When)}
	}
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
// differently, unless Outlook forgets them. A change of the rule's end alone drops
// what is behind it.
func (p *seriesPair) saveMaster(change func(*reconciler.Event)) {
	before, rule := p.outlook.Event, p.outlook.Rule
	change(&p.outlook.Event)
	former, latter := rule, p.outlook.Rule
	former.Count, former.Until, latter.Count, latter.Until = 0, reconciler.Date{}, 0, reconciler.Date{}
	moved := !before.When.Start.Equal(p.outlook.Event.When.Start) || !before.When.End.Equal(p.outlook.Event.When.End) || !former.Equal(latter)
	if p.single() || moved && p.forgetting == simoutlook.ExceptionsDropOnMove ||
		p.forgetting == simoutlook.ExceptionsDropAlways && (moved || !rule.Equal(p.outlook.Rule)) {
		clear(p.outlook.Exceptions)
		clear(p.outlook.Cancelled)
	}
	for slot, exception := range p.outlook.Exceptions {
		old := before
		old.When = reconciler.SlotTime(slot, before.When)
		if exception.Event.Title == old.Title {
			exception.Event.Title = p.outlook.Event.Title
		}
		if slices.Equal(exception.Event.Categories, old.Categories) {
			exception.Event.Categories = p.outlook.Event.Categories
		}
		if exception.Event.When.Start.Equal(old.When.Start) {
			exception.Event.When = p.at(slot)
		}
		if len(exception.Event.People) == len(before.People) {
			reply := replyIn(exception.Event)
			if reply == replyIn(before) {
				reply = replyIn(p.outlook.Event)
			}
			exception.Event.People = answered(p.outlook.Event.People, reply)
		}
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
	maps.DeleteFunc(p.own, func(slot reconciler.Date, _ bool) bool {
		_, there := p.outlook.Exceptions[slot]
		return !there
	})
}

func (p *seriesPair) saveOccurrence(slot reconciler.Date, change func(*reconciler.Event)) {
	exception := p.exception(slot)
	before := exception.Event
	change(&exception.Event)
	p.outlook.Exceptions[slot] = exception
	if !alike(before, exception.Event) || !before.When.Start.Equal(exception.Event.When.Start) {
		p.own[slot] = true
	}
	p.saved()
}

// unseen is how many exceptions show what all others do, but for a reply: that they
// were different once, and are told of again, nobody can see.
func (p *seriesPair) unseen() int {
	count := 0
	if p.outlook == nil {
		return 0
	}
	for slot := range p.own {
		exception := p.outlook.Exceptions[slot].Event
		if alike(exception, p.outlook.Event) && exception.When.Start.Equal(p.at(slot).Start) {
			count++
		}
	}
	return count
}

// cancel deletes an occurrence in Outlook.
func (p *seriesPair) cancel(slot reconciler.Date) {
	delete(p.outlook.Exceptions, slot)
	delete(p.own, slot)
	p.outlook.Cancelled[slot] = true
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
		p.outlook.Event.People = answered(write.Event.People, reconciler.AnswerNone)
		p.mails++
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
		p.mails += 1 + len(p.own)
	case reconciler.ActionDelete:
		p.mails++
		p.outlook = nil
		return &reconciler.SeriesCopyResult{}
	}
	for _, change := range write.Occurrences {
		if p.outlook.Cancelled[change.Slot] || !p.outlook.Rule.Includes(change.Slot) {
			p.test.Fatalf("a write to occurrence %s, which is not there", change.Slot)
		}
		p.mails++
		if change.Action == reconciler.ActionDelete {
			p.cancel(change.Slot)
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
	switch {
	case write.Rule != nil && !write.Rule.Repeats():
		p.nightpos.ID, p.nightpos.Rule, p.nightpos.Zone = 0, reconciler.Rule{}, ""
	case write.ID == 0 && write.Rule != nil:
		made := &reconciler.SeriesRecord{ID: p.id(), ExternalKey: write.Key, BaseID: write.BaseID}
		for _, id := range write.Join {
			made.Occurrences = append(made.Occurrences, *p.record(id))
		}
		p.nightpos = made
	}
	if write.Rule != nil && write.Rule.Repeats() {
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
	if p.nightpos.BaseID == 0 {
		p.nightpos.BaseID = p.nightpos.Occurrences[0].ID
	}
	for index := range p.nightpos.Occurrences {
		record := &p.nightpos.Occurrences[index]
		record.RecurrenceID, record.Recurring = p.nightpos.ID, p.nightpos.ID != 0
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

// rebuild is what NightPOS does when all occurrences are moved or the rule changes: the
// base is moved and stays, the rule begins with it, and all others are made anew after
// it, so that what was special about them is lost.
func (p *seriesPair) rebuild(rule reconciler.Rule, move func(reconciler.When) reconciler.When) {
	base := slices.IndexFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return record.ID == p.nightpos.BaseID && !record.Archived })
	if base < 0 {
		base = slices.IndexFunc(p.nightpos.Occurrences, func(record reconciler.Record) bool { return !record.Archived })
	}
	kept := p.nightpos.Occurrences[base]
	first := move(kept.Event.When)
	first.Zone = seriesZone
	rule.Start = reconciler.SlotDate(first)
	p.nightpos = &reconciler.SeriesRecord{ID: p.id(), Rule: rule, Zone: seriesZone, BaseID: kept.ID}
	for index, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, 720) {
		event := kept.Event
		event.When = reconciler.SlotTime(slot, first)
		if index > 0 {
			event.People = answered(event.People, reconciler.AnswerNone)
			p.add(event)
			continue
		}
		event.When.Zone = ""
		kept.Event, kept.RecurrenceID, kept.Recurring = event, p.nightpos.ID, true
		p.stamp(&kept)
		p.nightpos.Occurrences = append(p.nightpos.Occurrences, kept)
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
	p.copyWrites, p.recordWrites, p.mails, p.foretold, p.refused = 0, 0, 0, 0, nil
	for range 6 {
		if p.single() && p.nightpos != nil && p.nightpos.ID == 0 && p.link != nil && p.link.Series == nil {
			return // single events are looked at as such
		}
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
			p.foretold += plan.Mails
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
			p.mails++
			p.foretold++
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
		return fmt.Sprintf("%s %q %q for %d", event.When.Start.UTC().Format(time.DateTime), event.Title, event.Categories, len(event.People))
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
	p.wantReplies(after)
	p.wantAgreement(after)
}

// wantAgreement says that what the sides are said to have agreed on is the same on
// both, which is what the next change is told by. A reply that only NightPOS shows
// is one that Outlook forgot; replies are given occurrence by occurrence.
func (p *seriesPair) wantAgreement(after string) {
	p.test.Helper()
	if p.link == nil || p.link.Series == nil || len(p.refused) > 0 {
		return
	}
	want := func(what, key, outlook, nightpos string) {
		if outlook != nightpos {
			p.test.Fatalf("after %s the sides are said to agree on %s, but for %s: %s in Outlook, %s in NightPOS", after, what, key, outlook, nightpos)
		}
	}
	title := string(reconciler.FieldTitle)
	want("the series", title, p.link.Outlook[title], p.link.NightPOS[title])
	want("the series", tagKey, p.link.Outlook[tagKey], p.link.NightPOS[tagKey])
	want("the series", guestKey, known(p.link.Outlook, guestKey), known(p.link.NightPOS, guestKey))
	for slot, exception := range p.link.Series.Exceptions {
		if exception.Lone != "" || exception.Cancelled {
			continue
		}
		want(slot.String(), title, exception.Outlook[title], exception.NightPOS[title])
		want(slot.String(), tagKey, exception.Outlook[tagKey], exception.NightPOS[tagKey])
		want(slot.String(), guestKey, known(exception.Outlook, guestKey), known(exception.NightPOS, guestKey))
		for key, reply := range exception.Outlook {
			if strings.HasPrefix(key, string(reconciler.FieldAnswers)+"/") && reply != noReply {
				want(slot.String(), key, reply, exception.NightPOS[key])
			}
		}
	}
}

// tag is the one category that is given and taken, dan the one guest that is invited
// besides carol, and tagKey and guestKey are where a base keeps them.
const (
	tag = "Red category"
	dan = "dan@customer.example"
)

var (
	tagKey   = entryKey(reconciler.Event{Categories: []string{tag}}, reconciler.FieldCategories)
	guestKey = entryKey(reconciler.Event{People: []reconciler.Person{{Address: dan}}}, reconciler.FieldPeople)
)

func entryKey(event reconciler.Event, field reconciler.Field) string {
	for key := range reconciler.NewBase(event) {
		if strings.HasPrefix(key, string(field)+"/") {
			return key
		}
	}
	return ""
}

// known says whether a base knows of an entry, however it calls it.
func known(base reconciler.Base, key string) string {
	_, there := base[key]
	return strconv.FormatBool(there)
}

// tagged gives an event the tag, or takes it.
func tagged(event *reconciler.Event) {
	if len(event.Categories) > 0 {
		event.Categories = nil
		return
	}
	event.Categories = []string{tag}
}

// joined invites dan, or no longer.
func joined(event *reconciler.Event) {
	if len(event.People) > 1 {
		event.People = slices.Clone(event.People[:1])
		return
	}
	event.People = append(slices.Clone(event.People), reconciler.Person{Address: dan})
}

// alike says that two events show the same, but for the time and replies.
func alike(a, b reconciler.Event) bool {
	return a.Title == b.Title && slices.Equal(a.Categories, b.Categories) && len(a.People) == len(b.People)
}

// noReply is what a base keeps of somebody who has not replied.
var noReply = func() string {
	for key, value := range reconciler.NewBase(reconciler.Event{People: []reconciler.Person{{Address: world.Carol}}}) {
		if strings.HasPrefix(key, string(reconciler.FieldAnswers)) {
			return value
		}
	}
	return ""
}()

// wantReplies says that NightPOS shows what carol replied. What Outlook forgets stays.
func (p *seriesPair) wantReplies(after string) {
	p.test.Helper()
	if p.outlook == nil || p.nightpos == nil || p.single() {
		return
	}
	at := map[int64][]reconciler.Answer{}
	for _, record := range p.live() {
		start := record.Event.When.Start.Unix()
		at[start] = append(at[start], replyIn(record.Event))
	}
	for _, slot := range p.slots() {
		event := p.exception(slot).Event
		reply, there := replyIn(event), at[event.When.Start.Unix()]
		if reply != reconciler.AnswerNone && len(there) == 1 && there[0] != reply {
			p.test.Fatalf("after %s carol's reply for %s is %q in Outlook and %q in NightPOS", after, slot, reply, there[0])
		}
	}
}

func newSeriesPair(t *rapid.T) *seriesPair {
	p := &seriesPair{test: t, apart: map[int64]bool{}, own: map[reconciler.Date]bool{}, now: time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC), serial: 100}
	start := time.Date(2027, 1, 11, 8, 0, 0, 0, time.UTC)
	event := reconciler.Event{
		Title: "weekly", When: reconciler.When{Start: start, End: start.Add(time.Hour), Zone: seriesZone}, Privacy: reconciler.PrivacyPublic,
		ShowAs: reconciler.ShowAsBusy, Organizer: reconciler.Person{Address: alice.Address}, People: []reconciler.Person{{Address: world.Carol}},
	}
	p.forgetting = rapid.SampledFrom(forgetting).Draw(t, "forgetting")
	p.edits = edits
	if rapid.Bool().Draw(t, "few edits") {
		// What only many edits of the same kinds lead to is found sooner.
		p.edits = rapid.SliceOfN(rapid.SampledFrom(edits), 2, 5).Draw(t, "edits")
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
		if rapid.IntRange(0, 499).Draw(t, "endless") == 499 {
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
