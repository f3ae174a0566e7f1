package nightpos_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// versions runs a test on each version, in a bubble.
func versions(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, version)) })
		})
	}
}

// shown is an event as compared here: people in order of address, no names.
func shown(event reconciler.Event) reconciler.Event {
	event.People = slices.Clone(event.People)
	slices.SortFunc(event.People, func(a, b reconciler.Person) int { return strings.Compare(a.Key(), b.Key()) })
	for index := range event.People {
		event.People[index].Name, event.People[index].Address = "", event.People[index].Key()
	}
	event.Organizer.Name = ""
	return event
}

func sameEvent(t testing.TB, what string, want, got reconciler.Event) {
	t.Helper()
	if diff := cmp.Diff(shown(want), shown(got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestBatchesTakeOneCall(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		var writes []reconciler.RecordWrite
		for index := range 40 {
			event := meeting()
			event.Title = fmt.Sprint("Meeting ", index)
			writes = append(writes, w.create(fmt.Sprint("key-", index), event))
		}
		// Everybody, alarms and tags are met once.
		w.write(w.create("first", meeting()))
		w.forgetCalls()
		var ids []int64
		for index, result := range w.client.Write(t.Context(), writes) {
			if result.Err != nil || result.Record == nil || result.Existed {
				t.Fatalf("create %d: %+v", index, result)
			}
			want := writes[index].Event
			want.Organizer = reconciler.Person{Address: w.alice.Address, Answer: reconciler.AnswerAccepted}
			sameEvent(t, "what the create answered", want, result.Record.Event)
			if got, want := result.Record.ExternalKey, writes[index].Key; got != want {
				t.Errorf("the key of create %d is %q, want %q", index, got, want)
			}
			ids = append(ids, result.Record.ID)
		}
		if diff := cmp.Diff(map[string]int{"door.write": 1}, w.seen()); diff != "" {
			t.Errorf("calls for 40 creates (-want +got):\n%s", diff)
		}
		w.forgetCalls()
		records, err := w.client.Read(t.Context(), append(ids, ids[0], 999_999))
		if err != nil || len(records) != len(ids) {
			t.Fatalf("reading: %d records, %v, want %d: one for each that exists", len(records), err, len(ids))
		}
		if diff := cmp.Diff(map[string]int{"door.read": 1}, w.seen()); diff != "" {
			t.Errorf("calls for 40 reads (-want +got):\n%s", diff)
		}
		w.forgetCalls()
		window := reconciler.Window{Start: day(0), End: day(23)}
		listed, err := w.client.List(t.Context(), w.alice, window)
		if err != nil || len(listed) != 41 {
			t.Errorf("listing: %d records, %v, want 41", len(listed), err)
		}
		if diff := cmp.Diff(map[string]int{"door.list": 1, "door.read": 1}, w.seen()); diff != "" {
			t.Errorf("calls for a listing (-want +got):\n%s", diff)
		}
		var moves []reconciler.RecordWrite
		for _, id := range ids {
			moves = append(moves, update(records[id], func(e *reconciler.Event) { e.When.Start, e.When.End = day(11), day(12) }, reconciler.FieldWhen))
		}
		w.forgetCalls()
		for index, result := range w.client.Write(t.Context(), moves) {
			if result.Err != nil || !result.Record.Event.When.Start.Equal(day(11)) || result.Record.Event.Organizer.Answer != reconciler.AnswerAccepted {
				t.Errorf("move %d: %+v", index, result)
			}
		}
		if diff := cmp.Diff(map[string]int{"door.write": 1}, w.seen()); diff != "" {
			t.Errorf("calls for 40 moves (-want +got):\n%s", diff)
		}
		// Nobody was told of any of it.
		if mails := w.sim.Mails(); len(mails) > 0 {
			t.Errorf("NightPOS sent %d mails, the first to %s", len(mails), mails[0].To)
		}
	})
}

// Without the gateway's context the same things do mail: the silence above is no
// accident of the simulator.
func TestPeopleDoMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		member := w.sim.Member("alice")
		_, err := member.Create(t.Context(), map[string]any{
			"name": "Review", "start": "2030-01-15 09:00:00", "stop": "2030-01-15 10:00:00", "partner_ids": []any{[]any{6, 0, []any{7, 8, 9}}},
		})
		if err != nil || len(w.sim.Mails()) != 2 {
			t.Errorf("%d mails, %v, want two: to bob and to carol", len(w.sim.Mails()), err)
		}
	})
}

