package process_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/demo"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// check holds everything against the invariants.
func (w *world) check() {
	w.t.Helper()
	w.checkEqual()
	w.checkValidated()
	w.checkMails()
	w.checkSecondSync()
	w.checkSubscriptions()
	w.checkWritten()
}

// reading is what both sides are compared by.
type reading struct {
	Title, Place, Description, Organizer string
	Start, End                           time.Time
	AllDay, Private, Free                bool
	People                               map[string]demo.Answer
}

func readingOf(event demo.Event) reading {
	read := reading{
		Title: event.Title, Place: event.Place, Description: strings.Join(strings.Fields(event.Description), " "), Organizer: strings.ToLower(event.Organizer.Address),
		Start: event.Start.UTC(), End: event.End.UTC(), AllDay: event.AllDay, Private: event.Private, Free: event.ShowAs == "free", People: map[string]demo.Answer{},
	}
	for _, person := range event.People {
		read.People[strings.ToLower(person.Address)] = person.Answer
	}
	return read
}

// checkEqual compares what the organizers see on both sides: the same meetings,
// each once, and those that people wanted.
func (w *world) checkEqual() {
	w.t.Helper()
	differences := w.differences()
	for _, tag := range slices.Sorted(maps.Keys(differences)) {
		w.t.Errorf("%s\n%s", strings.Join(differences[tag], "\n"), w.people.ledger.history(tag))
	}
}

// checkTold is the same where nothing was compared as a whole since people stopped
// editing. No more meetings may differ than there are events about which somebody
// was told last that nobody had heard.
func (w *world) checkTold() {
	w.t.Helper()
	differences, unheard := w.differences(), w.told.unheard()
	w.t.Logf("before any sync %d meetings differ, and of %d events nobody was told", len(differences), unheard)
	if len(differences) > unheard {
		w.t.Errorf("%d meetings differ, and of no more than %d events nobody was told", len(differences), unheard)
		w.checkEqual()
	}
}

