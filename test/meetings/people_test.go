package meetings_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

var (
	seeds = flag.Int("seeds", usualSeeds, "how many histories TestFivePeople lives through")
	seed  = flag.Uint64("seed", 1, "the seed of the first history")
)

// pinned are seeds of histories that went wrong once. In 165, one occurrence was
// deleted, all were answered, and then all were shifted in Outlook, which brings the
// deleted one back.
var pinned = []uint64{165}

// five are the people of these histories, all connected.
var five = []string{"alice", "bob", "dave", "erin", "frank"}

// TestFivePeople lets five people do as they like with single meetings and series,
// on both sides. After each quiet moment all calendars agree, nothing is lost or
// doubled, and nobody was mailed twice for one edit. Now and then somebody is paused
// meanwhile, or disconnects and connects again.
func TestFivePeople(t *testing.T) {
	numbers := slices.Clone(pinned)
	for index := range *seeds {
		numbers = append(numbers, *seed+uint64(index))
	}
	slices.Sort(numbers)
	for _, number := range slices.Compact(numbers) {
		t.Run(fmt.Sprintf("seed=%d", number), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { live(t, number) })
		})
	}
}

func live(t *testing.T, number uint64) {
	w := world.New(t, world.Options{Version: 17 + int(number%3), Seed: number, Colleagues: colleagues, Connect: five})
	defer w.Close()
	h := &history{
		scene: &scene{World: w, T: t}, random: rand.New(rand.NewPCG(number, 5)), comings: comings{rand.New(rand.NewPCG(number, 7))},
		meetings: map[string]*meeting{}, refused: map[string]bool{},
	}
	defer func() {
		if t.Failed() {
			t.Logf("what happened:\n%s\n%s", strings.Join(h.told, "\n"), h.Log())
		}
	}()
	h.Quiet()
	for range 8 {
		h.episode()
		if t.Failed() {
			return
		}
	}
	inOutlook, inNightPOS := h.Writes(), h.transactions()
	h.Sweep()
	if h.Writes() != inOutlook || h.transactions() != inNightPOS {
		t.Errorf("a sweep made %d more writes into Outlook and %d into NightPOS", h.Writes()-inOutlook, h.transactions()-inNightPOS)
	}
	h.wantNoMailOfTheGateway()
}

// meeting is what people know of one that is there.
type meeting struct {
	organizer string
	series    bool
	allDay    bool
	// alone is how many edits and deletions of single occurrences there were: when all
	// are changed, Outlook mails about each exception besides, and about those that
	// NightPOS has changed with the rest once more; and when all are moved, it forgets
	// deletions and has to be told again.
	alone int
}

type history struct {
	*scene
	random   *rand.Rand
	comings  comings
	meetings map[string]*meeting
	born     int
	// refused are invitations that their people have declined or deleted, by tag and
	// login.
	refused map[string]bool
	told    []string
}

func (h *history) tell(format string, arguments ...any) {
	h.told = append(h.told, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, arguments...))
}

func (h *history) one(of []string) string { return of[h.random.IntN(len(of))] }

// episode is one edit, or a few of different meetings at once, and what must hold
// after them.
func (h *history) episode() {
	back := h.away()
	before := len(h.Outlook.Mails())
	edits := 1
	if h.random.IntN(3) == 0 {
		edits += h.random.IntN(3)
	}
	allowed, used := map[string]int{}, map[string]bool{}
	for range edits {
		tag, mails := h.edit(used)
		used[tag] = true
		allowed[tag] += mails
	}
	back()
	h.Quiet()
	h.checkMails(before, allowed)
	h.checkCalendars()
}

// edit lets somebody do one thing, to a meeting that nobody else is changing, and
// says how many mails each of its people may get for it from the gateway.
func (h *history) edit(used map[string]bool) (tag string, mails int) {
	var tags []string
	for _, known := range slices.Sorted(maps.Keys(h.meetings)) {
		if !used[known] {
			tags = append(tags, known)
		}
	}
	if len(tags) == 0 || len(h.meetings) < 6 && h.random.IntN(4) == 0 {
		return h.create()
	}
	tag = h.one(tags)
	inOutlook := h.random.IntN(2) == 0
	switch h.random.IntN(6) {
	case 0:
		return tag, h.answer(tag, inOutlook)
	case 1:
		return tag, h.invite(tag, inOutlook)
	case 2:
		return tag, h.remove(tag, inOutlook)
	}
	return tag, h.change(tag, inOutlook)
}

