package weeks_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/switches"
)

const (
	outlookURL  = "http://outlook.sim"
	nightposURL = "http://nightpos.sim"
	gatewayURL  = "http://gateway.sim"
	// movedURL is where the gateway is when it has moved.
	movedURL = "http://office.sim"

	alice = "alice@nightpos.example"
	bob   = "bob@nightpos.example"
	carol = "carol@customer.example" // has a mailbox and a contact, but no user

	accountLogin = "gateway"
	sweepEvery   = 6 * time.Hour
	// foundAfter is how long after it was made a change that nobody told of is
	// found at the latest by a round of changes: an hour and a tenth, and the
	// time that is left to notifications.
	changesEvery = time.Hour
	foundAfter   = changesEvery + changesEvery/10 + 5*time.Minute
)

var scopes = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}

// world is both calendars, the network between them, and the gateway.
type world struct {
	t        *testing.T
	context  context.Context
	network  network.Network
	outlook  *simoutlook.Server
	nightpos *simnightpos.Server
	engine   *redis.InProcess
	replicas []*process
	store    *store
	weather  *weather
	logs     *observer.ObservedLogs
	config   service.Config
	closers  []func()
	started  uint64
	// skew is how far the clocks of replicas but the first are ahead.
	skew time.Duration
	// forgetful says that rounds of changes may not be told of deletions: those that
	// nobody told of are found by a sweep then.
	forgetful bool
}

// newWorld starts everything and connects alice and bob. Two replicas share the
// store in some of the weeks, and in half of those their clocks differ by five
// minutes.
func newWorld(t *testing.T, seed uint64, replicas int) *world {
	return newWorldWith(t, seed, replicas, simoutlook.Switches{AnyAddress: true, Duplicates: 0.1, VaryShapes: true})
}

// newWorldWith is newWorld with an Outlook of other switches.
func newWorldWith(t *testing.T, seed uint64, replicas int, usual simoutlook.Switches) *world {
	setting := settingOf(seed)
	setting.Apply(&usual)
	w := &world{t: t, context: context.Background(), weather: newWeather(seed), forgetful: usual.DeltaDeletionsMissing > 0}
	switch seed % 16 {
	case 7:
		w.skew = 5 * time.Minute
	case 15:
		w.skew = -5 * time.Minute
	}
	version := 17 + int(seed%3)
	var err error
	w.outlook, err = simoutlook.New(simoutlook.Config{
		BaseURL: outlookURL, Seed: seed, Transport: w.network.Transport(), Faults: w.weather.graph,
		Switches: usual,
		People: []simoutlook.Person{
			{Name: "Alice", Address: alice, TimeZone: "Romance Standard Time"},
			{Name: "Bob", Address: bob, TimeZone: "Eastern Standard Time"},
			{Name: "Carol External", Address: carol, TimeZone: "UTC"},
		},
	})
	w.must(err)
	w.closers = append(w.closers, w.outlook.Close)
	w.host(outlookURL, w.outlook.Handler())

	w.nightpos, err = simnightpos.New(simnightpos.Config{
		Version: version, BaseURL: nightposURL, Seed: seed, Transport: w.network.Transport(),
		Webhook: w.weather.webhook, Call: w.weather.call,
		People: []simnightpos.Person{{Name: "Gateway", Login: accountLogin, Address: "gateway@nightpos.example", Password: "the-password-of-the-account"}},
	})
	w.must(err)
	w.closers = append(w.closers, w.nightpos.Close)
	w.host(nightposURL, w.nightpos.Handler())

	w.engine, err = redis.NewInProcess("", nil)
	w.must(err)
	w.closers = append(w.closers, func() { w.must(w.engine.Close()) })
	w.store = &store{dial: w.engine.Dial}

	core, logs := observer.New(zapcore.DebugLevel)
	w.logs = logs
	application := simoutlook.DefaultApplication
	w.config = service.Config{
		// Whatever the weather and the dice do is meant.
		Guard: reconciler.Guard{AtOnce: -1},
		// Nobody sets anything, and looking for it would be most of a week.
		SettingsEvery: time.Hour,
		Transport:     w.network.Transport(), Engine: w.engine, Workers: 4, SweepEvery: sweepEvery, ChangesEvery: changesEvery, DeletionsEvery: changesEvery, RegistrationEvery: sweepEvery, Log: zap.New(core),
		Spread: rand.New(rand.NewPCG(seed, 1)),
		Settings: gateway.Settings{
			PublicURL: gatewayURL, SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")},
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret), MicrosoftTenant: "common",
			MicrosoftLoginURL: outlookURL, MicrosoftGraphURL: outlookURL + "/v1.0",
			NightPOSURL: nightposURL, NightPOSDatabase: "night",
			NightPOSLogin: accountLogin, NightPOSAPIKey: "the-password-of-the-account", NightPOSProtocol: "auto",
			NightPOSAdminLogin: "admin", NightPOSAdminAPIKey: "admin",
			PastDays: 365, FutureDays: 730, Conflict: "newest", RichNotifications: setting.Content,
		},
	}
	if version >= 19 && seed%2 == 0 {
		// With keys the calls go by JSON-2, with passwords by JSON-RPC.
		settings := &w.config.Settings
		settings.NightPOSAPIKey = gateway.Secret(w.nightpos.Member(accountLogin).APIKey(0))
		settings.NightPOSAdminAPIKey = gateway.Secret(w.nightpos.Member("admin").APIKey(0))
	}
	_, err = service.Register(w.context, w.config)
	w.must(err)
	w.start(replicas)
	w.connect("alice", alice)
	w.connect("bob", bob)
	return w
}

