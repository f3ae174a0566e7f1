package nightpos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// weekly is a series of Mondays.
func weekly(count int, more map[string]any) map[string]any {
	values := meeting(map[string]any{
		"start": "2037-01-12 09:00:00", "stop": "2037-01-12 10:00:00", "recurrency": true, "rrule_type": "weekly", "interval": 1,
		"mon": true, "end_type": "count", "count": count, "event_tz": "Europe/Brussels",
	})
	for name, value := range more {
		values[name] = value
	}
	return values
}

// occurrences reads the events of a recurrence, archived ones too, by their
// beginning.
func (o *office) occurrences(who string, recurrence any, fields ...any) []map[string]any {
	o.t.Helper()
	found, failed := o.try(who, "calendar.event", "search_read",
		[]any{[]any{[]any{"recurrence_id", "=", recurrence}}, append([]any{"start"}, fields...), 0, false, "start"}, map[string]any{"active_test": false})
	if failed != "" {
		o.t.Fatal(failed)
	}
	var rows []map[string]any
	for _, row := range found.([]any) {
		rows = append(rows, row.(map[string]any))
	}
	return rows
}

func column(rows []map[string]any, name string) []string {
	var values []string
	for _, row := range rows {
		values = append(values, fmt.Sprint(row[name]))
	}
	return values
}

// recurrenceOf is the id of an event's recurrence.
func (o *office) recurrenceOf(who string, event int) any {
	o.t.Helper()
	pair, ok := o.row(who, "calendar.event", event, "recurrence_id")["recurrence_id"].([]any)
	if !ok {
		o.t.Fatalf("event %d follows no recurrence", event)
	}
	return pair[0]
}

// A series without an end is made of 720 events, in an order that is drawn, and
// in well under the second of a real server.
func TestEndlessSeries(t *testing.T) {
	for _, version := range versions {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			o := newOffice(t, nightpos.Config{Version: version})
			o.rule("calendar.attendee")
			began := time.Now()
			base := o.id("alice", "calendar.event", "create", weekly(0, map[string]any{
				"end_type": "forever", "partner_ids": []any{[]any{6, 0, o.contacts()[:2]}},
			}))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("720 events took %v", took)
			}
			rows := o.occurrences("alice", o.recurrenceOf("alice", base))
			if len(rows) != 720 {
				t.Fatalf("got %d events, want 720", len(rows))
			}
			if slices.IsSortedFunc(rows, func(a, b map[string]any) int { return int(a["id"].(float64) - b["id"].(float64)) }) {
				t.Error("the ids are in the order of the dates, but a set has none")
			}
			if came := len(o.heard()); came != 2*2*720 {
				t.Errorf("%d webhooks came for the attendees, want two for each", came)
			}
		})
	}
}

// A series keeps the time of its zone's clock, winter's where the clock shows a
// time twice or never.
func TestSeriesClock(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		for _, one := range []struct {
			name, start, stop string
			want              []string
		}{
			{"gap", "2027-03-27 01:30:00", "2027-03-27 02:00:00", []string{"2027-03-27 01:30:00", "2027-03-28 01:30:00", "2027-03-29 00:30:00"}},
			{"twice", "2027-10-30 00:30:00", "2027-10-30 01:00:00", []string{"2027-10-30 00:30:00", "2027-10-31 01:30:00", "2027-11-01 01:30:00"}},
			{"past the last known change", "2038-06-30 08:00:00", "2038-06-30 09:00:00", []string{"2038-06-30 08:00:00", "2038-07-01 08:00:00", "2038-07-02 08:00:00"}},
		} {
			base := o.id("alice", "calendar.event", "create", weekly(3, map[string]any{"start": one.start, "stop": one.stop, "rrule_type": "daily", "mon": false}))
			if got := column(o.occurrences("alice", o.recurrenceOf("alice", base)), "start"); !slices.Equal(got, one.want) {
				t.Errorf("%s: got %v, want %v", one.name, got, one.want)
			}
		}
	})
}

