package outlook_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// In virtual time "now" is midnight UTC, 2000-01-01.

func TestEventLife(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := meeting("Tasting")
		content["body"] = map[string]any{"contentType": "HTML", "content": `<p onclick="x()">Hello<script>alert(1)</script> <b>you</b></p>`}
		content["location"] = map[string]any{"displayName": "Bar"}
		content["singleValueExtendedProperties"] = []any{map[string]any{"id": property, "value": "Rec-1"}}
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		got := map[string]any{}
		for _, name := range []string{
			"subject", "start", "end", "originalStartTimeZone", "isAllDay", "showAs", "sensitivity", "importance",
			"isReminderOn", "reminderMinutesBeforeStart", "responseRequested", "type", "recurrence", "transactionId", "isOrganizer",
			"attendees", "bodyPreview", "createdDateTime", "responseStatus", "isOnlineMeeting", "onlineMeeting", "categories",
		} {
			got[name] = made.body[name]
		}
		want := map[string]any{
			"subject": "Tasting", "start": at("2026-12-01T08:00:00.0000000", "UTC"), "end": at("2026-12-01T09:00:00.0000000", "UTC"),
			"originalStartTimeZone": "Europe/Berlin", "isAllDay": false, "showAs": "busy", "sensitivity": "normal", "importance": "normal",
			"isReminderOn": true, "reminderMinutesBeforeStart": 15.0, "responseRequested": true, "type": "singleInstance", "recurrence": nil,
			"transactionId": nil, "isOrganizer": true, "attendees": []any{}, "bodyPreview": "Hello you", "createdDateTime": "2000-01-01T00:00:00.0000000Z",
			"responseStatus":  map[string]any{"response": "organizer", "time": "0001-01-01T00:00:00Z"},
			"isOnlineMeeting": false, "onlineMeeting": nil, "categories": []any{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("7.22 created event (-want +got):\n%s", diff)
		}
		if _, echoed := made.body["singleValueExtendedProperties"]; echoed {
			t.Error("7.18: extended properties are echoed")
		}
		body, _ := dig(made.body, "body", "content").(string)
		if !strings.HasPrefix(body, "<html><head>") || !strings.HasSuffix(body, "<p>Hello <b>you</b></p></body></html>") {
			t.Errorf("7.16: body is %q", body)
		}
		if dig(made.body, "location", "displayName") != "Bar" || len(made.body["locations"].([]any)) != 1 {
			t.Errorf("7.17: location %v, locations %v", made.body["location"], made.body["locations"])
		}
		if id := made.text("id"); len(id) != 152 || !strings.HasPrefix(id, "AAMk") {
			t.Errorf("7.3: id %q of %d characters", id, len(id))
		}
		if uid := made.text("iCalUId"); len(uid) != 112 || !strings.HasPrefix(uid, "040000008200E00074C5B7101A82E00800000000") {
			t.Errorf("7.4: iCalUId %q", uid)
		}
		if made.text("@odata.etag") != `W/"`+made.text("changeKey")+`"` {
			t.Errorf("7.5: etag %q for change key %q", made.text("@odata.etag"), made.text("changeKey"))
		}

		path := "/me/events/" + made.text("id")
		patched := w.want(w.call(alice, "PATCH", path, map[string]any{"subject": "Wine", "location": nil}, "If-Match: "+made.text("@odata.etag")), 200, "")
		if patched.text("subject") != "Wine" || len(patched.body["locations"].([]any)) != 0 || patched.text("changeKey") == made.text("changeKey") {
			t.Errorf("patched: %v", patched.body)
		}
		w.want(w.call(alice, "PATCH", path, map[string]any{"subject": "Beer"}, "If-Match: "+made.text("@odata.etag")), 412, "ErrorIrresolvableConflict")
		w.want(w.call(alice, "DELETE", path, nil, "If-Match: "+made.text("@odata.etag")), 412, "ErrorIrresolvableConflict")
		same := w.want(w.call(alice, "PATCH", path, map[string]any{}), 200, "")
		if same.text("changeKey") != patched.text("changeKey") {
			t.Error("an empty patch moved the change key")
		}
		w.want(w.call(alice, "DELETE", path, nil), 204, "")
		w.want(w.call(alice, "DELETE", path, nil), 404, "ErrorItemNotFound")
		w.want(w.call(alice, "GET", path, nil), 404, "ErrorItemNotFound")
		if got := len(w.server.Mails()); got != 0 {
			t.Errorf("an appointment without attendees sent %d mails, want none", got)
		}
	})
}

