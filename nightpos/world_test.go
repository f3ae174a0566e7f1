package nightpos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/network"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

const (
	account  = "gateway"
	password = "the-password-of-the-account"
)

// People of the recordings besides alice; carol is nobody's user.
var (
	bob   = reconciler.Person{Address: "bob@nightpos.example", Name: "Bob"}
	carol = reconciler.Person{Address: "carol@customer.example", Name: "Carol External"}
)

// world is a simulated NightPOS, registered, and the client of the gateway's own
// account in it.
type world struct {
	testing.TB
	sim       *sim.Server
	transport *http.Transport
	client    *nightpos.Client
	admin     *nightpos.Client
	account   int64
	alice     reconciler.Member

	mutex sync.Mutex
	calls map[string]int
	fate  func(model, method string) sim.CallFate
	delay time.Duration
}

// newWorld must be called in a synctest bubble.
func newWorld(t testing.TB, version int) *world {
	t.Helper()
	memory := &network.Network{}
	w := &world{TB: t, calls: map[string]int{}, transport: memory.Transport()}
	var err error
	w.sim, err = sim.New(sim.Config{
		Version: version, BaseURL: "http://nightpos.test", Seed: 1, Interpret: version == 18, Transport: memory.Transport(),
		Call: func(model, method string) sim.CallFate {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			if w.fate == nil {
				return sim.CallFate{}
			}
			return w.fate(model, method)
		},
		Latency: func(string, string) time.Duration {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			return w.delay
		},
		People: []sim.Person{{Name: "Gateway", Login: account, Address: "gateway@nightpos.example", Password: password}},
	})
	if err != nil {
		t.Fatal(err)
	}
	member := w.sim.Member("alice")
	w.alice = reconciler.Member{
		ID: strconv.Itoa(member.ID), UserID: int64(member.ID), PartnerID: int64(member.PartnerID),
		Login: "alice", Name: "Alice", Address: "alice@nightpos.example", Zone: "Europe/Brussels",
	}
	listener, err := memory.Listen("nightpos.test")
	if err != nil {
		t.Fatal(err)
	}
	serving := &http.Server{Handler: w.sim.Handler(), ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = serving.Serve(listener) }()
	t.Cleanup(func() {
		w.sim.Close()
		_ = serving.Close()
		<-ended
	})
	w.client, w.admin = w.signIn(account, password), w.signIn("admin", "admin")
	if w.account, err = w.client.UserID(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.Register(t.Context(), w.registration()); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.forgetCalls()
	return w
}

func (w *world) registration() nightpos.Registration {
	return nightpos.Registration{PublicURL: "http://gateway.test", Token: "secret-of-the-webhooks", PageURL: "http://gateway.test/page", AccountID: w.account}
}

func (w *world) signIn(login, key string) *nightpos.Client {
	w.Helper()
	client, err := nightpos.New(nightpos.Config{
		Contacts: nightpos.ContactsAlways,
		URL:      "http://nightpos.test", Database: "night", Login: login, APIKey: key, HTTP: w.transport,
		Observe: func(call string, _ time.Duration, _ error) {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			w.calls[call]++
		},
	})
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// seen are the calls since they were last forgotten.
func (w *world) seen() map[string]int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return maps.Clone(w.calls)
}

func (w *world) forgetCalls() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	clear(w.calls)
}

// whenCalled decides the fate of calls until the next time.
func (w *world) whenCalled(fate func(model, method string) sim.CallFate) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.fate = fate
}

// once gives the next run of the door a fate, and the later ones none.
func (w *world) once(fate sim.CallFate) {
	left := 1
	w.whenCalled(func(model, _ string) sim.CallFate {
		if model != "ir.actions.server" || left == 0 {
			return sim.CallFate{}
		}
		left--
		return fate
	})
}

func day(hour int) time.Time { return time.Date(2030, 1, 15, hour, 0, 0, 0, time.UTC) }

// meeting is one of alice's with bob and carol, in the future of the bubble.
func meeting() reconciler.Event {
	accepted := carol
	accepted.Answer = reconciler.AnswerAccepted
	return reconciler.Event{
		Title: "Review", Body: "<p>Bring <b>numbers</b></p>", Place: "Room 1", When: reconciler.When{Start: day(9), End: day(10)},
		People: []reconciler.Person{bob, accepted}, Privacy: reconciler.PrivacyPrivate, ShowAs: reconciler.ShowAsBusy,
		Reminders: []time.Duration{15 * time.Minute, 7 * time.Hour}, MeetingLink: "https://meet.example.com/1", Categories: []string{"Blue"},
	}
}

func (w *world) create(key string, event reconciler.Event) reconciler.RecordWrite {
	return reconciler.RecordWrite{Action: reconciler.ActionCreate, Event: event, Key: key, OrganizerUserID: w.alice.UserID}
}

func update(record reconciler.Record, change func(*reconciler.Event), fields ...reconciler.Field) reconciler.RecordWrite {
	event := record.Event
	change(&event)
	return reconciler.RecordWrite{
		Action: reconciler.ActionUpdate, ID: record.ID, Stamp: record.Stamp, Event: event, Fields: reconciler.NewFieldSet(fields...), Current: &record,
	}
}

// write carries out one write that must succeed.
func (w *world) write(one reconciler.RecordWrite) reconciler.RecordResult {
	w.Helper()
	result := w.client.Write(w.Context(), []reconciler.RecordWrite{one})[0]
	if result.Err != nil {
		w.Fatalf("%s: %v", one.Action, result.Err)
	}
	return result
}

// read reads one record that must exist.
func (w *world) read(id int64) reconciler.Record {
	w.Helper()
	records, err := w.client.Read(w.Context(), []int64{id})
	if err != nil {
		w.Fatal(err)
	}
	record, found := records[id]
	if !found {
		w.Fatalf("record %d is not there", id)
	}
	return record
}

// events are the titles of all events that exist.
func (w *world) events() []string {
	var titles []string
	for _, event := range w.sim.Events() {
		title, _ := event["name"].(string)
		titles = append(titles, title)
	}
	return titles
}

// doorCalls are the runs of the door, by label.
func (w *world) doorCalls() map[string]int {
	runs := map[string]int{}
	for call, count := range w.seen() {
		if label, ok := strings.CutPrefix(call, "door."); ok {
			runs[label] = count
		}
	}
	return runs
}

// unlinkContact removes a contact, as an administrator does in NightPOS.
func (w *world) unlinkContact(address string) error {
	found, err := w.rpc("res.partner", "search", []any{[]any{"email", "=", address}})
	if err != nil {
		return err
	}
	_, err = w.rpc("res.partner", "unlink", found)
	return err
}

// rpc is a call by the administrator, past the client under test.
func (w *world) rpc(model, method string, arguments ...any) (any, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw", "args": []any{"night", 2, "admin", model, method, arguments},
	}})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://nightpos.test/jsonrpc", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := w.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var told struct {
		Result any
		Error  any
	}
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		return nil, err
	}
	if told.Error != nil {
		return nil, fmt.Errorf("%s.%s: %v", model, method, told.Error)
	}
	return told.Result, nil
}