// guests are some of the people, carol too, but the organizer.
func (h *history) guests(organizer string) []string {
	var list []string
	for _, login := range five {
		if login != organizer && h.random.IntN(2) == 0 {
			list = append(list, world.Address(login))
		}
	}
	if h.random.IntN(2) == 0 {
		list = append(list, carol)
	}
	return list
}

func (h *history) create() (tag string, mails int) {
	h.born++
	tag = fmt.Sprintf("p%02d", h.born)
	made := &meeting{organizer: h.one(five), series: h.random.IntN(3) == 0, allDay: h.random.IntN(5) == 0}
	h.meetings[tag] = made
	start, length := at(5+10*h.born), time.Hour
	if made.allDay {
		start, length = start.Truncate(24*time.Hour), 24*time.Hour
	}
	guests := h.guests(made.organizer)
	inOutlook := h.random.IntN(2) == 0
	h.tell("%s makes %s (series %v, all day %v) with %v, in Outlook: %v", made.organizer, tag, made.series, made.allDay, guests, inOutlook)
	if inOutlook {
		content := inOutlookAt(start, length)
		content["subject"], content["isAllDay"], content["attendees"] = tag+" meeting", made.allDay, attendees(guests...)
		if made.series {
			content["recurrence"] = map[string]any{
				"pattern": map[string]any{"type": "daily", "interval": 2},
				"range":   map[string]any{"type": "numbered", "startDate": start.Format(time.DateOnly), "numberOfOccurrences": 4, "recurrenceTimeZone": "UTC"},
			}
		}
		_, err := h.Outlook.Mailbox(world.Address(made.organizer)).Create(h.Context(), content)
		h.must(err)
		return tag, 0
	}
	values := inNightPOSAt(start, length)
	values["name"], values["partner_ids"] = tag+" meeting", h.partners(append([]string{world.Address(made.organizer)}, guests...)...)
	if made.series {
		maps.Copy(values, map[string]any{"recurrency": true, "rrule_type": "daily", "interval": 2, "end_type": "count", "count": 4, "event_tz": "UTC"})
	}
	_, err := h.NightPOS.Member(made.organizer).Create(h.Context(), values)
	h.must(err)
	return tag, 1
}

// change renames or moves a meeting, or one or all of a series.
func (h *history) change(tag string, inOutlook bool) int {
	known := h.meetings[tag]
	shown := h.inNightPOS(tag)
	index, all := 0, true
	if known.series {
		if all = h.random.IntN(2) == 0; !all {
			index = h.random.IntN(len(shown))
			known.alone++
		}
	}
	title := fmt.Sprintf("%s title %d", tag, h.random.IntN(1000))
	begin, err := time.Parse("2006-01-02T15:04", shown[index].Start)
	h.must(err)
	length, by := time.Hour, time.Duration(1+h.random.IntN(3))*15*time.Minute
	if known.allDay {
		length, by = 24*time.Hour, 24*time.Hour
	}
	// In a series of whole days, one cannot be moved without meeting its neighbour.
	rename := h.random.IntN(2) == 0 || known.allDay && known.series || begin.Hour() > 20
	h.tell("%s: rename %v %q or move to %v, all %v or %d, in Outlook: %v", tag, rename, title, begin.Add(by), all, index, inOutlook)
	if inOutlook {
		address := world.Address(known.organizer)
		id := h.copyOf(address, tag)
		if !all {
			id = h.occurrenceOf(address, tag, index)
		}
		patch := map[string]any{"subject": title}
		if !rename {
			patch = inOutlookAt(begin.Add(by), length)
		}
		if !rename && all && known.series {
			_, err = h.Outlook.Mailbox(address).Shift(h.Context(), id, 0, by)
		} else {
			_, err = h.Outlook.Mailbox(address).Update(h.Context(), id, patch)
		}
		h.must(err)
		return 0
	}
	values := map[string]any{"name": title}
	if !rename {
		values = inNightPOSAt(begin.Add(by), length)
	}
	if known.series {
		values["recurrence_update"] = map[bool]string{true: "all_events", false: "self_only"}[all]
	}
	h.must(h.NightPOS.Member(known.organizer).Write(h.Context(), []int{h.records(tag, false)[index]}, values))
	if !all {
		return 1
	}
	return 1 + 2*known.alone
}