func TestRefusedContent(t *testing.T) {
	full := func(change func(map[string]any)) map[string]any {
		content := meeting("x")
		change(content)
		return content
	}
	many := []string{}
	for i := range 501 {
		many = append(many, fmt.Sprintf("guest%d@elsewhere.example", i))
	}
	cases := []struct {
		name    string
		content map[string]any
		code    string
	}{
		{"8.15 null collection", full(func(c map[string]any) { c["attendees"] = nil }), "UnableToDeserializePostBody"},
		{"8.15 null categories", full(func(c map[string]any) { c["categories"] = nil }), "UnableToDeserializePostBody"},
		{"8.15 null extended properties", full(func(c map[string]any) { c["singleValueExtendedProperties"] = nil }), "UnableToDeserializePostBody"},
		{"8.15 unknown property", full(func(c map[string]any) { c["colour"] = "red" }), "RequestBodyRead"},
		{"7.1 uid is beta only", full(func(c map[string]any) { c["uid"] = "1" }), "RequestBodyRead"},
		{"7.2 enumeration", full(func(c map[string]any) { c["showAs"] = "asleep" }), "RequestBodyRead"},
		{"7.9 unlisted IANA zone", full(func(c map[string]any) { c["start"] = at("2026-12-01T09:00:00", "Europe/Prague") }), "TimeZoneNotSupportedException"},
		{"7.9 nonsense zone", full(func(c map[string]any) { c["start"] = at("2026-12-01T09:00:00", "Moon") }), "TimeZoneNotSupportedException"},
		{"7.11 all-day not midnight", full(func(c map[string]any) { c["isAllDay"] = true }), "ErrorInvalidRequest"},
		{"7.11 all-day in two zones", full(func(c map[string]any) {
			c["isAllDay"], c["start"], c["end"] = true, at("2026-12-01", "UTC"), at("2026-12-02T00:00:00", "Europe/Berlin")
		}), "ErrorInvalidRequest"},
		{"end before start", full(func(c map[string]any) { c["end"] = at("2026-12-01T08:00:00", "Europe/Berlin") }), "ErrorPropertyValidationFailure"},
		{"no start", full(func(c map[string]any) { delete(c, "start") }), "ErrorPropertyValidationFailure"},
		{"8.16 too many attendees", full(func(c map[string]any) { c["attendees"] = guests(many...) }), "ErrorInvalidRequest"},
		{"attendee without address", full(func(c map[string]any) { c["attendees"] = guests("nobody") }), "ErrorInvalidRecipients"},
		{"series", full(func(c map[string]any) { c["recurrence"] = map[string]any{"pattern": map[string]any{}} }), "ErrorPropertyValidationFailure"},
		{"open extensions", full(func(c map[string]any) { c["extensions"] = []any{map[string]any{}} }), "ErrorInvalidRequest"},
		{"7.18 malformed property id", full(func(c map[string]any) {
			c["singleValueExtendedProperties"] = []any{map[string]any{"id": "Name x", "value": "1"}}
		}), "ErrorInvalidProperty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				w.want(w.call(alice, "POST", "/me/events", c.content), 400, c.code)
				made := w.want(w.call(alice, "POST", "/me/events", meeting("y")), 201, "")
				delete(c.content, "subject")
				if c.content["start"] != nil { // absence is no error in a patch
					w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), c.content), 400, c.code)
				}
				again := w.call(alice, "GET", "/me/events/"+made.text("id"), nil)
				if again.text("changeKey") != made.text("changeKey") {
					t.Error("a refused patch moved the change key")
				}
				if got := len(w.server.Mails()); got != 0 {
					t.Errorf("refused writes sent %d mails", got)
				}
			})
		})
	}
}

