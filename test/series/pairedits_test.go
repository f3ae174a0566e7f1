package series_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// edits are what people do to a series, by name.
var edits = []string{
	"rename all in Outlook", "rename one in Outlook", "move one in Outlook", "delete one in Outlook", "shift all in Outlook", "shorten in Outlook",
	"lengthen in Outlook", "other days in Outlook", "answer all in Outlook", "answer one in Outlook", "make single in Outlook", "split in Outlook",
	"tag all in Outlook", "tag one in Outlook", "tag all in NightPOS", "tag one in NightPOS",
	"invite to all in Outlook", "invite to one in Outlook", "invite to all in NightPOS", "invite to one in NightPOS",
	"rename all in NightPOS", "rename one in NightPOS", "move one in NightPOS", "delete one in NightPOS", "archive one in NightPOS", "shift all in NightPOS",
	"other days in NightPOS", "lengthen in NightPOS", "cut in NightPOS", "bring back in NightPOS", "make single in NightPOS", "split in NightPOS",
}

// edit makes one random edit, as a person would, and says which, with how many mails
// it may cost: the master's write tells again of each exception, which may need a
// write of its own besides, and so may what Outlook forgets by it. What was split off
// is a series of its own.
func (p *seriesPair) edit(step int) (name string, mails int, split *seriesPair) {
	title := "title " + strconv.Itoa(step)
	if p.single() {
		return p.editSingle(title)
	}
	slots, live := p.slots(), p.live()
	if len(slots) < 3 || len(live) < 3 {
		return "nothing", 0, nil
	}
	if name = rapid.SampledFrom(p.edits).Draw(p.test, "edit"); strings.HasSuffix(name, "Outlook") {
		return p.editInOutlook(name, title, slots)
	}
	return p.editInNightPOS(name, title, slots, live)
}

func (p *seriesPair) editInOutlook(name, title string, slots []reconciler.Date) (string, int, *seriesPair) {
	slot := slots[rapid.IntRange(0, min(len(slots), 12)-1).Draw(p.test, "slot")]
	switch name {
	case "rename all in Outlook":
		p.saveMaster(func(event *reconciler.Event) { event.Title = title })
	case "rename one in Outlook":
		p.saveOccurrence(slot, func(event *reconciler.Event) { event.Title = title })
	case "tag all in Outlook":
		p.saveMaster(tagged)
	case "tag one in Outlook":
		p.saveOccurrence(slot, tagged)
	case "invite to all in Outlook":
		p.saveMaster(joined)
	case "invite to one in Outlook":
		p.saveOccurrence(slot, joined)
	case "move one in Outlook":
		p.saveOccurrence(slot, func(event *reconciler.Event) { event.When = delayed(event.When, 20*time.Minute) })
	case "delete one in Outlook":
		p.cancel(slot)
		p.saved()
	case "shift all in Outlook":
		p.saveMaster(func(event *reconciler.Event) { event.When = delayed(event.When, 30*time.Minute) })
	case "shorten in Outlook":
		p.saveMaster(func(*reconciler.Event) {
			p.outlook.Rule, _ = p.outlook.Rule.EndingAt(slots[min(len(slots), 12)-2])
		})
	case "lengthen in Outlook":
		p.saveMaster(func(*reconciler.Event) { p.outlook.Rule = longer(p.outlook.Rule) })
	case "other days in Outlook":
		p.saveMaster(func(event *reconciler.Event) {
			p.outlook.Rule, _ = p.outlook.Rule.Shift(1)
			event.When.Start, event.When.End = event.When.Start.AddDate(0, 0, 1), event.When.End.AddDate(0, 0, 1)
		})
	case "answer all in Outlook":
		reply := p.reply()
		p.saveMaster(func(event *reconciler.Event) { event.People = answered(event.People, reply) })
	case "answer one in Outlook":
		reply := p.reply()
		p.saveOccurrence(slot, func(event *reconciler.Event) { event.People = answered(event.People, reply) })
	case "make single in Outlook":
		p.saveMaster(func(*reconciler.Event) { p.outlook.Rule = reconciler.Rule{} })
	case "split in Outlook":
		return name, 0, p.splitInOutlook(slots, slot, title)
	}
	return name, 0, nil
}

