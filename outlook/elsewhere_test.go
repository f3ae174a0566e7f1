package outlook_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// Of a mailbox's other calendars its owner's own are listed; what was shared in, is
// refused or is gone is left out, and whatever else fails is no listing.
func TestListingOtherCalendars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		box := w.sim.Mailbox(alice.Address)
		calendars := []string{}
		for _, title := range []string{"Club", "Shared", "Refused", "Gone"} {
			made, err := box.CreateCalendar(t.Context(), title)
			if err != nil {
				t.Fatal(err)
			}
			id := fmt.Sprint(made["id"])
			calendars = append(calendars, id)
			_, err = box.CreateIn(t.Context(), id, map[string]any{
				"subject": title, "start": map[string]any{"dateTime": "2027-01-12T09:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2027-01-12T10:00:00", "timeZone": "UTC"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		moved := w.write(alice, create(meeting())).Copy
		if _, err := box.Move(t.Context(), fmt.Sprint(box.Events()[0]["id"]), calendars[0]); err != nil {
			t.Fatal(err)
		}
		w.write(alice, func() reconciler.OutlookWrite {
			other := create(meeting())
			other.Key = "00000000-0000-4000-8000-000000000002"
			return other
		}())
		status := http.StatusForbidden
		client := w.replica(func(config *outlook.Config) {
			next := config.HTTP
			config.HTTP = roundTripper(func(request *http.Request) (*http.Response, error) {
				answer := func(status int, body string) (*http.Response, error) {
					return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: request, Body: io.NopCloser(strings.NewReader(body))}, nil
				}
				path := request.URL.Path
				switch {
				case strings.HasSuffix(path, "/me/calendars"):
					own, other := `"owner":{"address":"`+strings.ToUpper(alice.Address)+`"}`, `"owner":{"address":"`+bob.Address+`"}`
					return answer(http.StatusOK, fmt.Sprintf(
						`{"value":[{"id":"%s","isDefaultCalendar":false,%s},{"id":"main","isDefaultCalendar":true,"owner":{"address":"%s"}},{"id":"%s","isDefaultCalendar":false,%s},{"id":"%s","isDefaultCalendar":false,%s},{"id":"%s","isDefaultCalendar":false}]}`,
						calendars[0], own, alice.Address, calendars[1], other, calendars[2], own, calendars[3]))
				case strings.Contains(path, calendars[2]):
					return answer(status, `{"error":{"code":"ErrorAccessDenied"}}`)
				case strings.Contains(path, calendars[3]):
					return answer(http.StatusNotFound, `{"error":{"code":"ErrorItemNotFound"}}`)
				}
				return next.RoundTrip(request)
			})
		})
		window := reconciler.Window{Start: day(0, 0).AddDate(0, 0, -30), End: day(0, 0).AddDate(0, 0, 30)}
		copies, err := client.ListElsewhere(t.Context(), alice, window)
		if err != nil {
			t.Fatal(err)
		}
		titles := map[string]bool{}
		for _, copied := range copies {
			titles[copied.Event.Title] = true
			if !copied.Elsewhere || copied.Event.Title == moved.Event.Title && copied.RecordID != 42 {
				t.Errorf("%q is elsewhere %t, made for record %d", copied.Event.Title, copied.Elsewhere, copied.RecordID)
			}
		}
		if len(copies) != 2 || !titles["Club"] || !titles[moved.Event.Title] {
			t.Errorf("listed are %v", titles)
		}
		status = http.StatusServiceUnavailable
		if _, err := client.ListElsewhere(t.Context(), alice, window); err == nil {
			t.Error("a listing that fails is none")
		}
		time.Sleep(time.Hour)
		// What the simulator shows without any help is the same but for who owns what.
		copies, err = w.client.ListElsewhere(t.Context(), alice, window)
		if err != nil || len(copies) != 5 {
			t.Errorf("%d copies, %v", len(copies), err)
		}
	})
}
