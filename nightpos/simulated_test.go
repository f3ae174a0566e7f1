package nightpos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// simulated is a simulated NightPOS 19 that notes where it was called.
type simulated struct {
	*sim.Server
	t      *testing.T
	url    string
	mutex  sync.Mutex
	called map[string]int
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	server, err := sim.New(sim.Config{
		Version: 19, People: []sim.Person{{Name: "Gateway", Login: "gateway", Address: "gateway@nightpos.example", Password: "secret"}},
		Transport: refusing{},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &simulated{Server: server, t: t, called: map[string]int{}}
	handler := server.Handler()
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/json/2/"):
			s.called[nightpos.ProtocolJSON2]++
		case r.URL.Path == "/jsonrpc":
			s.called[nightpos.ProtocolJSONRPC]++
		}
		s.mutex.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { listening.Close(); server.Close() })
	s.url = listening.URL
	return s
}

// refusing is where nobody listens for webhooks.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("nobody listens")
}

func (s *simulated) client(login, key, protocol string) *nightpos.Client {
	s.t.Helper()
	client, err := nightpos.New(nightpos.Config{Contacts: nightpos.ContactsAlways, URL: s.url, Database: "night", Login: login, APIKey: key, Protocol: protocol, Retries: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// inventory lists what registering touches: all groups, actions, rules and keys,
// and the groups of the account.
func (s *simulated) inventory() map[string]any {
	s.t.Helper()
	found := map[string]any{}
	for model, fields := range map[string][]string{
		"res.groups": {"name", "implied_ids"}, "ir.actions.server": {"name", "code", "webhook_url"}, "base.automation": {"name", "filter_domain"},
		"ir.model.data": {"module", "name"}, "res.users": {"login", "group_ids"},
	} {
		found[model] = s.read(model, fields)
	}
	return found
}

// read reads all records of a model by JSON-2.
func (s *simulated) read(model string, fields []string) any {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"domain": []any{}, "fields": fields, "order": "id", "context": map[string]any{"active_test": false}})
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/json/2/"+model+"/search_read", strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "bearer "+s.Member("admin").APIKey(time.Minute))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var rows any
	if err := json.NewDecoder(answer.Body).Decode(&rows); err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("reading %s: status %d, %v: %v", model, answer.StatusCode, err, rows)
	}
	return rows
}

// TestNightPOS19 is the life of the gateway's account with a NightPOS 19, by each
// protocol and with a key or a password: registered twice, used, and removed.
func TestNightPOS19(t *testing.T) {
	for name, test := range map[string]struct {
		protocol string
		key      bool
		// spoken is the protocol that the calls come by in the end.
		spoken string
	}{
		"auto, key":          {nightpos.ProtocolAuto, true, nightpos.ProtocolJSON2},
		"auto, password":     {nightpos.ProtocolAuto, false, nightpos.ProtocolJSONRPC},
		"JSON-2, key":        {nightpos.ProtocolJSON2, true, nightpos.ProtocolJSON2},
		"JSON-RPC, key":      {nightpos.ProtocolJSONRPC, true, nightpos.ProtocolJSONRPC},
		"JSON-RPC, password": {nightpos.ProtocolJSONRPC, false, nightpos.ProtocolJSONRPC},
	} {
		t.Run(name, func(t *testing.T) {
			server := newSimulated(t)
			passwords := map[string]string{"admin": "admin", "gateway": "secret"}
			as := func(login string) *nightpos.Client {
				if test.key {
					return server.client(login, server.Member(login).APIKey(0), test.protocol)
				}
				return server.client(login, passwords[login], test.protocol)
			}
			account, admin := as("gateway"), as("admin")
			before := server.inventory()
			id, err := account.UserID(t.Context())
			if err != nil || id != int64(server.Member("gateway").ID) {
				t.Fatalf("got the account %d, %v, want %d", id, err, server.Member("gateway").ID)
			}
			registration := nightpos.Registration{PublicURL: "http://127.0.0.1:1", Token: "t", AccountID: id}
			if changed, err := admin.Register(t.Context(), registration); err != nil || len(changed) == 0 {
				t.Fatalf("registering: got %q, %v, want changes", changed, err)
			}
			registered := server.inventory()
			if changed, err := admin.Register(t.Context(), registration); err != nil || len(changed) != 0 {
				t.Errorf("registering again: got %q, %v, want no change", changed, err)
			}
			if difference := cmp.Diff(registered, server.inventory()); difference != "" {
				t.Errorf("registering again changed (-before +after):\n%s", difference)
			}
			if err := account.Check(t.Context()); err != nil {
				t.Errorf("checking: %v", err)
			}
			server.mutex.Lock()
			clear(server.called)
			server.mutex.Unlock()
			useDoor(t, server, account)
			server.mutex.Lock()
			called := server.called
			server.mutex.Unlock()
			if len(called) != 1 || called[test.spoken] == 0 {
				t.Errorf("called by %v, want %s alone", called, test.spoken)
			}
			if _, err := admin.Unregister(t.Context()); err != nil {
				t.Fatalf("removing: %v", err)
			}
			if difference := cmp.Diff(before, server.inventory()); difference != "" {
				t.Errorf("removing leaves (-before +after):\n%s", difference)
			}
		})
	}
}