func TestTimes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", map[string]any{
			"subject": "Summer", "start": at("2026-07-01T09:30", "W. Europe Standard Time"), "end": at("2026-07-01T10:00:00.5", "W. Europe Standard Time"),
		}, `Prefer: outlook.timezone="Pacific Standard Time", outlook.body-content-type="text"`), 201, "")
		if diff := cmp.Diff(at("2026-07-01T00:30:00.0000000", "Pacific Standard Time"), made.body["start"]); diff != "" {
			t.Errorf("7.8 start in the preferred zone (-want +got):\n%s", diff)
		}
		if made.header.Get("Preference-Applied") == "" {
			t.Error("7.21: no Preference-Applied")
		}
		if got := dig(made.body, "end", "dateTime"); got != "2026-07-01T01:00:00.5000000" {
			t.Errorf("end: got %v", got)
		}
		w.want(w.call(alice, "GET", "/me/events", nil, `Prefer: outlook.timezone="Nowhere"`), 400, "TimeZoneNotSupportedException")

		day := w.want(w.call(alice, "POST", "/me/events", map[string]any{
			"subject": "Holiday", "isAllDay": true, "start": at("2026-12-24T00:00:00", "Europe/Berlin"), "end": at("2026-12-26T00:00:00", "Europe/Berlin"),
		}), 201, "")
		for _, zone := range []string{"UTC", "Pacific Standard Time", "Tokyo Standard Time"} {
			seen := w.call(alice, "GET", "/me/events/"+day.text("id"), nil, `Prefer: outlook.timezone="`+zone+`"`)
			want := []any{at("2026-12-24T00:00:00.0000000", zone), at("2026-12-26T00:00:00.0000000", zone)}
			if diff := cmp.Diff(want, []any{seen.body["start"], seen.body["end"]}); diff != "" {
				t.Errorf("7.11 all-day in %s (-want +got):\n%s", zone, diff)
			}
		}
		timed := w.want(w.call(alice, "PATCH", "/me/events/"+day.text("id"), map[string]any{"isAllDay": false}), 200, "")
		if got := dig(timed.body, "start", "dateTime"); got != "2026-12-23T23:00:00.0000000" {
			t.Errorf("no longer all-day: starts %v, want midnight in the zone it was set in", got)
		}
		moved := w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"start": at("2026-07-01T07:00:00", "UTC")}), 200, "")
		if moved.text("originalStartTimeZone") != "UTC" || moved.text("originalEndTimeZone") != "W. Europe Standard Time" {
			t.Errorf("7.10: zones %q, %q", moved.text("originalStartTimeZone"), moved.text("originalEndTimeZone"))
		}
	})
}