func (p *seriesPair) editInNightPOS(name, title string, slots []reconciler.Date, live []*reconciler.Record) (string, int, *seriesPair) {
	at := rapid.IntRange(0, min(len(live), 12)-1).Draw(p.test, "record")
	record := live[at]
	forgotten := 1 + 2*len(p.own) + len(p.outlook.Exceptions) + len(p.outlook.Cancelled)
	all := forgotten
	if p.forgetting == simoutlook.ExceptionsKeep {
		all = 1 + 2*len(p.own)
	}
	switch name {
	case "rename all in NightPOS":
		for _, each := range live {
			each.Event.Title = title
			p.stamp(each)
		}
		return name, 1 + 2*len(p.own), nil
	case "rename one in NightPOS":
		record.Event.Title = title
		p.stamp(record)
		return name, 1, nil
	case "tag all in NightPOS", "invite to all in NightPOS":
		like := record.Event
		if name == "tag all in NightPOS" {
			tagged(&like)
		} else {
			joined(&like)
		}
		for _, each := range live {
			each.Event.Categories = like.Categories
			if len(each.Event.People) != len(like.People) {
				joined(&each.Event)
			}
			p.stamp(each)
		}
		return name, 1 + 2*len(p.own), nil
	case "tag one in NightPOS", "invite to one in NightPOS":
		if name == "tag one in NightPOS" {
			tagged(&record.Event)
		} else {
			joined(&record.Event)
		}
		p.stamp(record)
		// Where it was the last that was no exception, that is what the series shows.
		return name, 1 + 2*len(p.own), nil
	case "move one in NightPOS":
		record.Event.When = delayed(record.Event.When, 10*time.Minute)
		p.stamp(record)
		return name, 1, nil
	case "delete one in NightPOS":
		p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(each reconciler.Record) bool { return each.ID == record.ID })
		return name, 1, nil
	case "archive one in NightPOS":
		record.Archived = true
		p.stamp(record)
		return name, 1, nil
	case "shift all in NightPOS", "other days in NightPOS", "lengthen in NightPOS":
		rule, by := p.nightpos.Rule, time.Duration(0)
		if last, ends := rule.Last(); !ends || last.Before(slots[0]) {
			return "nothing", 0, nil
		}
		switch name {
		case "shift all in NightPOS":
			by = time.Hour
		case "lengthen in NightPOS":
			rule = longer(rule)
		default:
			rule, _ = rule.Shift(-1)
			by, all = -24*time.Hour, forgotten // no slot is one of before
		}
		// NightPOS begins anew with its base, and loses what comes before that.
		lost := map[int64]bool{}
		for _, each := range live {
			lost[each.Event.When.Start.Add(by).Unix()] = true
		}
		p.rebuild(rule, func(when reconciler.When) reconciler.When { return delayed(when, by) })
		for _, each := range p.live() {
			delete(lost, each.Event.When.Start.Unix())
		}
		all += len(lost)
		return name, all, nil
	case "cut in NightPOS":
		if len(live) > 12 {
			return "nothing", 0, nil
		}
		last := live[len(live)-3].Event.When // live points into what shrinks
		p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(each reconciler.Record) bool {
			return each.Event.When.Start.After(last.Start)
		})
		p.nightpos.Rule.Count, p.nightpos.Rule.Until = 0, reconciler.SlotDate(last)
		return name, 1 + all, nil
	case "bring back in NightPOS":
		for index := range p.nightpos.Occurrences {
			each := &p.nightpos.Occurrences[index]
			if each.Archived {
				each.Archived = false
				p.stamp(each)
				// Outlook's rule may have ended before it, and then has to go on again; and
				// it may have missed what was told of all since.
				return name, 1 + all, nil
			}
		}
		return "nothing", 0, nil
	case "make single in NightPOS":
		kept := *record
		kept.RecurrenceID, kept.Recurring = 0, false
		p.stamp(&kept)
		p.nightpos = &reconciler.SeriesRecord{BaseID: kept.ID, Occurrences: []reconciler.Record{kept}}
		return name, 1, nil
	}
	if at == 0 || len(live) > 12 {
		return "nothing", 0, nil
	}
	return name, 2 + all, p.splitInNightPOS(record, title)
}

