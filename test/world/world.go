// Package world puts both simulated calendars, a network without wires between
// them, and the gateway into one test, in virtual time: call it inside a bubble of
// testing/synctest.
package world

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/switches"
)

// The addresses of everything.
const (
	OutlookURL  = "http://outlook.sim"
	NightPOSURL = "http://nightpos.sim"
	GatewayURL  = "http://gateway.sim"
	// AdminToken opens the gateway's admin API.
	AdminToken = "the-administrator-of-the-gateway-0123456789"
)

// The people: Alice and Bob have users and mailboxes, Carol a mailbox and a
// contact only.
const (
	Alice = "alice@nightpos.example"
	Bob   = "bob@nightpos.example"
	Carol = "carol@customer.example"
)

// Address is the mail address of somebody with a user.
func Address(login string) string { return login + "@nightpos.example" }

const (
	accountLogin    = "gateway"
	accountPassword = "the-password-of-the-account"
)

var scopes = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}

// Options are what tests choose.
type Options struct {
	// Version is NightPOS's; default 18.
	Version int
	// Seed decides every random choice.
	Seed uint64
	// Switches are those of Outlook.
	Switches simoutlook.Switches
	// Conflict is the policy; default newest.
	Conflict string
	// Connect are the logins that are connected; default alice and bob.
	Connect []string
	// Colleagues are the logins of people besides alice and bob, each with a user
	// and a mailbox.
	Colleagues []string
	// Faults may strike any call of Graph.
	Faults func(simoutlook.CallInfo) *simoutlook.Fault
	// Database is NightPOS's; default night.
	Database string
	// Engine is a store that worlds share, each under its own Namespace; default
	// one of this world's own.
	Engine    *redis.InProcess
	Namespace string
	// ChecksPerHour is how many linked events are sampled in an hour; default none.
	ChecksPerHour int
	// Log gets what the gateway logs besides the world itself, which searches it at the
	// end for what must never be there; default nothing does.
	Log *zap.Logger
	// Network is one that worlds share, each with a Prefix of its own before the names
	// of its hosts, and with AdminToken of its own; default one of this world's own.
	Network            *network.Network
	Prefix, AdminToken string
	// Apart leaves the gateway to the test, which starts it from Config and gives it
	// to Adopt.
	Apart bool
	// NightPOS and Outlook change how either is simulated.
	NightPOS func(*simnightpos.Config)
	Outlook  func(*simoutlook.Config)
	// Gateway changes how the gateway is started.
	Gateway func(*service.Config)
	// Lists are Outlook's distribution lists.
	Lists map[string][]string
	// Settings changes those of the gateway.
	Settings func(*gateway.Settings)
}

// World is everything that a test has.
type World struct {
	test     *testing.T
	network  *network.Network
	prefix   string
	config   service.Config
	Outlook  *simoutlook.Server
	NightPOS *simnightpos.Server
	Gateway  *service.Service
	logged   *transcript
	// mailboxes are their addresses.
	mailboxes []string
	closers   []func()
	silent    int // changes that nobody is told of, as far as they were looked for
}

