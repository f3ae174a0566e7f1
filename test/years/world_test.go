package years_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

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
	outlookURL   = "http://outlook.sim"
	nightposURL  = "http://nightpos.sim"
	gatewayURL   = "http://gateway.sim"
	accountLogin = "gateway"
)

// scopes leave out openid: an identity token for each renewal is work that shows
// nothing here.
var scopes = []string{"offline_access", "User.Read", "Calendars.ReadWrite"}

// person is somebody with a calendar on both sides.
type person struct {
	login, address string
	// personal accounts get no lifecycle notifications.
	personal bool
	box      *simoutlook.Mailbox
	member   *simnightpos.Member
	lane     string
	// revoked is when the person was signed out everywhere, and until when
	// nobody minds.
	revoked, back time.Time
	meetings      []*meeting
	// unheard is when a subscription was removed while nothing that Microsoft said
	// reached the gateway.
	unheard time.Time
	// dead is for how long nothing has been delivered that no outage excuses.
	dead time.Duration
	// befallen is what happened to the person last, for the report of a failure.
	befallen string
}

// world is both calendars, the network between them, and the gateway.
type world struct {
	t        *testing.T
	context  context.Context
	network  network.Network
	outlook  *simoutlook.Server
	nightpos *simnightpos.Server
	engine   *redis.InProcess
	running  *service.Service
	weather  *weather
	config   service.Config
	people   []*person
	closers  []func()
	started  uint64
}

type scale struct {
	people       int
	seed         uint64
	sweepEvery   time.Duration
	changesEvery time.Duration
	switches     simoutlook.Switches
}

func newWorld(t *testing.T, size scale) *world {
	w := &world{t: t, context: context.Background()}
	w.weather = newWeather(size.seed, w.network.Transport())
	var boxes []simoutlook.Person
	users := []simnightpos.Person{{Name: "Gateway", Login: accountLogin, Address: "gateway@nightpos.example", Password: "the-password-of-the-account"}}
	for index := range size.people {
		one := &person{login: fmt.Sprintf("p%03d", index), personal: index%2 == 1}
		one.address = one.login + "@nightpos.example"
		w.people = append(w.people, one)
		boxes = append(boxes, simoutlook.Person{Name: one.login, Address: one.address, Personal: one.personal, TimeZone: []string{"UTC", "Romance Standard Time", "Eastern Standard Time"}[index%3]})
		users = append(users, simnightpos.Person{Name: one.login, Login: one.login, Address: one.address, Password: one.login})
	}
	var err error
	w.outlook, err = simoutlook.New(simoutlook.Config{
		BaseURL: outlookURL, Seed: size.seed, Transport: w.weather.fromMicrosoft(), Faults: w.weather.graph, Switches: size.switches, People: boxes,
	})
	w.must(err)
	w.closers = append(w.closers, w.outlook.Close)
	w.host(outlookURL, w.outlook.Handler())
	w.nightpos, err = simnightpos.New(simnightpos.Config{
		BaseURL: nightposURL, Seed: size.seed, Transport: w.network.Transport(), Webhook: w.weather.webhook, Call: w.weather.call, People: users,
	})
	w.must(err)
	w.closers = append(w.closers, w.nightpos.Close)
	w.host(nightposURL, w.nightpos.Handler())
	w.engine, err = redis.NewInProcess("", nil)
	w.must(err)
	w.closers = append(w.closers, func() { w.must(w.engine.Close()) })
	application := simoutlook.DefaultApplication
	w.config = service.Config{
		// Whatever the weather and the dice do is meant.
		Guard:     reconciler.Guard{AtOnce: -1},
		Transport: w.weather.fromGateway(), Engine: w.engine, Workers: 16, Log: zap.NewNop(),
		// Nobody sets anything, and looking for it would be most of a year.
		SettingsEvery: time.Hour, SweepEvery: size.sweepEvery, ChangesEvery: size.changesEvery, DeletionsEvery: size.changesEvery, RegistrationEvery: size.changesEvery,
		Spread: rand.New(rand.NewPCG(size.seed, 1)),
		Settings: gateway.Settings{
			PublicURL: gatewayURL, SecretKeys: [][]byte{key(0)},
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret), MicrosoftTenant: "common",
			MicrosoftLoginURL: outlookURL, MicrosoftGraphURL: outlookURL + "/v1.0",
			NightPOSURL: nightposURL, NightPOSDatabase: "night",
			NightPOSLogin: accountLogin, NightPOSAPIKey: "the-password-of-the-account", NightPOSProtocol: "auto",
			NightPOSAdminLogin: "admin", NightPOSAdminAPIKey: "admin",
			PastDays: 365, FutureDays: 730, Conflict: "newest",
		},
	}
	_, err = service.Register(w.context, w.config)
	w.must(err)
	w.start()
	w.weather.still(true)
	for _, one := range w.people {
		one.box, one.member = w.outlook.Mailbox(one.address), w.nightpos.Member(one.login)
		w.must(w.connect(one))
	}
	w.weather.still(false)
	return w
}

