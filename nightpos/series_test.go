package nightpos_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// first is the time of the series' first occurrence, a Tuesday of the bubble's
// future.
// weekly is a rule of so many Tuesdays.
// occurrences are events alike on every slot of a rule.
// writeSeries carries out a write that must succeed.
// readSeries reads a series that must exist.
// seriesCalls are the runs of the door, those aside that look up alarms and tags
// once.
// following are the records of a series that NightPOS counts as keeping to the
// rule.
// inEveryVersion runs a test in a world of each version.
func TestASeriesIsMadeAndReadInOneCallEach(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		made := w.writeSeries(w.newSeries("key-1", weekly(4)))
		if diff := cmp.Diff(map[string]int{"write_series": 1}, w.seriesCalls()); diff != "" {
			w.Errorf("making it (-want +got):\n%s", diff)
		}
		w.forgetCalls()
		series := w.readSeries(made.ID)
		if diff := cmp.Diff(map[string]int{"read_series": 1}, w.doorCalls()); diff != "" {
			w.Errorf("reading it (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(starts(made), starts(series)); diff != "" {
			w.Errorf("read otherwise than made (-made +read):\n%s", diff)
		}
		want := []string{"2030-01-15 09:00", "2030-01-22 09:00", "2030-01-29 09:00", "2030-02-05 09:00"}
		if diff := cmp.Diff(want, starts(series)); diff != "" {
			w.Errorf("occurrences (-want +got):\n%s", diff)
		}
		if series.BaseID != series.Occurrences[0].ID || series.ExternalKey != "key-1" || series.Zone != brussels || series.Refused != "" {
			w.Errorf("got base %d, key %q, zone %q, refused %q", series.BaseID, series.ExternalKey, series.Zone, series.Refused)
		}
		if !series.Rule.Same(weekly(4)) {
			w.Errorf("the rule is %s", series.Rule.Describe())
		}
		for _, record := range series.Occurrences {
			want := meeting()
			want.When = record.Event.When
			if record.RecurrenceID != series.ID || !record.Recurring || record.OrganizerUserID != w.alice.UserID || record.Event.Title != want.Title {
				w.Errorf("an occurrence is %+v", record)
			}
			if len(record.Event.People) != 2 || record.Event.People[1].Answer != reconciler.AnswerAccepted {
				w.Errorf("an occurrence has %+v", record.Event.People)
			}
		}
		if got := w.following(series); !slices.Equal(got, slices.Sorted(slices.Values(ids(series.Occurrences)))) {
			w.Errorf("%v follow the rule", got)
		}
		if mails := w.sim.Mails(); len(mails) > 0 {
			w.Errorf("NightPOS sent %d mails", len(mails))
		}
	})
}

func TestASeriesIsMadeOnce(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		made := w.writeSeries(w.newSeries("key-1", weekly(3)))
		again := w.client.WriteSeries(w.Context(), w.newSeries("key-1", weekly(5)))
		if again.Err != nil || !again.Existed || again.Record.ID != made.ID || len(again.Record.Occurrences) != 3 {
			w.Errorf("got %+v, want the series that was made before", again)
		}
		if events := w.events(); len(events) != 3 {
			w.Errorf("%d events", len(events))
		}
	})
}

func TestOccurrencesAreWrittenTogetherOrNotAtAll(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(4)))
		write := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series}
		for _, record := range series.Occurrences {
			write.Writes = append(write.Writes, update(record, func(event *reconciler.Event) { event.Title = "Renamed" }, reconciler.FieldTitle))
		}
		if _, err := w.rpc("calendar.event", "write", []any{series.Occurrences[2].ID}, map[string]any{"location": "Elsewhere"}); err != nil {
			w.Fatal(err)
		}
		if result := w.client.WriteSeries(w.Context(), write); !errors.Is(result.Err, reconciler.ErrStale) {
			w.Errorf("with one that moved on: %v, want ErrStale", result.Err)
		}
		if slices.Contains(w.events(), "Renamed") {
			w.Errorf("half of it was written: %q", w.events())
		}
		series = w.readSeries(series.ID)
		write = reconciler.SeriesRecordWrite{ID: series.ID, Current: &series}
		for _, record := range series.Occurrences {
			write.Writes = append(write.Writes, update(record, func(event *reconciler.Event) { event.Title = "Renamed" }, reconciler.FieldTitle))
		}
		before := w.sim.Counts()["calendar.event.write"]
		renamed := w.writeSeries(write)
		for _, record := range renamed.Occurrences {
			if record.Event.Title != "Renamed" {
				w.Errorf("record %d is %q", record.ID, record.Event.Title)
			}
		}
		if got := w.sim.Counts()["calendar.event.write"] - before; got > 1 {
			w.Errorf("writing the same to all took %d writes", got)
		}
	})
}

