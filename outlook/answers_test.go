package outlook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
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
