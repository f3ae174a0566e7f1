package nightpos_test

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
)

// recordedWebhook is one webhook as a real NightPOS 17, 18 or 19 sent it.
type recordedWebhook struct {
	Recording string
	On        string
	Body      json.RawMessage
}

func recordedWebhooks(t testing.TB) []recordedWebhook {
	t.Helper()
	file, err := os.Open("testdata/webhooks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var recorded []recordedWebhook
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var one recordedWebhook
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		recorded = append(recorded, one)
	}
	if err := lines.Err(); err != nil || len(recorded) == 0 {
		t.Fatalf("%d webhooks, %v", len(recorded), err)
	}
	return recorded
}

// The recordings' rules told other fields than the gateway's own rules do; what
// is there must be understood, what is not must not matter.
func TestRecordedWebhooksAreUnderstood(t *testing.T) {
	models, recurrences := map[string]int{}, 0
	for _, one := range recordedWebhooks(t) {
		var body map[string]any
		if err := json.Unmarshal(one.Body, &body); err != nil {
			t.Fatal(err)
		}
		whole := func(name string) int64 { number, _ := body[name].(float64); return int64(number) }
		model, _ := body["_model"].(string)
		models[model]++
		want := nightpos.Change{Model: model, RecordID: whole("_id"), OrganizerUserID: whole("user_id"), Deleted: one.On == "unlink"}
		want.WriteDate, _ = body["write_date"].(string)
		people, _ := body["partner_ids"].([]any)
		for _, id := range people {
			want.PartnerIDs = append(want.PartnerIDs, int64(id.(float64)))
		}
		if model == "calendar.attendee" {
			want = nightpos.Change{Model: model, RecordID: whole("event_id"), PartnerIDs: []int64{whole("partner_id")}}
		}
		if model == "calendar.recurrence" {
			want = nightpos.Change{Model: model, RecordID: whole("base_event_id")}
			if events, _ := body["calendar_event_ids"].([]any); want.RecordID == 0 && len(events) > 0 {
				want.RecordID = int64(events[0].(float64))
			}
			if want.RecordID > 0 {
				recurrences++
			}
		}
		got, err := nightpos.ParseWebhook(url.Values{"on": {one.On}}, one.Body)
		switch {
		case err != nil:
			t.Errorf("%s, %s: %v", one.Recording, model, err)
		default:
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", one.Recording, model, diff)
			}
		}
	}
	if models["calendar.event"] < 10 || models["calendar.attendee"] < 3 || recurrences == 0 {
		t.Errorf("the recordings hold %v, %d recurrences with events", models, recurrences)
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, one := range recordedWebhooks(f) {
		f.Add(one.On, []byte(one.Body))
	}
	for _, body := range []string{
		`{"_id":1,"_model":"calendar.event","user_id":[6,"Alice"],"partner_ids":false,"write_date":false}`,
		`{"_id":1,"_model":"calendar.attendee","event_id":[],"partner_id":null}`,
		`{"_id":1,"_model":"calendar.recurrence","base_event_id":false,"calendar_event_ids":[7,8]}`,
		`{"_id":1,"_model":"calendar.recurrence","base_event_id":-5,"calendar_event_ids":[-7,0]}`,
		`{"_id":9223372036854775808,"_model":"calendar.event"}`, `{"_id":1.5}`, `[]`, `null`, `{}{}`,
		`{"_id":1,"_model":"calendar.event","write_date":"2026-11-22 17:15:59.` + strings.Repeat("1", 99) + `"}`,
	} {
		f.Add("save", []byte(body))
	}
	f.Fuzz(func(t *testing.T, on string, body []byte) {
		change, err := nightpos.ParseWebhook(url.Values{"on": {on}}, body)
		if err != nil {
			if diff := cmp.Diff(nightpos.Change{}, change); diff != "" {
				t.Errorf("a change together with the error %v: %s", err, diff)
			}
			return
		}
		recurrence := change.Model == "calendar.recurrence"
		if change.RecordID < 0 || change.RecordID == 0 && !recurrence || change.OrganizerUserID < 0 || (on != "save" && on != "unlink") {
			t.Errorf("with on=%s got %+v", on, change)
		}
		if recurrence && (change.Deleted || len(change.PartnerIDs) > 0) {
			t.Errorf("got %+v", change)
		}
		if !recurrence && change.Model != "calendar.event" && (change.Model != "calendar.attendee" || change.Deleted || len(change.PartnerIDs) != 1) {
			t.Errorf("got %+v", change)
		}
		if len(change.PartnerIDs) > len(body) || len(change.WriteDate) > 26 {
			t.Errorf("a body of %d bytes became %d people and the date %q", len(body), len(change.PartnerIDs), change.WriteDate)
		}
	})
}

// What is quoted in an answer or a log must not be what was sent.
func TestWebhookErrorsQuoteNothing(t *testing.T) {
	for _, body := range []string{`{"_id":"secret"}`, `{"_id":1,"_model":"secret"}`, `secret`, `{"_id":1,"_model":"calendar.event","partner_ids":"secret"}`} {
		if _, err := nightpos.ParseWebhook(url.Values{"on": {"save"}}, []byte(body)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error that does not quote it", body, err)
		}
	}
}
