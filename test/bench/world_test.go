package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	accountLogin    = "gateway"
	accountPassword = "the-password-of-the-account"
	database        = "night"
)

var (
	secretKey = bytes.Repeat([]byte{7}, 32)
	scopes    = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}
)

// wishes are what a world is made of.
type wishes struct {
	// people are connected, each with a calendar on both sides.
	people int
	// late are how many of them connect later only: the last ones.
	late int
	// events are in each person's Outlook before they connect, unless that is
	// late.
	events int
	// redisURL is the store; empty for the one inside the process.
	redisURL string
	// network carries everything; nil for loopback.
	network *network.Network
	// commitDelay is how long after its webhook a change in NightPOS can be read;
	// nil for at once.
	commitDelay func() time.Duration
	// graphTime and nightposTime are how long each call takes, besides what the
	// simulators need for it.
	graphTime, nightposTime time.Duration
	// usualTokens live as long as Microsoft's do, instead of a year: the traffic of a
	// mailbox is told by its token.
	usualTokens bool
	// unasked has Graph say nothing about subscriptions, as with personal accounts.
	unasked bool
}

// world is both calendars, which answer at once, and the gateway between them.
type world struct {
	t        testing.TB
	outlook  *simoutlook.Server
	nightpos *simnightpos.Server
	gateway  *service.Service
	config   service.Config
	members  []reconciler.Member
	traffic  *traffic
	deaf     *deafness
	// calm is closed while both calendars answer; see hold.
	mutex   sync.Mutex
	calm    chan struct{}
	closers []func()
}

func login(number int) string   { return fmt.Sprintf("person%d", number) }
func mailbox(number int) string { return login(number) + "@nightpos.example" }

// newWorld starts everything, connects the people, and returns when their first
// sync is done. The caller closes it.
func newWorld(t testing.TB, wanted wishes) *world {
	t.Helper()
	w := &world{t: t, calm: make(chan struct{}), traffic: &traffic{}, deaf: &deafness{next: http.DefaultTransport}}
	w.traffic.reset()
	close(w.calm)
	outlookListener, outlookURL := w.listen(wanted.network, "outlook.sim")
	nightposListener, nightposURL := w.listen(wanted.network, "nightpos.sim")
	listener, publicURL := w.listen(wanted.network, "gateway.sim")
	var transport http.RoundTripper
	if wanted.network != nil {
		transport = wanted.network.Transport()
		w.deaf.next = transport
	}
	latency := func(took time.Duration) func(string, string) time.Duration {
		return func(string, string) time.Duration {
			w.mutex.Lock()
			calm := w.calm
			w.mutex.Unlock()
			<-calm
			return took
		}
	}
	if wanted.commitDelay == nil {
		wanted.commitDelay = func() time.Duration { return 0 }
	}

	simulated := simoutlook.Config{
		BaseURL: outlookURL, Seed: 1, Transport: w.deaf, Latency: latency(wanted.graphTime),
		Switches: simoutlook.Switches{NotificationDelay: &simoutlook.Span{}, LongLivedTokens: !wanted.usualTokens, NoLifecycle: wanted.unasked},
	}
	users := []simnightpos.Person{{Name: "Gateway", Login: accountLogin, Address: "gateway@nightpos.example", Password: accountPassword}}
	for number := range wanted.people {
		name := fmt.Sprintf("Person %d", number)
		simulated.People = append(simulated.People, simoutlook.Person{Name: name, Address: mailbox(number), TimeZone: "UTC"})
		users = append(users, simnightpos.Person{Name: name, Login: login(number), Address: mailbox(number), Password: login(number), Zone: "UTC"})
	}
	var err error
	w.outlook, err = simoutlook.New(simulated)
	w.must(err)
	w.atClose(w.outlook.Close)
	w.host(outlookListener, w.traffic.watch(w.outlook.Handler()))
	for number := range wanted.people - wanted.late {
		w.enter(number, wanted.events)
	}
	w.nightpos, err = simnightpos.New(simnightpos.Config{
		BaseURL: nightposURL, Database: database, Seed: 1, Transport: transport, Latency: latency(wanted.nightposTime),
		CommitDelay: wanted.commitDelay, People: users,
	})
	w.must(err)
	w.atClose(w.nightpos.Close)
	w.host(nightposListener, w.nightpos.Handler())

	application := simoutlook.DefaultApplication
	w.config = service.Config{
		// Whatever the weather and the dice do is meant.
		Guard:    reconciler.Guard{AtOnce: -1},
		Listener: listener, Transport: transport,
		Settings: gateway.Settings{
			PublicURL: publicURL, SecretKeys: [][]byte{secretKey}, RedisURL: gateway.Secret(wanted.redisURL),
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret), MicrosoftTenant: "common",
			MicrosoftLoginURL: outlookURL, MicrosoftGraphURL: outlookURL + "/v1.0",
			NightPOSURL: nightposURL, NightPOSDatabase: database,
			NightPOSLogin: accountLogin, NightPOSAPIKey: accountPassword, NightPOSProtocol: "auto",
			NightPOSAdminLogin: "admin", NightPOSAdminAPIKey: "admin",
			PastDays: 365, FutureDays: 730, Conflict: "newest",
		},
	}
	if wanted.redisURL == "" {
		engine, err := redis.NewInProcess("", nil)
		w.must(err)
		w.atClose(func() { w.must(engine.Close()) })
		w.config.Engine = engine
	}
	_, err = service.Register(t.Context(), w.config)
	w.must(err)
	w.gateway, err = service.Start(t.Context(), w.config)
	w.must(err)
	w.atClose(w.stop)
	for number := range wanted.people - wanted.late {
		w.connect(number)
	}
	w.settle()
	return w
}