func TestASeriesThatIsNoLongerTheSameIsStale(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(3)))
		if _, err := w.rpc("calendar.event", "unlink", []any{series.Occurrences[1].ID}); err != nil {
			w.Fatal(err)
		}
		event := meeting()
		event.When = reconciler.SlotTime(reconciler.SlotDate(first()).Add(21), first())
		write := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series, OrganizerUserID: w.alice.UserID, Create: []reconciler.Event{event}}
		if result := w.client.WriteSeries(w.Context(), write); !errors.Is(result.Err, reconciler.ErrStale) {
			w.Errorf("without one of its records: %v, want ErrStale", result.Err)
		}
		series = w.readSeries(series.ID)
		write.Current = &series
		longer := w.writeSeries(write)
		if got := starts(longer); len(got) != 3 || got[2] != "2030-02-05 09:00" {
			w.Errorf("with one more: %v", got)
		}
		// The answer was lost, and it is done again.
		if result := w.client.WriteSeries(w.Context(), write); !errors.Is(result.Err, reconciler.ErrStale) {
			w.Errorf("the second time: %v, want ErrStale", result.Err)
		}
		if _, err := w.rpc("calendar.recurrence", "unlink", []any{series.ID}); err != nil {
			w.Fatal(err)
		}
		if result := w.client.WriteSeries(w.Context(), write); !errors.Is(result.Err, reconciler.ErrGone) {
			w.Errorf("without the recurrence: %v, want ErrGone", result.Err)
		}
		if found, err := w.client.ReadSeries(w.Context(), []int64{series.ID}); err != nil || len(found) > 0 {
			w.Errorf("reading it: %v, %v", found, err)
		}
	})
}

func TestASeriesIsShifted(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(3)))
		rule, shifted := weekly(3).Shift(1)
		if !shifted {
			w.Fatal("the rule does not shift")
		}
		later := first()
		later.Start, later.End = later.Start.Add(26*time.Hour), later.End.Add(26*time.Hour)
		write := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series, Rule: &rule, Zone: brussels, First: later}
		for index, record := range series.Occurrences {
			write.Writes = append(write.Writes, update(record, func(event *reconciler.Event) {
				event.When = reconciler.SlotTime(reconciler.SlotDate(later).Add(7*index), later)
			}, reconciler.FieldWhen))
		}
		// The last one goes its own way.
		write.Writes[2].Event.When.End = write.Writes[2].Event.When.End.Add(time.Hour)
		moved := w.writeSeries(write)
		want := []string{"2030-01-16 11:00", "2030-01-23 11:00", "2030-01-30 11:00"}
		if diff := cmp.Diff(want, starts(moved)); diff != "" {
			w.Errorf("occurrences (-want +got):\n%s", diff)
		}
		if !slices.Equal(ids(moved.Occurrences), ids(series.Occurrences)) || !moved.Rule.Same(rule) {
			w.Errorf("got records %v and the rule %s", ids(moved.Occurrences), moved.Rule.Describe())
		}
		if got := w.following(moved); !slices.Equal(got, slices.Sorted(slices.Values(ids(moved.Occurrences[:2])))) {
			w.Errorf("%v follow the rule, want the first two", got)
		}
		for _, record := range moved.Occurrences {
			if record.Event.Organizer.Answer != reconciler.AnswerAccepted {
				w.Errorf("the organizer of record %d answered %q", record.ID, record.Event.Organizer.Answer)
			}
		}
		if mails := w.sim.Mails(); len(mails) > 0 {
			w.Errorf("NightPOS sent %d mails", len(mails))
		}
	})
}