// key is the gateway's key of a generation.
func key(generation int) []byte { return []byte(fmt.Sprintf("%032d", generation)) }

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

func (w *world) start() {
	listener, err := w.network.Listen("gateway.sim")
	w.must(err)
	config := w.config
	config.Listener = listener
	w.started++
	config.Random = rand.NewChaCha8([32]byte{byte(w.started), byte(w.started >> 8)})
	config.Spread = rand.New(rand.NewPCG(w.config.Spread.Uint64(), w.started))
	w.running, err = service.Start(w.context, config)
	w.must(err)
}

func (w *world) stop() {
	w.must(w.running.Close())
	w.running = nil
}

func (w *world) close() {
	if w.running != nil {
		w.stop()
	}
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
}

// connect lets a person sign in.
func (w *world) connect(one *person) error {
	access, refresh, expires := w.outlook.Token(w.context, one.address, simoutlook.DefaultApplication.ID, scopes)
	member, err := w.running.Connect(w.context, one.login, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes})
	one.lane = member.ID
	return err
}

// quiet waits until nothing is on its way anywhere.
func (w *world) quiet(patience time.Duration) {
	w.t.Helper()
	end := time.Now().Add(patience)
	for calm := 0; calm < 3; {
		time.Sleep(10 * time.Second)
		resting, err := w.running.Quiet(w.context)
		w.must(err)
		if resting && w.outlook.Delivery().Waiting == 0 {
			calm++
			continue
		}
		calm = 0
		if time.Now().After(end) {
			w.t.Errorf("not quiet after %s: the lanes are resting: %t, notifications: %+v", patience, resting, w.outlook.Delivery())
			for _, one := range w.people {
				w.explain(one)
			}
			return
		}
	}
}

// explain shows what happened to a person last, what is left to do and what was done
// last, if anything is left.
func (w *world) explain(one *person) {
	waiting, err := w.running.Store().Pending(w.context, one.lane, time.Hour)
	w.must(err)
	w.t.Logf("%s: %s; all is in order since %s, before that: %s", one.login, one.befallen, w.weather.fair.Format(time.DateTime), w.weather.last)
	if waiting == 0 {
		return
	}
	state, err := w.running.Store().MemberState(w.context, one.lane)
	w.must(err)
	kept, err := w.running.Store().Subscription(w.context, one.lane)
	w.must(err)
	w.t.Logf("%s: %d items wait; %+v; subscription %s; Microsoft: %v", one.login, waiting, state.Standing, kept, w.running.Health(w.context))
	lines, err := w.running.Store().Activities(w.context, one.lane, time.Time{}, 5)
	w.must(err)
	for _, line := range lines {
		w.t.Logf("%s %s: record %d copy %.12s from %s: %s %v, %s", one.login, line.Time.Format(time.DateTime), line.RecordID, line.GraphID, line.From, line.Action, line.Fields, line.Reason)
	}
}
