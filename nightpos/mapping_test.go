package nightpos_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// lines are titles and places: anything people type, and what servers trip over.
var lines = rapid.OneOf(
	rapid.Just(""), rapid.Just("   "), rapid.Just("two\nlines"), rapid.Just("  spaces  around  "), rapid.Just(`quotes " ' & <b> \`),
	rapid.Just("ประชุม 📅"), rapid.Just("Busy"), rapid.StringMatching(`[a-zA-Z0-9 äöü,;%_-]{0,30}`),
)

// bodies are as Outlook and NightPOS show them.
var bodies = rapid.OneOf(
	rapid.Just(""), rapid.Just("<p><br></p>"), rapid.Just("<div>&nbsp;</div>"), rapid.Just("plain words"), rapid.Just("a < b & c > d"),
	rapid.Just("<p>Hello <b>Bob</b></p><ul><li>one</li><li>two</li></ul>"), rapid.Just("<div>ประชุม<br>บ่าย &amp; เย็น</div>"),
	rapid.Just("1 &lt; 2"), rapid.Just(`say "hi", it's`), rapid.Just("first\nsecond"), rapid.StringMatching(`<p>[a-z ]{1,20}</p>`),
)

var whens = rapid.Custom(func(t *rapid.T) reconciler.When {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 2000).Draw(t, "day"))
	if rapid.Bool().Draw(t, "all day") {
		return reconciler.When{AllDay: true, Start: first, End: first.AddDate(0, 0, rapid.IntRange(1, 10).Draw(t, "days")), Zone: "Europe/Brussels"}
	}
	start := first.Add(time.Duration(rapid.IntRange(0, 86_399).Draw(t, "second")) * time.Second)
	return reconciler.When{Start: start, End: start.Add(time.Duration(rapid.IntRange(0, 200_000).Draw(t, "length")) * time.Second), Zone: "America/New_York"}
})

var people = rapid.Custom(func(t *rapid.T) []reconciler.Person {
	addresses := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"bob@nightpos.example", "carol@customer.example", "Eve@Customer.example", "frank@customer.example", "o_connor@customer.example", "oxconnor@customer.example",
		"/O=EXCHANGE/CN=ROOM", "not an address", "",
	}), 0, 5, rapid.ID[string]).Draw(t, "addresses")
	var invited []reconciler.Person
	for _, address := range addresses {
		invited = append(invited, reconciler.Person{
			Address: address, Name: lines.Draw(t, "name"),
			Type:   rapid.SampledFrom([]reconciler.AttendeeType{reconciler.TypeRequired, reconciler.TypeOptional}).Draw(t, "type"),
			Answer: rapid.SampledFrom([]reconciler.Answer{reconciler.AnswerNone, reconciler.AnswerAccepted, reconciler.AnswerTentative, reconciler.AnswerDeclined}).Draw(t, "answer"),
		})
	}
	return invited
})

var events = rapid.Custom(func(t *rapid.T) reconciler.Event {
	event := reconciler.Event{
		Title: lines.Draw(t, "title"), Body: bodies.Draw(t, "body"), When: whens.Draw(t, "when"), Place: lines.Draw(t, "place"), People: people.Draw(t, "people"),
		Privacy:     rapid.SampledFrom([]reconciler.Privacy{"", reconciler.PrivacyPublic, reconciler.PrivacyPersonal, reconciler.PrivacyPrivate, reconciler.PrivacyConfidential}).Draw(t, "privacy"),
		ShowAs:      rapid.SampledFrom([]reconciler.ShowAs{reconciler.ShowAsFree, reconciler.ShowAsTentative, reconciler.ShowAsBusy, reconciler.ShowAsOutOfOffice, reconciler.ShowAsWorkingElsewhere, reconciler.ShowAsUnknown}).Draw(t, "show as"),
		MeetingLink: rapid.SampledFrom([]string{"", "https://teams.example.com/l/1?a=b&c=d"}).Draw(t, "link"),
	}
	for _, minutes := range rapid.SliceOfN(rapid.SampledFrom([]int{0, 5, 15, 30, 60, 90, 120, 1440, 2880, 10080}), 0, 3).Draw(t, "reminders") {
		event.Reminders = append(event.Reminders, time.Duration(minutes)*time.Minute)
	}
	event.Categories = rapid.SliceOfN(rapid.SampledFrom([]string{"Blue", "Red", "สีฟ้า", " padded ", "", "It's \"quoted\""}), 0, 3).Draw(t, "categories")
	return event
})

