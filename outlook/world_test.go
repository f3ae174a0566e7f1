package outlook_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/network"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	graph    = "http://outlook.sim"
	database = "0011223344556677"
)

var (
	alice = reconciler.Member{ID: "6", UserID: 6, Address: "alice@nightpos.example", Mailbox: "alice@nightpos.example", Zone: "Europe/Brussels"}
	bob   = reconciler.Member{ID: "7", UserID: 7, Address: "bob@nightpos.example", Mailbox: "bob@nightpos.example", Zone: "America/New_York"}
)

// tokens keeps tokens in memory, for any number of clients.
type tokens struct {
	mutex   sync.Mutex
	kept    map[string]outlook.Token
	version map[string]int
	locks   map[string]string
	until   map[string]time.Time
	saved   int
	broken  bool // nothing can be saved
}

func newTokens() *tokens {
	return &tokens{kept: map[string]outlook.Token{}, version: map[string]int{}, locks: map[string]string{}, until: map[string]time.Time{}}
}

func (t *tokens) Token(_ context.Context, lane string) (outlook.Token, string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	token, ok := t.kept[lane]
	if !ok {
		return token, "", reconciler.ErrReconnect
	}
	return token, strconv.Itoa(t.version[lane]), nil
}

// set is what a new sign-in does.
func (t *tokens) set(lane string, token outlook.Token) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.kept[lane] = token
	t.version[lane]++
}

func (t *tokens) ReplaceToken(_ context.Context, lane, version string, token outlook.Token) (bool, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch {
	case t.broken:
		return false, errors.New("the store is out")
	case strconv.Itoa(t.version[lane]) != version:
		return false, nil
	}
	t.kept[lane] = token
	t.version[lane]++
	t.saved++
	return true, nil
}

func (t *tokens) RefuseToken(ctx context.Context, lane, version string, token outlook.Token) (bool, error) {
	return t.ReplaceToken(ctx, lane, version, token)
}

func (t *tokens) LockToken(_ context.Context, lane, holder string, life time.Duration) (bool, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.locks[lane] != "" && time.Now().Before(t.until[lane]) {
		return false, nil
	}
	t.locks[lane], t.until[lane] = holder, time.Now().Add(life)
	return true, nil
}

func (t *tokens) UnlockToken(_ context.Context, lane, holder string) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.locks[lane] == holder {
		delete(t.locks, lane)
	}
	return nil
}

// world is a client and the simulated Outlook it talks to, in memory.
type world struct {
	*testing.T
	sim       *sim.Server
	client    *outlook.Client
	tokens    *tokens
	transport http.RoundTripper
	// config is what client was made of.
	config outlook.Config
	// made counts events made by on.
	made int
}

// newWorld must be called in a synctest bubble.
func newWorld(t *testing.T, change func(*sim.Config)) *world {
	t.Helper()
	memory := &network.Network{}
	config := sim.Config{
		BaseURL: graph, Seed: 1, Transport: memory.Transport(), Switches: sim.Switches{AnyAddress: true},
		People: []sim.Person{
			{Name: "Alice", Address: alice.Address, TimeZone: "Romance Standard Time"},
			{Name: "Bob", Address: bob.Address, TimeZone: "Eastern Standard Time"},
		},
	}
	if change != nil {
		change(&config)
	}
	server, err := sim.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := memory.Listen("outlook.sim")
	if err != nil {
		t.Fatal(err)
	}
	serving := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = serving.Serve(listener) }()
	w := &world{T: t, sim: server, tokens: newTokens()}
	transport := memory.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = serving.Close()
		<-ended
		server.Close()
	})
	for _, member := range []reconciler.Member{alice, bob} {
		access, refresh, expires := server.Token(t.Context(), member.Address, sim.DefaultApplication.ID, []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"})
		w.tokens.set(member.ID, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires})
	}
	w.transport = transport
	w.config = outlook.Config{
		GraphURL: graph + "/v1.0", LoginURL: graph, ClientID: sim.DefaultApplication.ID, ClientSecret: sim.DefaultApplication.Secret,
		DatabaseID: database, Store: w.tokens, HTTP: transport,
	}
	w.client = w.replica(nil)
	return w
}

// replica makes another client of the same tokens.
func (w *world) replica(change func(*outlook.Config)) *outlook.Client {
	w.Helper()
	config := w.config
	if change != nil {
		change(&config)
	}
	client, err := outlook.New(config)
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// write carries out one write that must succeed.
func (w *world) write(member reconciler.Member, write reconciler.OutlookWrite) reconciler.OutlookResult {
	w.Helper()
	result := w.client.Write(w.Context(), member, []reconciler.OutlookWrite{write})[0]
	if result.Err != nil {
		w.Fatalf("%s: %v", write.Action, result.Err)
	}
	return result
}

// read reads one copy that must exist.
func (w *world) read(member reconciler.Member, id string) reconciler.Copy {
	w.Helper()
	copies, failed, err := w.client.Read(w.Context(), member, []string{id})
	if err != nil || len(failed) > 0 {
		w.Fatalf("reading: %v, items %v", err, failed)
	}
	found, ok := copies[id]
	if !ok {
		w.Fatal("the event is not there")
	}
	return found
}

func day(hour, minute int) time.Time { return time.Date(2027, 1, 12, hour, minute, 0, 0, time.UTC) }

// meeting is an ordinary meeting with bob.
func meeting() reconciler.Event {
	return reconciler.Event{
		Title: "Review", Body: "<p>Bring <b>numbers</b></p>", Place: "Room 1",
		When:    reconciler.When{Start: day(9, 0), End: day(10, 0)},
		People:  []reconciler.Person{{Address: "bob@nightpos.example", Name: "Bob"}},
		Privacy: reconciler.PrivacyPrivate, ShowAs: reconciler.ShowAsTentative,
		Reminders: []time.Duration{10 * time.Minute}, Categories: []string{"Blue", "Red"},
	}
}

func create(event reconciler.Event) reconciler.OutlookWrite {
	return reconciler.OutlookWrite{Action: reconciler.ActionCreate, Event: event, Key: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", RecordID: 42}
}
