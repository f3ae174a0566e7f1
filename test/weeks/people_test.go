package weeks_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// edit is what a person did.
type edit struct {
	tag  string
	from string // outlook or nightpos
	what string
	// by and done say whether a person's error kept it from happening.
	failed error
}

func (e edit) String() string {
	text := fmt.Sprintf("%s: %s in %s", e.tag, e.what, e.from)
	if e.failed != nil {
		text += ", refused: " + e.failed.Error()
	}
	return text
}

var (
	words  = []string{"Quarterly", "figures", "Lunch", "Standup", "Überblick", "Review", "Budget", "Audit", "日程", "Kickoff"}
	rooms  = []string{"Room 1", "Room 2", "Café du Nord", "", "Online"}
	guests = []string{alice, bob, carol}
)

func (w *week) words(count int) string {
	var chosen []string
	for range count {
		chosen = append(chosen, words[w.random.IntN(len(words))])
	}
	return strings.Join(chosen, " ")
}

func (w *week) tag() string {
	w.born++
	return fmt.Sprintf("m%03d", w.born)
}

// span is a time in the next weeks, on the quarter of an hour; over the change
// of the clocks for some.
func (w *week) span() (time.Time, time.Time) {
	start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 2+w.random.IntN(20)).Add(time.Duration(w.random.IntN(24*4)) * 15 * time.Minute)
	return start, start.Add(time.Duration(1+w.random.IntN(8)) * 30 * time.Minute)
}

func (w *week) guests(without string) []string {
	var list []string
	for _, address := range guests {
		if address != without && w.random.IntN(2) == 0 {
			list = append(list, address)
		}
	}
	return list
}

// act lets one person do one thing and says what it was.
func (w *week) act() edit {
	if w.random.IntN(2) == 0 {
		return w.actInOutlook()
	}
	return w.actInNightPOS()
}

func (w *week) actInOutlook() edit {
	address := []string{alice, bob}[w.random.IntN(2)]
	box := w.outlook.Mailbox(address)
	var events []map[string]any
	for _, shown := range box.Events() {
		if cancelled, _ := shown["isCancelled"].(bool); !cancelled {
			events = append(events, shown)
		}
	}
	if len(events) == 0 || w.random.IntN(4) == 0 {
		tag := w.tag()
		content := map[string]any{"subject": tag + " " + w.words(2)}
		w.outlookTime(content)
		if w.random.IntN(2) == 0 {
			content["attendees"] = attendees(w.guests(address))
		}
		for range w.random.IntN(3) {
			w.outlookField(content, tag)
		}
		_, err := box.Create(w.context, content)
		w.expect[tag] = true
		return edit{tag: tag, from: "outlook", what: fmt.Sprintf("create %v", content), failed: err}
	}
	shown := events[w.random.IntN(len(events))]
	id, tag := textIn(shown, "id"), tagOf(textIn(shown, "subject"))
	done := edit{tag: tag, from: "outlook"}
	if organizer, _ := shown["isOrganizer"].(bool); !organizer {
		return w.answerInOutlook(box, id, done)
	}
	switch w.random.IntN(8) {
	case 0:
		done.what = "delete"
		w.remove(tag)
		done.failed = box.Delete(w.context, id)
	case 1:
		list := w.guests(address)
		done.what = fmt.Sprintf("invite %v", list)
		_, done.failed = box.Update(w.context, id, map[string]any{"attendees": attendees(list)})
	default:
		patch := map[string]any{}
		for range 1 + w.random.IntN(3) {
			w.outlookField(patch, tag)
		}
		done.what = fmt.Sprintf("update %v", patch)
		_, done.failed = box.Update(w.context, id, patch)
	}
	return done
}

func attendees(addresses []string) []any {
	list := []any{}
	for _, address := range addresses {
		list = append(list, map[string]any{"emailAddress": map[string]any{"address": address, "name": address}, "type": "required"})
	}
	return list
}

func (w *week) answerInOutlook(box *simoutlook.Mailbox, id string, done edit) edit {
	if w.random.IntN(8) == 0 {
		done.what = "delete the invitation"
		w.refused[done.tag+box.Person().Address] = true
		done.failed = box.Delete(w.context, id)
		return done
	}
	done.what = []string{"accept", "decline", "tentativelyAccept"}[w.random.IntN(3)]
	if done.what == "decline" {
		w.refused[done.tag+box.Person().Address] = true // the copy goes with it
	}
	done.failed = box.Respond(w.context, id, done.what)
	return done
}

func (w *week) outlookTime(patch map[string]any) {
	start, end := w.span()
	patch["isAllDay"] = w.random.IntN(4) == 0
	zone, name := time.UTC, "UTC"
	if patch["isAllDay"] == true {
		start = start.Truncate(24 * time.Hour)
		end = start.AddDate(0, 0, 1+w.random.IntN(3))
	} else if w.random.IntN(2) == 0 {
		var err error
		name = "Romance Standard Time"
		zone, err = time.LoadLocation("Europe/Paris")
		w.must(err)
	}
	for field, at := range map[string]time.Time{"start": start, "end": end} {
		patch[field] = map[string]any{"dateTime": at.In(zone).Format("2006-01-02T15:04:05"), "timeZone": name}
	}
}