// invite replaces the people of a meeting.
func (h *history) invite(tag string, inOutlook bool) int {
	known := h.meetings[tag]
	guests := h.guests(known.organizer)
	h.tell("%s: invite %v, in Outlook: %v", tag, guests, inOutlook)
	for _, login := range five {
		delete(h.refused, tag+login)
	}
	if inOutlook {
		address := world.Address(known.organizer)
		_, err := h.Outlook.Mailbox(address).Update(h.Context(), h.copyOf(address, tag), map[string]any{"attendees": attendees(guests...)})
		h.must(err)
		return 0
	}
	values := map[string]any{"partner_ids": h.partners(append([]string{world.Address(known.organizer)}, guests...)...)}
	if known.series {
		values["recurrence_update"] = "all_events"
	}
	h.must(h.NightPOS.Member(known.organizer).Write(h.Context(), []int{h.records(tag, false)[0]}, values))
	return 1 + 2*known.alone
}

// answer has somebody who is invited, and still has the invitation, answer it.
func (h *history) answer(tag string, inOutlook bool) int {
	known := h.meetings[tag]
	shown := h.inNightPOS(tag)
	var invited []string
	for _, login := range five {
		address := world.Address(login)
		if _, there := shown[0].People[address]; there && !h.refused[tag+login] && len(h.inMailbox(address, tag)) == len(shown) {
			invited = append(invited, login)
		}
	}
	if len(invited) == 0 {
		return h.change(tag, inOutlook)
	}
	login := h.one(invited)
	states := []string{"accepted", "tentative", "declined"}
	if known.series {
		// Whoever has declined a series is invited again to each of its meetings that
		// is changed later, to that one alone.
		states = states[:2]
	}
	state := h.one(states)
	h.tell("%s: %s answers %s, in Outlook: %v", tag, login, state, inOutlook)
	h.refused[tag+login] = state == "declined"
	if inOutlook {
		address := world.Address(login)
		action := map[string]string{"accepted": "accept", "tentative": "tentativelyAccept", "declined": "decline"}[state]
		h.must(h.Outlook.Mailbox(address).Respond(h.Context(), h.copyOf(address, tag), action))
		return 0
	}
	member, id := h.NightPOS.Member(login), h.records(tag, false)[0]
	if known.series {
		h.must(member.AnswerSeries(h.Context(), id, state, "all_events"))
	} else {
		h.must(member.Answer(h.Context(), id, state))
	}
	return 1
}

// remove deletes a meeting, or one of a series.
func (h *history) remove(tag string, inOutlook bool) int {
	known := h.meetings[tag]
	shown := h.inNightPOS(tag)
	one := known.series && len(shown) > 2 && h.random.IntN(3) > 0
	index := 0
	if one {
		index = h.random.IntN(len(shown))
		known.alone++
	} else {
		delete(h.meetings, tag)
	}
	h.tell("%s: delete, one %v (%d), in Outlook: %v", tag, one, index, inOutlook)
	if inOutlook {
		address := world.Address(known.organizer)
		id := h.copyOf(address, tag)
		if one {
			id = h.occurrenceOf(address, tag, index)
		}
		h.must(h.Outlook.Mailbox(address).Delete(h.Context(), id))
		return 0
	}
	member, id := h.NightPOS.Member(known.organizer), h.records(tag, false)[index]
	switch archive := h.random.IntN(2) == 0; {
	case known.series && !one && archive:
		h.must(member.MassArchive(h.Context(), id, "all_events"))
	case known.series && !one:
		h.must(member.MassDelete(h.Context(), id, "all_events"))
	case archive:
		h.must(member.Archive(h.Context(), id))
	default:
		h.must(member.Unlink(h.Context(), id))
	}
	return 1
}

