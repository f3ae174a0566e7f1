package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	webconsole "github.com/nightpos/outlook-gateway/gateway/console"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/subscriptions"
)

// Config is what a Service is started with. Only Settings has no default.
type Config struct {
	Settings gateway.Settings
	// Listener is closed by the service; default: it listens on Settings.Listen.
	Listener net.Listener
	// Hosts and Connection, which go together, are those of a gateway of several
	// databases; then there is no listener.
	Hosts      *gateway.Hosts
	Connection *redis.Connection
	// Drain is for how long requests are still taken after the context has ended,
	// while readyz says that the process stops: who balances load sends here until
	// it has seen that, and NightPOS posts nothing twice. Default none.
	Drain time.Duration
	// Version is shown in the metrics.
	Version string
	// Transport carries the calls to both sides.
	Transport http.RoundTripper
	// Engine and RedisServer choose another embedded store; see redis.Config.
	Engine      *redis.InProcess
	RedisServer string
	// RedisDialer opens connections to the store instead of the network.
	RedisDialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Random makes nonces; default the system's.
	Random io.Reader
	// Spread spreads retries and renewals; default seeded from the system.
	Spread *mathrand.Rand
	// Workers is how many lanes are worked on at once; default 16.
	Workers int
	// SettingsEvery is within what time a replica follows what was set in the
	// console at another one; default 5 s.
	SettingsEvery time.Duration
	// SweepEvery is how often a calendar is compared as a whole; default one day.
	SweepEvery time.Duration
	// ChangesEvery is about how often both sides of a calendar are asked what
	// changed; default one hour. It finds what no notification told, but for
	// records that were deleted in NightPOS and for what Microsoft forgets.
	ChangesEvery time.Duration
	// RegistrationEvery is how often it is seen whether what is registered in NightPOS
	// is as it should be; default ten minutes.
	RegistrationEvery time.Duration
	// DeletionsEvery is how often NightPOS is asked, in one call for everybody, which
	// of the linked records are left; default a quarter of an hour.
	DeletionsEvery time.Duration
	// ContentKeyTurn is how long the content of notifications is encrypted for one
	// key; default 90 days. It is of no use without Settings.RichNotifications.
	ContentKeyTurn time.Duration
	// Guard stops sweeps that would delete too much; default more than 20 events at
	// once, or more than half of a calendar of five or more.
	Guard reconciler.Guard
	// Log gets what goes wrong; default none.
	Log *zap.Logger
}

func (c *Config) fill() {
	if c.Guard == (reconciler.Guard{}) {
		c.Guard = reconciler.Guard{AtOnce: 20, Small: 5}
	}
	if c.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 16
		transport.ResponseHeaderTimeout = time.Minute
		c.Transport = transport
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	} else {
		c.Random = &sharedReader{from: c.Random}
	}
	if c.Workers <= 0 {
		c.Workers = 16
	}
	if c.SettingsEvery <= 0 {
		c.SettingsEvery = 5 * time.Second
	}
	if c.SweepEvery <= 0 {
		c.SweepEvery = 24 * time.Hour
	}
	if c.ChangesEvery <= 0 {
		c.ChangesEvery = time.Hour
	}
	if c.RegistrationEvery <= 0 {
		c.RegistrationEvery = 10 * time.Minute
	}
	if c.DeletionsEvery <= 0 {
		c.DeletionsEvery = 15 * time.Minute
	}
	if c.ContentKeyTurn <= 0 {
		c.ContentKeyTurn = 90 * 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
}

