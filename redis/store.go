package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Store is a reconciler.Queue and a reconciler.Store, and what the gateway
// itself remembers. It is safe for concurrent use.
type Store struct {
	Config
	client  goredis.UniversalClient
	cluster bool
	// shared stores have other processes beside them, which are told of ready
	// lanes through the bell.
	shared  bool
	kind    string
	durable bool
	keys    keys
	engine  *InProcess
	child   *server

	clock  *clock
	waking *dispatcher
	trips  trips
	// name is one of its own for each store that is opened, and holders counts the
	// leases that were asked for under it.
	name    string
	holders atomic.Int64
	lost    chan lost
	cancel  context.CancelFunc
	group   sync.WaitGroup

	members atomic.Pointer[memberList]
	// reading has room for the one that reads the members anew.
	reading chan struct{}
}

// Config is what a Store needs.
type Config struct {
	// URL is REDIS_URL: redis:// or rediss://, several separated by commas for
	// a Cluster, ?master_name= for Sentinel. Empty means the embedded store.
	URL string
	// DataDir is where the embedded store keeps its data.
	DataDir string
	// Engine is an in-process engine to share between stores, for tests; with
	// it URL and DataDir are not used.
	Engine *InProcess
	// Connection is one that several stores share, each with a Namespace of its own;
	// then only Seal, Namespace, Lease, Now and Log are used besides.
	Connection *Connection
	// Stores is how many stores will share the connection; see Connect.
	Stores int
	// Server is the redis-server of the embedded store: a path, "" to look for
	// one on PATH, or "none" for the in-process engine.
	Server string
	// Seal encrypts tokens, settings and conflicts' lost values.
	Seal Sealer
	// Namespace is the first part of every key; default "outlook-gateway".
	Namespace string
	// Lease is how long a lane is held without being extended; default 30 s.
	Lease time.Duration
	// Now tells the time; default time.Now. Where it differs from Redis's clock by
	// more than a second, the lanes go by Redis's.
	Now func() time.Time
	// Dialer replaces the network, or the way to the engine; nil means the
	// system's, or InProcess.Dial.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Log is told of trouble that heals by itself; default none.
	Log *zap.Logger
}

var (
	_ reconciler.Queue = (*Store)(nil)
	_ reconciler.Store = (*Store)(nil)
)

// quieten keeps the client library from writing lines of its own beside the
// gateway's log; what they say comes back as errors. Nothing may let it speak again:
// it has one voice for the whole process.
var quieten sync.Once

// Open connects to the store, or starts the embedded one. Close it when done.
func Open(ctx context.Context, config Config) (*Store, error) {
	if config.Seal == nil {
		return nil, errors.New("opening the store: no key to encrypt with")
	}
	if config.Namespace == "" {
		config.Namespace = "outlook-gateway"
	}
	if config.Lease <= 0 {
		config.Lease = 30 * time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	s := &Store{Config: config, keys: keys{namespace: config.Namespace}, reading: make(chan struct{}, 1), name: uuid.NewString() + "/", lost: make(chan lost, lostLanes)}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.awake(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("REDIS_URL: the store does not answer: %w", err), s.disconnect())
	}
	s.clock = &clock{own: config.Now}
	if err := s.compareClocks(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("REDIS_URL: %w", err), s.disconnect())
	}
	s.Now = s.clock.now
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.waking = newDispatcher(s)
	s.group.Go(func() { s.waking.run(background) })
	s.group.Go(func() { s.reclaims(background) })
	if s.shared {
		s.group.Go(func() { s.waking.listen(background) })
		s.group.Go(func() { s.followClock(background) })
	}
	if s.cluster {
		s.group.Go(func() { s.waking.heal(background) })
	}
	if s.engine != nil {
		leave := s.engine.join(s.waking.notify)
		s.group.Go(func() { <-background.Done(); leave() })
	}
	return s, nil
}

// Connection is a way to a store, or an embedded store, that several Stores share.
type Connection struct{ store *Store }

// Connect connects to a store for several Stores to share; those are to be closed
// before it.
func Connect(ctx context.Context, config Config) (*Connection, error) {
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	s := &Store{Config: config}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.awake(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("REDIS_URL: the store does not answer: %w", err), s.disconnect())
	}
	return &Connection{s}, nil
}

// Close ends the connection, and an embedded store, whose data is on disk then.
func (c *Connection) Close() error { return c.store.disconnect() }

// lostLanes bounds how many lanes wait to be given back because an answer was lost.
const lostLanes = 256

// loadingTime bounds the wait for a Redis that reads its data after a start.
const loadingTime = time.Minute

