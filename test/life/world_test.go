package life_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	"github.com/nightpos/outlook-gateway/test/openapi"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	gatewayURL  = "http://gateway.sim"
	nightposURL = "http://nightpos.sim"
	outlookURL  = "http://outlook.sim"
	adminToken  = "0123456789abcdef0123456789abcdef"
	alice       = "alice@nightpos.example"
	bob         = "bob@nightpos.example"
	guest       = "carol@customer.example"
)

// world is the gateway between both simulated servers.
type world struct {
	*testing.T
	network  network.Network
	outlook  *simoutlook.Server
	nightpos *simnightpos.Server
	service  *service.Service
	engine   *redis.InProcess
	config   service.Config
	// dataDir is where the store keeps its data; empty for nowhere.
	dataDir string
	// life ends when the gateway is killed.
	life *mortal
	// calls are those that all gateways of this world have made.
	calls atomic.Int64
	// api is the way to the admin API, on which every answer is held against the
	// document that describes it.
	api http.RoundTripper
}

// newWorld must be called in a synctest bubble. The gateway runs with nobody
// connected.
func newWorld(t *testing.T, change func(*service.Config)) *world {
	t.Helper()
	return newWorldWith(t, simoutlook.Config{}, simnightpos.Config{}, change)
}

// newWorldWith is newWorld with simulators of another kind.
func newWorldWith(t *testing.T, mail simoutlook.Config, suite simnightpos.Config, change func(*service.Config)) *world {
	t.Helper()
	w := &world{T: t}
	w.api = openapi.Checked(t, w.network.Transport())
	var err error
	mail.BaseURL, mail.Seed, mail.Transport, mail.Switches.AnyAddress = outlookURL, 1, w.network.Transport(), true
	mail.People = []simoutlook.Person{{Name: "Alice", Address: alice}, {Name: "Bob", Address: bob}}
	w.outlook, err = simoutlook.New(mail)
	w.must(err)
	suite.BaseURL, suite.Seed, suite.Transport = nightposURL, 1, w.network.Transport()
	w.nightpos, err = simnightpos.New(suite)
	w.must(err)
	t.Cleanup(func() { w.nightpos.Close(); w.outlook.Close() })
	w.host("outlook.sim", w.outlook.Handler())
	w.host("nightpos.sim", w.nightpos.Handler())
	application := simoutlook.DefaultApplication
	w.config = service.Config{
		Transport: w.network.Transport(), Workers: 2, Spread: rand.New(rand.NewPCG(1, 1)),
		Settings: gateway.Settings{
			PublicURL: gatewayURL, SecretKeys: [][]byte{[]byte(adminToken)}, AdminToken: adminToken,
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret),
			MicrosoftTenant: "common", MicrosoftLoginURL: outlookURL, MicrosoftGraphURL: outlookURL + "/v1.0",
			NightPOSURL: nightposURL, NightPOSDatabase: "night", NightPOSLogin: "admin", NightPOSAPIKey: "admin", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true,
		},
	}
	if change != nil {
		change(&w.config)
	}
	w.renew()
	t.Cleanup(func() { w.must(w.service.Close()); w.must(w.engine.Close()) })
	return w
}

// renew starts the gateway on an empty store.
func (w *world) renew() {
	w.Helper()
	var err error
	if w.service != nil {
		w.must(w.service.Close())
		w.must(w.engine.Close())
	}
	w.engine, err = redis.NewInProcess(w.dataDir, nil)
	w.must(err)
	w.start()
}

// kill ends the gateway as kill -9 does: from one moment on it reaches nothing any
// more, learns no answer, and its store stands as it was. A new one starts on that.
func (w *world) kill() {
	w.Helper()
	w.life.dead.Store(true)
	w.must(w.engine.Close())
	// What is left of it cannot do anything; how it ends is nobody's business.
	_ = w.service.Close()
	var err error
	w.engine, err = redis.NewInProcess(w.dataDir, nil)
	w.must(err)
	w.start()
}

// mortal is the way out of a gateway, until it is killed.
type mortal struct {
	next http.RoundTripper
	dead atomic.Bool
	// calls counts what it sent, however much a batch holds.
	calls *atomic.Int64
}

var errKilled = errors.New("the gateway was killed")

// RoundTrip implements http.RoundTripper.
func (m *mortal) RoundTrip(request *http.Request) (*http.Response, error) {
	if m.dead.Load() {
		return nil, errKilled
	}
	m.calls.Add(1)
	answer, err := m.next.RoundTrip(request)
	if err == nil && m.dead.Load() {
		answer.Body.Close()
		return nil, errKilled
	}
	return answer, err
}

// restart ends the gateway and starts it again on the same store.
func (w *world) restart() {
	w.Helper()
	w.must(w.service.Close())
	w.start()
}

func (w *world) start() {
	w.Helper()
	listener, err := w.network.Listen("gateway.sim")
	w.must(err)
	config := w.config
	w.life = &mortal{next: config.Transport, calls: &w.calls}
	config.Listener, config.Engine, config.Transport = listener, w.engine, w.life
	w.service, err = service.Start(context.WithoutCancel(w.Context()), config)
	w.must(err)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) host(address string, handler http.Handler) {
	listener, err := w.network.Listen(address)
	w.must(err)
	server := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	w.Cleanup(func() {
		w.must(server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			w.Error(err)
		}
	})
}

// connect signs a person in by a connect link with such a body, as a program does.
func (w *world) connect(login, body string) {
	w.Helper()
	if status, page := w.signIn(login, body); status != http.StatusOK || !strings.Contains(page, "is connected to") {
		w.Fatalf("connecting %s ended with %d:\n%s", login, status, page)
	}
}

