package series_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// scene is one test with alice's calendars on both sides.
type scene struct {
	*world.World
	*testing.T
	mails int
	// who is whose answers a test is about.
	who string
}

// versions runs a test against each version of NightPOS.
func versions(t *testing.T, run func(*scene)) { under(t, simoutlook.Switches{}, run) }

// under does so with other habits of Outlook's.
func under(t *testing.T, switches simoutlook.Switches, run func(*scene)) {
	for _, version := range usualVersions {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world.New(t, world.Options{Version: version, Seed: uint64(version), Switches: switches})
				defer w.Close()
				w.Quiet()
				run(&scene{World: w, T: t})
			})
		})
	}
}

var (
	from  = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	until = from.AddDate(0, 6, 0)
)

// weekly is a series as a person makes it in Outlook: Mondays and Wednesdays at
// 10:00 in Brussels, six times.
func weekly(title string, people ...string) map[string]any {
	return map[string]any{
		"subject":   title,
		"start":     map[string]any{"dateTime": "2000-01-10T10:00:00", "timeZone": "Romance Standard Time"},
		"end":       map[string]any{"dateTime": "2000-01-10T11:00:00", "timeZone": "Romance Standard Time"},
		"attendees": guestsOf(people...),
		"recurrence": map[string]any{
			"pattern": map[string]any{"type": "weekly", "interval": 1, "daysOfWeek": []any{"monday", "wednesday"}, "firstDayOfWeek": "monday"},
			"range":   map[string]any{"type": "numbered", "startDate": "2000-01-10", "numberOfOccurrences": 6, "recurrenceTimeZone": "Romance Standard Time"},
		},
	}
}

func guestsOf(addresses ...string) []any {
	attendees := []any{}
	for _, address := range addresses {
		attendees = append(attendees, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address}})
	}
	return attendees
}

// inOutlook is what alice's mailbox shows.
func (s *scene) inOutlook() []string {
	var shown []string
	for _, event := range s.Outlook.Mailbox(world.Alice).View(from, until) {
		start := event["start"].(map[string]any)["dateTime"].(string)
		shown = append(shown, fmt.Sprintf("%.16s %s", start, event["subject"]))
	}
	slices.Sort(shown)
	return shown
}

// inNightPOS is what NightPOS shows.
func (s *scene) inNightPOS() []string {
	var shown []string
	for _, event := range s.NightPOS.Events() {
		if event["active"] == true {
			start := event["start"].(string)
			shown = append(shown, fmt.Sprintf("%sT%.5s %s", start[:10], start[11:], event["name"]))
		}
	}
	slices.Sort(shown)
	return shown
}

// settle waits and says that both sides show the same, which is wanted.
func (s *scene) settle(want ...string) {
	s.Helper()
	s.Quiet()
	here, there := s.inOutlook(), s.inNightPOS()
	if !slices.Equal(here, there) || len(want) > 0 && !slices.Equal(here, want) {
		s.Fatalf("Outlook shows\n%q\nNightPOS\n%q\nwant\n%q\n%s", here, there, want, s.Log())
	}
	writes := s.Writes()
	s.Sweep()
	if more := s.Writes() - writes; more != 0 {
		s.Fatalf("a sweep made %d more writes\n%s", more, s.Log())
	}
}

// wantMails says how many mails Outlook has sent since the last time.
func (s *scene) wantMails(count int) {
	s.Helper()
	sent := s.Outlook.Mails()
	if got := len(sent) - s.mails; got != count {
		s.Fatalf("%d mails, want %d: %+v\n%s", got, count, sent[s.mails:], s.Log())
	}
	s.mails = len(sent)
}

func TestASeriesOfOutlookComesToNightPOS(t *testing.T) {
	versions(t, func(s *scene) {
		_, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team"))
		if err != nil {
			s.Fatal(err)
		}
		s.settle("2000-01-10T09:00 team", "2000-01-12T09:00 team", "2000-01-17T09:00 team", "2000-01-19T09:00 team", "2000-01-24T09:00 team", "2000-01-26T09:00 team")
		s.wantMails(0)
	})
}
