package outlook_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const window = "startDateTime=2026-12-01T00:00:00Z&endDateTime=2026-12-11T00:00:00Z"

// follow reads one round of delta and folds it into known, the last item of an
// id winning. It returns the delta link.
func (w *world) follow(as, link string, known map[string]string, headers ...string) string {
	w.t.Helper()
	for pages := 0; ; pages++ {
		if pages > 200 {
			w.t.Fatal("a delta round does not end")
		}
		page := w.want(w.call(as, "GET", link, nil, headers...), 200, "")
		for _, item := range page.values() {
			if item["@removed"] != nil {
				delete(known, item["id"].(string))
			} else {
				known[item["id"].(string)] = item["@odata.etag"].(string)
			}
		}
		if next := page.text("@odata.nextLink"); next != "" {
			link = next
			continue
		}
		return page.text("@odata.deltaLink")
	}
}

// listing reads the calendar view as id to etag.
func (w *world) listing(as string) map[string]string {
	w.t.Helper()
	listed := map[string]string{}
	for _, e := range w.want(w.call(as, "GET", "/me/calendarView?$top=1000&"+window, nil), 200, "").values() {
		listed[e["id"].(string)] = e["@odata.etag"].(string)
	}
	return listed
}

func onDay(day int) (start, end map[string]any) {
	return at(fmt.Sprintf("2026-12-%02dT09:00:00", day), "UTC"), at(fmt.Sprintf("2026-12-%02dT10:00:00", day), "UTC")
}

func TestDelta(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		ids := []string{}
		for day := range 25 { // ten of them inside the window
			content := meeting(fmt.Sprint("Day ", day+1))
			content["start"], content["end"] = onDay(day + 1)
			ids = append(ids, w.want(w.call(alice, "POST", "/me/events", content), 201, "").text("id"))
		}
		gone := w.want(w.call(alice, "POST", "/me/events", meeting("gone")), 201, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+gone.text("id"), nil), 204, "")

		first := w.want(w.call(alice, "GET", "/me/calendarView/delta?"+window, nil, "Prefer: odata.maxpagesize=4"), 200, "")
		if len(first.values()) != 4 || first.text("@odata.nextLink") == "" {
			t.Fatalf("6.3: first page has %d items, next %q", len(first.values()), first.text("@odata.nextLink"))
		}
		if got := first.values()[0]["@odata.type"]; got != "#microsoft.graph.event" {
			t.Errorf("6.3: type %v", got)
		}
		known := map[string]string{}
		link := w.follow(alice, "/me/calendarView/delta?"+window, known, "Prefer: odata.maxpagesize=4")
		if diff := cmp.Diff(w.listing(alice), known); diff != "" {
			t.Errorf("first round (-listing +delta):\n%s", diff)
		}
		quiet := w.want(w.call(alice, "GET", link, nil), 200, "")
		if len(quiet.values()) != 0 {
			t.Errorf("nothing changed, but delta tells %v", quiet.values())
		}

		start, end := onDay(20)
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[2], map[string]any{"start": start, "end": end}), 200, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[22], map[string]any{"subject": "outside"}), 200, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[23], nil), 204, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[4], nil), 204, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[5], map[string]any{"subject": "changed"}), 200, "")
		read := func() (removed, changed []string) {
			page := w.want(w.call(alice, "GET", link, nil), 200, "")
			for _, item := range page.values() {
				if item["@removed"] != nil {
					if dig(item["@removed"], "reason") != "deleted" {
						t.Errorf("6.4: reason %v", item["@removed"])
					}
					removed = append(removed, item["id"].(string))
				} else {
					changed = append(changed, item["id"].(string))
				}
			}
			return removed, changed
		}
		for range 2 { // 6.9: a token may be used again
			removed, changed := read()
			want := []string{ids[2], ids[22], ids[23], ids[4]}
			slices.Sort(removed)
			slices.Sort(want)
			if diff := cmp.Diff(want, removed); diff != "" {
				t.Errorf("6.4: removed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{ids[5]}, changed); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		}
		immutable := w.want(w.call(alice, "GET", link, nil, `Prefer: IdType="ImmutableId"`), 200, "")
		if id := immutable.values()[0]["id"].(string); len(id) != 68 {
			t.Errorf("6.15: the header does not decide the form of ids: %q", id)
		}

		for query, want := range map[string]struct {
			status int
			code   string
		}{
			"":                            {400, "ErrorInvalidRequest"},
			"?" + window + "&$select=id":  {400, "ErrorInvalidRequest"},
			"?" + window + "&$filter=x":   {400, "ErrorInvalidRequest"},
			"?" + window + "&$top=5":      {400, "ErrorInvalidRequest"},
			"?$deltatoken=":               {400, "BadRequest"},
			"?$deltatoken=%20%20":         {400, "BadRequest"},
			"?$deltatoken=" + forgedToken: {410, "syncStateNotFound"},
		} {
			w.want(w.call(alice, "GET", "/me/calendarView/delta"+query, nil), want.status, want.code)
		}
		w.want(w.call(bob, "GET", link, nil), 410, "syncStateNotFound")
		w.server.ForgetDeltaTokens(alice)
		expired := w.want(w.call(alice, "GET", link, nil), 410, "syncStateNotFound")
		if location, err := url.Parse(expired.header.Get("Location")); err != nil || location.Query().Get("$deltatoken") != "" || location.Path != "/v1.0/me/calendarView/delta" {
			t.Errorf("6.7: Location %q", expired.header.Get("Location"))
		}
	})
}

