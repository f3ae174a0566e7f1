package outlook

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config is what a simulated Outlook is made of.
type Config struct {
	// BaseURL is how clients reach the server, without a trailing slash. It
	// stands in nextLink, deltaLink, contexts and the sign-in metadata.
	BaseURL string
	// TenantID is the directory of all people; derived from the seed if empty.
	TenantID string
	// People have a mailbox each.
	People []Person
	// Lists are distribution lists: who is on one, by its address in lower case. An
	// invitation to a list reaches everybody on it and names the list alone.
	Lists map[string][]string
	// Applications may sign people in. Empty: DefaultApplication.
	Applications []Application
	// Now is the wall clock of the service; nil means time.Now. Delays always
	// run on the real (or the bubble's) clock.
	Now func() time.Time
	// Seed decides everything random: ids, change keys, delays, token lifetimes.
	Seed uint64
	// Transport delivers validation requests and notifications; nil means
	// http.DefaultTransport.
	Transport http.RoundTripper
	Switches  Switches
	// Latency, if set, is added to each Graph call before it is carried out.
	Latency func(method, path string) time.Duration
	// Faults, if set, is asked before each Graph call, and for each item of a
	// batch. It runs on the call's goroutine and may be called concurrently.
	Faults func(CallInfo) *Fault
	// SignInFaults is the same for calls to the token endpoint.
	SignInFaults func(SignInCall) *SignInFault
	// ConsentFaults is the same for people on the sign-in page, asked once it is
	// known who it is. The browser is sent back with the error; Status, when set,
	// shows it on a page here instead, as the real one does with many errors.
	ConsentFaults func(SignInCall) *SignInFault
}

// Person owns a mailbox.
type Person struct {
	Name    string
	Address string // mail address and user principal name
	// Password, when set, is asked for on the sign-in page; without one the
	// person consents by being named in login_hint or picked on the page.
	Password string
	// TimeZone is the zone of the mailbox, a Windows or IANA name; empty means UTC.
	TimeZone string
	// Personal accounts are never sent lifecycle notifications (4.9, 13.17).
	Personal bool
	// ObjectID is the id of the person in the directory; derived from the seed if empty.
	ObjectID string
}

// Application is a registered client.
type Application struct {
	ID     string
	Secret string
	// RedirectURIs must match exactly; an empty list accepts every address that
	// is https, on a loopback host (1.14) or on a *.sim host.
	RedirectURIs []string
	// SingleTenant applications are refused at the sign-in for all (1.2).
	SingleTenant bool
	// AdminConsent: people may not consent by themselves (1.20).
	AdminConsent bool
	// Grants, if set, are the only scopes that people can grant (1.20).
	Grants []string
	// Certificates may sign assertions instead of the secret (1.16).
	Certificates []*x509.Certificate
}

// DefaultApplication is registered when Config names no application.
var DefaultApplication = Application{ID: "24d3b144-21ae-4080-943f-7067b395b913", Secret: "simulated-secret"}

// Server is a simulated Outlook. All methods may be called concurrently.
type Server struct {
	config       Config
	now          func() time.Time
	applications map[string]Application
	routes       []route
	people       []*mailbox
	context      context.Context
	stop         context.CancelFunc
	group        sync.WaitGroup
	wake         chan struct{}

	// mutex guards everything below. It is held for computing only, never while
	// waiting, so that the server runs in a synctest bubble.
	mutex         sync.Mutex
	random        *rand.Rand
	counter       uint64 // numbers everything that needs a unique identity
	jobs          jobQueue
	jobNumber     uint64
	codes         map[string]*authorizationCode
	access        map[string]*grant
	refresh       map[string]*grant
	signIns       []SignInCall
	assertions    map[string]time.Time // the ids of those that were shown, until when they would be valid
	tokenMark     int                  // size of the token tables at which expired ones are dropped
	mails         []Mail
	calls         callLog
	limits        map[limitKey]*limit
	subscriptions map[string]*subscription
	endpoints     map[string]*endpoint
	observers     []func(Change)
	changes       []Change // to be told when the lock is released
	delivery      Delivery
	silent        bool // see Silence
	closed        bool
}