// awake asks whether the store answers. One that was killed reads its data
// first, and says so.
func (s *Store) awake(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadingTime)
	defer cancel()
	for {
		err := s.client.Ping(ctx).Err()
		if !goredis.HasErrorPrefix(err, "LOADING") {
			return err
		}
		pause(ctx, 20*time.Millisecond)
		if ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) connect(ctx context.Context) error {
	quieten.Do(func() { goredis.SetLogger(&logging.VoidLogger{}) })
	switch {
	case s.Connection != nil:
		other := s.Connection.store
		s.client, s.cluster, s.shared, s.engine = other.client, other.cluster, other.shared, other.engine
		s.kind, s.durable = other.kind, other.durable
		return nil
	case s.Engine != nil:
		s.engine = s.Engine
		s.kind, s.durable = "in-process", false
		s.client = s.engine.client(s.Dialer)
		return nil
	case s.URL != "":
		options, err := parseURL(s.URL)
		if err != nil {
			return err
		}
		options.Dialer = s.Dialer
		options.DisableIdentity, options.MaintNotificationsConfig = true, quiet()
		// What did not arrive in time is asked again by the lanes; a long chain
		// of retries inside a webhook would only make its sender wait.
		options.MaxRetries = 1
		// A webhook's sender waits for seconds at most, whatever the store does.
		options.ContextTimeoutEnabled = true
		options.DialTimeout, options.ReadTimeout, options.WriteTimeout = 2*time.Second, 3*time.Second, 3*time.Second
		if s.Stores > 1 {
			// Each store has a connection on which it waits for the bell.
			options.PoolSize = poolSize + s.Stores
		}
		s.client = goredis.NewUniversalClient(options)
		_, s.cluster = s.client.(*goredis.ClusterClient)
		s.shared, s.durable = true, true
		s.kind = map[bool]string{true: "redis cluster", false: "redis"}[s.cluster]
		if options.MasterName != "" {
			s.kind = "redis sentinel"
		}
		return nil
	}
	return s.embed(ctx)
}

// poolSize is how many connections stores that share have, besides those on which
// they wait.
const poolSize = 40

// parseURL understands REDIS_URL.
func parseURL(text string) (*goredis.UniversalOptions, error) {
	const example = "example: redis://user:password@host:6379/0"
	var merged *goredis.UniversalOptions
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		master := ""
		if before, after, found := strings.Cut(part, "?"); found {
			var rest []string
			for _, option := range strings.Split(after, "&") {
				if value, ok := strings.CutPrefix(option, "master_name="); ok {
					master = value
					continue
				}
				rest = append(rest, option)
			}
			part = before
			if len(rest) > 0 {
				part += "?" + strings.Join(rest, "&")
			}
		}
		one, err := goredis.ParseURL(part)
		if err != nil {
			// The library's message may hold the password.
			return nil, fmt.Errorf("REDIS_URL is wrong: one of its addresses cannot be understood; %s", example)
		}
		if merged == nil {
			merged = &goredis.UniversalOptions{Username: one.Username, Password: one.Password, DB: one.DB, TLSConfig: one.TLSConfig}
		}
		if master != "" {
			merged.MasterName = master
		}
		merged.Addrs = append(merged.Addrs, one.Addr)
	}
	if merged.MasterName == "" && len(merged.Addrs) > 1 && merged.DB != 0 {
		return nil, fmt.Errorf("REDIS_URL is wrong: a Cluster has no database numbers; leave out /%d", merged.DB)
	}
	return merged, nil
}

// quiet turns off a handshake that only Redis's own cloud knows, and that looks
// up host names for it.
func quiet() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// Kind names the store, for people.
func (s *Store) Kind() string { return s.kind }

// Durable says whether an acknowledged hint survives a crash of the process.
func (s *Store) Durable() bool { return s.durable }

// Ping asks the store whether it is there.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// Close ends everything that runs for the store. An embedded store has its data
// on disk when Close returns.
func (s *Store) Close() error {
	s.cancel()
	var err error
	if s.Connection == nil {
		// Only a connection that closes ends a wait for the bell early.
		err = s.client.Close()
	}
	s.group.Wait()
	return errors.Join(err, s.release())
}

// disconnect undoes connect.
func (s *Store) disconnect() error {
	if s.Connection != nil {
		return nil
	}
	return errors.Join(s.client.Close(), s.release())
}

// release ends the embedded store, if it is ours.
func (s *Store) release() error {
	var err error
	if s.child != nil {
		err = errors.Join(err, s.child.stop())
	}
	if s.engine != nil && s.Engine == nil && s.Connection == nil {
		err = errors.Join(err, s.engine.Close())
	}
	return err
}

// laneKeys are a lane's keys in the order that the scripts expect.
func (s *Store) laneKeys(lane string) []string {
	names := []string{
		s.keys.due(lane, 0), s.keys.due(lane, 1), s.keys.items(lane), s.keys.taken(lane),
		s.keys.state(lane), s.keys.links(lane), s.keys.copies(lane), s.keys.log(lane),
	}
	if !s.cluster {
		names = append(names, s.wakeKeys()...)
	}
	return names
}

func (s *Store) wakeKeys() []string {
	return []string{s.keys.ready(), s.keys.versions(), s.keys.bell()}
}

func milliseconds(t time.Time) int64 { return t.UnixMilli() }

// roundUp is a pause in milliseconds. A pause that became none would have its
// item taken and put back over and over until the millisecond is over.
func roundUp(pause time.Duration) int64 {
	return int64((pause + time.Millisecond - 1) / time.Millisecond)
}

// ring is the argument that makes a script wake another process: unless a worker
// of this one was reserved, which is told directly and takes the lane before
// another could.
func (s *Store) ring(reserved bool) string {
	if s.shared && !reserved {
		return "1"
	}
	return "0"
}