func (w *week) outlookField(patch map[string]any, tag string) {
	switch w.random.IntN(8) {
	case 0:
		patch["subject"] = tag + " " + w.words(3)
	case 1:
		patch["body"] = map[string]any{"contentType": "html", "content": "<html><head></head><body><p>" + w.words(4) + "</p><p>" + w.words(2) + "</p></body></html>"}
	case 2:
		patch["location"] = map[string]any{"displayName": rooms[w.random.IntN(len(rooms))]}
	case 3:
		patch["sensitivity"] = []string{"normal", "personal", "private", "confidential"}[w.random.IntN(4)]
	case 4:
		patch["showAs"] = []string{"free", "busy", "tentative", "oof", "workingElsewhere"}[w.random.IntN(5)]
	case 5:
		patch["isReminderOn"] = w.random.IntN(3) > 0
		if patch["isReminderOn"] == true {
			patch["reminderMinutesBeforeStart"] = []int{15, 30, 60, 1440}[w.random.IntN(4)]
		}
	default:
		w.outlookTime(patch)
	}
}

func (w *week) actInNightPOS() edit {
	login := []string{"alice", "bob"}[w.random.IntN(2)]
	member := w.nightpos.Member(login)
	records := slices.DeleteFunc(w.nightpos.Events(), func(shown map[string]any) bool {
		return reference(shown["user_id"]) != member.ID
	})
	if len(records) == 0 || w.random.IntN(4) == 0 {
		tag := w.tag()
		values := map[string]any{"name": tag + " " + w.words(2)}
		w.nightposTime(values)
		if w.random.IntN(2) == 0 {
			values["partner_ids"] = w.partners(member)
		}
		for range w.random.IntN(3) {
			w.nightposField(values, tag)
		}
		_, err := member.Create(w.context, values)
		if err == nil {
			w.expect[tag] = true
		}
		return edit{tag: tag, from: "nightpos", what: fmt.Sprintf("create %v", values), failed: err}
	}
	shown := records[w.random.IntN(len(records))]
	id, tag := number(shown["id"]), tagOf(textIn(shown, "name"))
	done := edit{tag: tag, from: "nightpos"}
	if active, _ := shown["active"].(bool); !active {
		done.what = "unarchive"
		if done.failed = member.Unarchive(w.context, id); done.failed == nil {
			w.restore(tag)
			read, _ := w.nightposReading(shown)
			w.over[tag] = w.over[tag] || read.End < time.Now().UTC().Format("2006-01-02T15:04")
		}
		return done
	}
	switch w.random.IntN(9) {
	case 0:
		done.what = "archive"
		if done.failed = member.Archive(w.context, id); done.failed == nil {
			w.remove(tag)
		}
	case 1:
		done.what = "unlink"
		if done.failed = member.Unlink(w.context, id); done.failed == nil {
			w.remove(tag)
		}
	case 2:
		other := w.nightpos.Member([]string{"alice", "bob"}[w.random.IntN(2)])
		state := []string{"accepted", "declined", "tentative"}[w.random.IntN(3)]
		if other.ID == member.ID || !slices.Contains(numbers(shown["partner_ids"]), other.PartnerID) {
			return w.actInNightPOS()
		}
		done.what = "answer " + state
		if state == "declined" {
			w.refused[tag+w.addressOf(other)] = true
		}
		if done.failed = other.Answer(w.context, id, state); done.failed == nil {
			w.owed[tag+w.addressOf(other)] = state != "declined" && !w.holds(w.addressOf(other), tag)
		}
	case 3:
		values := map[string]any{"partner_ids": w.partners(member)}
		done.what = fmt.Sprintf("invite %v", values)
		done.failed = member.Write(w.context, []int{id}, values)
	default:
		values := map[string]any{}
		for range 1 + w.random.IntN(3) {
			w.nightposField(values, tag)
		}
		done.what = fmt.Sprintf("write %v", values)
		done.failed = member.Write(w.context, []int{id}, values)
	}
	return done
}

// holds says whether a person's mailbox has the meeting.
func (w *week) holds(address, tag string) bool {
	return slices.ContainsFunc(w.outlook.Mailbox(address).Events(), func(shown map[string]any) bool {
		cancelled, _ := shown["isCancelled"].(bool)
		return !cancelled && tagOf(textIn(shown, "subject")) == tag
	})
}

func (w *week) addressOf(member *simnightpos.Member) string {
	if member.ID == w.nightpos.Member("alice").ID {
		return alice
	}
	return bob
}

func (w *week) partners(member *simnightpos.Member) []any {
	chosen := []int{member.PartnerID}
	for _, id := range []int{w.nightpos.Member("alice").PartnerID, w.nightpos.Member("bob").PartnerID, w.nightpos.Contact(carol)} {
		if id != member.PartnerID && w.random.IntN(2) == 0 {
			chosen = append(chosen, id)
		}
	}
	return []any{[]any{6, 0, chosen}}
}

func (w *week) nightposTime(values map[string]any) {
	start, end := w.span()
	values["allday"] = w.random.IntN(4) == 0
	if values["allday"] == true {
		start = start.Truncate(24 * time.Hour)
		end = start.AddDate(0, 0, w.random.IntN(3))
	}
	values["start"], values["stop"] = start.Format(time.DateTime), end.Format(time.DateTime)
}

func (w *week) nightposField(values map[string]any, tag string) {
	switch w.random.IntN(8) {
	case 0:
		values["name"] = tag + " " + w.words(3)
	case 1:
		values["description"] = "<p>" + w.words(4) + "</p><ul><li>" + w.words(1) + "</li></ul>"
	case 2:
		values["location"] = rooms[w.random.IntN(len(rooms))]
	case 3:
		values["privacy"] = []string{"public", "private", "confidential"}[w.random.IntN(3)]
	case 4:
		values["show_as"] = []string{"free", "busy"}[w.random.IntN(2)]
	case 5:
		values["alarm_ids"] = []any{[]any{6, 0, [][]int{{}, {1}, {2, 3}, {1, 5}}[w.random.IntN(4)]}}
	default:
		w.nightposTime(values)
	}
}