// settingOf is what is otherwise in a week than usual: in every third one something
// that its seed decides.
func settingOf(seed uint64) switches.Setting {
	if seed%3 == 2 {
		return switches.Drawn(seed)
	}
	return switches.Now()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// host serves one of the simulators until the end.
func (w *world) host(address string, handler http.Handler) {
	listener, err := w.network.Listen(strings.TrimPrefix(address, "http://"))
	w.must(err)
	server := &http.Server{Handler: handler}
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.t.Error(err)
		}
	})
	w.closers = append(w.closers, func() { server.Close(); group.Wait() })
}

// start runs replicas of the gateway on the same store. The first one takes the
// webhooks.
func (w *world) start(replicas int) {
	for index := range replicas {
		w.replicas = append(w.replicas, w.launch(index))
	}
}

// hostOf is where a replica listens: the first one where the gateway is.
func (w *world) hostOf(index int) string {
	if index > 0 {
		return "replica.sim"
	}
	return strings.TrimPrefix(w.config.Settings.PublicURL, "http://")
}

func (w *world) launch(index int) *process {
	listener, err := w.network.Listen(w.hostOf(index))
	w.must(err)
	running := &process{ways: &ways{store: w.store}}
	config := w.config
	config.Listener = listener
	config.Transport = &transport{ways: running.ways, next: w.config.Transport}
	config.RedisDialer = running.ways.dialer
	if skew := w.skew; skew != 0 && index > 0 {
		config.Now = func() time.Time { return time.Now().Add(skew) }
	}
	// A source of randomness is not for two at once.
	w.started++
	config.Random = rand.NewChaCha8([32]byte{byte(w.started)})
	config.Spread = rand.New(rand.NewPCG(w.config.Spread.Uint64(), w.started))
	running.Service, err = service.Start(w.context, config)
	w.must(err)
	return running
}

// stop ends the gateway; what happens then goes unheard. How one that was killed
// ends is nobody's business.
func (w *world) stop() {
	for _, replica := range w.replicas {
		if err := replica.Close(); !replica.ways.killed() {
			w.must(err)
		}
	}
	w.replicas = nil
}

// revive starts another process for each that was killed.
func (w *world) revive() {
	for index, replica := range w.replicas {
		if replica.ways.killed() {
			_ = replica.Close()
			w.replicas[index] = w.launch(index)
		}
	}
}

func (w *world) close() {
	w.stop()
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
}

func (w *world) connect(login, address string) {
	access, refresh, expires := w.outlook.Token(w.context, address, simoutlook.DefaultApplication.ID, scopes)
	_, err := w.replicas[0].Connect(w.context, login, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes})
	w.must(err)
}

// How long after fair weather has returned everything must be quiet.
const (
	// patience is for the gateway: so long its lanes may be at work without a rest.
	patience = 30 * time.Minute
	// repeats is for Graph: the pauses between its attempts double for four hours
	// (fact 3.5), so that after a long outage the next one can be two hours away.
	repeats = 4*time.Hour + patience
)