// Whatever is written is read again as the projector said it would be: that is
// what lets the plan see that a change makes no difference.
func TestWrittenEventsAreReadAsProjected(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, version)
				serial := 0
				rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
					check := func(what string, want, got reconciler.Event) {
						rt.Helper()
						want, got = shown(w.client.Project(want)), shown(w.client.Project(got))
						want.Organizer, got.Organizer = reconciler.Person{}, reconciler.Person{}
						if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
							rt.Fatalf("%s (-want +got):\n%s", what, diff)
						}
					}
					event := events.Draw(rt, "event")
					check("the projection is not stable", event, w.client.Project(event))
					serial++
					made := w.client.Write(t.Context(), []reconciler.RecordWrite{w.create(fmt.Sprint("key-", serial), event)})[0]
					if made.Err != nil {
						rt.Fatalf("creating: %v", made.Err)
					}
					check("after the create", event, made.Record.Event)
					// What was just written shows no difference to its own projection: a
					// second full sync writes nothing.
					// Privacy that was not chosen is shown as the owner's own choice.
					for field, digest := range reconciler.NewBase(w.client.Project(event)) {
						if got := reconciler.NewBase(made.Record.Event)[field]; got != digest && !strings.HasPrefix(field, "privacy") {
							rt.Errorf("%s is shown otherwise than projected", field)
						}
					}
					changed := events.Draw(rt, "changed")
					updated := w.client.Write(t.Context(), []reconciler.RecordWrite{update(*made.Record, func(e *reconciler.Event) { *e = changed }, reconciler.Fields()...)})[0]
					if updated.Err != nil {
						rt.Fatalf("updating: %v", updated.Err)
					}
					check("after the update", changed, updated.Record.Event)
				})
				if mails := w.sim.Mails(); len(mails) > 0 {
					t.Errorf("NightPOS sent %d mails", len(mails))
				}
			})
		})
	}
}

// Whole days that a person entered in NightPOS, which stores office hours for
// them, or none.
func TestWholeDaysAsPeopleEnterThem(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		first := time.Date(2030, 1, 15, 0, 0, 0, 0, time.UTC)
		for name, one := range map[string]struct {
			values map[string]any
			days   int
		}{
			"dates":    {map[string]any{"start_date": "2030-01-15", "stop_date": "2030-01-16"}, 2},
			"instants": {map[string]any{"start": "2030-01-15 00:00:00", "stop": "2030-01-15 00:00:00"}, 1},
			"a form":   {map[string]any{"start": "2030-01-15 08:00:00", "stop": "2030-01-17 18:00:00"}, 3},
		} {
			one.values["name"], one.values["allday"] = name, true
			id, err := w.sim.Member("alice").Create(t.Context(), one.values)
			if err != nil {
				t.Fatal(err)
			}
			want := reconciler.When{AllDay: true, Start: first, End: first.AddDate(0, 0, one.days)}
			record := w.read(int64(id))
			if diff := cmp.Diff(want, record.Event.When); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			// And back to hours, and to whole days again.
			for _, when := range []reconciler.When{{Start: day(9), End: day(10)}, want} {
				record = *w.write(update(record, func(e *reconciler.Event) { e.When = when }, reconciler.FieldWhen)).Record
				if diff := cmp.Diff(when, record.Event.When); diff != "" {
					t.Errorf("%s, written (-want +got):\n%s", name, diff)
				}
			}
		}
	})
}