// differences are what is not the same on both sides, by the tag of the meeting.
func (w *world) differences() map[string][]string {
	w.t.Helper()
	differences := map[string][]string{}
	differs := func(tag, format string, values ...any) {
		differences[tag] = append(differences[tag], fmt.Sprintf(format, values...))
	}
	outlook, nightpos := map[string]reading{}, map[string]reading{}
	add := func(to map[string]reading, side string, read reading) {
		// Occurrences of one meeting are told apart by their times.
		key := tagOf(read.Title) + " " + read.Start.Format(time.DateTime)
		if other, twice := to[key]; twice {
			differs(tagOf(read.Title), "%s has a meeting twice:\n%+v\n%+v", side, other, read)
		}
		to[key] = read
	}
	own := w.ownAnswers()
	for login, box := range w.people.boxes {
		events, err := box.events(w.t.Context(), w.people.from, w.people.to)
		w.must(err)
		for _, event := range events {
			if event.Mine {
				read := readingOf(event.Event)
				for address := range read.People {
					if answer, told := own[address+" "+event.uid+" "+read.Start.Format(time.DateTime)]; told {
						read.People[address] = answer
					}
				}
				add(outlook, "Outlook", read)
			}
		}
		records, err := w.people.nightpos.Events(w.t.Context(), login, w.people.from, w.people.to)
		w.must(err)
		for _, record := range records {
			if record.Mine {
				add(nightpos, "NightPOS", readingOf(record))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(outlook)) {
		record, there := nightpos[key]
		if !there {
			differs(tagOf(key), "only in Outlook: %+v", outlook[key])
			continue
		}
		if difference := cmp.Diff(outlook[key], record); difference != "" {
			differs(tagOf(key), "%s differs, Outlook - NightPOS +:\n%s", key, difference)
		}
	}
	found := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(nightpos)) {
		found[tagOf(key)] = true
		if _, there := outlook[key]; !there {
			differs(tagOf(key), "only in NightPOS: %+v", nightpos[key])
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(w.people.ledger.edits)) {
		made, gone, _ := w.people.ledger.fate(tag)
		switch {
		case gone && found[tag]:
			differs(tag, "%s was deleted and is there", tag)
		case made && !gone && !found[tag] && !w.allOccurrencesDeleted(tag):
			differs(tag, "%s is lost", tag)
		}
	}
	return differences
}

// checkValidated has the gateway itself compare both calendars.
func (w *world) checkValidated() {
	w.t.Helper()
	for login := range w.people.boxes {
		var validation struct {
			Equal       bool
			Differences []struct {
				Cause, Why, Title string
				Start             time.Time
				Fields            []string
			}
		}
		w.must(json.Unmarshal(w.ask(http.MethodGet, "/users/"+login+"/validate"), &validation))
		if !validation.Equal {
			w.t.Errorf("the gateway finds %s's calendars to differ: %+v", login, validation.Differences)
		}
	}
}

// allOccurrencesDeleted says that nobody deleted the series, but all of its
// occurrences one by one.
func (w *world) allOccurrencesDeleted(tag string) bool {
	history := w.people.ledger.history(tag)
	times := 0
	if found := repeats.FindStringSubmatch(history); found != nil {
		fmt.Sscan(found[1], &times)
	}
	return times > 0 && strings.Count(history, " delete one ") >= times
}

var repeats = regexp.MustCompile(`, (\d+) times`)

// ownAnswers are what the connected people's own copies say, by address, meeting
// and start: only there an answer is sure to stand.
func (w *world) ownAnswers() map[string]demo.Answer {
	w.t.Helper()
	own := map[string]demo.Answer{}
	for _, box := range w.people.boxes {
		events, err := box.events(w.t.Context(), w.people.from, w.people.to)
		w.must(err)
		for _, event := range events {
			if !event.Mine {
				own[box.address+" "+event.uid+" "+event.Start.UTC().Format(time.DateTime)] = event.Answer
			}
		}
	}
	return own
}

// tagIn finds a meeting's tag behind what Outlook puts before a title.
var tagIn = regexp.MustCompile(`[on]\d{4}`)

// checkMails counts: at most one mail to each person for each edit of a meeting,
// and none of NightPOS's for the gateway.
func (w *world) checkMails() {
	w.t.Helper()
	sent := map[string]int{}
	for _, mail := range w.scenes(w.outlook).Mails {
		sent[tagIn.FindString(mail.Subject)+" "+mail.To]++
	}
	for _, key := range slices.Sorted(maps.Keys(sent)) {
		tag := tagOf(key)
		if allowed := w.people.ledger.mails(tag); sent[key] > allowed {
			w.t.Errorf("%d mails of Outlook's, want at most %d: %s\n%s", sent[key], allowed, key, w.people.ledger.history(tag))
		}
	}
	for _, mail := range w.scenes(w.nightpos).Mails {
		if mail.User == w.account {
			w.t.Errorf("NightPOS mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
}

// writes counts what was written on both sides, by whomever, call by call.
func (w *world) writes() map[string]int {
	found := map[string]int{}
	for call, count := range w.scenes(w.outlook).Counts {
		method, path, _ := strings.Cut(call, " ")
		if method != http.MethodGet && strings.HasPrefix(path, "/me/events") {
			found[call] = count
		}
	}
	for call, count := range w.scenes(w.nightpos).Counts {
		_, operation, _ := strings.Cut(strings.TrimPrefix(call, "door calendar."), ".")
		if strings.HasPrefix(call, "door calendar.") && slices.Contains([]string{"create", "write", "unlink"}, operation) {
			found[call] = count
		}
	}
	return found
}

func (w *world) checkSecondSync() {
	w.t.Helper()
	before := w.writes()
	w.sync()
	if difference := cmp.Diff(before, w.writes()); difference != "" {
		w.t.Errorf("a sync of two equal calendars wrote, before - after +:\n%s", difference)
	}
}

func (w *world) checkSubscriptions() {
	w.t.Helper()
	for login, box := range w.people.boxes {
		if live, err := box.subscriptions(w.t.Context()); err != nil || live != 1 {
			w.t.Errorf("%s has %d live subscriptions, %v, want one", login, live, err)
		}
	}
}

// checkWritten looks in everything that the gateways wrote, and in their metrics,
// for what must never be there.
func (w *world) checkWritten() {
	w.t.Helper()
	forbidden := append(slices.Clone(words), outsider, adminToken, w.secretKey, w.apiKey, simoutlook.DefaultApplication.Secret,
		"Bearer ", "refresh_token", "access_token", "EwB4A", "M.R3_", "code_verifier", "/webhooks/nightpos/")
	for _, box := range w.people.boxes {
		forbidden = append(forbidden, box.token)
	}
	for index, gateway := range w.gateways {
		answer, err := w.client.Get("http://" + w.addresses[index] + "/metrics")
		w.must(err)
		metrics, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		w.must(err)
		for line := range strings.Lines(gateway.written() + string(metrics)) {
			for _, secret := range forbidden {
				if strings.Contains(line, secret) {
					w.t.Errorf("%s wrote %q: %s", gateway.name, secret, line)
				}
			}
		}
		for _, sign := range []string{"DATA RACE", "panic:", "goroutine "} {
			if strings.Contains(gateway.written(), sign) {
				w.t.Errorf("%s wrote %q", gateway.name, sign)
			}
		}
	}
}
