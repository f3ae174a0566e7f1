package nightpos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.starlark.net/starlark"
)

// Config is what a simulated NightPOS is made of. The zero value is a usable
// NightPOS 18.
type Config struct {
	// Version is 17, 18 or 19; default 18.
	Version int
	// Database is its name; default "night".
	Database string
	// BaseURL is web.base.url.
	BaseURL string
	// Now is the wall clock; default time.Now. Delays run on the real, or the
	// bubble's, clock.
	Now func() time.Time
	// Seed decides what is random.
	Seed uint64
	// Transport sends webhooks; default http.DefaultTransport.
	Transport http.RoundTripper
	// CommitDelay is how long after a transaction's work, which in 17 and 18
	// includes its webhooks, its changes become readable; default 1 to 5 ms.
	CommitDelay func() time.Duration
	// RetryDelay is how long a transaction that others got in the way of waits
	// before it is tried again, by how often it was tried; default up to 2, 4, 8
	// and 16 seconds.
	RetryDelay func(tried int) time.Duration
	// Occurrences, if set, puts the beginnings of the events that a rule makes in
	// the order in which they get their ids; by default they are shuffled, as a
	// real server's set of them is.
	Occurrences func(starts []time.Time)
	// Latency, if set, is added to each call.
	Latency func(model, method string) time.Duration
	// Work, if set, is how long one of the server's workers takes for a call by
	// itself, given how many records it names. Where there are more calls than
	// Workers, by default one, they share them.
	Work    func(model, method string, records int) time.Duration
	Workers int
	// Webhook, if set, decides the fate of each webhook.
	Webhook func(address string, body []byte) WebhookFate
	// Call, if set, decides the fate of each call of a model's method.
	Call func(model, method string) CallFate
	// Interpret runs the code of every server action, also of those that are
	// given operations; see the package.
	Interpret bool
	// People are members besides alice and bob.
	People []Person
}

// Person is a user of NightPOS.
type Person struct {
	Name, Login, Address, Password string
	// Zone is an IANA name.
	Zone string
}

// CallFate is what a test has happen to a call. The zero value is the ordinary
// fate.
type CallFate struct {
	// Status, if set, is answered in place of carrying the call out.
	Status int
	// Drop closes the connection after the call was carried out and committed.
	Drop bool
	// Rollback undoes the call at its end: after its webhooks were sent, in 17
	// and 18, and before, in 19.
	Rollback bool
}

// Change is one event changed in one transaction, by itself or through its
// attendees.
type Change struct {
	Event   int
	Deleted bool
	// User is who did it.
	User int
	// Time is that of the commit.
	Time time.Time
}

// Server is a simulated NightPOS. All methods may be called concurrently.
type Server struct {
	config    Config
	now       func() time.Time
	schema    map[string]model
	catalogue *catalogue
	webhooks  *http.Client
	context   context.Context
	stop      context.CancelFunc

	// mutex guards everything below. It is held for computing only, never while
	// waiting, so that the server runs in a synctest bubble.
	mutex     sync.Mutex
	random    *rand.Rand
	version   uint64
	tables    map[string]*table
	mails     []Mail
	counts    map[string]int
	observers []func(Change)
	sessions  map[string]int
	keys      map[string]apiKey
	programs  map[string]*starlark.Program
	// working are the calls that share the workers.
	working int
}

// New builds a database with the people of the recordings: admin, alice and bob
// (passwords as their logins), and the contact carol.
func New(config Config) (*Server, error) {
	if config.Version == 0 {
		config.Version = 18
	}
	if config.Version < 17 || config.Version > 19 {
		return nil, fmt.Errorf("version %d is not simulated: 17, 18 and 19 are", config.Version)
	}
	if config.Database == "" {
		config.Database = "night"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Transport == nil {
		config.Transport = http.DefaultTransport
	}
	recorded, err := readCatalogue(config.Version)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, now: config.Now, schema: schema(config.Version), catalogue: recorded,
		webhooks: &http.Client{
			Transport: config.Transport, Timeout: webhookPatience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		random: rand.New(rand.NewPCG(config.Seed, 0x6e69676874)),
		tables: map[string]*table{}, counts: map[string]int{}, sessions: map[string]int{}, keys: map[string]apiKey{}, programs: map[string]*starlark.Program{},
	}
	s.context, s.stop = context.WithCancel(context.Background())
	recorded.complete(s.schema)
	for name := range s.schema {
		s.tables[name] = &table{records: map[int]*record{}, children: map[int]map[int]bool{}, index: index{}}
	}
	if err := s.populate(); err != nil {
		s.stop()
		return nil, fmt.Errorf("filling the database: %w", err)
	}
	return s, nil
}

// Close gives up the webhooks under way.
func (s *Server) Close() { s.stop() }

// OnChange registers an observer of committed changes. It is called on the
// goroutine that made the change, after it is readable, outside all locks.
func (s *Server) OnChange(observer func(Change)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.observers = append(slices.Clone(s.observers), observer)
}

// Counts tells how often each method was called, as "calendar.event.write", and
// each operation of a door, as "door calendar.event.write". "door reading" and
// "door writing" are the runs of a door with nothing but reading in them, and
// with some writing; "webhook" and "webhook lost" count webhooks. A transaction
// that is tried again counts again.
func (s *Server) Counts() map[string]int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.counts)
}

func (s *Server) count(name string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counts[name]++
}

// token draws an unguessable-looking text.
func (s *Server) token() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return fmt.Sprintf("%016x%016x", s.random.Uint64(), s.random.Uint64())
}

// pause waits, unless the server is closed.
func (s *Server) pause(duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.context.Done():
		return false
	}
}

func (s *Server) commitDelay() time.Duration {
	if s.config.CommitDelay != nil {
		return s.config.CommitDelay()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return time.Millisecond + time.Duration(s.random.Int64N(int64(4*time.Millisecond)))
}

func (s *Server) retryDelay(tried int) time.Duration {
	if s.config.RetryDelay != nil {
		return s.config.RetryDelay(tried)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return time.Duration(s.random.Int64N(int64(time.Second << tried)))
}

// attempts is how often a transaction is tried that others got in the way of.
const attempts = 5

// transact runs work in a transaction. Work that wrote something is readable
// when transact returns nil; after an error nothing of it is.
func (s *Server) transact(uid int, context map[string]any, rollback bool, work func(*transaction) (any, error)) (any, error) {
	for attempt := 1; ; attempt++ {
		t := s.begin(uid, context)
		result, err := work(t)
		if err != nil {
			return result, err
		}
		if len(t.written) == 0 && len(*t.posts) == 0 {
			return result, nil
		}
		if rollback {
			return nil, newFault("psycopg2.OperationalError", "server closed the connection unexpectedly")
		}
		if delay := s.commitDelay(); delay > 0 && !s.pause(delay) {
			return nil, newFault("psycopg2.OperationalError", "the server is shutting down")
		}
		if err := t.commit(); err != nil {
			if attempt < attempts && s.pause(s.retryDelay(attempt)) {
				continue
			}
			return nil, newFault("psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update")
		}
		s.tell(t)
		for _, one := range *t.posts {
			s.post(one.address, one.body)
		}
		return result, nil
	}
}

func (s *Server) tell(t *transaction) {
	s.mutex.Lock()
	observers := s.observers
	s.mutex.Unlock()
	committed := s.now().UTC()
	for _, event := range slices.Sorted(maps.Keys(t.changed)) {
		for _, observer := range observers {
			observer(Change{Event: event, Deleted: t.changed[event], User: t.uid, Time: committed})
		}
	}
}
