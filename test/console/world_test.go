package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	adminToken = "0123456789abcdef0123456789abcdef"
	root       = "/microsoft_account/console"
	alice      = "alice@nightpos.example"
	bob        = "bob@nightpos.example"
	guest      = "carol@customer.example"
)

// world is the gateway between both simulated servers, on the loopback interface.
// Browsers send cookies to every port of a host, so that gateway and NightPOS share
// a domain here.
type world struct {
	*testing.T
	address, nightposURL string
	outlook              *simoutlook.Server
	nightpos             *simnightpos.Server
	service              *service.Service
}

func newWorld(t *testing.T, change func(*service.Config)) *world {
	t.Helper()
	return newWorldWith(t, nil, change)
}

// newWorldWith registers the applications that are made for the gateway's address;
// without any, Microsoft knows one that takes every redirect URI.
func newWorldWith(t *testing.T, register func(address string) simoutlook.Application, change func(*service.Config)) *world {
	t.Helper()
	w := &world{T: t}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	w.must(err)
	w.address = "http://" + listener.Addr().String()
	// Simulators that know their own address.
	serve := func(build func(address string) http.Handler) string {
		server := httptest.NewUnstartedServer(nil)
		address := "http://" + server.Listener.Addr().String()
		server.Config.Handler = build(address)
		server.Start()
		t.Cleanup(server.Close)
		return address
	}
	var applications []simoutlook.Application
	if register != nil {
		applications = []simoutlook.Application{register(w.address)}
	}
	microsoft := serve(func(address string) http.Handler {
		w.outlook, err = simoutlook.New(simoutlook.Config{
			BaseURL: address, Seed: 1, Switches: simoutlook.Switches{AccountPage: true, AnyAddress: true},
			Applications: applications, People: []simoutlook.Person{{Name: "Alice", Address: alice}, {Name: "Bob", Address: bob}},
		})
		w.must(err)
		t.Cleanup(w.outlook.Close)
		return w.outlook.Handler()
	})
	w.nightposURL = serve(func(address string) http.Handler {
		w.nightpos, err = simnightpos.New(simnightpos.Config{BaseURL: address, Seed: 1})
		w.must(err)
		t.Cleanup(w.nightpos.Close)
		return w.nightpos.Handler()
	})
	engine, err := redis.NewInProcess("", nil)
	w.must(err)
	config := service.Config{
		Listener: listener, Engine: engine, Workers: 2,
		Settings: gateway.Settings{
			PublicURL: w.address, SecretKeys: [][]byte{[]byte(adminToken)}, AdminToken: adminToken,
			MicrosoftClientID: simoutlook.DefaultApplication.ID, MicrosoftClientSecret: gateway.Secret(simoutlook.DefaultApplication.Secret),
			MicrosoftTenant: "common", MicrosoftLoginURL: microsoft, MicrosoftGraphURL: microsoft + "/v1.0",
			NightPOSURL: w.nightposURL, NightPOSDatabase: "night", NightPOSLogin: "admin", NightPOSAPIKey: "admin", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true,
		},
	}
	if change != nil {
		change(&config)
	}
	w.service, err = service.Start(context.WithoutCancel(t.Context()), config)
	w.must(err)
	t.Cleanup(func() { w.must(w.service.Close()); w.must(engine.Close()) })
	return w
}

// newWorldUnset is a gateway that knows no application yet, and the one that an
// administrator has registered as the guide says: with its redirect URI and no other.
func newWorldUnset(t *testing.T) (*world, simoutlook.Application) {
	t.Helper()
	application := simoutlook.DefaultApplication
	w := newWorldWith(t, func(address string) simoutlook.Application {
		application.RedirectURIs = []string{address + gateway.RedirectPath}
		return application
	}, func(config *service.Config) {
		config.Settings.MicrosoftClientID, config.Settings.MicrosoftClientSecret = "", ""
	})
	return w, application
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// connect connects a person's Outlook without a browser.
func (w *world) connect(login string) {
	w.Helper()
	scopes := []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}
	access, refresh, expires := w.outlook.Token(w.Context(), login+"@nightpos.example", simoutlook.DefaultApplication.ID, scopes)
	_, err := w.service.Connect(w.Context(), login, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes})
	w.must(err)
}

// call asks the admin API.
func (w *world) call(method, path, body string, into any) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, w.address+"/api/v1"+path, strings.NewReader(body))
	w.must(err)
	request.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := http.DefaultClient.Do(request)
	w.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.must(err)
	if answer.StatusCode >= 400 {
		w.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, content)
	}
	if into != nil {
		w.must(json.Unmarshal(content, into))
	}
}

func (w *world) user(login string) gateway.User {
	w.Helper()
	var user gateway.User
	w.call(http.MethodGet, "/users/"+login, "", &user)
	return user
}

// settle waits until a person is in a state and nothing waits any more.
func (w *world) settle(login, state string) gateway.User {
	w.Helper()
	return w.until(login, "is "+state+" with nothing waiting", func(user gateway.User) bool {
		return string(user.State) == state && (user.Pending == 0 || state != "connected")
	})
}

// until waits until a person is as wanted.
func (w *world) until(login, what string, wanted func(gateway.User) bool) gateway.User {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		user := w.user(login)
		if wanted(user) {
			return user
		}
		if time.Now().After(end) {
			w.Fatalf("%s is %s with %d pending (%v), want that the person %s", login, user.State, user.Pending, user.LastError, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// nightposEvent makes a record of somebody's, days from now.
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

// titled is how many events of Alice's mailbox and records have a title.
func (w *world) titled(title string) int {
	count := 0
	for _, shown := range w.outlook.Mailbox(alice).Events() {
		if shown["subject"] == title {
			count++
		}
	}
	for _, shown := range w.nightpos.Events() {
		if shown["name"] == title {
			count++
		}
	}
	return count
}

// day is nine in the morning so many days from now.
func day(days int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).Add(9*time.Hour).AddDate(0, 0, days)
}