// Service is a running gateway.
type Service struct {
	config   Config
	store    *redis.Store
	outlook  *outlook.Client
	tokens   *tokens
	clerk    *clerk
	rotation *rotation
	expiry   *expiry
	console  *console
	manager  *subscriptions.Manager
	// contents is nil where notifications have no content.
	contents *contents
	engine   *reconciler.Engine
	// troubles are those of everybody, as they were found last.
	troubles troubles
	started  time.Time
	lags     *gateway.LagHistory
	// examining is held during an examination.
	examining sync.Mutex
	// running ends when the service is to stop.
	running context.Context
	cancel  context.CancelFunc
	// background is what else must have ended before the store is closed.
	background sync.WaitGroup
	ended      chan struct{}
	err        error
	// PublicURL is where the gateway is reached.
	PublicURL string
	health    []gateway.Dependency
}

// Start starts a gateway. It returns once the gateway answers requests; Close or
// the end of the context stops it. What cannot be reached yet is tried again in
// the background and shown by readyz; what is set wrongly is an error.
func Start(ctx context.Context, config Config) (*Service, error) {
	config.fill()
	s := &Service{config: config, ended: make(chan struct{}), PublicURL: config.Settings.PublicURL}
	parts, err := s.assemble(ctx)
	if err != nil {
		return nil, err
	}
	listener := config.Listener
	if listener == nil && config.Hosts == nil {
		var listening net.ListenConfig
		if listener, err = listening.Listen(ctx, "tcp", config.Settings.Listen); err != nil {
			return nil, errors.Join(fmt.Errorf("GATEWAY_LISTEN: %w", err), s.store.Close())
		}
	}
	s.running, s.cancel = context.WithCancel(ctx)
	go s.run(s.running, listener, parts)
	return s, nil
}

// How long a store that is away is waited for at the start, as while another server
// takes the place of one that failed, and how long from one try to the next.
const (
	storePatience = 10 * time.Second
	storePause    = 250 * time.Millisecond
)

// assemble builds everything, again while the store is away.
func (s *Service) assemble(ctx context.Context) (parts, error) {
	ending, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	for told := false; ; told = true {
		made, err := s.build(ctx)
		if err == nil {
			return made, nil
		}
		if s.store != nil {
			err = errors.Join(err, s.store.Close())
			s.store = nil
		}
		// An embedded store is nobody else's to bring back.
		if s.config.Settings.RedisURL == "" || !redis.Away(err) || ending.Err() != nil {
			return parts{}, err
		}
		if !told {
			s.config.Log.Warn("the store is away; waiting for it", zap.Error(err))
		}
		timer := time.NewTimer(storePause)
		select {
		case <-ending.Done():
			timer.Stop()
			return parts{}, err
		case <-timer.C:
		}
	}
}

// parts is what runs.
type parts struct {
	engine        *reconciler.Engine
	server        *gateway.Server
	subscriptions *subscriptions.Manager
	checker       *checker
}

