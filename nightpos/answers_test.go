package nightpos_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// answering is a NightPOS 19 whose server action answers with what it is given for
// each model.
type answering struct {
	t       testing.TB
	answers map[string]string
}

// RoundTrip implements http.RoundTripper.
func (a answering) RoundTrip(request *http.Request) (*http.Response, error) {
	body := newNineteen().answers[request.URL.Path].body
	switch request.URL.Path {
	case "/web/version":
		body = version19
	case door:
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		var asked struct {
			Context struct {
				Operations []struct{ Do, Model string } `json:"gw_ops"`
			} `json:"context"`
		}
		if err := json.Unmarshal(content, &asked); err != nil {
			a.t.Error(err)
		}
		var results []string
		for _, one := range asked.Context.Operations {
			result := a.answers[one.Model]
			if one.Do == "keys_of" {
				result = a.answers["keys"]
			}
			if result == "" {
				result = "[]"
			}
			results = append(results, result)
		}
		body = `{"infos":{"results":[` + strings.Join(results, ",") + `]}}`
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: request}, nil
}

// FuzzAnswers reads records and series out of whatever NightPOS answers: it is an
// error, or records that can be worked with.
func FuzzAnswers(f *testing.F) {
	const event = `{"id":7,"name":"Lunch","active":true,"start":"2030-01-15 09:00:00","stop":"2030-01-15 10:00:00","allday":false,"description":"<p>x</p>","location":false,"privacy":false,"show_as":"busy","alarm_ids":[1],"categ_ids":[],"user_id":[6,"Alice"],"partner_id":7,"partner_ids":[7,8],"recurrency":true,"recurrence_id":3,"follow_recurrence":true,"create_date":"2030-01-01 00:00:00.123456","write_date":"2030-01-01 00:00:00.123456"}`
	const attendee = `{"id":1,"event_id":7,"partner_id":[8,"Bob"],"email":"bob@example.com","common_name":"Bob","state":"accepted","write_date":"2030-01-01 00:00:00.5"}`
	const weekly = `{"id":3,"base_event_id":7,"rrule_type":"weekly","interval":1,"mon":true,"tue":false,"end_type":"count","count":3,"until":false,"event_tz":"Europe/Brussels","dtstart":"2030-01-14 09:00:00","rrule":"RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO"}`
	f.Add("["+event+"]", "["+attendee+"]", "["+weekly+"]", `[[7,"event_x"]]`)
	f.Add("["+event+","+event+"]", "[]", "[]", "[]")
	f.Add(`[{"id":7,"name":false,"active":true,"start":"2030-01-15","stop":"2029-01-15","allday":true,"start_date":"2030-01-16","stop_date":"2030-01-15"}]`, "[]", `[{"id":3,"rrule_type":"monthly","month_by":"day","byday":"-1","weekday":"SUN","interval":-1,"end_type":"forever"}]`, "[[7]]")
	f.Add(`[{"id":-7,"start":"0000-00-00 00:00:00","stop":"9999-99-99 99:99:99"}]`, `[{"event_id":[]}]`, `[{"id":3,"interval":999999999999,"rrule_type":"yearly","end_type":"end_date","until":"9999-12-31","dtstart":"0001-01-01 00:00:00"}]`, "null")
	f.Add("null", "null", "null", "{}")
	f.Fuzz(func(t *testing.T, events, attendees, recurrences, keys string) {
		for _, one := range []string{events, attendees, recurrences, keys} {
			if !json.Valid([]byte(one)) {
				return // the frame around it is JSON
			}
		}
		client, err := nightpos.New(nightpos.Config{
			URL: "http://nightpos.test", Database: "night19", Login: "gateway", APIKey: "the-key", Protocol: nightpos.ProtocolJSON2, Retries: -1,
			HTTP: answering{t, map[string]string{"calendar.event": events, "calendar.attendee": attendees, "calendar.recurrence": recurrences, "keys": keys}},
		})
		if err != nil {
			t.Fatal(err)
		}
		check := func(record reconciler.Record) {
			if record.Event.When.End.Before(record.Event.When.Start) {
				t.Errorf("record %d ends before it begins: %s", record.ID, record.Event.When)
			}
			if projected := client.Project(record.Event); !client.Project(projected).When.Start.Equal(projected.When.Start) {
				t.Errorf("record %d is not shown twice alike", record.ID)
			}
		}
		if records, err := client.Read(t.Context(), []int64{7}); err == nil {
			for _, record := range records {
				check(record)
			}
		}
		if records, err := client.Changes(t.Context(), reconciler.Member{ID: "6", UserID: 6, PartnerID: 7}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
			for _, record := range records {
				check(record)
			}
		}
		series, err := client.ReadSeries(t.Context(), []int64{3})
		if err != nil {
			return
		}
		for _, one := range series {
			for _, record := range one.Occurrences {
				check(record)
			}
			if one.Refused == "" {
				if err := one.Rule.Validate(); err != nil {
					t.Errorf("a rule that cannot be worked with is taken: %v", err)
				}
				if got := len(one.Rule.Slots(reconciler.Date{}, reconciler.Date{}, 800)); got > 800 {
					t.Errorf("%d slots, want at most 800", got)
				}
			}
		}
	})
}