// quiet waits until nothing is on its way anywhere. Pauses after failures and
// Microsoft's own repeats are waited for.
func (w *world) quiet() {
	w.t.Helper()
	began := time.Now()
	rested := began
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		resting, err := w.replicas[0].Quiet(w.context)
		w.must(err)
		waiting := w.outlook.Delivery().Waiting
		if resting && waiting == 0 {
			calm++
			continue
		}
		calm = 0
		if resting {
			rested = time.Now()
		}
		if time.Since(rested) > patience || time.Since(began) > repeats {
			for _, lane := range w.lanes() {
				w.explain(lane)
			}
			w.t.Fatalf("not quiet after %s: the lanes are resting: %t, notifications: %+v", time.Since(began), resting, w.outlook.Delivery())
		}
	}
}

// lanes are those of the two people. Each version of NightPOS numbers its users
// in its own way.
func (w *world) lanes() []string {
	var lanes []string
	for _, login := range []string{"alice", "bob"} {
		lanes = append(lanes, strconv.Itoa(w.nightpos.Member(login).ID))
	}
	return lanes
}

// explain shows what a lane did last.
func (w *world) explain(lane string) {
	lines, err := w.replicas[0].Store().Activities(w.context, lane, time.Time{}, 12)
	w.must(err)
	for _, line := range lines {
		w.t.Logf("lane %s %s: record %d copy %.12s from %s: %s %v, %s", lane, line.Time.Format(time.DateTime), line.RecordID, line.GraphID, line.From, line.Action, line.Fields, line.Reason)
	}
}

// sweep compares both calendars of everybody as a whole.
func (w *world) sweep() {
	for _, lane := range w.lanes() {
		w.must(w.replicas[0].Sweep(w.context, lane))
	}
	w.quiet()
}

// turn changes the weather.
func (w *world) turn(to sky) {
	w.weather.turn(to)
	w.outlook.Silence(to == silent)
}

// untold is what the gateway's metrics say about changes that only sweeps found.
func (w *world) untold() int {
	total := 0
	for index := range w.replicas {
		request, err := http.NewRequestWithContext(w.context, http.MethodGet, "http://"+w.hostOf(index)+"/metrics", nil)
		w.must(err)
		answer, err := w.network.Transport().RoundTrip(request)
		w.must(err)
		content, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		w.must(err)
		for _, found := range untoldLine.FindAllStringSubmatch(string(content), -1) {
			count, err := strconv.Atoi(found[1])
			w.must(err)
			total += count
		}
	}
	return total
}

var untoldLine = regexp.MustCompile(`(?m)^outlook_gateway_changes_untold_total\{.*\} (\d+)$`)

// writes counts what the gateway has written so far: into Outlook, and into
// events and answers of NightPOS.
func (w *world) writes() (inOutlook, inNightPOS, answers int) {
	for call, count := range w.outlook.Counts() {
		method, path, _ := strings.Cut(call, " ")
		if method != http.MethodGet && strings.HasPrefix(path, "/me/events") {
			inOutlook += count
		}
	}
	for call, count := range w.nightpos.Counts() {
		model, operation, _ := strings.Cut(strings.TrimPrefix(call, "door calendar."), ".")
		switch {
		case !slices.Contains([]string{"create", "write", "unlink"}, operation):
		case model == "event":
			inNightPOS += count
		case model == "attendee":
			answers += count
		}
	}
	return inOutlook, inNightPOS, answers
}

// subscriptions asks Graph for what a mailbox's application is subscribed to.
func (w *world) subscriptions(address string) int {
	access, _, _ := w.outlook.Token(w.context, address, simoutlook.DefaultApplication.ID, scopes)
	request, err := http.NewRequestWithContext(w.context, http.MethodGet, outlookURL+"/v1.0/subscriptions", nil)
	w.must(err)
	request.Header.Set("Authorization", "Bearer "+access)
	answer, err := w.network.Transport().RoundTrip(request)
	w.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.must(err)
	var listed struct {
		Value []struct {
			Expires time.Time `json:"expirationDateTime"`
		} `json:"value"`
	}
	w.must(json.Unmarshal(content, &listed))
	live := 0
	for _, one := range listed.Value {
		if one.Expires.After(time.Now()) {
			live++
		}
	}
	return live
}