func (s *Service) build(ctx context.Context) (parts, error) {
	config, settings := s.config, s.config.Settings
	keys, err := secretKeys(settings)
	if err != nil {
		return parts{}, err
	}
	if s.store, err = openStore(ctx, config, keys); err != nil {
		return parts{}, err
	}
	senders, err := gateway.NewSenders(keys, settings.NightPOSDatabase, config.Random)
	if err != nil {
		return parts{}, err
	}
	metrics := gateway.NewMetrics(config.Version)
	s.lags = gateway.NewLagHistory(config.Now)
	metrics.Remember(s.lags)
	metrics.Queue(s.store.Depth, config.Now)
	suite, err := nightposClient(config, settings.NightPOSLogin, settings.NightPOSAPIKey, metrics)
	if err != nil {
		return parts{}, err
	}
	metrics.Gauge("nightpos_concurrency", "How many calls to NightPOS may be under way at once at present.", func() float64 { return float64(suite.Concurrency()) })
	s.rotation = &rotation{service: s, senders: senders}
	if err := s.rotation.follow(ctx); err != nil {
		return parts{}, err
	}
	s.clerk = newClerk(config, suite, registrationOf(settings, senders), s.rotation)
	if err := s.clerk.begin(ctx); err != nil {
		return parts{}, err
	}
	if settings.RichNotifications {
		s.contents = &contents{store: s.store, term: config.ContentKeyTurn, now: config.Now, log: config.Log}
	}
	if err := s.buildOutlook(metrics); err != nil {
		return parts{}, err
	}
	manager, err := subscriptions.NewManager(subscriptions.Config{
		Calls: calls{s.outlook, s.contents}, Certificate: s.certificate(), Records: records{s.store},
		NotificationURL: settings.PublicURL + "/webhooks/graph", LifecycleURL: settings.PublicURL + "/webhooks/graph/lifecycle",
		ClientState: senders.ClientState, Keys: senders.Keys(), Gap: s.changes, Now: config.Now, Random: s.spread(1),
	})
	if err != nil {
		return parts{}, err
	}
	s.manager, s.started = manager, config.Now()
	engine, err := reconciler.NewEngine(reconciler.Config{
		Outlook: s.outlook, NightPOS: suite, Store: s.store, Queue: s.store, StoreAway: redis.Away, Observer: metrics, Told: s.told(),
		Chores: map[string]reconciler.Chore{reconciler.KeySubscription: manager.Ensure, reconciler.KeyFirstSync: s.firstSync},
		Resets: resets{s}, Guard: config.Guard, OnHalt: s.halted,
		Choices: choicesOf(settings), Online: reconciler.OnlineMeetings(settings.OnlineMeetings),
		Database: databaseID(settings), Policy: reconciler.Policy(settings.Conflict),
		PastDays: settings.PastDays, FutureDays: settings.FutureDays, SweepEvery: config.SweepEvery,
		ChangesEvery: config.ChangesEvery,
		Now:          config.Now, Random: s.spread(2), Log: config.Log,
	})
	if err != nil {
		return parts{}, err
	}
	s.engine = engine
	s.console = &console{service: s}
	if err := errors.Join(s.console.follow(ctx), s.console.remember(ctx)); err != nil {
		return parts{}, err
	}
	s.clerk.recognise, s.clerk.note = s.recognise, s.note
	if s.clerk.state() == nil {
		if err := s.recognise(ctx); err != nil {
			config.Log.Warn("it could not be asked which database NightPOS is; it is asked again", zap.Error(err))
		}
	}
	s.health = s.dependencies(suite)
	server, err := gateway.NewServer(gateway.Config{
		Contents: s.kept(), Senders: senders, Hints: s.store, Members: s.store, Dependencies: s.health, Metrics: metrics, Drain: config.Drain, Now: config.Now, Log: config.Log,
		Connections: &gateway.Connections{
			People: people{s}, Tickets: tickets{s.store}, Admin: admin{s}, PublicURL: settings.PublicURL, NightPOSURL: settings.NightPOSURL,
			LoginURL: settings.MicrosoftLoginURL, ClientID: s.outlook.ClientID, Keys: keys, Random: config.Random, AdminToken: settings.AdminToken,
		},
	})
	if err != nil {
		return parts{}, err
	}
	pages, err := webconsole.New(webconsole.Config{Admin: admin{s}, Visitors: server.Visitors(), Now: config.Now, Log: config.Log.Named("console")})
	if err != nil {
		return parts{}, err
	}
	server.Mount(pages)
	return parts{engine: engine, server: server, subscriptions: manager, checker: newChecker(s, metrics)}, nil
}