func TestOccurrencesAreArchivedAndBroughtBack(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(3)))
		archived := w.writeSeries(reconciler.SeriesRecordWrite{ID: series.ID, Current: &series, Writes: []reconciler.RecordWrite{
			{Action: reconciler.ActionArchive, ID: series.Occurrences[0].ID, Stamp: series.Occurrences[0].Stamp, Current: &series.Occurrences[0]},
		}})
		want := []string{"2030-01-15 09:00 archived", "2030-01-22 09:00", "2030-01-29 09:00"}
		if diff := cmp.Diff(want, starts(archived)); diff != "" {
			w.Errorf("occurrences (-want +got):\n%s", diff)
		}
		if archived.BaseID != series.Occurrences[1].ID {
			w.Errorf("the base is %d, want %d", archived.BaseID, series.Occurrences[1].ID)
		}
		back := w.writeSeries(reconciler.SeriesRecordWrite{ID: series.ID, Current: &archived, Writes: []reconciler.RecordWrite{
			{Action: reconciler.ActionUnarchive, ID: series.Occurrences[0].ID, Stamp: archived.Occurrences[0].Stamp, Current: &archived.Occurrences[0]},
		}})
		if diff := cmp.Diff(starts(series), starts(back)); diff != "" {
			w.Errorf("brought back (-want +got):\n%s", diff)
		}
	})
}

func TestOccurrencesLeaveAndJoin(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(4)))
		shorter := weekly(2)
		left := w.writeSeries(reconciler.SeriesRecordWrite{
			ID: series.ID, Current: &series, Rule: &shorter, Zone: brussels, First: first(), Leave: ids(series.Occurrences[2:]),
		})
		if got := starts(left); len(got) != 2 || !left.Rule.Same(shorter) {
			w.Errorf("got %v and the rule %s", got, left.Rule.Describe())
		}
		gone := w.read(series.Occurrences[2].ID)
		if !gone.Archived || gone.RecurrenceID != 0 || gone.Recurring {
			w.Errorf("one that left is %+v", gone)
		}
		single := w.write(w.create("single", occurrences(weekly(3), first())[2])).Record
		longer := weekly(3)
		joined := w.writeSeries(reconciler.SeriesRecordWrite{
			ID: series.ID, Current: &left, Rule: &longer, Zone: brussels, First: first(), Join: []int64{single.ID},
		})
		if got := ids(joined.Occurrences); len(got) != 3 || got[2] != single.ID || !joined.Rule.Same(longer) || !joined.Occurrences[2].Recurring {
			w.Errorf("got %v and the rule %s", got, joined.Rule.Describe())
		}
		if joined.Occurrences[2].ExternalKey != "single" {
			w.Errorf("the key of one that joined is %q", joined.Occurrences[2].ExternalKey)
		}
	})
}

func TestASingleRecordBecomesASeriesAndOneAgain(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		single := w.write(w.create("single", occurrences(weekly(1), first())[0])).Record
		write := w.newSeries("key-1", weekly(3))
		write.Create, write.BaseID, write.Join = write.Create[1:], single.ID, []int64{single.ID}
		write.Writes = []reconciler.RecordWrite{update(*single, func(event *reconciler.Event) { event.Title = "Every week" }, reconciler.FieldTitle)}
		series := w.writeSeries(write)
		if got := ids(series.Occurrences); len(got) != 3 || got[0] != single.ID || series.BaseID != single.ID || !series.Rule.Same(weekly(3)) || series.Rule.Count != 3 {
			w.Errorf("got %v, base %d, the rule %s", got, series.BaseID, series.Rule.Describe())
		}
		if series.Occurrences[0].Event.Title != "Every week" || !series.Occurrences[0].Recurring {
			w.Errorf("the first is %+v", series.Occurrences[0])
		}
		dissolved := w.writeSeries(reconciler.SeriesRecordWrite{
			ID: series.ID, Current: &series, Rule: &reconciler.Rule{}, Leave: ids(series.Occurrences[1:]),
		})
		if dissolved.ID != 0 || len(dissolved.Occurrences) != 1 || dissolved.Occurrences[0].ID != single.ID || dissolved.Occurrences[0].Recurring {
			w.Errorf("dissolved, it is %+v", dissolved)
		}
		if found, err := w.client.ReadSeries(w.Context(), []int64{series.ID}); err != nil || len(found) > 0 {
			w.Errorf("the recurrence is still there: %v, %v", found, err)
		}
		for _, record := range series.Occurrences[1:] {
			if left := w.read(record.ID); !left.Archived || left.Recurring {
				w.Errorf("one that left is %+v", left)
			}
		}
	})
}