const forgedToken = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ"

func TestDeltaForgetsOldDeletions(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		link := w.follow(alice, "/me/calendarView/delta?"+window, map[string]string{})
		for range 10001 {
			made, err := w.server.Mailbox(alice).Create(context.Background(), meeting("x"))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.server.Mailbox(alice).Delete(context.Background(), made["id"].(string)); err != nil {
				t.Fatal(err)
			}
		}
		w.want(w.call(alice, "GET", link, nil), 410, "syncStateNotFound")
		w.want(w.call(alice, "GET", "/me/calendarView/delta?"+window, nil), 200, "")
	})
}

// TestDeltaFoldsToTheListing lets organizer and attendees edit at random, with
// delta rounds of random page sizes in between, and compares the fold of all
// rounds with the listing, the copies with the originals, and the mails with
// what the rules say.
func TestDeltaFoldsToTheListing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"create", "invite", "edit", "move", "guests", "delete", "attendee", "answer", "sync", "wait"}), 1, 40).Draw(rt, "steps")
		numbers := rapid.SliceOfN(rapid.IntRange(0, 1000), len(steps), len(steps)).Draw(rt, "numbers")
		inBubble(t, func(c *outlook.Config) { c.Seed = seed }, func(t *testing.T, w *world) {
			ctx := context.Background()
			people := []string{alice, bob}
			links := map[string]string{}
			known := map[string]map[string]string{alice: {}, bob: {}}
			sync := func(as string, page int) {
				link := links[as]
				if link == "" {
					link = "/me/calendarView/delta?" + window
				}
				links[as] = w.follow(as, link, known[as], fmt.Sprint("Prefer: odata.maxpagesize=", page))
			}
			pick := func(as string, number int) map[string]any {
				events := w.server.Mailbox(as).Events()
				if len(events) == 0 {
					return nil
				}
				return events[number%len(events)]
			}
			expected := 0 // mails
			check := func(err error) {
				if err != nil {
					rt.Fatal(err)
				}
			}
			for i, step := range steps {
				number := numbers[i]
				own := pick(alice, number)
				invited := 0
				if own != nil {
					invited = len(own["attendees"].([]any))
				}
				path := func() string { return "/me/events/" + own["id"].(string) }
				start, end := onDay(number%25 + 1)
				switch {
				case step == "create":
					content := meeting("x")
					content["start"], content["end"] = start, end
					w.want(w.call(alice, "POST", "/me/events", content), 201, "")
				case step == "invite":
					content := meeting("x", bob)
					content["start"], content["end"] = start, end
					w.want(w.call(alice, "POST", "/me/events", content), 201, "")
					expected++
				case step == "edit" && own != nil:
					w.want(w.call(alice, "PATCH", path(), map[string]any{"subject": fmt.Sprint(number)}), 200, "")
					expected += invited
				case step == "move" && own != nil:
					w.want(w.call(alice, "PATCH", path(), map[string]any{"start": start, "end": end}), 200, "")
					expected += invited
				case step == "guests" && own != nil: // toggles bob
					list := guests(bob)
					if invited > 0 {
						list = []any{}
					}
					w.want(w.call(alice, "PATCH", path(), map[string]any{"attendees": list}), 200, "")
					expected++
				case step == "delete" && own != nil:
					w.want(w.call(alice, "DELETE", path(), nil), 204, "")
					expected += invited
				case step == "attendee":
					if copied := pick(bob, number); copied != nil {
						_, err := w.server.Mailbox(bob).Update(ctx, copied["id"].(string), map[string]any{"showAs": "oof"})
						check(err)
					}
				case step == "answer":
					if copied := pick(bob, number); copied != nil {
						check(w.server.Mailbox(bob).Respond(ctx, copied["id"].(string), []string{"accept", "decline", "tentativelyAccept"}[number%3]))
						expected++
					}
				case step == "sync":
					sync(people[number%2], number%7+1)
				case step == "wait":
					time.Sleep(time.Duration(number) * time.Millisecond)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for _, as := range people {
				sync(as, 3)
				if diff := cmp.Diff(w.listing(as), known[as]); diff != "" {
					rt.Errorf("%s (-listing +delta):\n%s", as, diff)
				}
			}
			if got := len(w.server.Mails()); got != expected {
				rt.Errorf("got %d mails, want %d: %v", got, expected, w.mails(0))
			}
			originals := map[any]map[string]any{}
			for _, e := range w.server.Mailbox(alice).Events() {
				originals[e["iCalUId"]] = e
			}
			for _, copied := range w.server.Mailbox(bob).Events() {
				original := originals[copied["iCalUId"]]
				live := original != nil && len(original["attendees"].([]any)) > 0
				if live == copied["isCancelled"].(bool) {
					rt.Errorf("copy cancelled: %v, meeting live for its owner: %v", copied["isCancelled"], live)
				}
				if live && (copied["subject"] != original["subject"] || !cmp.Equal(copied["start"], original["start"])) {
					rt.Errorf("copy %v at %v differs from %v at %v", copied["subject"], copied["start"], original["subject"], original["start"])
				}
			}
		})
	})
}