// buildOutlook makes Microsoft's side and shows how it is.
func (s *Service) buildOutlook(metrics *gateway.Metrics) error {
	certificate, err := certificateOf(s.config.Settings)
	if err != nil {
		return err
	}
	s.tokens = &tokens{store: s.store}
	if s.outlook, err = outlookClient(s.config, s.tokens, certificate, s.contents, metrics); err != nil {
		return err
	}
	metrics.Up("microsoft_up", "Whether Graph and Microsoft's sign-in answer.", s.outlook.Outage)
	metrics.Up("application_accepted", "Whether Microsoft accepts the application's own secret or certificate.", s.outlook.Application)
	s.expiry = expiryOf(s.config, certificate)
	metrics.Gauge("client_secret_seconds_left", "How long the application's secret or certificate is still good for; NaN when that was not told.", s.expiry.seconds)
	metrics.Up("registered", "Whether NightPOS has everything that the gateway needs there.", s.clerk.state)
	metrics.Questions(func(ctx context.Context) (int, error) {
		states, err := s.store.MemberStates(ctx)
		open := 0
		for _, member := range states {
			if member.Halted.Open() {
				open++
			}
		}
		return open, err
	})
	metrics.Members(func(ctx context.Context) (map[string]int, error) {
		states, err := s.store.MemberStates(ctx)
		count := map[string]int{}
		for _, member := range states {
			// That the subscription is alive is shown elsewhere.
			count[string(member.Phase(true))]++
		}
		return count, err
	})
	return nil
}

// spread gives each part randomness of its own, since one source must not be
// used by two at once.
func (s *Service) spread(part uint64) *mathrand.Rand {
	if s.config.Spread == nil {
		return nil
	}
	return mathrand.New(mathrand.NewPCG(s.config.Spread.Uint64(), part)) //nolint:gosec // spreads retries only
}