// signIn goes the way of connect to its last page.
func (w *world) signIn(login, body string) (status int, page string) {
	w.Helper()
	var link struct{ URL string }
	w.call(http.MethodPost, "/users/"+login+"/connect-link", body, http.StatusOK, &link)
	jar := map[string]string{}
	client := &http.Client{Transport: w.network.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	address := link.URL
	for range 6 {
		request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, address, nil)
		w.must(err)
		if strings.HasPrefix(address, gatewayURL) {
			for name, value := range jar {
				request.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		}
		answer, err := client.Do(request)
		w.must(err)
		content, err := io.ReadAll(answer.Body)
		w.must(err)
		answer.Body.Close()
		for _, cookie := range answer.Cookies() {
			if strings.HasPrefix(address, gatewayURL) {
				jar[cookie.Name] = cookie.Value
			}
		}
		next := answer.Header.Get("Location")
		if next == "" {
			return answer.StatusCode, string(content)
		}
		address = next
	}
	w.Fatalf("connecting %s did not end", login)
	return 0, ""
}

// call asks the admin API and checks the status.
func (w *world) call(method, path, body string, status int, into any) http.Header {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, gatewayURL+"/api/v1"+path, strings.NewReader(body))
	w.must(err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := (&http.Client{Transport: w.api}).Do(request)
	w.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.must(err)
	if answer.StatusCode != status {
		w.Fatalf("%s %s %s: got %d %s, want %d", method, path, body, answer.StatusCode, content, status)
	}
	if status >= 400 && answer.Header.Get("Content-Type") != "application/problem+json" {
		w.Fatalf("%s %s: the error is %s", method, path, answer.Header.Get("Content-Type"))
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, content)
		}
	}
	return answer.Header
}

func (w *world) user(login string) gateway.User {
	w.Helper()
	var user gateway.User
	w.call(http.MethodGet, "/users/"+login, "", http.StatusOK, &user)
	return user
}

// settle waits until a person's state is one, and everything is quiet.
func (w *world) settle(login, state string) gateway.User {
	w.Helper()
	for end := time.Now().Add(30 * time.Minute); ; {
		quiet, err := w.service.Quiet(w.Context())
		w.must(err)
		user := w.user(login)
		if string(user.State) == state && (quiet || state != "connected") && w.outlook.Delivery().Waiting == 0 {
			return user
		}
		if time.Now().After(end) {
			w.Fatalf("%s is %s with %d pending (%v), want %s", login, user.State, user.Pending, user.LastError, state)
		}
		time.Sleep(time.Second)
	}
}

// job waits for a job to end.
func (w *world) job(id string) gateway.Job {
	w.Helper()
	for range 600 {
		var job gateway.Job
		w.call(http.MethodGet, "/jobs/"+id, "", http.StatusOK, &job)
		if job.State != "running" {
			return job
		}
		time.Sleep(time.Second)
	}
	w.Fatalf("job %s does not end", id)
	return gateway.Job{}
}

// nightposEvent makes a record of somebody's, days from now, with people by their
// addresses.
func (w *world) nightposEvent(login, title string, days int, more map[string]any, people ...string) int {
	w.Helper()
	member := w.nightpos.Member(login)
	partners := []any{member.PartnerID}
	for _, address := range people {
		partners = append(partners, w.nightpos.Contact(address))
	}
	start := day(days)
	values := map[string]any{
		"name": title, "start": start.Format("2006-01-02 15:04:05"), "stop": start.Add(time.Hour).Format("2006-01-02 15:04:05"),
		"partner_ids": []any{[]any{6, 0, partners}},
	}
	for name, value := range more {
		values[name] = value
	}
	id, err := member.Create(w.Context(), values)
	w.must(err)
	return id
}

// outlookEvent makes an event in somebody's mailbox, days from now.
func (w *world) outlookEvent(address, title string, days int, people ...string) string {
	w.Helper()
	attendees := []any{}
	for _, person := range people {
		attendees = append(attendees, map[string]any{"type": "required", "emailAddress": map[string]any{"address": person, "name": person}})
	}
	start := day(days)
	made, err := w.outlook.Mailbox(address).Create(w.Context(), map[string]any{
		"subject": title, "attendees": attendees,
		"start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"end":   map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
	})
	w.must(err)
	return fmt.Sprint(made["id"])
}

// day is nine in the morning so many days from now.
func day(days int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).Add(9*time.Hour).AddDate(0, 0, days)
}

// inOutlook counts the events of a title in a mailbox; cancelled ones do not
// count.
func (w *world) inOutlook(address, title string) int {
	count := 0
	for _, shown := range w.outlook.Mailbox(address).Events() {
		if shown["subject"] == title && shown["isCancelled"] != true {
			count++
		}
	}
	return count
}

// inNightPOS counts the active and the archived records of a title.
func (w *world) inNightPOS(title string) (active, archived int) {
	for _, shown := range w.nightpos.Events() {
		if shown["name"] != title {
			continue
		}
		if shown["active"] == true {
			active++
		} else {
			archived++
		}
	}
	return active, archived
}

// shows checks how often a title is to be seen.
func (w *world) shows(title string, inOutlook, inNightPOS int) {
	w.Helper()
	active, _ := w.inNightPOS(title)
	if got := w.inOutlook(alice, title); got != inOutlook || active != inNightPOS {
		w.Errorf("%q is %d times in Alice's Outlook and %d times in NightPOS, want %d and %d", title, got, active, inOutlook, inNightPOS)
	}
}

// mails counts those that the gateway caused in Outlook.
func (w *world) mails() int {
	count := 0
	for _, mail := range w.outlook.Mails() {
		if !strings.HasPrefix(mail.Actor, "person:") {
			count++
		}
	}
	return count
}