func TestOneBadWriteFailsAlone(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		kept := *w.write(w.create("kept", meeting())).Record
		gone := *w.write(w.create("gone", meeting())).Record
		if err := w.sim.Member("alice").Unlink(t.Context(), int(gone.ID)); err != nil {
			t.Fatal(err)
		}
		stale := update(kept, func(e *reconciler.Event) { e.Title = "Stale" }, reconciler.FieldTitle)
		stale.Stamp = "2020-01-01 00:00:00.000001"
		backwards := meeting()
		backwards.When.Start, backwards.When.End = day(10), day(9)
		cases := []struct {
			what  string
			write reconciler.RecordWrite
			want  error
		}{
			{"a create", w.create("a", meeting()), nil},
			{"an end before the start", w.create("b", backwards), &reconciler.RefusedError{}},
			{"an update", update(kept, func(e *reconciler.Event) { e.Place = "Room 2" }, reconciler.FieldPlace), nil},
			{"a stale update", stale, reconciler.ErrStale},
			{"an update of what is gone", update(gone, func(e *reconciler.Event) { e.Title = "x" }, reconciler.FieldTitle), reconciler.ErrGone},
			{"archiving what is gone", reconciler.RecordWrite{Action: reconciler.ActionArchive, ID: gone.ID}, reconciler.ErrGone},
			{"an answer to what is gone", reconciler.RecordWrite{Action: reconciler.ActionAnswer, ID: gone.ID, Attendee: bob}, reconciler.ErrGone},
			{"an answer by a stranger", reconciler.RecordWrite{Action: reconciler.ActionAnswer, ID: kept.ID, Attendee: reconciler.Person{Address: "x@y.example"}}, &reconciler.RefusedError{}},
			{"an unknown action", reconciler.RecordWrite{Action: reconciler.Action("surf"), ID: kept.ID}, &reconciler.RefusedError{}},
			{"another create", w.create("c", meeting()), nil},
		}
		var writes []reconciler.RecordWrite
		for _, one := range cases {
			writes = append(writes, one.write)
		}
		for index, result := range w.client.Write(t.Context(), writes) {
			want := cases[index].want
			var refused, wanted *reconciler.RefusedError
			wantRefused := errors.As(want, &wanted)
			switch {
			case errors.As(result.Err, &refused) != wantRefused, !wantRefused && !errors.Is(result.Err, want):
				t.Errorf("%s: got %v, want %v", cases[index].what, result.Err, want)
			case (result.Err == nil) != (result.Record != nil):
				t.Errorf("%s: got the record %v together with the error %v", cases[index].what, result.Record, result.Err)
			}
		}
		if got := w.read(kept.ID).Event; got.Place != "Room 2" || got.Title != "Review" {
			t.Errorf("the good update left %q at %q", got.Title, got.Place)
		}
		if got := len(w.events()); got != 3 {
			t.Errorf("there are %d events, want 3: %v", got, w.events())
		}
	})
}