func TestAnswersToASeries(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(3)))
		write := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series}
		for _, record := range series.Occurrences {
			write.Writes = append(write.Writes, reconciler.RecordWrite{
				Action: reconciler.ActionAnswer, ID: record.ID, Current: &record, Attendee: bob, Answer: reconciler.AnswerTentative,
			})
		}
		before := w.sim.Counts()["calendar.attendee.write"]
		answered := w.writeSeries(write)
		for _, record := range answered.Occurrences {
			index := slices.IndexFunc(record.Event.People, func(person reconciler.Person) bool { return person.Key() == bob.Key() })
			if index < 0 || record.Event.People[index].Answer != reconciler.AnswerTentative {
				w.Errorf("record %d has %+v", record.ID, record.Event.People)
			}
		}
		if got := w.sim.Counts()["calendar.attendee.write"] - before; got > 1 {
			w.Errorf("one answer to all took %d writes", got)
		}
		stranger := write
		stranger.Writes = []reconciler.RecordWrite{{
			Action: reconciler.ActionAnswer, ID: series.Occurrences[0].ID, Attendee: reconciler.Person{Address: "eve@other.example"}, Answer: reconciler.AnswerAccepted,
		}}
		var refused *reconciler.RefusedError
		if result := w.client.WriteSeries(w.Context(), stranger); !errors.As(result.Err, &refused) {
			w.Errorf("by somebody who is not invited: %v, want *RefusedError", result.Err)
		}
	})
}

func TestPeopleAddedToASeriesKeepTheirAnswers(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-1", weekly(2)))
		dave := reconciler.Person{Address: "dave@other.example", Name: "Dave", Answer: reconciler.AnswerDeclined}
		write := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series}
		for _, record := range series.Occurrences {
			write.Writes = append(write.Writes, update(record, func(event *reconciler.Event) {
				event.People = append(slices.Clone(event.People), dave)
			}, reconciler.FieldPeople))
		}
		for _, record := range w.writeSeries(write).Occurrences {
			index := slices.IndexFunc(record.Event.People, func(person reconciler.Person) bool { return person.Key() == dave.Key() })
			if index < 0 || record.Event.People[index].Answer != reconciler.AnswerDeclined {
				w.Errorf("record %d has %+v", record.ID, record.Event.People)
			}
		}
	})
}

func TestALongSeriesTakesOneCall(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		rule := reconciler.Rule{Frequency: reconciler.Daily, Interval: 1, Start: reconciler.SlotDate(first()), Count: nightpos.MostOccurrences}
		made := w.writeSeries(w.newSeries("key-1", rule))
		if diff := cmp.Diff(map[string]int{"write_series": 1}, w.seriesCalls()); diff != "" {
			w.Errorf("making it (-want +got):\n%s", diff)
		}
		if len(made.Occurrences) != nightpos.MostOccurrences || !made.Rule.Same(rule) {
			w.Errorf("got %d occurrences of %s", len(made.Occurrences), made.Rule.Describe())
		}
		later := first()
		later.Start, later.End = later.Start.Add(time.Hour), later.End.Add(time.Hour)
		write := reconciler.SeriesRecordWrite{ID: made.ID, Current: &made, Rule: &rule, Zone: brussels, First: later}
		for _, record := range made.Occurrences {
			when := record.Event.When
			when.Zone = brussels
			write.Writes = append(write.Writes, update(record, func(event *reconciler.Event) {
				event.When = reconciler.SlotTime(reconciler.SlotDate(when), later)
			}, reconciler.FieldWhen))
		}
		w.forgetCalls()
		moved := w.writeSeries(write)
		if diff := cmp.Diff(map[string]int{"write_series": 1}, w.seriesCalls()); diff != "" {
			w.Errorf("shifting it (-want +got):\n%s", diff)
		}
		if got := w.following(moved); len(got) != nightpos.MostOccurrences {
			w.Errorf("%d follow the rule", len(got))
		}
	})
}

func TestWholeDaysRepeat(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		date := reconciler.SlotDate(first())
		days := reconciler.When{AllDay: true, Start: date.Midnight(), End: date.Add(2).Midnight()}
		rule := weekly(3)
		series := w.writeSeries(reconciler.SeriesRecordWrite{
			Key: "key-1", Rule: &rule, First: days, OrganizerUserID: w.alice.UserID, Create: occurrences(rule, days),
		})
		for index, record := range series.Occurrences {
			want := reconciler.SlotTime(date.Add(7*index), days)
			if diff := cmp.Diff(want, record.Event.When); diff != "" {
				w.Errorf("occurrence %d (-want +got):\n%s", index, diff)
			}
		}
		if !series.Rule.Same(rule) {
			w.Errorf("the rule is %s", series.Rule.Describe())
		}
	})
}