// run works until the context ends: then the batches under way end, meanwhile and
// for the time of the drain requests are answered, and at last the store is closed.
func (s *Service) run(ctx context.Context, listener net.Listener, parts parts) {
	defer close(s.ended)
	var group sync.WaitGroup
	group.Go(func() {
		if err := parts.engine.Run(ctx, s.config.Workers); err != nil {
			s.config.Log.Error("the workers ended", zap.Error(err))
		}
	})
	group.Go(func() { s.clerk.run(ctx) })
	group.Go(func() { s.expiry.run(ctx) })
	group.Go(func() { s.console.run(ctx) })
	group.Go(func() { parts.checker.run(ctx) })
	group.Go(func() { s.findDeletions(ctx) })
	if s.contents != nil {
		group.Go(func() { s.contents.run(ctx) })
	}
	group.Go(func() { s.catchUp(ctx, parts.subscriptions) })
	group.Go(func() { s.sealAnew(ctx) })
	serve := func() error { return parts.server.Serve(ctx, listener) }
	if hosts := s.config.Hosts; hosts != nil {
		serve = func() error { return parts.server.ServeBehind(ctx, hosts, s.PublicURL) }
	}
	err := serve()
	s.cancel()
	group.Wait()
	s.background.Wait()
	s.err = errors.Join(err, s.store.Close())
	if closer, ok := s.config.Transport.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// Wait returns when the gateway has ended, with what went wrong.
func (s *Service) Wait() error {
	<-s.ended
	return s.err
}

// Close stops the gateway and returns when everything has ended.
func (s *Service) Close() error {
	s.cancel()
	return s.Wait()
}

// Store is the gateway's memory.
func (s *Service) Store() *redis.Store { return s.store }

// sweep has a lane swept soon, behind what people wait for.
func (s *Service) sweep(ctx context.Context, lane string) error {
	return s.store.Add(ctx, lane, reconciler.SweepItem(reconciler.PriorityBackfill, s.config.Now()))
}

// changes has both sides of a lane asked for what was not told, behind what
// people wait for.
func (s *Service) changes(ctx context.Context, lane string) error {
	return s.store.Add(ctx, lane, reconciler.ChangesItem(reconciler.PriorityBackfill, s.config.Now()))
}

// catchUpStep keeps the sweeps after a start apart, so that a thousand of them
// do not stand in each other's way.
const catchUpStep = 100 * time.Millisecond

// catchUp has every subscription looked at and every calendar swept after a
// start: what NightPOS told while no gateway listened is never told again.
func (s *Service) catchUp(ctx context.Context, manager *subscriptions.Manager) {
	members, err := s.store.Members(ctx)
	err = errors.Join(err, manager.Start(ctx, members, func(ctx context.Context, lane string, item reconciler.Item) error {
		return s.store.Add(ctx, lane, item)
	}))
	for index, member := range members {
		item := reconciler.SweepItem(reconciler.PriorityBackfill, s.config.Now())
		item.Due = s.config.Now().Add(time.Duration(index) * catchUpStep)
		err = errors.Join(err, s.store.Add(ctx, member.ID, item))
	}
	states, failed := s.store.MemberStates(ctx)
	err = errors.Join(err, failed)
	for _, state := range states {
		if state.Job != "" {
			err = errors.Join(err, s.store.Add(ctx, state.ID, reconciler.Item{Key: reconciler.KeyReset, First: s.config.Now()}))
		}
		if !state.Synced {
			err = errors.Join(err, s.store.Add(ctx, state.ID, reconciler.Item{
				Key: reconciler.KeyFirstSync, Priority: reconciler.PriorityBackfill, First: s.config.Now(),
			}))
		}
	}
	if err != nil && ctx.Err() == nil {
		s.config.Log.Error("not every calendar will be looked at now; its next regular turn does it", zap.Error(err))
	}
}

// Sweep has a person's calendar compared on both sides now.
func (s *Service) Sweep(ctx context.Context, lane string) error {
	return s.store.Add(ctx, lane, reconciler.SweepItem(reconciler.PriorityPerson, s.config.Now()))
}

// soon is what counts as waiting: retries within it do.
const soon = 10 * time.Minute

// Quiet says whether nothing waits in any lane and nothing is being worked on.
func (s *Service) Quiet(ctx context.Context) (bool, error) {
	members, err := s.store.Members(ctx)
	if err != nil {
		return false, err
	}
	for _, member := range members {
		waiting, err := s.store.Pending(ctx, member.ID, soon)
		if err != nil || waiting > 0 {
			return false, err
		}
	}
	return true, nil
}

// Health asks every dependency now.
func (s *Service) Health(ctx context.Context) []gateway.DependencyStatus {
	return gateway.CheckAll(ctx, s.health, s.config.Now)
}

var errNoApplication = errors.New("nobody can connect: no Microsoft application is set; set MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET, or both in the console")

func (s *Service) dependencies(suite *nightpos.Client) []gateway.Dependency {
	return []gateway.Dependency{
		{Name: "store", Required: true, Check: func(ctx context.Context) error {
			if err := s.store.Ping(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.store.Kind(), err)
			}
			if !s.store.Durable() {
				return &gateway.Warning{Text: s.store.Kind() + ": not durable, what is acknowledged in the last seconds before a crash is lost; install redis-server or set REDIS_URL, and take what is stored along with outlook-gateway backup before and restore after"}
			}
			return nil
		}},
		// Without NightPOS or Microsoft the gateway still takes hints, and must:
		// nobody sends them again.
		{Name: "nightpos", Check: suite.Check},
		{Name: "microsoft", Check: func(context.Context) error { return s.outlook.Outage() }},
		{Name: "application", Check: func(context.Context) error {
			if s.outlook.ClientID() == "" {
				return errNoApplication
			}
			if err := s.outlook.Application(); err != nil {
				return err
			}
			return s.expiry.state()
		}},
		{Name: "registration", Check: func(context.Context) error { return s.clerk.state() }},
		{Name: "database", Check: func(context.Context) error {
			if doubt := s.console.doubted(); doubt != "" {
				return errors.New(doubt)
			}
			return nil
		}},
	}
}

// sharedReader lets several read from what is made for one at a time.
type sharedReader struct {
	guard sync.Mutex
	from  io.Reader
}

func (r *sharedReader) Read(into []byte) (int, error) {
	r.guard.Lock()
	defer r.guard.Unlock()
	return r.from.Read(into)
}