func TestCreatesAreRepeatable(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		first := w.write(w.create("key", meeting()))
		edited := meeting()
		edited.Title = "Something else"
		second := w.write(w.create("key", edited))
		if first.Existed || !second.Existed || second.Record.ID != first.Record.ID || second.Record.Event.Title != "Review" {
			t.Errorf("first %t, second %t, record %d and then %d %q", first.Existed, second.Existed, first.Record.ID, second.Record.ID, second.Record.Event.Title)
		}
		// The answer is lost after the commit: the call is repeated by itself.
		w.once(sim.CallFate{Drop: true})
		lost := w.client.Write(t.Context(), []reconciler.RecordWrite{w.create("lost", meeting())})[0]
		if lost.Err != nil || !lost.Existed {
			t.Errorf("after a lost answer: %+v, want the record of the first attempt", lost)
		}
		if !lost.Record.Untouched {
			t.Error("nobody has written to the record of the first attempt, but it counts as touched")
		}
		if err := w.sim.Member("bob").Answer(t.Context(), int(lost.Record.ID), "accepted"); err != nil {
			t.Fatal(err)
		}
		if !w.write(w.create("lost", meeting())).Record.Untouched {
			t.Error("an answer counts as a change of the record")
		}
		time.Sleep(time.Millisecond) // a transaction of its own
		if err := w.sim.Member("alice").Write(t.Context(), []int{int(lost.Record.ID)}, map[string]any{"location": "Room 2"}); err != nil {
			t.Fatal(err)
		}
		if w.write(w.create("lost", meeting())).Record.Untouched {
			t.Error("a record counts as untouched after a person has written to it")
		}
		if got := len(w.events()); got != 2 {
			t.Errorf("there are %d events, want 2", got)
		}
		// What a person deleted is made anew.
		if err := w.sim.Member("alice").Unlink(t.Context(), int(first.Record.ID)); err != nil {
			t.Fatal(err)
		}
		if again := w.write(w.create("key", meeting())); again.Existed || again.Record.ID == first.Record.ID {
			t.Errorf("after a deletion: %+v, want a new record", again)
		}
		// An update whose answer is lost finds its own trace.
		record := w.read(lost.Record.ID)
		w.once(sim.CallFate{Drop: true})
		result := w.client.Write(t.Context(), []reconciler.RecordWrite{update(record, func(e *reconciler.Event) { e.Title = "New" }, reconciler.FieldTitle)})[0]
		if !errors.Is(result.Err, reconciler.ErrStale) || w.read(record.ID).Event.Title != "New" {
			t.Errorf("an update after a lost answer: %v, title %q, want stale and the new title", result.Err, w.read(record.ID).Event.Title)
		}
		// A server that gives up before the commit has done nothing.
		w.once(sim.CallFate{Rollback: true})
		undone := w.client.Write(t.Context(), []reconciler.RecordWrite{w.create("undone", meeting()), w.create("undone too", meeting())})
		var retry *reconciler.RetryError
		if !errors.As(undone[0].Err, &retry) || !errors.As(undone[1].Err, &retry) {
			t.Errorf("after a rollback: %v, %v, want errors to try again", undone[0].Err, undone[1].Err)
		}
		if got := len(w.events()); got != 2 {
			t.Errorf("there are %d events, want 2", got)
		}
	})
}

func TestArchivingAndBack(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		record := *w.write(w.create("key", meeting())).Record
		w.write(reconciler.RecordWrite{Action: reconciler.ActionArchive, ID: record.ID, Stamp: record.Stamp})
		archived := w.read(record.ID)
		if !archived.Archived {
			t.Error("the record is not archived, or cannot be read any more")
		}
		again := w.client.Write(t.Context(), []reconciler.RecordWrite{{Action: reconciler.ActionArchive, ID: record.ID, Stamp: record.Stamp}})[0]
		if !errors.Is(again.Err, reconciler.ErrStale) {
			t.Errorf("archiving by an old stamp: %v, want ErrStale", again.Err)
		}
		back := update(archived, func(e *reconciler.Event) { e.Title = "Back" }, reconciler.FieldTitle)
		back.Action = reconciler.ActionUnarchive
		if result := w.write(back); result.Record.Archived || result.Record.Event.Title != "Back" || len(result.Record.Event.People) != 2 {
			t.Errorf("brought back: %+v", result.Record)
		}
		if mails := w.sim.Mails(); len(mails) > 0 {
			t.Errorf("NightPOS sent %d mails", len(mails))
		}
	})
}