// New starts everything and connects people. It ends with the test's own Close,
// which must be called inside the bubble.
func New(t *testing.T, options Options) *World {
	t.Helper()
	w := &World{test: t, network: options.Network, prefix: options.Prefix, logged: &transcript{}}
	if w.network == nil {
		w.network = &network.Network{}
	}
	if options.AdminToken == "" {
		options.AdminToken = AdminToken
	}
	if options.Version == 0 {
		options.Version = 18
	}
	if options.Database == "" {
		options.Database = "night"
	}
	if options.Conflict == "" {
		options.Conflict = "newest"
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	options.Log = w.logged.with(options.Log)
	if options.Connect == nil {
		options.Connect = []string{"alice", "bob"}
	}
	mailboxes := []simoutlook.Person{
		{Name: "Alice", Address: Alice, TimeZone: "Romance Standard Time"},
		{Name: "Bob", Address: Bob, TimeZone: "Eastern Standard Time"},
		{Name: "Carol External", Address: Carol, TimeZone: "UTC"},
	}
	users := []simnightpos.Person{{Name: "Gateway", Login: accountLogin, Address: "gateway@nightpos.example", Password: accountPassword}}
	for _, login := range options.Colleagues {
		address := Address(login)
		mailboxes = append(mailboxes, simoutlook.Person{Name: login, Address: address, TimeZone: "UTC"})
		users = append(users, simnightpos.Person{Name: login, Login: login, Address: address, Password: login, Zone: "UTC"})
	}
	var err error
	switches.Now().Apply(&options.Switches)
	outlooks := simoutlook.Config{
		BaseURL: w.address(OutlookURL), Seed: options.Seed, Transport: w.network.Transport(), Switches: options.Switches, Faults: options.Faults,
		People: mailboxes, Lists: options.Lists,
	}
	if options.Outlook != nil {
		options.Outlook(&outlooks)
	}
	for _, one := range outlooks.People {
		w.mailboxes = append(w.mailboxes, one.Address)
	}
	w.Outlook, err = simoutlook.New(outlooks)
	w.must(err)
	w.closers = append(w.closers, w.Outlook.Close)
	w.host(w.address(OutlookURL), w.Outlook.Handler())
	simulated := simnightpos.Config{
		Version: options.Version, Database: options.Database, BaseURL: w.address(NightPOSURL), Seed: options.Seed,
		Transport: w.network.Transport(), People: users,
	}
	if options.NightPOS != nil {
		options.NightPOS(&simulated)
	}
	w.NightPOS, err = simnightpos.New(simulated)
	w.must(err)
	w.closers = append(w.closers, w.NightPOS.Close)
	w.host(w.address(NightPOSURL), w.NightPOS.Handler())
	w.startGateway(options)
	if !options.Apart {
		w.Adopt(w.Gateway, options.Connect...)
	}
	return w
}

// Adopt connects people to a gateway, which from then on is that of this world.
func (w *World) Adopt(running *service.Service, logins ...string) {
	w.test.Helper()
	w.Gateway = running
	for _, login := range logins {
		w.Connect(login)
	}
}

// Config is what the gateway of this world is started with.
func (w *World) Config() service.Config { return w.config }

// address is that of a host of this world.
func (w *World) address(plain string) string {
	return strings.Replace(plain, "http://", "http://"+w.prefix, 1)
}

func (w *World) startGateway(options Options) {
	engine := options.Engine
	if engine == nil {
		var err error
		engine, err = redis.NewInProcess("", nil)
		w.must(err)
		w.closers = append(w.closers, func() { w.must(engine.Close()) })
	}
	application := simoutlook.DefaultApplication
	config := service.Config{
		Transport: w.network.Transport(), Engine: engine, Workers: 4, Log: options.Log,
		SettingsEvery: time.Hour, SweepEvery: 24 * time.Hour, ChangesEvery: 6 * time.Hour, DeletionsEvery: 6 * time.Hour,
		Spread: rand.New(rand.NewPCG(options.Seed, 1)), Random: rand.NewChaCha8([32]byte{1}),
		Settings: gateway.Settings{
			PublicURL: w.address(GatewayURL), SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, AdminToken: gateway.Secret(options.AdminToken),
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret), MicrosoftTenant: "common",
			MicrosoftLoginURL: w.address(OutlookURL), MicrosoftGraphURL: w.address(OutlookURL) + "/v1.0",
			NightPOSURL: w.address(NightPOSURL), NightPOSDatabase: options.Database, RedisNamespace: options.Namespace,
			NightPOSLogin: accountLogin, NightPOSAPIKey: accountPassword, NightPOSProtocol: "auto",
			NightPOSAdminLogin: "admin", NightPOSAdminAPIKey: "admin",
			PastDays: 365, FutureDays: 730, Conflict: options.Conflict, QuietFirstSync: true, ChecksPerHour: options.ChecksPerHour,
		},
	}
	config.Settings.RichNotifications = switches.Now().Content
	if options.Gateway != nil {
		options.Gateway(&config)
	}
	if options.Settings != nil {
		options.Settings(&config.Settings)
	}
	_, err := service.Register(context.Background(), config)
	w.must(err)
	w.config = config
	if options.Apart {
		return
	}
	listener, err := w.network.Listen(strings.TrimPrefix(w.address(GatewayURL), "http://"))
	w.must(err)
	config.Listener = listener
	w.Gateway, err = service.Start(context.Background(), config)
	w.must(err)
	w.closers = append(w.closers, func() { w.must(w.Gateway.Close()) })
}