// Through the door a recurrence is made with the events that are given, read,
// found by, written and deleted.
func TestDoorSeries(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		door := o.door()
		occurrence := func(day int) map[string]any {
			start := time.Date(2037, 1, day, 9, 0, 0, 0, time.UTC)
			return map[string]any{
				"name": "Door", "start": start.Format(datetime), "stop": start.Add(time.Hour).Format(datetime), "user_id": o.uid("alice"),
				"recurrency": true, "follow_recurrence": true, "partner_ids": []any{[]any{6, 0, o.contacts()[:1]}},
			}
		}
		rule := map[string]any{"rrule_type": "weekly", "mon": true, "interval": 1, "end_type": "count", "count": 3, "event_tz": "Europe/Brussels"}
		given := map[string]any{"calendar_event_ids": []any{[]any{0, 0, occurrence(12)}, []any{0, 0, occurrence(19)}, []any{0, 0, occurrence(26)}}}
		for name, value := range rule {
			given[name] = value
		}
		results, failed := o.run(door, map[string]any{"do": "create", "model": "calendar.recurrence", "vals": []any{given}, "keys": []any{"series"}},
			map[string]any{"do": "read", "model": "calendar.recurrence", "of": []any{0}, "fields": []any{"calendar_event_ids", "rrule", "dtstart", "count"}},
			map[string]any{"do": "search_read", "model": "calendar.event", "of": []any{0}, "by": "recurrence_id", "fields": []any{"start", "recurrence_id", "rrule"}, "order": "start", "context": map[string]any{"active_test": false}})
		if failed != "" {
			t.Fatal(failed)
		}
		recurrence := results[0].([]any)[0]
		row := results[1].([]any)[0].(map[string]any)
		if row["rrule"] != "DTSTART:20370112T090000\nRRULE:FREQ=WEEKLY;WKST=SU;COUNT=3;BYDAY=MO" || row["dtstart"] != "2037-01-12 09:00:00" || row["count"] != 3.0 {
			t.Errorf("the recurrence reads %v", row)
		}
		if made := row["calendar_event_ids"].([]any); len(made) != 3 || len(results[2].([]any)) != 3 {
			t.Fatalf("the recurrence has %v, found by it %v, want the three that were given", made, results[2])
		}
		first := results[2].([]any)[0].(map[string]any)
		if first["start"] != "2037-01-12 09:00:00" || first["recurrence_id"] != recurrence || first["rrule"] != row["rrule"] {
			t.Errorf("its first event reads %v", first)
		}

		// The same key makes nothing; other events replace those it had.
		results, failed = o.run(door, map[string]any{"do": "create", "model": "calendar.recurrence", "vals": []any{given}, "keys": []any{"series"}},
			map[string]any{"do": "create", "model": "calendar.event", "vals": []any{occurrence(13), occurrence(20)}},
			map[string]any{"do": "keys_of", "model": "calendar.recurrence", "ids": []any{recurrence}})
		if failed != "" || results[0].([]any)[0] != recurrence || len(results[2].([]any)) != 1 {
			t.Fatalf("got %v %s, want the recurrence of the key", results, failed)
		}
		others := results[1]
		results, failed = o.run(door, map[string]any{"do": "write", "model": "calendar.recurrence", "ids": []any{recurrence}, "vals": map[string]any{
			"calendar_event_ids": []any{[]any{6, 0, others}}, "count": 2, "mon": false, "tue": true,
		}}, map[string]any{"do": "read", "model": "calendar.recurrence", "ids": []any{recurrence}, "fields": []any{"calendar_event_ids", "rrule"}},
			map[string]any{"do": "read", "model": "calendar.event", "ids": []any{first["id"]}, "fields": []any{"recurrence_id", "active"}})
		if failed != "" || results[0] != true {
			t.Fatalf("got %v %s", results, failed)
		}
		row = results[1].([]any)[0].(map[string]any)
		if row["rrule"] != "DTSTART:20370113T090000\nRRULE:FREQ=WEEKLY;WKST=SU;COUNT=2;BYDAY=TU" || len(row["calendar_event_ids"].([]any)) != 2 {
			t.Errorf("the recurrence reads %v", row)
		}
		if free := results[2].([]any)[0].(map[string]any); free["recurrence_id"] != false || free["active"] != true {
			t.Errorf("an event that was let go reads %v", free)
		}

		results, failed = o.run(door, map[string]any{"do": "unlink", "model": "calendar.recurrence", "ids": []any{recurrence}},
			map[string]any{"do": "exists", "model": "calendar.recurrence", "ids": []any{recurrence}},
			map[string]any{"do": "read", "model": "calendar.event", "ids": others, "fields": []any{"recurrence_id"}})
		if failed != "" || results[0] != true || len(results[1].([]any)) != 0 || len(results[2].([]any)) != 2 {
			t.Fatalf("got %v %s, want the events left without their recurrence", results, failed)
		}
	})
}