func TestIdentityModes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		stable := w.want(w.call(alice, "GET", "/me/events", nil, immutable), 200, "").values()[0]["id"].(string)
		if stable == made.text("id") || !strings.HasPrefix(stable, "AAkALgAAAAAAHYQD") {
			t.Errorf("7.3: immutable id %q", stable)
		}
		other := w.want(w.call(bob, "POST", "/me/events", meeting("x")), 201, "")
		for _, c := range []struct {
			name, id string
			headers  []string
			status   int
			code     string
		}{
			{"default", made.text("id"), nil, 200, ""},
			{"immutable", stable, []string{immutable}, 200, ""},
			{"immutable without the header", stable, nil, 400, "ErrorInvalidIdMalformed"},
			{"default with the header", made.text("id"), []string{immutable}, 400, "ErrorInvalidIdMalformed"},
			{"of another mailbox", other.text("id"), nil, 400, "ErrorInvalidIdMalformed"},
			{"cut short", made.text("id")[:140], nil, 400, "ErrorInvalidIdMalformed"},
			{"other case", strings.ToLower(made.text("id")), nil, 400, "ErrorInvalidIdMalformed"},
			{"nonsense", "42", nil, 400, "ErrorInvalidIdMalformed"},
		} {
			if got := w.call(alice, "GET", "/me/events/"+c.id, nil, c.headers...); got.status != c.status || got.code() != c.code {
				t.Errorf("7.3 %s: got %d %q, want %d %q", c.name, got.status, got.code(), c.status, c.code)
			}
		}
		translated := w.want(w.call(alice, "POST", "/me/translateExchangeIds", map[string]any{
			"inputIds": []string{made.text("id")}, "sourceIdType": "restId", "targetIdType": "restImmutableEntryId",
		}), 200, "")
		if got := translated.values()[0]["targetId"]; got != stable {
			t.Errorf("translated id: got %v, want %v", got, stable)
		}
	})
}

func TestTransactions(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := meeting("x", bob)
		content["transactionId"] = "t-1"
		first := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		again := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		if first.text("id") != again.text("id") || first.text("transactionId") != "t-1" {
			t.Errorf("7.14: got ids %q and %q, want one", first.text("id"), again.text("id"))
		}
		if got := w.mails(0); len(got) != 1 {
			t.Errorf("7.14: a repeat mailed again: %v", got)
		}
		content["subject"] = "y"
		refused := w.want(w.call(alice, "POST", "/me/calendar/events", content), 400, "ErrorDuplicateTransactionId")
		if got := dig(refused.body, "error", "@event.existingEventId"); got != first.text("id") {
			t.Errorf("7.14: existing event %v, want %q", got, first.text("id"))
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+first.text("id"), map[string]any{"transactionId": "t-2"}), 400, "ErrorInvalidPropertySet")
		w.want(w.call(alice, "DELETE", "/me/events/"+first.text("id"), nil), 204, "")
		w.want(w.call(alice, "POST", "/me/events", content), 201, "")
	})
}

func TestExtendedProperties(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for i := range 3 {
			content := meeting(fmt.Sprint("Event ", i))
			content["singleValueExtendedProperties"] = []any{map[string]any{"id": property, "value": fmt.Sprint("Rec-", i)}}
			w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		}
		find := func(id, value string) []map[string]any {
			filter := "singleValueExtendedProperties/Any(ep: ep/id eq '" + id + "' and ep/value eq '" + value + "')"
			expand := "singleValueExtendedProperties($filter=id eq '" + id + "')"
			return w.want(w.call(alice, "GET", "/me/events?$filter="+url.QueryEscape(filter)+"&$expand="+url.QueryEscape(expand)+"&$select=subject", nil), 200, "").values()
		}
		found := find(property, "rec-1")
		if len(found) != 1 || found[0]["subject"] != "Event 1" {
			t.Fatalf("7.18 value in other case: got %v", found)
		}
		want := []any{map[string]any{"id": property, "value": "Rec-1"}}
		if diff := cmp.Diff(want, found[0]["singleValueExtendedProperties"]); diff != "" {
			t.Errorf("7.18 expanded (-want +got):\n%s", diff)
		}
		if got := find(strings.Replace(property, "NightPOSRecord", "nightposrecord", 1), "Rec-1"); len(got) != 0 {
			t.Errorf("7.18 name in other case: got %v, want nothing", got)
		}
		if got := find(strings.Replace(property, "66f5a359", "66F5A359", 1), "Rec-2"); len(got) != 1 {
			t.Errorf("7.18 GUID in other case: got %v, want one", got)
		}
		if _, shown := found[0]["start"]; shown || found[0]["id"] == nil || found[0]["@odata.etag"] == nil {
			t.Errorf("$select: got %v", found[0])
		}
	})
}

