package outlook_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const december, january = "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"

// tuesdays is a series of four, from 1 to 22 December 2026 at 9 in UTC.
func tuesdays(attendees ...string) map[string]any {
	return series(rule("weekly", 1, "daysOfWeek", []string{"tuesday"}), times(4), "2026-12-01T09:00:00", "2026-12-01T10:00:00", "UTC", attendees...)
}

// hours is a patch of the times of one day.
func hours(day, from, to string) map[string]any {
	return map[string]any{"start": at("2026-12-"+day+"T"+from+":00", "UTC"), "end": at("2026-12-"+day+"T"+to+":00", "UTC")}
}

// made creates a series as alice and returns the id of its master and those of
// its occurrences.
func (w *world) made(content map[string]any) (master string, occurrences []string) {
	w.t.Helper()
	master = w.want(w.call(alice, "POST", "/me/events", content), 201, "").text("id")
	return master, w.occurrences(alice, master)
}

func (w *world) occurrences(as, master string) []string {
	w.t.Helper()
	var ids []string
	for _, one := range w.instances(as, master, december, january) {
		ids = append(ids, one["id"].(string))
	}
	return ids
}

// shape shows a window of december as "day hour type subject".
func (w *world) shape(as string) []string {
	w.t.Helper()
	var lines []string
	path := "/me/calendarView?$top=1000&$orderby=start/dateTime&" + windowOf(december, january)
	for _, e := range w.want(w.call(as, "GET", path, nil), 200, "").values() {
		start := dig(e["start"], "dateTime").(string)
		lines = append(lines, strings.Join([]string{start[8:10], start[11:13], e["type"].(string), e["subject"].(string)}, " "))
	}
	return lines
}

func (w *world) shows(as string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.shape(as)); diff != "" {
		w.t.Errorf("calendar of %s (-want +got):\n%s", as, diff)
	}
}

func TestOccurrences(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		master, ids := w.made(tuesdays())
		single := w.want(w.call(alice, "POST", "/me/events", meeting("Single")), 201, "")
		w.shows(alice, "01 08 singleInstance Single", "01 09 occurrence Series", "08 09 occurrence Series", "15 09 occurrence Series", "22 09 occurrence Series")
		listed := w.want(w.call(alice, "GET", "/me/events?$select=type", nil), 200, "").values()
		if len(listed) != 2 || listed[0]["id"] != master || listed[0]["type"] != "seriesMaster" || listed[1]["id"] != single.text("id") {
			t.Errorf("8.13: /me/events lists %v", listed)
		}
		w.want(w.call(alice, "GET", "/me/events/"+single.text("id")+"/instances?"+windowOf(december, january), nil), 400, "ErrorInvalidRequest")
		w.want(w.call(alice, "GET", "/me/events/"+ids[1]+"/instances?"+windowOf(december, january), nil), 400, "ErrorInvalidRequest")

		one := w.want(w.call(alice, "GET", "/me/events/"+ids[1], nil), 200, "")
		got := []any{one.body["type"], one.body["seriesMasterId"], one.body["originalStart"], one.body["recurrence"], dig(one.body["start"], "dateTime")}
		if diff := cmp.Diff([]any{"occurrence", master, "2026-12-08T09:00:00.0000000Z", nil, "2026-12-08T09:00:00.0000000"}, got); diff != "" {
			t.Errorf("7.12 (-want +got):\n%s", diff)
		}
		masterUID := w.want(w.call(alice, "GET", "/me/events/"+master, nil), 200, "").text("iCalUId")
		if uid := one.text("iCalUId"); uid != masterUID[:32]+"07EA0C08"+masterUID[40:] {
			t.Errorf("7.4: the occurrence has iCalUId %s, its master %s", uid, masterUID)
		}

		changed := w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], hours("09", "14", "15")), 200, "")
		if changed.text("type") != "exception" || changed.text("id") != ids[1] || changed.text("originalStart") != "2026-12-08T09:00:00.0000000Z" || changed.text("iCalUId") != one.text("iCalUId") {
			t.Errorf("8.9: %v", changed.body)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[2], map[string]any{"subject": "Other"}), 200, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[3], nil), 204, "")
		w.want(w.call(alice, "GET", "/me/events/"+ids[3], nil), 404, "ErrorItemNotFound")
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[3], nil), 404, "ErrorItemNotFound")
		w.shows(alice, "01 08 singleInstance Single", "01 09 occurrence Series", "09 14 exception Series", "15 09 exception Other")

		// What is the exceptions' own stays, what is not follows the master.
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"subject": "All", "categories": []string{"Red"}}), 200, "")
		w.shows(alice, "01 08 singleInstance Single", "01 09 occurrence All", "09 14 exception All", "15 09 exception Other")
		other := w.want(w.call(alice, "GET", "/me/events/"+ids[2], nil), 200, "")
		if !cmp.Equal(other.body["categories"], []any{"Red"}) {
			t.Errorf("the exception has categories %v", other.body["categories"])
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[0], map[string]any{"recurrence": rule("daily", 1)}), 400, "ErrorPropertyValidationFailure")
		w.want(w.call(alice, "DELETE", "/me/events/"+master, nil), 204, "")
		w.want(w.call(alice, "GET", "/me/events/"+ids[0], nil), 404, "ErrorItemNotFound")
	})
}

