package traps_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// scene is both calendars with alice and bob connected.
type scene struct {
	*world.World
	*testing.T
}

// in runs a test with an Outlook of these switches.
func in(t *testing.T, switches simoutlook.Switches, run func(*scene)) {
	t.Helper()
	with(t, world.Options{Switches: switches}, run)
}

func with(t *testing.T, options world.Options, run func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options.Seed = 13
		w := world.New(t, options)
		defer w.Close()
		s := &scene{World: w, T: t}
		s.Quiet()
		run(s)
	})
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// day is a day on which nothing else is, in the middle of a winter.
var day = time.Date(2000, 1, 10, 0, 0, 0, 0, time.UTC)

// meeting is what a person fills in for an hour at ten o'clock, UTC.
func meeting(title string, people ...string) map[string]any {
	moment := func(hour int) map[string]any {
		return map[string]any{"dateTime": day.Add(time.Duration(hour) * time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
	}
	return map[string]any{"subject": title, "start": moment(10), "end": moment(11), "attendees": invited(people...)}
}

func invited(people ...string) []any {
	list := []any{}
	for _, address := range people {
		list = append(list, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address}})
	}
	return list
}

// daily makes a meeting come five times, one each day.
func daily(content map[string]any) map[string]any {
	content["recurrence"] = map[string]any{
		"pattern": map[string]any{"type": "daily", "interval": 1},
		"range":   map[string]any{"type": "numbered", "startDate": day.Format(time.DateOnly), "numberOfOccurrences": 5, "recurrenceTimeZone": "UTC"},
	}
	return content
}

// create makes an event in somebody's Outlook and waits until all is quiet.
func (s *scene) create(address string, content map[string]any) string {
	s.Helper()
	made, err := s.Outlook.Mailbox(address).Create(s.Context(), content)
	s.must(err)
	s.Quiet()
	return made["id"].(string)
}

func (s *scene) update(address, id string, content map[string]any) {
	s.Helper()
	_, err := s.Outlook.Mailbox(address).Update(s.Context(), id, content)
	s.must(err)
	s.Quiet()
}

// plan makes an event of alice's in NightPOS.
func (s *scene) plan(values map[string]any, people ...string) int {
	s.Helper()
	partners := []any{s.NightPOS.Contact(world.Alice)}
	for _, address := range people {
		partners = append(partners, s.NightPOS.Contact(address))
	}
	content := map[string]any{
		"start": day.Add(10 * time.Hour).Format(time.DateTime), "stop": day.Add(11 * time.Hour).Format(time.DateTime),
		"partner_ids": []any{[]any{6, 0, partners}},
	}
	for name, value := range values {
		content[name] = value
	}
	id, err := s.NightPOS.Member("alice").Create(s.Context(), content)
	s.must(err)
	return id
}

func (s *scene) write(id int, values map[string]any) {
	s.Helper()
	s.must(s.NightPOS.Member("alice").Write(s.Context(), []int{id}, values))
	s.Quiet()
}

// inNightPOS is what NightPOS shows: start, title, and * for whole days.
func (s *scene) inNightPOS() []string {
	shown := []string{}
	for _, event := range s.NightPOS.Events() {
		if event["active"] != true {
			continue
		}
		start := fmt.Sprint(event["start"])
		if event["allday"] == true {
			start = fmt.Sprint(event["start_date"], "*", event["stop_date"])
		}
		shown = append(shown, fmt.Sprintf("%.21s %s", start, event["name"]))
	}
	slices.Sort(shown)
	return shown
}

// inOutlook is what a mailbox shows.
func (s *scene) inOutlook(address string) []string {
	shown := []string{}
	for _, event := range s.Outlook.Mailbox(address).View(day.AddDate(0, 0, -30), day.AddDate(0, 3, 0)) {
		if event["isCancelled"] == true {
			continue
		}
		start := strings.Replace(text(event, "start")[:19], "T", " ", 1)
		if event["isAllDay"] == true {
			// The day after the last one stands there.
			end, err := time.Parse(time.DateOnly, text(event, "end")[:10])
			s.must(err)
			start = start[:10] + "*" + end.AddDate(0, 0, -1).Format(time.DateOnly)
		}
		shown = append(shown, fmt.Sprintf("%s %s", start, event["subject"]))
	}
	slices.Sort(shown)
	return shown
}

func text(event map[string]any, name string) string {
	return event[name].(map[string]any)["dateTime"].(string)
}

// shows says what is to be seen everywhere: in NightPOS and in these mailboxes.
func (s *scene) shows(mailboxes []string, want ...string) {
	s.Helper()
	if got := s.inNightPOS(); !slices.Equal(got, want) {
		s.Errorf("NightPOS shows %q, want %q\n%s", got, want, s.Log())
	}
	for _, address := range mailboxes {
		if got := s.inOutlook(address); !slices.Equal(got, want) {
			s.Errorf("%s shows %q, want %q\n%s", address, got, want, s.Log())
		}
	}
}

// calls counts the calls of one kind that the gateway has made so far.
func (s *scene) calls(name string) int { return s.Outlook.Counts()[name] }

var (
	alone = []string{world.Alice}
	both  = []string{world.Alice, world.Bob}
)
