package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// The protocols. JSON-RPC is spoken by versions 17 to 21, JSON-2 by 19 and later;
// it takes API keys only.
const (
	ProtocolAuto    = "auto"
	ProtocolJSONRPC = "jsonrpc"
	ProtocolJSON2   = "json2"
)

// Config is what a Client needs. URL, Database, Login and APIKey have no
// defaults.
type Config struct {
	// URL is where NightPOS answers, such as https://night.example.com.
	URL string
	// Database is the name of the database.
	Database string
	// Login and APIKey sign the gateway's own account in; a password does in
	// place of a key.
	Login, APIKey string
	// Protocol is one of the protocols; empty means ProtocolAuto, which asks the
	// server: JSON-2 where the version has it and takes the key, else JSON-RPC.
	Protocol string
	// HTTP carries the calls; default http.DefaultTransport.
	HTTP http.RoundTripper
	// Now reads the clock; default time.Now.
	Now func() time.Time
	// Log is where the client reports what nobody else can; default none.
	Log *zap.Logger
	// MaxConcurrency bounds the calls under way; default 8. Fewer are made at once
	// where that makes them slower: see limiter.
	MaxConcurrency int
	// Timeout bounds one call with its retries; default 30 seconds.
	Timeout time.Duration
	// Retries is how often a call that is safe to repeat is tried again after a
	// connection broke or the server answered 429, 502, 503 or 504; default 2,
	// negative for never.
	Retries int
	// CatalogueAge is how long alarms, tags, users and contacts are believed
	// without being read again; default 10 minutes.
	CatalogueAge time.Duration
	// Contacts says who becomes a contact.
	Contacts ContactPolicy
	// ActionID is the id of the door's server action; zero finds it by name.
	ActionID int64
	// Observe is told about every call: a stable name such as "door.read", how
	// long it took, waiting for its turn included, and how it ended.
	Observe func(call string, took time.Duration, err error)
}

// Client speaks with one NightPOS database. It implements reconciler.NightPOS
// and is safe for concurrent use. It has no goroutines of its own.
type Client struct {
	config     Config
	callers    map[string]caller
	browser    *jsonRPC // web sessions speak JSON-RPC in every version
	sessions   chan struct{}
	limiter    *limiter
	breaker    *breaker
	connecting chan struct{}
	session    atomic.Pointer[session]
	major      atomic.Int64
	// identity is the database that calls are meant for; nil for any.
	identity  atomic.Pointer[string]
	catalogue *catalogue
	contacts  *contacts
}

var _ reconciler.NightPOS = (*Client)(nil)

// session is what the client knows after it has signed in.
type session struct {
	uid    int64
	major  int
	action int64
	caller caller
}

// caller is one protocol. The answer of a method that returns nothing is null.
type caller interface {
	version(ctx context.Context) (Version, error)
	authenticate(ctx context.Context) (int64, error)
	call(ctx context.Context, uid int64, request request) (json.RawMessage, error)
}

// request is one call of a model's method.
type request struct {
	model, method string
	arguments     []any
	named         map[string]any
	// repeatable says that a second arrival changes nothing.
	repeatable bool
	// size is how much a call carries.
	size int
}

// Version is what NightPOS says about itself.
type Version struct {
	// Name is as shown, such as "18.0".
	Name string
	// Major is the first number; for hosted versions such as "saas~18.2" the
	// number behind the tilde.
	Major int
}

// New makes a client. It makes no call.
func New(config Config) (*Client, error) {
	address, err := url.Parse(config.URL)
	if err != nil || address.Host == "" || (address.Scheme != "https" && address.Scheme != "http") {
		return nil, errors.New("the NightPOS address must be an http or https URL")
	}
	config.URL = strings.TrimRight(config.URL, "/")
	for name, value := range map[string]string{"database": config.Database, "login": config.Login, "API key": config.APIKey} {
		if value == "" {
			return nil, fmt.Errorf("the NightPOS %s is missing", name)
		}
	}
	switch config.Protocol {
	case "":
		config.Protocol = ProtocolAuto
	case ProtocolAuto, ProtocolJSONRPC, ProtocolJSON2:
	default:
		return nil, fmt.Errorf("the protocol %q is not known", config.Protocol)
	}
	if config.HTTP == nil {
		config.HTTP = http.DefaultTransport
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	if config.MaxConcurrency <= 0 {
		config.MaxConcurrency = 8
	}
	if config.Timeout <= 0 {
		config.Timeout = 30 * time.Second
	}
	if config.Retries == 0 {
		config.Retries = 2
	}
	if config.CatalogueAge <= 0 {
		config.CatalogueAge = 10 * time.Minute
	}
	if config.Observe == nil {
		config.Observe = func(string, time.Duration, error) {}
	}
	carrier := newHTTP(config)
	rpc := newJSONRPC(config, carrier)
	client := &Client{
		config:     config,
		callers:    map[string]caller{ProtocolJSONRPC: rpc, ProtocolJSON2: newJSON2(config, carrier)},
		browser:    rpc,
		sessions:   make(chan struct{}, sessionsAtOnce),
		limiter:    newLimiter(config.MaxConcurrency, config.Now),
		breaker:    newBreaker(config.Now, config.Log),
		connecting: make(chan struct{}, 1),
	}
	client.catalogue = newCatalogue(config)
	client.contacts = newContacts(config)
	return client, nil
}

// Version asks NightPOS for its version; no sign-in is needed for that.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var version Version
	err := c.turn(ctx, "version", 0, func(ctx context.Context) (err error) {
		version, err = c.askVersion(ctx)
		return err
	})
	if err == nil {
		c.major.Store(int64(version.Major))
	}
	return version, err
}