func TestDeltaThatNeverEnds(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for range 3 {
			w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		}
		for _, wedge := range []outlook.Wedge{outlook.WedgeSameLink, outlook.WedgeFreshLinks} {
			w.server.WedgeDelta(alice, wedge)
			links, link := map[string]bool{}, "/me/calendarView/delta?"+window
			for range 5 {
				page := w.want(w.call(alice, "GET", link, nil), 200, "")
				if page.text("@odata.deltaLink") != "" || len(page.values()) != 3 {
					t.Errorf("wedge %d: deltaLink %q, %d items; want none and the same 3", wedge, page.text("@odata.deltaLink"), len(page.values()))
				}
				link = page.text("@odata.nextLink")
				links[link] = true
			}
			if want := map[outlook.Wedge]int{outlook.WedgeSameLink: 1, outlook.WedgeFreshLinks: 5}[wedge]; len(links) != want {
				t.Errorf("wedge %d: %d different links, want %d", wedge, len(links), want)
			}
		}
		w.server.WedgeDelta(alice, outlook.WedgeNone)
		known := map[string]string{}
		w.follow(alice, "/me/calendarView/delta?"+window, known)
		if len(known) != 3 {
			t.Errorf("afterwards %d events are told, want 3", len(known))
		}
	})
}

func TestDeltaReplaysAndEmptyPages(t *testing.T) {
	inBubble(t, func(c *outlook.Config) {
		c.Switches.DeltaReplays, c.Switches.DeltaEmptyPages = 1, 0.5
	}, func(t *testing.T, w *world) {
		for range 40 {
			w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		}
		known, empty, again := map[string]string{}, 0, 0
		for link := "/me/calendarView/delta?" + window; ; {
			page := w.want(w.call(alice, "GET", link, nil, "Prefer: odata.maxpagesize=2"), 200, "")
			if len(page.values()) == 0 {
				empty++
			}
			for _, item := range page.values() {
				id := item["id"].(string)
				if known[id] != "" {
					again++
				}
				known[id] = item["@odata.etag"].(string)
			}
			if link = page.text("@odata.nextLink"); link == "" {
				break
			}
		}
		if diff := cmp.Diff(w.listing(alice), known); diff != "" || empty == 0 || again == 0 {
			t.Errorf("%d empty pages, %d items again; want some of both (-listing +delta):\n%s", empty, again, diff)
		}
	})
}

func TestDeltaMissesDeletions(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.DeltaDeletionsMissing = 1 }, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		link := w.follow(alice, "/me/calendarView/delta?"+window, map[string]string{})
		w.want(w.call(alice, "DELETE", "/me/events/"+made.text("id"), nil), 204, "")
		if told := w.want(w.call(alice, "GET", link, nil), 200, "").values(); len(told) != 0 {
			t.Errorf("the deletion was told: %v", told)
		}
	})
}