func TestDifferencesOfAMaster(t *testing.T) {
	read := func(w *world, master, options string) map[string]any {
		return w.want(w.call(alice, "GET", "/me/events/"+master+options, nil), 200, "").body
	}
	const selected = "?$select=id,subject,cancelledOccurrences,exceptionOccurrences"
	run := func(expanded bool) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			master, ids := w.made(tuesdays())
			w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"subject": "Other"}), 200, "")
			w.want(w.call(alice, "DELETE", "/me/events/"+ids[2], nil), 204, "")
			for _, options := range []string{"", "?$expand=exceptionOccurrences"} {
				shown := read(w, master, options)
				if shown["cancelledOccurrences"] != nil || shown["exceptionOccurrences"] != nil {
					t.Errorf("7.13: shown without being selected by %q", options)
				}
			}
			shown := read(w, master, selected+"&$expand=exceptionOccurrences")
			if diff := cmp.Diff([]any{"OID." + master + ".2026-12-15"}, shown["cancelledOccurrences"]); diff != "" {
				t.Errorf("7.13 (-want +got):\n%s", diff)
			}
			exceptions, _ := shown["exceptionOccurrences"].([]any)
			if !expanded && exceptions != nil || expanded && (len(exceptions) != 1 || dig(exceptions[0], "id") != ids[1] || dig(exceptions[0], "subject") != "Other") {
				t.Errorf("7.13: exceptions %v", exceptions)
			}
			if got := read(w, master, selected); got["exceptionOccurrences"] != nil {
				t.Errorf("7.13: exceptions without $expand: %v", got)
			}
		}
	}
	inBubble(t, nil, run(true))
	inBubble(t, func(c *outlook.Config) { c.Switches.ExceptionsNotExpanded = true }, run(false))
}

func TestOccurrenceCrossingBoundary(t *testing.T) {
	const crossing = "ErrorOccurrenceCrossingBoundary"
	cases := []struct {
		name  string
		patch map[string]any
		code  string
	}{
		{"the day after the one before", hours("02", "09", "10"), ""},
		{"the day of the one before", hours("01", "20", "21"), crossing},
		{"before the one before", hours("30", "09", "10"), crossing},
		{"the day before the next", hours("14", "22", "23"), ""},
		{"the day of the next", hours("15", "01", "02"), crossing},
		{"into the next", map[string]any{"start": at("2026-12-14T22:00:00", "UTC"), "end": at("2026-12-15T09:30:00", "UTC")}, crossing},
		{"content alone", map[string]any{"subject": "Other"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(_ *testing.T, w *world) {
				_, ids := w.made(tuesdays())
				status := 200
				if c.code != "" {
					status = 400
				}
				w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], c.patch), status, c.code)
			})
		})
	}
	inBubble(t, nil, func(_ *testing.T, w *world) { // a deleted neighbour is none; the first and last have one only
		_, ids := w.made(tuesdays())
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[2], nil), 204, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], hours("17", "09", "10")), 200, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[3], hours("17", "12", "13")), 400, crossing)
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[3], hours("31", "12", "13")), 200, "")
	})
	inBubble(t, nil, func(_ *testing.T, w *world) { // docs#2285
		daily := with(series(rule("daily", 1), times(5), "2026-12-01T00:00:00", "2026-12-02T00:00:00", "UTC"), "isAllDay", true)
		_, ids := w.made(daily)
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"start": at("2026-12-02T00:00:00", "UTC"), "end": at("2026-12-04T00:00:00", "UTC")}), 400, crossing)
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"start": at("2026-12-02T00:00:00", "UTC"), "end": at("2026-12-03T00:00:00", "UTC")}), 200, "")
	})
}