// join starts one more gateway beside the first, on the same store.
func (w *world) join(on *network.Network, host string) {
	w.t.Helper()
	config := w.config
	config.Listener, _ = w.listen(on, host)
	joined, err := service.Start(w.t.Context(), config)
	w.must(err)
	w.atClose(func() { w.must(joined.Close()) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) atClose(end func()) { w.closers = append(w.closers, end) }

// close ends everything, in the reverse order.
func (w *world) close() {
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
	w.closers = nil
}

// stop ends the gateway, if it runs.
func (w *world) stop() {
	if w.gateway != nil {
		w.must(w.gateway.Close())
		w.gateway = nil
	}
}

// listen opens a host of the network, or a free port of loopback.
func (w *world) listen(on *network.Network, host string) (net.Listener, string) {
	if on != nil {
		listener, err := on.Listen(host)
		w.must(err)
		return listener, "http://" + host
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	return listener, "http://" + listener.Addr().String()
}

// host serves a handler until the end.
func (w *world) host(listener net.Listener, handler http.Handler) {
	w.atClose(serve(w.t, listener, handler))
}

// serve answers on a listener until the returned function is called.
func serve(t testing.TB, listener net.Listener, handler http.Handler) (end func()) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
	return func() {
		server.Close()
		group.Wait()
	}
}

// quarter is the quarter of an hour from tomorrow on in which the event of that
// number is.
func quarter(number int) (start, end time.Time) {
	start = time.Now().UTC().AddDate(0, 0, 1).Truncate(24 * time.Hour).Add(time.Duration(number) * 15 * time.Minute)
	return start, start.Add(15 * time.Minute)
}

// enter has a person make events in Outlook, one each quarter of an hour.
func (w *world) enter(person, events int) {
	w.t.Helper()
	for number := range events {
		w.enterOne(person, number, fmt.Sprintf("Event %d", number))
	}
}

func (w *world) enterOne(person, number int, title string) {
	w.t.Helper()
	start, end := quarter(number)
	_, err := w.outlook.Mailbox(mailbox(person)).Create(w.t.Context(), map[string]any{
		"subject": title,
		"start":   map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"end":     map[string]any{"dateTime": end.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
	})
	w.must(err)
}

// record has a person make one event in NightPOS.
func (w *world) record(person, number int, title string) {
	w.t.Helper()
	start, end := quarter(number)
	_, err := w.nightpos.Member(login(person)).Create(w.t.Context(), map[string]any{
		"name": title, "start": start.Format(time.DateTime), "stop": end.Format(time.DateTime),
	})
	w.must(err)
}

func (w *world) connect(number int) {
	w.t.Helper()
	access, refresh, expires := w.outlook.Token(w.t.Context(), mailbox(number), simoutlook.DefaultApplication.ID, scopes)
	member, err := w.gateway.Connect(w.t.Context(), login(number), outlook.Token{
		AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes,
	})
	w.must(err)
	w.members = append(w.members, member)
}

// hold has both calendars keep every call waiting until the returned function is
// called, and every worker busy with a sweep that waits for them.
func (w *world) hold() (release func()) {
	w.t.Helper()
	calm := make(chan struct{})
	w.mutex.Lock()
	w.calm = calm
	w.mutex.Unlock()
	for _, member := range w.members {
		w.must(w.gateway.Sweep(w.t.Context(), member.ID))
	}
	return func() { close(calm) }
}

const (
	settleStep = 5 * time.Millisecond
	settleTime = 5 * time.Minute
)

// settle waits until nothing is on its way anywhere.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), settleTime)
	defer cancel()
	for calm := 0; calm < 3; {
		time.Sleep(settleStep)
		quiet, err := w.gateway.Quiet(ctx)
		if err != nil {
			w.t.Fatalf("waiting until all is quiet: %v", err)
		}
		if quiet && w.outlook.Delivery().Waiting == 0 {
			calm++
		} else {
			calm = 0
		}
	}
}