// People are added and removed one by one, come with their answers, and the
// organizer and those without an address stay.
func TestPeopleOfAnUpdate(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		id := int64(0)
		{
			// Dave, whose contact comes after carol's, has no address.
			dave := w.sim.Contact(carol.Address) + 1
			made, err := w.sim.Member("alice").Create(t.Context(), map[string]any{
				"name": "Review", "start": "2030-01-15 09:00:00", "stop": "2030-01-15 10:00:00", "partner_ids": []any{[]any{6, 0, []any{w.alice.PartnerID, w.sim.Member("bob").PartnerID, dave}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			id = int64(made)
		}
		mails := len(w.sim.Mails())
		eve := reconciler.Person{Address: "Eve@customer.example", Name: `Eve "the" <Eve>, Ltd`, Answer: reconciler.AnswerTentative}
		accepted := carol
		accepted.Answer = reconciler.AnswerAccepted
		directory := reconciler.Person{Address: "/O=EXCHANGE/CN=ROOM"}
		record := w.write(update(w.read(id), func(e *reconciler.Event) { e.People = []reconciler.Person{eve, accepted, directory} }, reconciler.FieldPeople)).Record
		want := record.Event
		want.People = []reconciler.Person{eve, accepted, {Name: "Dave Nomail"}}
		sameEvent(t, "after the update", want, record.Event)
		if record.Event.Organizer.Key() != w.alice.Address || record.Event.Organizer.Answer != reconciler.AnswerAccepted {
			t.Errorf("the organizer is %+v", record.Event.Organizer)
		}
		sameEvent(t, "as it is read", want, w.read(id).Event)
		// Everybody is known by now: one call, and none to give answers.
		w.forgetCalls()
		w.write(update(*record, func(e *reconciler.Event) { e.People = []reconciler.Person{accepted} }, reconciler.FieldPeople))
		if diff := cmp.Diff(map[string]int{"door.write": 1}, w.seen()); diff != "" {
			t.Errorf("calls to remove somebody (-want +got):\n%s", diff)
		}
		answered := w.write(reconciler.RecordWrite{Action: reconciler.ActionAnswer, ID: id, Attendee: carol, Answer: reconciler.AnswerDeclined}).Record
		index := slices.IndexFunc(answered.Event.People, func(p reconciler.Person) bool { return p.Key() == carol.Key() })
		if index < 0 || answered.Event.People[index].Answer != reconciler.AnswerDeclined {
			t.Errorf("carol's refusal was not taken down: %+v", answered.Event.People)
		}
		if got := len(w.sim.Mails()); got != mails {
			t.Errorf("NightPOS sent %d mails", got-mails)
		}
	})
}

// A contact that was remembered and is gone meanwhile, as after a merge, is
// looked up again before the event is set aside.
func TestStaleContactsAreLookedUpAgain(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		eve := reconciler.Person{Address: "eve@customer.example", Name: "Eve"}
		event := meeting()
		event.People = []reconciler.Person{eve}
		record := *w.write(w.create("first", event)).Record
		w.write(update(record, func(e *reconciler.Event) { e.People = nil }, reconciler.FieldPeople))
		if err := w.unlinkContact(eve.Address); err != nil {
			t.Fatal(err)
		}
		for index, result := range w.client.Write(t.Context(), []reconciler.RecordWrite{w.create("second", event), w.create("third", event), w.create("fourth", meeting())}) {
			if result.Err != nil || len(result.Record.Event.People) == 0 {
				t.Errorf("write %d: %+v", index, result)
			}
		}
	})
}