func TestListing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		uid := ""
		for i := range 25 {
			content := meeting(fmt.Sprintf("Event %02d", i))
			content["start"] = at(fmt.Sprintf("2026-12-%02dT09:00:00", 28-i), "UTC")
			content["end"] = at(fmt.Sprintf("2026-12-%02dT10:00:00", 28-i), "UTC")
			uid = w.want(w.call(alice, "POST", "/me/events", content), 201, "").text("iCalUId")
		}
		collect := func(path string) (subjects []string, pages int) {
			for path != "" {
				page := w.want(w.call(alice, "GET", path, nil), 200, "")
				for _, e := range page.values() {
					subjects = append(subjects, e["subject"].(string))
				}
				path, pages = page.text("@odata.nextLink"), pages+1
			}
			return subjects, pages
		}
		for _, c := range []struct {
			path         string
			count, pages int
			first        string
		}{
			{"/me/events", 25, 3, "Event 00"},
			{"/me/events?$top=7", 25, 4, "Event 00"},
			{"/me/calendar/events?$top=1000&$skip=5", 20, 1, "Event 05"},
			{"/me/events?$orderby=start/dateTime%20desc&$top=25", 25, 1, "Event 00"},
			{"/me/events?$orderby=start/dateTime&$top=25", 25, 1, "Event 24"},
			{"/me/events?$filter=" + url.QueryEscape("iCalUId eq '"+uid+"'"), 1, 1, "Event 24"},
			{"/me/events?$filter=" + url.QueryEscape("start/dateTime ge '2026-12-20T00:00:00' and not (subject eq 'Event 00')"), 8, 1, "Event 01"},
			{"/me/events?$filter=" + url.QueryEscape("startswith(subject,'event 1')"), 10, 1, "Event 10"},
			{"/me/calendarView?startDateTime=2026-12-05T09:30:00&endDateTime=2026-12-08T09:00:00Z", 3, 1, "Event 23"},
			{"/me/calendarView?startDateTime=2026-12-05T12:30:00%2B03:00&endDateTime=2026-12-08T12:00:00%2B03:00", 3, 1, "Event 23"},
		} {
			subjects, pages := collect(c.path)
			if len(subjects) != c.count || pages != c.pages || subjects[0] != c.first {
				t.Errorf("%s: got %d in %d pages, first %q; want %d in %d, first %q", c.path, len(subjects), pages, subjects[0], c.count, c.pages, c.first)
			}
		}
		for path, code := range map[string]string{
			"/me/calendarView": "ErrorInvalidRequest",
			"/me/calendarView?startDateTime=2026-01-01T00:00:00Z&endDateTime=2032-01-01T00:00:00Z": "ErrorInvalidRequest",
			"/me/calendarView?startDateTime=2026-02-01T00:00:00Z&endDateTime=2026-01-01T00:00:00Z": "ErrorInvalidRequest",
			"/me/events?$top=1001":              "ErrorInvalidUrlQuery",
			"/me/events?$select=colour":         "RequestBroker--ParseUri",
			"/me/events?$filter=uid%20eq%20'x'": "ErrorInvalidUrlQueryFilter",
			"/me/events?$search=x":              "ErrorInvalidUrlQuery",
			"/me/contacts":                      "BadRequest",
		} {
			w.want(w.call(alice, "GET", path, nil), 400, code)
		}
		w.want(w.call(alice, "PUT", "/me/events", nil), 405, "Request_BadRequest")
		w.want(w.call(alice, "GET", "/users/"+bob+"/events", nil), 403, "ErrorAccessDenied")
		w.want(w.call(alice, "GET", "/users/"+alice+"/events", nil), 200, "")
	})
}