func TestExceptionsWhenTheMasterChanges(t *testing.T) {
	thursdays := tuesdays()["recurrence"].(map[string]any)
	both := with(thursdays, "pattern", rule("weekly", 1, "daysOfWeek", []string{"tuesday", "thursday"}))
	shorter := with(thursdays, "range", with(times(3), "startDate", "2026-12-01"))
	dropped := []string{"01 09 occurrence", "03 09 occurrence", "08 09 occurrence", "10 09 occurrence"}
	cases := []struct {
		name  string
		rule  outlook.ExceptionRule
		patch map[string]any
		want  []string
	}{
		{"8.11 another pattern", outlook.ExceptionsDropOnMove, map[string]any{"recurrence": both}, dropped},
		{"8.11 another pattern, kept", outlook.ExceptionsKeep, map[string]any{"recurrence": both}, []string{"01 09 occurrence", "03 09 occurrence", "08 11 exception", "10 09 occurrence"}},
		{"8.11 another time", outlook.ExceptionsDropOnMove, hours("01", "07", "08"), []string{"01 07 occurrence", "08 07 occurrence", "15 07 occurrence", "22 07 occurrence"}},
		{"8.11 another time, kept", outlook.ExceptionsKeep, hours("01", "07", "08"), []string{"01 07 occurrence", "08 11 exception", "22 07 occurrence"}},
		{"9.7 another end", outlook.ExceptionsDropOnMove, map[string]any{"recurrence": shorter}, []string{"01 09 occurrence", "08 11 exception"}},
		{"8.11 the recurrence named", outlook.ExceptionsDropAlways, map[string]any{"recurrence": shorter}, []string{"01 09 occurrence", "08 09 occurrence", "15 09 occurrence"}},
		{"content", outlook.ExceptionsDropAlways, map[string]any{"importance": "high"}, []string{"01 09 occurrence", "08 11 exception", "22 09 occurrence"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(config *outlook.Config) { config.Switches.Exceptions = c.rule }, func(t *testing.T, w *world) {
				master, ids := w.made(tuesdays())
				w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], hours("08", "11", "12")), 200, "")
				w.want(w.call(alice, "DELETE", "/me/events/"+ids[2], nil), 204, "")
				w.want(w.call(alice, "PATCH", "/me/events/"+master, c.patch), 200, "")
				got := w.shape(alice)
				for i := range got {
					got[i] = strings.TrimSuffix(got[i], " Series")
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSingleBecomesSeriesAndBack(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := tuesdays(bob)
		recurrence := content["recurrence"]
		delete(content, "recurrence")
		single := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		settle()
		sent := len(w.server.Mails())
		turned := w.want(w.call(alice, "PATCH", "/me/events/"+single.text("id"), map[string]any{"recurrence": recurrence}), 200, "")
		if turned.text("id") != single.text("id") || turned.text("iCalUId") != single.text("iCalUId") || turned.text("type") != "seriesMaster" {
			t.Errorf("turned into %v", turned.body)
		}
		settle()
		w.mailed(sent, "update bob")
		all := []string{"01 09 occurrence Series", "08 09 occurrence Series", "15 09 occurrence Series", "22 09 occurrence Series"}
		w.shows(alice, all...)
		w.shows(bob, all...)
		w.want(w.call(alice, "PATCH", "/me/events/"+single.text("id"), map[string]any{"recurrence": nil}), 200, "")
		settle()
		w.mailed(sent, "update bob", "update bob")
		w.shows(alice, "01 09 singleInstance Series")
		w.shows(bob, "01 09 singleInstance Series")
	})
}

func TestSeriesIDs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		master, ids := w.made(tuesdays())
		w.want(w.call(alice, "GET", "/me/events/"+ids[0][:len(ids[0])-4], nil), 400, "ErrorInvalidIdMalformed")
		w.want(w.call(bob, "GET", "/me/events/"+ids[0], nil), 400, "ErrorInvalidIdMalformed")
		w.want(w.call(alice, "GET", "/me/events/"+ids[0], nil, immutable), 400, "ErrorInvalidIdMalformed")
		given := w.want(w.call(alice, "POST", "/me/translateExchangeIds", map[string]any{"inputIds": []string{master, ids[1]}, "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}), 200, "").values()
		one := w.want(w.call(alice, "GET", "/me/events/"+given[1]["targetId"].(string), nil, immutable), 200, "")
		if one.text("seriesMasterId") != given[0]["targetId"] || one.text("originalStart") != "2026-12-08T09:00:00.0000000Z" {
			t.Errorf("7.3: %v", one.body)
		}
		seen := slices.Compact(slices.Sorted(slices.Values(append(ids, master))))
		if len(seen) != 5 {
			t.Errorf("7.12: %d different ids, want 5", len(seen))
		}
	})
}

func TestMasterIsFoundAndCreatedOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := tuesdays()
		content["transactionId"] = "once"
		content["singleValueExtendedProperties"] = []any{map[string]any{"id": property, "value": "42"}}
		first, _ := w.made(content)
		if again := w.want(w.call(alice, "POST", "/me/events", content), 201, ""); again.text("id") != first {
			t.Error("7.14: the same transactionId made a second series")
		}
		content["recurrence"].(map[string]any)["range"] = with(times(5), "startDate", "2026-12-01")
		refused := w.want(w.call(alice, "POST", "/me/events", content), 400, "ErrorDuplicateTransactionId")
		if dig(refused.body["error"], "@event.existingEventId") != first {
			t.Errorf("7.14: %v", refused.body)
		}
		filter := url.QueryEscape("singleValueExtendedProperties/Any(ep: ep/id eq '" + property + "' and ep/value eq '42')")
		found := w.want(w.call(alice, "GET", "/me/events?$filter="+filter, nil), 200, "").values()
		if len(found) != 1 || found[0]["id"] != first {
			t.Errorf("7.18: found %v", found)
		}
		byType := w.want(w.call(alice, "GET", "/me/events?$filter="+url.QueryEscape("type eq 'seriesMaster'"), nil), 200, "").values()
		if len(byType) != 1 {
			t.Errorf("found %d masters", len(byType))
		}
	})
}