func TestACountIsSaidAsADateWhereTheFirstIsMissing(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		write := w.newSeries("key-1", weekly(4))
		write.Create = write.Create[1:]
		series := w.writeSeries(write)
		if last, ends := series.Rule.Last(); !ends || last != reconciler.SlotDate(first()).Add(21) {
			w.Errorf("the rule is %s, want one that ends with the last occurrence", series.Rule.Describe())
		}
	})
}

func TestWeeksBeginAsNightPOSHasThem(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		rule := reconciler.Rule{
			Frequency: reconciler.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Sunday, time.Tuesday}, FirstWeekday: time.Sunday,
			Start: reconciler.SlotDate(first()), Count: 4,
		}
		series := w.writeSeries(w.newSeries("key-1", rule))
		if !series.Rule.Same(rule) {
			w.Errorf("the rule is %s", series.Rule.Describe())
		}
		rule.FirstWeekday = time.Monday
		result := w.client.WriteSeries(w.Context(), w.newSeries("key-2", rule))
		var refused *reconciler.RefusedError
		var inexpressible *reconciler.InexpressibleError
		if !errors.As(result.Err, &refused) || !errors.As(result.Err, &inexpressible) || !strings.Contains(refused.Reason, "weeks begin on Monday") {
			w.Errorf("with weeks from Monday on: %v, want it refused with the reason", result.Err)
		}
	})
}

func TestWhatCannotBeASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		series := w.writeSeries(w.newSeries("key-1", weekly(2)))
		for name, write := range map[string]reconciler.SeriesRecordWrite{
			"a new one without a rule":         {Key: "key-2", Create: occurrences(weekly(2), first())},
			"a dissolved one with a new event": {ID: series.ID, Current: &series, Rule: &reconciler.Rule{}, Create: occurrences(weekly(1), first())},
			"an unknown action":                {ID: series.ID, Current: &series, Writes: []reconciler.RecordWrite{{Action: "paint", ID: series.Occurrences[0].ID}}},
		} {
			if result := w.client.WriteSeries(w.Context(), write); result.Err == nil {
				w.Errorf("%s: no error", name)
			}
		}
	})
}

// Every rule that a version can say is what it reads back.
func TestRulesComeBack(t *testing.T) {
	start := reconciler.SlotDate(first())
	rules := map[string]reconciler.Rule{
		"every third day":         {Frequency: reconciler.Daily, Interval: 3, Count: 5},
		"two days a week":         {Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{time.Tuesday, time.Friday}, Until: start.Add(20)},
		"every second week":       {Frequency: reconciler.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Tuesday}, Count: 4},
		"a day of the month":      {Frequency: reconciler.Monthly, Interval: 1, MonthDay: 15, Count: 4},
		"the third Tuesday":       {Frequency: reconciler.Monthly, Interval: 2, Weekdays: []time.Weekday{time.Tuesday}, Position: 3, Until: start.Add(200)},
		"every year":              {Frequency: reconciler.Yearly, Interval: 1, MonthDay: 15, Month: time.January, Count: 3},
		"every year, by position": {Frequency: reconciler.Yearly, Interval: 1, Weekdays: []time.Weekday{time.Tuesday}, Position: 3, Month: time.January, Count: 3},
		"by date, after a count":  {Frequency: reconciler.Daily, Interval: 1, Until: start.Add(3)},
	}
	inEveryVersion(t, func(w *world) {
		series := w.writeSeries(w.newSeries("key-0", weekly(2)))
		for name, rule := range rules {
			rule.Start = start
			made := w.writeSeries(w.newSeries("key-"+name, rule))
			if made.Refused != "" || !made.Rule.Same(rule) {
				w.Errorf("%s: made, it is %s, refused %q, want %s", name, made.Rule.Describe(), made.Refused, rule.Describe())
			}
			series = w.writeSeries(reconciler.SeriesRecordWrite{ID: series.ID, Current: &series, Rule: &rule, Zone: brussels, First: first()})
			if series.Refused != "" || !series.Rule.Same(rule) {
				w.Errorf("%s: written, it is %s, refused %q, want %s", name, series.Rule.Describe(), series.Refused, rule.Describe())
			}
		}
	})
}