// The built-in sync of a connected user refuses series, paused or not (600, 601);
// dont_notify lets them through, and so does the user's own stop.
func TestBuiltInSyncRefusesSeries(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		base := o.id("alice", "calendar.event", "create", weekly(3, nil))
		o.call("admin", "res.users", "write", []any{o.uid("alice")}, map[string]any{"microsoft_calendar_rtoken": "secret"})
		o.call("admin", "ir.config_parameter", "set_param", "microsoft_calendar_sync_paused", true)
		refused := "odoo.exceptions.UserError"
		for _, one := range []struct {
			method  string
			list    []any
			context map[string]any
			want    string
		}{
			{"create", []any{weekly(3, nil)}, nil, refused},
			{"write", []any{[]any{base}, map[string]any{"name": "One", "recurrence_update": "self_only"}}, nil, refused},
			{"write", []any{[]any{base}, map[string]any{"name": "One"}}, nil, refused},
			{"write", []any{[]any{base}, map[string]any{"active": false}}, nil, ""},
			{"create", []any{meeting(nil)}, nil, ""},
			{"create", []any{weekly(3, nil)}, map[string]any{"dont_notify": true}, ""},
			{"write", []any{[]any{base}, map[string]any{"name": "One"}}, map[string]any{"dont_notify": true}, ""},
		} {
			if _, failed := o.try("alice", "calendar.event", one.method, one.list, one.context); failed != one.want {
				t.Errorf("%s%v with %v: got %q, want %q", one.method, one.list, one.context, failed, one.want)
			}
		}
		o.call("admin", "res.users", "write", []any{o.uid("alice")}, map[string]any{"microsoft_synchronization_stopped": true})
		o.call("alice", "calendar.event", "create", weekly(3, nil))
	})
}

// Editing a whole series tells everybody once, and whom it adds once.
func TestSeriesMails(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		people := o.contacts()
		base := o.id("alice", "calendar.event", "create", weekly(4, map[string]any{"partner_ids": []any{[]any{6, 0, people[:2]}}}))
		told := len(o.server.Mails())
		expect := func(what string, want ...string) {
			t.Helper()
			var got []string
			for _, mail := range o.server.Mails()[told:] {
				got = append(got, mail.Kind+" "+mail.To)
			}
			told = len(o.server.Mails())
			if !slices.Equal(got, want) {
				t.Errorf("%s: mailed %v, want %v", what, got, want)
			}
		}
		if told != 1 {
			t.Errorf("creating mailed %v, want bob once", o.server.Mails())
		}
		o.call("alice", "calendar.event", "write", []any{base}, map[string]any{"name": "New name", "recurrence_update": "all_events"})
		expect("a name")
		o.call("alice", "calendar.event", "write", []any{base}, map[string]any{"partner_ids": []any{[]any{4, people[2]}}, "recurrence_update": "all_events"})
		expect("carol", "invitation carol@customer.example")
		o.call("alice", "calendar.event", "write", []any{base}, map[string]any{"start": "2037-01-12 11:00:00", "stop": "2037-01-12 12:00:00", "recurrence_update": "all_events"})
		expect("a time", "update bob@nightpos.example", "update carol@customer.example")
		third := int(o.occurrences("alice", o.recurrenceOf("alice", base))[2]["id"].(float64))
		o.call("alice", "calendar.event", "write", []any{third}, map[string]any{"start": "2037-01-26 15:00:00", "stop": "2037-01-26 16:00:00", "recurrence_update": "future_events"})
		expect("a split", "update bob@nightpos.example", "update carol@customer.example")
	})
}

// An edit that fails leaves the series as it was.
func TestSeriesRollback(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		base := o.id("alice", "calendar.event", "create", weekly(4, nil))
		recurrence := o.recurrenceOf("alice", base)
		before := o.occurrences("alice", recurrence, "active", "write_date")
		if _, failed := o.try("alice", "calendar.event", "write", []any{[]any{base}, map[string]any{"mon": false, "recurrence_update": "all_events", "rrule_type": "monthly", "month_by": "day", "weekday": false, "byday": false}}, nil); failed == "" {
			t.Fatal("a rule that says nothing was accepted")
		}
		after := o.occurrences("alice", recurrence, "active", "write_date")
		if fmt.Sprint(before) != fmt.Sprint(after) || len(o.server.Recurrences()) != 1 {
			t.Errorf("the series is %v now, it was %v", after, before)
		}
	})
}