// useDoor reads and writes through the door: somebody's private event, a new one
// with a stranger in it, twice, and a change of it.
func useDoor(t *testing.T, server *simulated, account *nightpos.Client) {
	ctx := t.Context()
	alice, bob := server.Member("alice"), server.Member("bob")
	secret, err := alice.Create(ctx, map[string]any{
		"name": "Secret", "start": "2037-01-11 09:00:00", "stop": "2037-01-11 10:00:00", "privacy": "private",
	})
	if err != nil {
		t.Fatal(err)
	}
	record := readOne(ctx, t, account, int64(secret))
	if record.Masked || record.Event.Title != "Secret" {
		t.Errorf("the private event: got %q, masked %v, want it in full", record.Event.Title, record.Masked)
	}
	start := time.Date(2037, 1, 12, 9, 0, 0, 0, time.UTC)
	create := reconciler.RecordWrite{
		Action: reconciler.ActionCreate, Key: "key-1", OrganizerUserID: int64(alice.ID),
		Event: reconciler.Event{
			Title: "From Outlook", Body: "<p>Agenda</p>", When: reconciler.When{Start: start, End: start.Add(time.Hour)},
			People: []reconciler.Person{
				{Address: "bob@nightpos.example", Answer: reconciler.AnswerTentative},
				{Address: "stranger@elsewhere.example", Name: "A Stranger"},
			},
		},
	}
	made := writeOne(ctx, t, account, create)
	if again := writeOne(ctx, t, account, create); !again.Existed || again.Record.ID != made.Record.ID {
		t.Errorf("creating again: got record %d, existed %v, want %d once more", again.Record.ID, again.Existed, made.Record.ID)
	}
	// NightPOS 19 would write its people into the description.
	if got := made.Record.Event.Body; got != "<p>Agenda</p>" {
		t.Errorf("description: got %q, want it as it was given", got)
	}
	answers := map[string]reconciler.Answer{}
	for _, person := range made.Record.Event.People {
		answers[person.Key()] = person.Answer
	}
	want := map[string]reconciler.Answer{"bob@nightpos.example": reconciler.AnswerTentative, "stranger@elsewhere.example": reconciler.AnswerNone}
	if difference := cmp.Diff(want, answers); difference != "" {
		t.Errorf("answers (-want +got):\n%s", difference)
	}
	changed := made.Record.Event
	changed.Place = "Room 1"
	update := reconciler.RecordWrite{
		Action: reconciler.ActionUpdate, ID: made.Record.ID, Stamp: made.Record.Stamp, Event: changed,
		Fields: reconciler.NewFieldSet(reconciler.FieldPlace), Current: made.Record,
	}
	if got := writeOne(ctx, t, account, update).Record.Event.Place; got != "Room 1" {
		t.Errorf("place: got %q, want Room 1", got)
	}
	found, err := account.Changes(ctx, reconciler.Member{UserID: int64(bob.ID), PartnerID: int64(bob.PartnerID)}, made.Record.Modified.Truncate(time.Second))
	if err != nil || len(found) != 1 || found[0].ID != made.Record.ID {
		t.Errorf("changes of bob's: got %d, %v, want the new event", len(found), err)
	}
	if mails := server.Mails(); len(mails) != 0 {
		t.Errorf("got mails %v, want none", mails)
	}
}

func readOne(ctx context.Context, t *testing.T, account *nightpos.Client, id int64) reconciler.Record {
	t.Helper()
	records, err := account.Read(ctx, []int64{id})
	if err != nil || len(records) != 1 {
		t.Fatalf("reading %d: got %d records, %v", id, len(records), err)
	}
	return records[id]
}

func writeOne(ctx context.Context, t *testing.T, account *nightpos.Client, write reconciler.RecordWrite) reconciler.RecordResult {
	t.Helper()
	result := account.Write(ctx, []reconciler.RecordWrite{write})[0]
	if result.Err != nil || result.Record == nil {
		t.Fatalf("%s: %v", write.Action, result.Err)
	}
	return result
}