func (c *Client) askVersion(ctx context.Context) (Version, error) {
	if c.config.Protocol != ProtocolJSONRPC {
		version, err := c.callers[ProtocolJSON2].version(ctx)
		if !errors.Is(err, errNoVersion) || c.config.Protocol == ProtocolJSON2 {
			return version, err
		}
	}
	return c.callers[ProtocolJSONRPC].version(ctx)
}

// answers says whether NightPOS answers at all.
func (c *Client) answers(ctx context.Context) error {
	_, err := c.askVersion(ctx)
	return err
}

// The first version with JSON-2, and the first one without JSON-RPC.
const (
	firstWithJSON2      = 19
	firstWithoutJSONRPC = 22
)

// protocols are those to sign in by, the preferred one first.
func (c *Client) protocols(version Version) []string {
	switch {
	case c.config.Protocol != ProtocolAuto:
		return []string{c.config.Protocol}
	case version.Major >= firstWithoutJSONRPC:
		return []string{ProtocolJSON2}
	case version.Major >= firstWithJSON2:
		return []string{ProtocolJSON2, ProtocolJSONRPC}
	}
	return []string{ProtocolJSONRPC}
}

// UserID is the id of the gateway's own account, by which NightPOS's webhooks
// leave out what the gateway wrote itself.
func (c *Client) UserID(ctx context.Context) (int64, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return 0, err
	}
	return signed.uid, nil
}

// signIn finds out who we are, once. The lock is a channel since it is held
// across calls.
func (c *Client) signIn(ctx context.Context) (*session, error) {
	if signed := c.session.Load(); signed != nil {
		return signed, nil
	}
	select {
	case c.connecting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.connecting }()
	if signed := c.session.Load(); signed != nil {
		return signed, nil
	}
	version, err := c.Version(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking NightPOS for its version: %w", err)
	}
	signed := &session{major: version.Major, action: c.config.ActionID}
	for _, protocol := range c.protocols(version) {
		signed.caller = c.callers[protocol]
		err = c.turn(ctx, "authenticate", 0, func(ctx context.Context) (err error) {
			signed.uid, err = signed.caller.authenticate(ctx)
			return err
		})
		if !errors.Is(err, ErrDenied) {
			break // a password is denied by the one and taken by the other
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing in to NightPOS: %w", err)
	}
	c.session.Store(signed)
	return signed, nil
}

// forget makes the next call sign in anew.
func (c *Client) forget(signed *session) { c.session.CompareAndSwap(signed, nil) }

// call makes one call under its own name in the metrics, signed in.
func (c *Client) call(ctx context.Context, label string, request request) (json.RawMessage, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	var answer json.RawMessage
	err = c.turn(ctx, label, request.size, func(ctx context.Context) (err error) {
		answer, err = signed.caller.call(ctx, signed.uid, request)
		return err
	})
	if errors.Is(err, ErrDenied) {
		c.forget(signed)
	}
	return answer, err
}

// turn waits for one of the few places, makes the call within the timeout, and
// reports it. While NightPOS is out it does neither. The size says how much it carries, next to others of that label.
func (c *Client) turn(ctx context.Context, label string, size int, work func(context.Context) error) error {
	began := c.config.Now()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	err := c.breaker.passes(ctx, c.answers)
	if err == nil {
		err = c.inTurn(ctx, label, size, work)
	}
	c.config.Observe(label, c.config.Now().Sub(began), err)
	return err
}

func (c *Client) inTurn(ctx context.Context, label string, size int, work func(context.Context) error) error {
	done, err := c.limiter.acquire(ctx, label, size)
	if err != nil {
		return &reconciler.RetryError{Cause: "nightpos_busy", Err: err}
	}
	if err := c.breaker.passes(ctx, c.answers); err != nil {
		done(false, false)
		return err
	}
	made, err := c.breaker.do(ctx, c.config.Timeout/2, func() error { return work(ctx) })
	var retry *reconciler.RetryError
	overloaded := made && errors.As(err, &retry) && (errors.Is(err, context.DeadlineExceeded) || retry.Cause == causeUnavailable)
	done(made && err == nil, overloaded)
	return err
}