// New builds a server and starts its delivery.
func New(config Config) (*Server, error) {
	if config.BaseURL == "" || strings.HasSuffix(config.BaseURL, "/") {
		return nil, fmt.Errorf("base URL %q: must be set and have no trailing slash", config.BaseURL)
	}
	if len(config.People) == 0 {
		return nil, errors.New("no people: at least one mailbox is needed")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Transport == nil {
		config.Transport = http.DefaultTransport
	}
	if len(config.Applications) == 0 {
		config.Applications = []Application{DefaultApplication}
	}
	s := &Server{
		config:        config,
		now:           config.Now,
		applications:  map[string]Application{},
		routes:        makeRoutes(),
		wake:          make(chan struct{}, 1),
		random:        rand.New(rand.NewPCG(config.Seed, 0x6f75746c6f6f6b)),
		codes:         map[string]*authorizationCode{},
		access:        map[string]*grant{},
		refresh:       map[string]*grant{},
		assertions:    map[string]time.Time{},
		limits:        map[limitKey]*limit{},
		subscriptions: map[string]*subscription{},
		endpoints:     map[string]*endpoint{},
	}
	if s.config.TenantID == "" {
		s.config.TenantID = s.guid("tenant")
	}
	for _, application := range config.Applications {
		s.applications[application.ID] = application
	}
	known := map[string]bool{}
	for _, person := range config.People {
		folded := strings.ToLower(person.Address)
		if !strings.Contains(folded, "@") || known[folded] {
			return nil, fmt.Errorf("person %q: the address must be a mail address of its own", person.Address)
		}
		known[folded] = true
		opened, err := s.open(person)
		if err != nil {
			return nil, fmt.Errorf("mailbox of %s: %w", person.Address, err)
		}
		s.people = append(s.people, opened)
	}
	s.context, s.stop = context.WithCancel(context.Background())
	s.group.Go(s.runJobs)
	return s, nil
}

// Close stops all deliveries and waits for their goroutines. Requests that are
// being handled finish; what has not been delivered is lost.
func (s *Server) Close() {
	s.mutex.Lock()
	s.closed = true
	s.mutex.Unlock()
	s.stop()
	s.group.Wait()
}

// unlock releases the mutex and then tells the observers what happened while it
// was held, so that an observer may call the server.
func (s *Server) unlock() {
	changes, observers := s.changes, s.observers
	s.changes = nil
	s.mutex.Unlock()
	for _, change := range changes {
		for _, observer := range observers {
			observer(change)
		}
	}
}

// Change is one event of one mailbox created, updated or deleted.
type Change struct {
	Mailbox string // the owner's address
	EventID string // the default (mutable) id
	ICalUID string
	Kind    string // created, updated or deleted
	Actor   string // person:ADDRESS or app:CLIENT ID, whoever started it, also for copies that follow
	Time    time.Time
}

// OnChange registers an observer of every change in every mailbox, also of those
// that follow from others (copies, answers). It is called on the goroutine that
// made the change, after the change is visible, outside all locks.
func (s *Server) OnChange(observer func(Change)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// A new slice: unlock may be walking over the old one.
	s.observers = append(append([]func(Change){}, s.observers...), observer)
}

// pick draws a duration; the caller holds the mutex.
func (s *Server) pick(span Span) time.Duration {
	if span.Most <= span.Least {
		return span.Least
	}
	return span.Least + time.Duration(s.random.Int64N(int64(span.Most-span.Least)+1))
}

// chance draws whether something of a probability happens; the caller holds the
// mutex.
func (s *Server) chance(probability float64) bool {
	return probability > 0 && s.random.Float64() < probability
}

// secret draws an unguessable-looking text; the caller holds the mutex.
func (s *Server) secret(prefix string, size int) string {
	bytes := make([]byte, size)
	for at := 0; at < size; at += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], s.random.Uint64())
		copy(bytes[at:], word[:])
	}
	return prefix + urlText(bytes)
}