// editSingle makes what was a series one again, on either side.
func (p *seriesPair) editSingle(title string) (name string, mails int, split *seriesPair) {
	rule := reconciler.Rule{
		Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{p.outlook.Event.When.Start.Weekday()},
		Start: reconciler.SlotDate(p.outlook.Event.When), Count: rapid.IntRange(4, 6).Draw(p.test, "count"),
	}
	if rapid.Bool().Draw(p.test, "repeat in Outlook") {
		p.saveMaster(func(event *reconciler.Event) { p.outlook.Rule, event.Title = rule, title })
		return "repeat in Outlook", 0, nil
	}
	p.nightpos.Occurrences[0].Event.Title = title
	p.rebuild(rule, unmoved)
	return "repeat in NightPOS", 1, nil
}

// splitInOutlook ends the series before a slot; another one begins there, without
// exceptions or replies. It is nil if nothing is left of either.
func (p *seriesPair) splitInOutlook(slots []reconciler.Date, slot reconciler.Date, title string) *seriesPair {
	index := slices.Index(slots, slot)
	rest, there := p.outlook.Rule.StartingAt(slot)
	if index == 0 || !there {
		return nil
	}
	split := p.another()
	event := p.outlook.Event
	event.Title, event.When, event.People = title, p.at(slot), answered(event.People, reconciler.AnswerNone)
	split.outlook = &reconciler.SeriesCopy{
		Copy: reconciler.Copy{ID: "master of " + title, IsOrganizer: true, Event: event}, Rule: rest,
		Exceptions: map[reconciler.Date]reconciler.Copy{}, Cancelled: map[reconciler.Date]bool{},
	}
	split.saved()
	p.saveMaster(func(*reconciler.Event) { p.outlook.Rule, _ = p.outlook.Rule.EndingAt(slots[index-1]) })
	return split
}

// splitInNightPOS gives a record and those that follow a title of their own: the record
// keeps its id in a recurrence that begins with it, the others are made anew.
func (p *seriesPair) splitInNightPOS(record *reconciler.Record, title string) *seriesPair {
	kept, date := *record, reconciler.SlotDate(record.Event.When)
	p.nightpos.Occurrences = slices.DeleteFunc(p.nightpos.Occurrences, func(each reconciler.Record) bool {
		return !each.Event.When.Start.Before(kept.Event.When.Start)
	})
	rest, there := p.nightpos.Rule.StartingAt(date)
	if !there {
		rest = p.nightpos.Rule
		rest.Start, rest.Count, rest.Until = date, 1, reconciler.Date{}
	}
	p.nightpos.Rule.Count, p.nightpos.Rule.Until = 0, date.Add(-1)
	split := p.another()
	kept.Event.Title = title
	split.nightpos = &reconciler.SeriesRecord{ID: split.id(), Occurrences: []reconciler.Record{kept}, BaseID: kept.ID}
	split.rebuild(rest, unmoved)
	return split
}

// another is another series in the same two calendars.
func (p *seriesPair) another() *seriesPair {
	return &seriesPair{
		test: p.test, apart: map[int64]bool{}, own: map[reconciler.Date]bool{}, now: p.now, version: p.version, serial: p.serial + 1000,
		forgetting: p.forgetting, edits: p.edits,
	}
}

// reply draws what carol replies.
func (p *seriesPair) reply() reconciler.Answer {
	return rapid.SampledFrom([]reconciler.Answer{reconciler.AnswerAccepted, reconciler.AnswerTentative, reconciler.AnswerDeclined}).Draw(p.test, "reply")
}

func delayed(when reconciler.When, by time.Duration) reconciler.When {
	when.Start, when.End = when.Start.Add(by), when.End.Add(by)
	return when
}

func unmoved(when reconciler.When) reconciler.When { return when }

// longer is a rule with two more occurrences, or another week.
func longer(rule reconciler.Rule) reconciler.Rule {
	switch {
	case rule.Count > 0:
		rule.Count += 2
	case !rule.Until.IsZero():
		rule.Until = rule.Until.Add(7)
	}
	return rule
}