// checkMails: nobody was mailed by the gateway more often than the edits allow.
func (h *history) checkMails(before int, allowed map[string]int) {
	h.Helper()
	counts := map[string]int{}
	for _, mail := range h.Outlook.Mails()[before:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			_, subject, found := strings.Cut(mail.Subject, ": ")
			if !found {
				subject = mail.Subject
			}
			counts[tagOf(subject)+" "+mail.To]++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		if tag := tagOf(key); counts[key] > allowed[tag] {
			h.Errorf("%d mails for %d edits in NightPOS: %s", counts[key], allowed[tag], key)
		}
	}
}

// checkCalendars: NightPOS, the organizer's mailbox and those of everybody who is
// invited show the same meetings, and the same answers.
func (h *history) checkCalendars() {
	h.Helper()
	boxes := map[string]map[string]showings{}
	for _, login := range five {
		boxes[login] = map[string]showings{}
		for _, one := range h.inMailbox(world.Address(login), "") {
			tag := tagOf(one.Title)
			boxes[login][tag] = append(boxes[login][tag], one)
		}
	}
	records := map[string]showings{}
	for _, one := range h.inNightPOS("") {
		tag := tagOf(one.Title)
		records[tag] = append(records[tag], one)
	}
	for _, tag := range slices.Sorted(maps.Keys(records)) {
		if h.meetings[tag] == nil {
			h.Errorf("%s was deleted, and NightPOS shows%s", tag, records[tag])
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(h.meetings)) {
		if len(records[tag]) == 0 {
			h.Errorf("NightPOS has lost %s", tag)
		}
	}
	same := func(a, b showing) bool {
		return a.Start == b.Start && a.End == b.End && a.Title == b.Title && a.AllDay == b.AllDay
	}
	for _, login := range five {
		for _, tag := range slices.Sorted(maps.Keys(boxes[login])) {
			if h.meetings[tag] == nil {
				h.Errorf("%s was deleted, and %s's mailbox shows%s", tag, login, boxes[login][tag])
			}
		}
		for _, tag := range slices.Sorted(maps.Keys(h.meetings)) {
			shown := boxes[login][tag]
			if h.meetings[tag].organizer == login {
				if !slices.EqualFunc(records[tag], shown, func(a, b showing) bool {
					return same(a, b) && slices.Equal(slices.Sorted(maps.Keys(a.People)), slices.Sorted(maps.Keys(b.People)))
				}) {
					h.Errorf("%s: NightPOS shows%s\nand %s, who organises it,%s", tag, records[tag], login, shown)
				}
				continue
			}
			h.checkInvited(tag, login, records[tag], shown, same)
		}
	}
}

// checkInvited compares one person's copies. Who has declined may have them or
// not: an update brings the invitation again.
func (h *history) checkInvited(tag, login string, records, shown showings, same func(a, b showing) bool) {
	h.Helper()
	wanted := showings{}
	for _, one := range records {
		if answer, invited := one.People[world.Address(login)]; invited && answer != "declined" {
			wanted = append(wanted, one)
		}
	}
	for _, one := range wanted {
		index := slices.IndexFunc(shown, func(other showing) bool { return same(one, other) })
		if index < 0 {
			h.Errorf("%s: %s's mailbox lacks the one of %s; it shows%s\nNightPOS%s", tag, login, one.Start, shown, records)
		} else if answer := one.People[world.Address(login)]; shown[index].Own != answer {
			h.Errorf("%s: %s's answer is %s in NightPOS and %s in Outlook", tag, login, answer, shown[index].Own)
		}
	}
	for _, one := range shown {
		if !slices.ContainsFunc(records, func(other showing) bool {
			_, invited := other.People[world.Address(login)]
			return invited && same(one, other)
		}) {
			h.Errorf("%s: %s's mailbox shows %s, which NightPOS does not:%s", tag, login, one.Start, records)
		}
	}
	if len(shown) > len(records) {
		h.Errorf("%s: %s's mailbox shows %d, NightPOS %d", tag, login, len(shown), len(records))
	}
}