func TestSharedUIDSwitch(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.OccurrencesShareUID = true }, func(t *testing.T, w *world) {
		master, _ := w.made(tuesdays())
		uid := w.want(w.call(alice, "GET", "/me/events/"+master, nil), 200, "").text("iCalUId")
		for _, one := range w.instances(alice, master, december, january) {
			if one["iCalUId"] != uid {
				t.Errorf("7.4: occurrence has iCalUId %v, its master %s", one["iCalUId"], uid)
			}
		}
	})
}

func TestSeriesNotifications(t *testing.T) {
	run := func(deletion []string) func(*testing.T, *world, *listener) {
		return func(t *testing.T, w *world, l *listener) {
			w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
			master, ids := w.made(tuesdays())
			check := func(what string, want ...string) {
				t.Helper()
				settle()
				received := l.take()
				if diff := cmp.Diff(want, kinds(received)); diff != "" {
					t.Errorf("3.12 %s (-want +got):\n%s", what, diff)
				}
				for _, n := range received {
					if dig(n["resourceData"], "id") != master {
						t.Errorf("3.12 %s: not about the master: %v", what, n)
					}
				}
			}
			check("create", "created")
			w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"subject": "Other"}), 200, "")
			check("an occurrence changed", "updated")
			w.want(w.call(alice, "DELETE", "/me/events/"+ids[2], nil), 204, "")
			check("an occurrence deleted", deletion...)
			w.want(w.call(alice, "DELETE", "/me/events/"+master, nil), 204, "")
			check("all deleted", "deleted")
		}
	}
	withListener(t, one, run([]string{"updated"}))
	withListener(t, func(c *outlook.Config) { one(c); c.Switches.OccurrenceDeletesSilent = true }, run(nil))
}