func TestASeriesWhoseAnswerWasLost(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		// Alarms and tags are looked up before.
		w.writeSeries(w.newSeries("key-0", weekly(1)))
		w.once(sim.CallFate{Drop: true})
		result := w.client.WriteSeries(w.Context(), w.newSeries("key-1", weekly(3)))
		if result.Err != nil || !result.Existed || len(w.events()) != 4 {
			w.Fatalf("made: %+v, %d events; want what the first try made", result, len(w.events()))
		}
		series := *result.Record
		longer := reconciler.SeriesRecordWrite{
			ID: series.ID, Current: &series, OrganizerUserID: w.alice.UserID, Create: occurrences(weekly(4), first())[3:],
		}
		w.once(sim.CallFate{Drop: true})
		if result := w.client.WriteSeries(w.Context(), longer); !errors.Is(result.Err, reconciler.ErrStale) || len(w.events()) != 5 {
			w.Errorf("one more: %+v, %d events; want ErrStale and one more", result, len(w.events()))
		}
		series = w.readSeries(series.ID)
		rename := reconciler.SeriesRecordWrite{ID: series.ID, Current: &series}
		for _, record := range series.Occurrences {
			rename.Writes = append(rename.Writes, update(record, func(event *reconciler.Event) { event.Title = "Renamed" }, reconciler.FieldTitle))
		}
		w.once(sim.CallFate{Status: http.StatusServiceUnavailable})
		if got := w.writeSeries(rename).Occurrences[3].Event.Title; got != "Renamed" {
			w.Errorf("the last is %q", got)
		}
		if _, err := w.rpc("calendar.event", "unlink", ids(series.Occurrences)); err != nil {
			w.Fatal(err)
		}
		if found, err := w.client.ReadSeries(w.Context(), []int64{series.ID}); err != nil || len(found) > 0 {
			w.Errorf("without any record: %v, %v, want it absent", found, err)
		}
	})
}

// TestASeriesIsDeleted: for good, with its recurrence and the occurrences that were
// archived.
func TestASeriesIsDeleted(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		made := w.writeSeries(w.newSeries("key-1", weekly(4)))
		other := w.writeSeries(w.newSeries("key-2", weekly(2)))
		if _, err := w.rpc("calendar.event", "write", []any{made.Occurrences[1].ID}, map[string]any{"active": false}); err != nil {
			w.Fatal(err)
		}
		write := reconciler.SeriesRecordWrite{ID: made.ID, Delete: ids(made.Occurrences)}
		if result := w.client.WriteSeries(w.Context(), write); result.Err != nil || result.Record != nil {
			w.Fatalf("deleting it: %+v", result)
		}
		if result := w.client.WriteSeries(w.Context(), write); !errors.Is(result.Err, reconciler.ErrGone) {
			w.Errorf("deleting it again: %v, want ErrGone", result.Err)
		}
		found, err := w.client.ReadSeries(w.Context(), []int64{made.ID, other.ID})
		if err != nil || len(found) != 1 || len(found[other.ID].Occurrences) != 2 {
			w.Errorf("left are %+v, %v", found, err)
		}
		if left, err := w.client.Read(w.Context(), ids(made.Occurrences)); err != nil || len(left) != 0 {
			w.Errorf("%d of its records are left, %v", len(left), err)
		}
		if left, err := w.rpc("calendar.recurrence", "search", []any{[]any{"id", "=", made.ID}}); err != nil || fmt.Sprint(left) != "[]" {
			w.Errorf("the recurrence is left: %v, %v", left, err)
		}
	})
}

// TestTheBuiltInSyncsIDsOfASeries are read in the shape of every version.
func TestTheBuiltInSyncsIDsOfASeries(t *testing.T) {
	inEveryVersion(t, func(w *world) {
		made := w.writeSeries(w.newSeries("key-1", weekly(2)))
		left := map[string]any{"microsoft_id": "master", "ms_universal_event_id": "uid"}
		if strings.Contains(w.Name(), "17") {
			left = map[string]any{"microsoft_id": "master:uid"}
		}
		if _, err := w.rpc("calendar.recurrence", "write", []any{made.ID}, left); err != nil {
			w.Fatal(err)
		}
		if _, err := w.rpc("calendar.event", "write", []any{made.Occurrences[0].ID}, map[string]any{"microsoft_recurrence_master_id": "master"}); err != nil {
			w.Fatal(err)
		}
		if series := w.readSeries(made.ID); series.GraphID != "master" || series.ICalUID != "uid" {
			w.Errorf("the series has %q and %q", series.GraphID, series.ICalUID)
		}
		if record := w.read(made.Occurrences[0].ID); record.MasterID != "master" {
			w.Errorf("its first occurrence has %q", record.MasterID)
		}
	})
}
