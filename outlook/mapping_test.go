package outlook

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
)

func anyEvent(t *rapid.T) reconciler.Event {
	text := rapid.SampledFrom([]string{"", "Title", " two\nlines ", "<p>x</p>", "<html><body><p>y</p></body></html>", "<p>&nbsp;</p>", "Zoë 🎉"})
	event := reconciler.Event{
		Title: text.Draw(t, "title"), Body: text.Draw(t, "body"), Place: text.Draw(t, "place"),
		Privacy:     rapid.SampledFrom([]reconciler.Privacy{"", reconciler.PrivacyPublic, reconciler.PrivacyPersonal, reconciler.PrivacyPrivate, reconciler.PrivacyConfidential}).Draw(t, "privacy"),
		ShowAs:      rapid.SampledFrom([]reconciler.ShowAs{"", reconciler.ShowAsFree, reconciler.ShowAsUnknown, reconciler.ShowAsWorkingElsewhere, reconciler.ShowAsOutOfOffice}).Draw(t, "show as"),
		MeetingLink: rapid.SampledFrom([]string{"", "https://meet.example"}).Draw(t, "link"),
		Categories:  rapid.SampledFrom([][]string{nil, {"Blue"}, {"Blue", "Red"}}).Draw(t, "categories"),
	}
	event.When.AllDay = rapid.Bool().Draw(t, "all day")
	start := time.Date(2027, 10, 28, 0, 0, 0, 0, time.UTC)
	if event.When.AllDay {
		event.When.Start = start.AddDate(0, 0, rapid.IntRange(0, 9).Draw(t, "day"))
		event.When.End = event.When.Start.AddDate(0, 0, rapid.IntRange(1, 4).Draw(t, "days"))
	} else {
		event.When.Start = start.Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(t, "minute")) * time.Minute)
		event.When.End = event.When.Start.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "minutes")) * time.Minute)
		event.When.Zone = rapid.SampledFrom([]string{"", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}).Draw(t, "zone")
	}
	for _, minutes := range rapid.SliceOfN(rapid.IntRange(0, 5000), 0, 3).Draw(t, "reminders") {
		event.Reminders = append(event.Reminders, time.Duration(minutes)*time.Minute)
	}
	slices.Sort(event.Reminders)
	event.Reminders = slices.Compact(event.Reminders)
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a@x.example", "B@x.example", "c@x.example"}), 0, 4, rapid.ID).Draw(t, "people") {
		event.People = append(event.People, reconciler.Person{Address: name, Type: rapid.SampledFrom([]reconciler.AttendeeType{"", "optional", "resource"}).Draw(t, "type")})
	}
	return event
}

func TestProjectIsIdempotent(t *testing.T) {
	client := &Client{}
	rapid.Check(t, func(t *rapid.T) {
		once := client.Project(anyEvent(t))
		if diff := cmp.Diff(once, client.Project(once), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-once +twice):\n%s", diff)
		}
	})
}

func TestWrittenTimesMeanWhatWasMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := anyEvent(t).When
		in := zoneFor(reconciler.Member{Zone: rapid.SampledFrom([]string{"", "Europe/Brussels", "Nowhere/Land"}).Draw(t, "member's zone")}, when, nil)
		body := content{}
		timeContent(body, when, in)
		back := func(name string) time.Time {
			shown := body[name].(content)
			return instant(graphTimeZone{DateTime: shown["dateTime"].(string), TimeZone: shown["timeZone"].(string)}, when.AllDay)
		}
		if start, end := back("start"), back("end"); !start.Equal(when.Start) || !end.Equal(when.End) {
			t.Fatalf("%v was written as %v, which means %s to %s", when, body, start, end)
		}
	})
}

func TestMarksOfOtherDatabasesAreNotBelieved(t *testing.T) {
	client := &Client{config: Config{DatabaseID: "0011"}}
	for value, want := range map[string]int64{"0011:42": 42, client.mark(7): 7, "0022:42": 0, "0011:": 0, "0011:-1": 0, "42": 0, "0011:x": 0} {
		got, ok := client.recordOf([]graphProperty{{ID: "String {other} Name X", Value: "0011:9"}, {ID: markProperty, Value: value}})
		if got != want || ok != (want != 0) {
			t.Errorf("%q means record %d, %t; want %d", value, got, ok, want)
		}
	}
}