// told reads one round: "type day" in order, or "removed" and the name of the id.
func (w *world) told(link string, names map[string]string, headers ...string) (lines []string, next string) {
	w.t.Helper()
	for {
		page := w.want(w.call(alice, "GET", link, nil, headers...), 200, "")
		for _, item := range page.values() {
			if item["@removed"] != nil {
				lines = append(lines, "removed "+names[item["id"].(string)])
				continue
			}
			line := item["type"].(string) + " " + dig(item["start"], "dateTime").(string)[8:10]
			if item["type"] == "occurrence" {
				if len(item) != 7 || item["seriesMasterId"] == nil || item["end"] == nil {
					w.t.Errorf("6.5: an occurrence has %v", item)
				}
			} else if item["subject"] == nil || item["iCalUId"] == nil {
				w.t.Errorf("6.5: a master or exception has only %v", item)
			}
			lines = append(lines, line)
		}
		if link = page.text("@odata.nextLink"); link == "" {
			return lines, page.text("@odata.deltaLink")
		}
	}
}

func TestDeltaOfSeries(t *testing.T) {
	const ten = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2026-12-20T00:00:00Z"
	steps := func(adjust func(*outlook.Config), size string, deleted, silent []string) {
		inBubble(t, adjust, func(t *testing.T, w *world) {
			master, ids := w.made(tuesdays())
			names := map[string]string{master: "master", ids[0]: "first", ids[1]: "second", ids[2]: "third", ids[3]: "fourth"}
			link := "/me/calendarView/delta?" + ten
			check := func(what string, want ...string) {
				t.Helper()
				var got []string
				got, link = w.told(link, names, "Prefer: odata.maxpagesize="+size)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, pages of %s (-want +got):\n%s", what, size, diff)
				}
			}
			check("6.5 first round", "seriesMaster 01", "occurrence 01", "occurrence 08", "occurrence 15")
			check("nothing new")
			w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"subject": "Other"}), 200, "")
			check("6.5 an exception", "seriesMaster 01", "occurrence 01", "exception 08", "occurrence 15")
			w.want(w.call(alice, "DELETE", "/me/events/"+ids[0], nil), 204, "")
			check("6.6 a deleted occurrence", deleted...)
			w.want(w.call(alice, "PATCH", "/me/events/"+ids[2], hours("21", "09", "10")), 200, "")
			check("6.4 moved out of the window", append(slices.Clone(silent), "seriesMaster 01", "exception 08", "removed third")...)
			w.want(w.call(alice, "DELETE", "/me/events/"+master, nil), 204, "")
			check("6.4 all deleted", "removed master")
		})
	}
	normal := []string{"seriesMaster 01", "exception 08", "occurrence 15"}
	for _, size := range []string{"1", "2", "3", "50"} {
		steps(nil, size, normal, nil)
		steps(func(c *outlook.Config) { c.Switches.DeltaTellsDeleted = true }, size, append(slices.Clone(normal), "removed first"), nil)
		steps(func(c *outlook.Config) { c.Switches.OccurrenceDeletesSilent = true }, size, nil, nil)
	}
}

// A series and single events, told in pages, fold to what the calendar shows.
func TestDeltaOfSeriesFoldsToTheListing(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.DeltaTellsDeleted = true }, func(t *testing.T, w *world) {
		known := map[string]string{}
		masters := map[string]bool{}
		daily := series(rule("daily", 1), times(9), "2026-12-01T09:00:00", "2026-12-01T10:00:00", "UTC")
		for range 3 {
			master, _ := w.made(daily)
			masters[master] = true
			w.want(w.call(alice, "POST", "/me/events", meeting("Single")), 201, "")
		}
		link := w.follow(alice, "/me/calendarView/delta?"+window, known, "Prefer: odata.maxpagesize=4")
		for master := range masters {
			ids := w.occurrences(alice, master)
			w.want(w.call(alice, "DELETE", "/me/events/"+ids[2], nil), 204, "")
			w.want(w.call(alice, "PATCH", "/me/events/"+ids[4], map[string]any{"subject": "Other"}), 200, "")
		}
		w.follow(alice, link, known, "Prefer: odata.maxpagesize=4")
		for master := range masters {
			if known[master] == "" {
				t.Error("6.5: the master was not told")
			}
			delete(known, master)
		}
		if diff := cmp.Diff(w.listing(alice), known); diff != "" {
			t.Errorf("(-listed +told):\n%s", diff)
		}
	})
}