func TestPrivateEventsAreNeverTakenForBusyOnes(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		made, err := w.sim.Member("alice").Create(t.Context(), map[string]any{
			"name": "Doctor", "start": "2030-01-15 09:00:00", "stop": "2030-01-15 10:00:00", "privacy": "private", "partner_ids": []any{[]any{6, 0, []any{w.alice.PartnerID, w.sim.Member("bob").PartnerID}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		record := w.read(int64(made))
		if record.Masked || record.Event.Title != "Doctor" || len(record.Event.People) != 1 {
			t.Errorf("through the door: %+v", record)
		}
	})
	// A door that lifts no checks shows masked rows, as the plain API does.
	for name, row := range map[string]string{
		"as measured":           `"name":"Busy","write_date":"","partner_ids":[]`,
		"with a write date":     `"name":"Busy","write_date":"2026-11-22 17:15:59.341675","partner_ids":[]`,
		"in another language":   `"name":"Occupé","write_date":false,"partner_ids":[]`,
		"busy and nothing else": `"name":"Busy","write_date":"2026-11-22 17:15:59.341675","partner_ids":[7,8]`,
	} {
		wire := &wire{answer: always(200, `{"jsonrpc":"2.0","id":1,"result":{"infos":{"results":[[{"id":1,"active":true,"start":"2030-01-15 09:00:00","stop":"2030-01-15 10:00:00","user_id":false,`+row+`}],
			[{"id":5,"event_id":1,"partner_id":8,"email":"bob@nightpos.example","state":"accepted"}],[],[],[]]}}}`)}
		records, err := wire.client(t).Read(t.Context(), []int64{1})
		if want := name != "busy and nothing else"; err != nil || records[1].Masked != want {
			t.Errorf("%s: masked is %t, %v, want %t", name, records[1].Masked, err, want)
		}
	}
}

// Archived records, those of others and those out of the window.
func TestListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		at := func(start, end time.Time, allDay bool, organizer int64) int64 {
			event := reconciler.Event{Title: "x", When: reconciler.When{AllDay: allDay, Start: start, End: end}}
			write := w.create(fmt.Sprint(start, end, allDay, organizer), event)
			write.OrganizerUserID = organizer
			return w.write(write).Record.ID
		}
		midnight := day(0)
		inside := map[int64]string{
			at(day(9), day(10), false, 6):                                      "inside",
			at(midnight.Add(-time.Hour), midnight.Add(time.Hour), false, 6):    "across the start",
			at(day(23), midnight.AddDate(0, 0, 2), false, 6):                   "across the end",
			at(midnight, midnight, false, 6):                                   "no length, at the start",
			at(midnight, midnight.AddDate(0, 0, 1), true, 6):                   "that whole day",
			at(midnight.AddDate(0, 0, -1), midnight.AddDate(0, 0, 2), true, 6): "three whole days",
		}
		archived := at(day(12), day(13), false, 6)
		w.write(reconciler.RecordWrite{Action: reconciler.ActionArchive, ID: archived})
		inside[archived] = "archived"
		at(midnight.Add(-time.Hour), midnight, false, 6)
		at(midnight.AddDate(0, 0, 1), midnight.AddDate(0, 0, 1).Add(time.Hour), false, 6)
		at(midnight.AddDate(0, 0, -1), midnight, true, 6)
		at(midnight.AddDate(0, 0, 1), midnight.AddDate(0, 0, 2), true, 6)
		at(day(9), day(10), false, 7)
		listed, err := w.client.List(t.Context(), w.alice, reconciler.Window{Start: midnight, End: midnight.AddDate(0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		got := map[int64]string{}
		for _, record := range listed {
			got[record.ID] = inside[record.ID]
		}
		if diff := cmp.Diff(inside, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// Whole days are stored as midnight of their last day, and count till its end.
		noon, err := w.client.List(t.Context(), w.alice, reconciler.Window{Start: day(14), End: day(15)})
		if err != nil || len(noon) != 2 || !noon[0].Event.When.AllDay || !noon[1].Event.When.AllDay {
			t.Errorf("an hour after lunch: %d records, %v, want the two of whole days", len(noon), err)
		}
		// More than one page, in order and without repeats.
		var writes []reconciler.RecordWrite
		for index := range 450 {
			event := reconciler.Event{Title: "x", When: reconciler.When{Start: day(9).AddDate(1, 0, 0), End: day(10).AddDate(1, 0, 0)}}
			writes = append(writes, w.create(fmt.Sprint("page ", index), event))
		}
		for _, result := range w.client.Write(t.Context(), writes) {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
		w.forgetCalls()
		listed, err = w.client.List(t.Context(), w.alice, reconciler.Window{Start: midnight.AddDate(1, 0, 0), End: midnight.AddDate(1, 0, 1)})
		distinct := map[int64]bool{}
		for _, record := range listed {
			distinct[record.ID] = true
		}
		if err != nil || len(listed) != 450 || len(distinct) != 450 {
			t.Errorf("%d records, %d of them distinct, %v, want 450", len(listed), len(distinct), err)
		}
		if diff := cmp.Diff(map[string]int{"list": 3, "read": 3}, w.doorCalls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		// A listing that breaks off is an error, never a part.
		left := 3
		w.whenCalled(func(model, _ string) sim.CallFate {
			if model != "ir.actions.server" {
				return sim.CallFate{}
			}
			if left--; left < 0 {
				return sim.CallFate{Status: 500}
			}
			return sim.CallFate{}
		})
		if part, err := w.client.List(t.Context(), w.alice, reconciler.Window{Start: midnight.AddDate(1, 0, 0), End: midnight.AddDate(1, 0, 1)}); err == nil || part != nil {
			t.Errorf("a listing that broke off: %d records, %v, want none and an error", len(part), err)
		}
	})
}