func TestOnlineMeeting(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := meeting("Call")
		content["isOnlineMeeting"], content["onlineMeetingProvider"] = true, "teamsForBusiness"
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		join, _ := dig(made.body, "onlineMeeting", "joinUrl").(string)
		body, _ := dig(made.body, "body", "content").(string)
		if join == "" || !strings.Contains(body, join) {
			t.Fatalf("7.15: join %q, body %q", join, body)
		}
		path := "/me/events/" + made.text("id")
		kept := w.want(w.call(alice, "PATCH", path, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>Agenda</p>" + body}}), 200, "")
		if dig(kept.body, "onlineMeeting", "joinUrl") != join {
			t.Errorf("7.16: a body with the blob lost the meeting: %v", kept.body["onlineMeeting"])
		}
		lost := w.want(w.call(alice, "PATCH", path, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>Agenda</p>"}}), 200, "")
		if lost.body["isOnlineMeeting"] != false || lost.body["onlineMeeting"] != nil {
			t.Errorf("7.16: a body without the blob kept the meeting: %v", lost.body["onlineMeeting"])
		}
		other := meeting("Call")
		other["isOnlineMeeting"], other["onlineMeetingProvider"] = true, "skypeForConsumer"
		if made := w.want(w.call(alice, "POST", "/me/events", other), 201, ""); made.body["isOnlineMeeting"] != false {
			t.Error("7.15: a provider that is not allowed made an online meeting")
		}
	})
}

func TestBodies(t *testing.T) {
	for _, c := range []struct{ name, kind, content, text string }{
		{"text", "text", "one\ntwo <3", "one\r\ntwo <3"},
		{"html", "html", "<div>one</div><div>two &lt;3</div>", "one\r\ntwo <3"},
		{"unsafe", "html", `<a href="javascript:x()">go</a><iframe src="x">in</iframe><form><input></form><img src="a.png" onerror="x()">`, "go"},
		{"whole document", "html", `<html><head><title>T</title><style>p{}</style></head><body><p>one</p></body></html>`, "one"},
		{"empty", "text", "", ""},
	} {
		t.Run("7.16 "+c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				content := meeting("x")
				content["body"] = map[string]any{"contentType": c.kind, "content": c.content}
				made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
				stored, _ := dig(made.body, "body", "content").(string)
				for _, bad := range []string{"javascript:", "onerror", "<iframe", "<form", "<script"} {
					if strings.Contains(stored, bad) {
						t.Errorf("stored body holds %s: %q", bad, stored)
					}
				}
				path := "/me/events/" + made.text("id")
				seen := w.call(alice, "GET", path, nil, `Prefer: outlook.body-content-type="text"`)
				if got := dig(seen.body, "body", "content"); got != c.text {
					t.Errorf("as text: got %q, want %q", got, c.text)
				}
				again := w.want(w.call(alice, "PATCH", path, map[string]any{"body": made.body["body"]}), 200, "")
				if diff := cmp.Diff(made.body["body"], again.body["body"]); diff != "" {
					t.Errorf("writing back what was read changed it (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWriteBackWhatWasRead(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.OneNotification = true }, func(t *testing.T, w *world) {
		content := meeting("x", bob)
		content["locations"] = []any{map[string]any{"displayName": "A"}, map[string]any{"displayName": "B", "locationUri": "https://b.example"}}
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		rendered, err := json.Marshal(made.body)
		if err != nil {
			t.Fatal(err)
		}
		back := map[string]any{}
		if err := json.Unmarshal(rendered, &back); err != nil {
			t.Fatal(err)
		}
		delete(back, "transactionId")
		again := w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), back), 200, "")
		for _, name := range []string{"changeKey", "@odata.etag", "lastModifiedDateTime", "originalStartTimeZone", "originalEndTimeZone"} { // 7.10: the zone follows the write
			delete(made.body, name)
			delete(again.body, name)
		}
		if diff := cmp.Diff(made.body, again.body); diff != "" {
			t.Errorf("writing back what was read changed it (-want +got):\n%s", diff)
		}
		if got := dig(made.body, "location", "displayName"); got != "A; B" {
			t.Errorf("7.17: location %v", got)
		}
	})
}