func (w *World) must(err error) {
	w.test.Helper()
	if err != nil {
		w.test.Fatal(err)
	}
}

// host serves one of the simulators until the end.
func (w *World) host(address string, handler http.Handler) {
	listener, err := w.network.Listen(strings.TrimPrefix(address, "http://"))
	w.must(err)
	server := &http.Server{Handler: handler}
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.test.Error(err)
		}
	})
	w.closers = append(w.closers, func() { server.Close(); group.Wait() })
}

// Close ends everything.
func (w *World) Close() {
	w.test.Helper()
	texts := w.texts()
	defer func() { w.searchLog(texts) }()
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
}

// Connect connects a person's Outlook.
func (w *World) Connect(login string) {
	w.test.Helper()
	w.must(w.TryConnect(login))
}

// TryConnect is Connect where the gateway may refuse.
func (w *World) TryConnect(login string) error {
	access, refresh, expires := w.Outlook.Token(context.Background(), Address(login), simoutlook.DefaultApplication.ID, scopes)
	_, err := w.Gateway.Connect(context.Background(), login, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes})
	return err
}

// Host serves a further host until the end.
func (w *World) Host(address string, handler http.Handler) { w.host(address, handler) }

// Dial opens a connection to a host of this world.
func (w *World) Dial(host string) (net.Conn, error) {
	return w.network.DialContext(context.Background(), "tcp", host)
}

// Transport is the way to the hosts of this world.
func (w *World) Transport() http.RoundTripper { return w.network.Transport() }

// Ask asks the admin API something that it must take.
func (w *World) Ask(method, path, body string) {
	w.test.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, w.address(GatewayURL)+"/api/v1"+path, strings.NewReader(body))
	w.must(err)
	request.Header.Set("Authorization", "Bearer "+w.config.Settings.AdminToken.Reveal())
	answer, err := w.network.Transport().RoundTrip(request)
	w.must(err)
	answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		w.test.Fatalf("%s %s was answered %s", method, path, answer.Status)
	}
}

// patience is how long everything may take to come to rest.
const patience = 30 * time.Minute

// Quiet waits until nothing is on its way anywhere. What a switch of Outlook lets
// happen without telling anybody comes with a sweep: then it sweeps.
func (w *World) Quiet() {
	w.test.Helper()
	w.calm()
	if silent := w.Outlook.Delivery().Silent; silent != w.silent {
		w.silent = silent
		w.Sweep()
	}
}

func (w *World) calm() {
	w.test.Helper()
	end := time.Now().Add(patience)
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		resting, err := w.Gateway.Quiet(context.Background())
		w.must(err)
		if resting && w.Outlook.Delivery().Waiting == 0 {
			calm++
			continue
		}
		calm = 0
		if time.Now().After(end) {
			w.test.Fatalf("not quiet after %s: %+v\n%s", patience, w.Outlook.Delivery(), w.Log())
		}
	}
}

// Sweep compares both calendars of everybody as a whole, and waits.
func (w *World) Sweep() {
	w.test.Helper()
	members, err := w.Gateway.Store().Members(context.Background())
	w.must(err)
	for _, member := range members {
		w.must(w.Gateway.Sweep(context.Background(), member.ID))
	}
	w.Quiet()
}

// Log is what every lane did last, newest first.
func (w *World) Log() string {
	members, err := w.Gateway.Store().Members(context.Background())
	w.must(err)
	var text strings.Builder
	for _, member := range members {
		lines, err := w.Gateway.Store().Activities(context.Background(), member.ID, time.Time{}, 20)
		w.must(err)
		for _, line := range lines {
			fmt.Fprintf(&text, "%s %s: record %d copy %.12s from %s: %s %v, %d mails %s\n", member.Login, line.Time.Format(time.DateTime),
				line.RecordID, line.GraphID, line.From, line.Action, line.Fields, line.Mails, line.Reason)
		}
	}
	return text.String()
}

// Writes counts what the gateway has written to Outlook so far, but for what Outlook
// did not carry out for no reason.
func (w *World) Writes() int {
	total, refused := 0, w.Outlook.Refused()
	for call, count := range w.Outlook.Counts() {
		method, path, _ := strings.Cut(call, " ")
		if method != http.MethodGet && strings.HasPrefix(path, "/me/events") {
			total += count - refused[call]
		}
	}
	return total
}
