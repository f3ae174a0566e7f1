package outlook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// FuzzEvents reads events, series, times and rules out of whatever Graph answers:
// it is an error, or a copy that can be worked with.
func FuzzEvents(f *testing.F) {
	const times = `"start":{"dateTime":"2030-01-15T09:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2030-01-15T10:00:00.0000000","timeZone":"UTC"}`
	f.Add(`{"id":"a","iCalUId":"u","changeKey":"k","subject":"Lunch","isOrganizer":true,"type":"singleInstance",` + times + `,"body":{"contentType":"html","content":"<html><body>x</body></html>"},"attendees":[{"type":"required","status":{"response":"accepted"},"emailAddress":{"address":"bob@example.com"}}]}`)
	f.Add(`{"id":"a","type":"seriesMaster","changeKey":"k","originalStartTimeZone":"Romance Standard Time",` + times + `,"recurrence":{"pattern":{"type":"weekly","interval":2,"daysOfWeek":["monday","tuesday"],"firstDayOfWeek":"sunday"},"range":{"type":"numbered","startDate":"2030-01-15","numberOfOccurrences":5,"recurrenceTimeZone":"Romance Standard Time"}},"cancelledOccurrences":["OID.a.2030-01-22"],"exceptionOccurrences":[{"id":"e","type":"exception","originalStart":"2030-01-21T09:00:00Z",` + times + `}]}`)
	f.Add(`{"id":"a","type":"seriesMaster","isAllDay":true,"start":{"dateTime":"2030-01-15T00:00:00","timeZone":"tzone://Microsoft/Custom"},"end":{"dateTime":"2030-01-14T00:00:00","timeZone":""},"recurrence":{"pattern":{"type":"relativeYearly","interval":0,"month":13,"index":"fifth","daysOfWeek":[]},"range":{"type":"endDate","startDate":"0001-01-01","endDate":"9999-12-31"}}}`)
	f.Add(`{"id":"a","start":{"dateTime":"","timeZone":"No Such Time"},"end":null,"attendees":null,"categories":[null],"sensitivity":7}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, event string) {
		if !json.Valid([]byte(event)) {
			return // the frame around it is JSON
		}
		serve := roundTripper(func(request *http.Request) (*http.Response, error) {
			answer := event
			switch {
			case strings.HasSuffix(request.URL.Path, "/$batch"):
				var asked struct {
					Requests []struct {
						ID string `json:"id"`
					} `json:"requests"`
				}
				if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
					return nil, err
				}
				var answers []string
				for _, one := range asked.Requests {
					answers = append(answers, `{"id":"`+one.ID+`","status":200,"headers":{},"body":`+event+`}`)
				}
				answer = `{"responses":[` + strings.Join(answers, ",") + `]}`
			case !strings.Contains(request.URL.Path, "/events/"):
				answer = `{"value":[` + event + `]}`
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: request}, nil
		})
		client, err := outlook.New(outlook.Config{
			GraphURL: graph + "/v1.0", ClientID: "x", ClientSecret: "x", DatabaseID: database, HTTP: serve,
			Store: &tokens{kept: map[string]outlook.Token{alice.ID: {AccessToken: "x", Expires: time.Now().Add(time.Hour)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		check := func(copied reconciler.Copy) {
			if copied.Event.When.End.Before(copied.Event.When.Start) {
				t.Errorf("a copy ends before it begins: %s", copied.Event.When)
			}
		}
		if copies, _, err := client.Read(t.Context(), alice, []string{"a"}); err == nil {
			for _, copied := range copies {
				check(copied)
			}
		}
		if copies, err := client.List(t.Context(), alice, january); err == nil {
			for _, copied := range copies {
				check(copied)
			}
		}
		series, _, err := client.ReadSeries(t.Context(), alice, []string{"a"})
		if err != nil {
			return
		}
		for _, one := range series {
			check(one.Copy)
			for _, exception := range one.Exceptions {
				check(exception)
			}
			if one.Refused == "" && one.Rule.Repeats() {
				if err := one.Rule.Validate(); err != nil {
					t.Errorf("a rule that cannot be worked with is taken: %v", err)
				}
				one.Rule.Slots(reconciler.Date{}, reconciler.Date{}, 800)
			}
		}
	})
}

// FuzzRefusals has Graph and its sign-in refuse in whatever words: what comes of it
// is an error of one line that says nothing of the answer's texts, and whoever is to
// try again waits an hour at most.
func FuzzRefusals(f *testing.F) {
	f.Add(404, "", `{"error":{"code":"ErrorItemNotFound","message":"hush-hush"}}`)
	f.Add(429, "Fri, 31 Dec 9999 23:59:59 GMT", `{"error":{"code":"ApplicationThrottled","innerError":{"code":"x"}}}`)
	f.Add(503, "99999999999999999999", "<html>hush-hush</html>")
	f.Add(400, "", `{"error":"invalid_grant","error_description":"AADSTS50173: hush-hush","error_codes":[50173],"suberror":"bad_token"}`)
	f.Add(401, "-1", `{"error":"invalid_client","error_description":"AADSTS7000222","error_codes":[]}`)
	f.Add(200, "", `{"access_token":"","expires_in":-5}`)
	f.Add(200, "", `{"access_token":"x","token_type":"bearer","expires_in":"99999999999","refresh_token":7}`)
	f.Fuzz(func(t *testing.T, status int, after, body string) {
		if status < http.StatusOK || status > 599 || strings.ContainsAny(after, "\r\n") {
			return // no server can answer so
		}
		var signIns, calls atomic.Int64
		serve := roundTripper(func(request *http.Request) (*http.Response, error) {
			if strings.Contains(request.URL.Path, "/oauth2/") {
				signIns.Add(1)
			} else {
				calls.Add(1)
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}, Body: io.NopCloser(strings.NewReader(body)), Request: request}, nil
		})
		for _, expires := range []time.Duration{time.Hour, -time.Hour} {
			kept := newTokens()
			kept.set(alice.ID, outlook.Token{AccessToken: "x", RefreshToken: "y", Expires: time.Now().Add(expires)})
			client, err := outlook.New(outlook.Config{
				GraphURL: graph + "/v1.0", ClientID: "x", ClientSecret: "x", DatabaseID: database, HTTP: serve, Store: kept,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, refused, err := client.Read(t.Context(), alice, []string{"a"})
			for _, told := range append(slices.Collect(maps.Values(refused)), err) {
				if told == nil {
					continue
				}
				if text := told.Error(); strings.Contains(text, "\n") || strings.Contains(text, "hush-hush") || len(text) > 1_000 {
					t.Errorf("the error is %q", text)
				}
				var retry *reconciler.RetryError
				if errors.As(told, &retry) && (retry.After < 0 || retry.After > time.Hour) {
					t.Errorf("to be tried again after %s", retry.After)
				}
			}
			if signIns.Load() > 3 || calls.Load() > 5 {
				t.Errorf("one look made %d sign-ins and %d calls", signIns.Load(), calls.Load())
			}
		}
	})
}
