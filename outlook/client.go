package outlook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Config is what a Client needs. DatabaseID and Store have no defaults; nobody can
// connect before there are a ClientID and a ClientSecret, see SetApplication.
type Config struct {
	// GraphURL is Graph with its version; default https://graph.microsoft.com/v1.0.
	GraphURL string
	// LoginURL is Microsoft's sign-in; default https://login.microsoftonline.com.
	LoginURL string
	// Tenant is common, organizations, consumers or a tenant's id; default common.
	Tenant string
	// ClientID and ClientSecret are the application's, RedirectURL where
	// Microsoft sends people back to.
	ClientID, ClientSecret, RedirectURL string
	// Certificate is shown instead of the secret; may be nil.
	Certificate *Certificate
	// DatabaseID names the NightPOS database in the marks left in events, so
	// that marks of another one are not believed.
	DatabaseID string
	// Store keeps people's tokens.
	Store TokenStore
	// Budget bounds the calls to each mailbox; default one of this process alone.
	Budget Budget
	// Contents keep what notifications told, with subscriptions that have content;
	// nil for none.
	Contents Contents
	// HTTP carries the calls; default http.DefaultTransport.
	HTTP http.RoundTripper
	// Now reads the clock; default time.Now.
	Now func() time.Time
	// Log is where the client reports what nobody else can; default none.
	Log *zap.Logger
	// Timeout bounds one call with its retries; default 30 seconds.
	Timeout time.Duration
	// Observe is told about every call: a stable name such as "GET event", how
	// long it took, waiting for its turn included, and how it ended.
	Observe func(call string, took time.Duration, err error)
}

// Client speaks with Graph for all connected people. It implements
// reconciler.Outlook and is safe for concurrent use. It has no goroutines of its
// own.
type Client struct {
	config Config
	http   *retryablehttp.Client
	gates  *gates
	graph  *breaker
	tokens *tokenSource
	// validation is about notifications with content.
	validation *validation
	expansion  expansion
}

var _ reconciler.Outlook = (*Client)(nil)

// answerLimit bounds what is read of one answer: pages of events with bodies.
const answerLimit = 64 << 20

// retries is how often a call is tried again within its own time, and only if a
// connection broke: waiting for a server is the lane's business.
const retries = 2

// New makes a client. It makes no call.
func New(config Config) (*Client, error) {
	if config.DatabaseID == "" {
		return nil, errors.New("the Outlook client needs a database id")
	}
	if config.Store == nil {
		return nil, errors.New("the Outlook client needs a store for tokens")
	}
	fill := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
		*value = strings.TrimRight(*value, "/")
	}
	fill(&config.GraphURL, "https://graph.microsoft.com/v1.0")
	fill(&config.LoginURL, "https://login.microsoftonline.com")
	fill(&config.Tenant, "common")
	if config.HTTP == nil {
		config.HTTP = http.DefaultTransport
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	if config.Timeout <= 0 {
		config.Timeout = 30 * time.Second
	}
	if config.Observe == nil {
		config.Observe = func(string, time.Duration, error) {}
	}
	client := &Client{config: config, http: newHTTP(config), gates: newGates(config.Now, config.Budget)}
	client.graph = newBreaker("Microsoft Graph", causeUnavailable, config.Now, config.Log)
	client.tokens = newTokenSource(config)
	client.validation = newValidation(config)
	return client, nil
}

func newHTTP(config Config) *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{
		Transport: config.HTTP,
		// An API has no reason to send us elsewhere, least of all with a token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client.Logger = nil
	client.RetryMax = retries
	client.RetryWaitMin, client.RetryWaitMax = 200*time.Millisecond, 2*time.Second
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	// Most calls may arrive twice: a second deletion finds nothing. A change, or an
	// answer to an invitation, that arrives a second time would be a second mail,
	// and that it carries a version keeps nobody from it where the version is not
	// looked at. Whether it is still needed shows when the event is read again. A
	// create carries a transaction id and makes nothing the second time, but is
	// answered with the event as a person may have edited it meanwhile, so whoever
	// asked has to know that it was repeated.
	client.CheckRetry = func(ctx context.Context, _ *http.Response, err error) (bool, error) {
		return err != nil && ctx.Err() == nil && ctx.Value(onceKey{}) == nil, ctx.Err()
	}
	return client
}

// onceKey marks the context of calls that must not be repeated unseen.
type onceKey struct{}

// call is one request to Graph.
type call struct {
	// name is for metrics: the method and what kind of thing it is about.
	name, method string
	// path begins with a slash, or is a whole address that Graph gave.
	path    string
	body    any
	ifMatch string
	// once: a repeat would have an effect of its own.
	once bool
	// prefer replaces what every request prefers; default preferImmutable.
	prefer string
	// calls is how many calls about the mailbox's events it is, zero for calls
	// about other things; batch takes the whole mailbox.
	calls int
	batch bool
	// rejected is a token that Graph did not take for an item of this batch, and
	// used is where to say which token was taken now; both for batches.
	rejected string
	used     *string
}

// do makes a call for a mailbox and reads the answer into an object, which may
// be nil. A token that Graph no longer takes is renewed once.
func (c *Client) do(ctx context.Context, lane string, call call, into any) error {
	began := c.config.Now()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	content, err := c.inTurn(ctx, lane, call)
	c.config.Observe(call.name, c.config.Now().Sub(began), err)
	if err != nil || into == nil {
		return err
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = content
		return nil
	}
	if err := json.Unmarshal(content, into); err != nil {
		return &reconciler.RetryError{Cause: "outlook_unreadable", Err: fmt.Errorf("the answer to %s is not what was expected", call.name)}
	}
	return nil
}

func (c *Client) inTurn(ctx context.Context, lane string, call call) ([]byte, error) {
	places := int64(1)
	if call.batch {
		places = mailboxConcurrency
	}
	leave, err := c.gates.enter(ctx, lane, places, call.calls)
	if err != nil {
		return nil, err
	}
	defer leave()
	token, given := ctx.Value(givenToken{}).(string)
	if !given {
		if token, err = c.tokens.accessToken(ctx, lane, call.rejected); err != nil {
			return nil, err
		}
	}
	content, err := c.send(ctx, lane, call, token)
	if errors.Is(err, errUnauthorized) && ctx.Err() == nil && !given {
		if token, err = c.tokens.accessToken(ctx, lane, token); err != nil {
			return nil, err
		}
		content, err = c.send(ctx, lane, call, token)
	}
	if call.method == http.MethodGet && errors.Is(err, reconciler.ErrStale) && ctx.Err() == nil {
		// Graph answers a few reads in a hundred so, for no reason.
		content, err = c.send(ctx, lane, call, token)
	}
	if call.used != nil {
		*call.used = token
	}
	if pause := pauseOf(err); pause > 0 {
		err = errors.Join(err, c.gates.leaveAlone(ctx, lane, pause))
	}
	return content, settled(call.method, err)
}

// settled turns what is still wrong after the second try into something to come
// back to. Only sign-in itself says that a person must connect again: Graph may
// refuse good tokens for a while, and everybody's at once.
func settled(method string, err error) error {
	switch {
	case errors.Is(err, errUnauthorized):
		return &reconciler.RetryError{Cause: "unauthorized", Err: err}
	case method == http.MethodGet && errors.Is(err, reconciler.ErrStale):
		return &reconciler.RetryError{Cause: "conflict", Err: errors.New("Graph answers a read with 412 again and again")} //nolint:staticcheck // a name comes first
	}
	return err
}

// send makes one request, unless Graph is out.
func (c *Client) send(ctx context.Context, lane string, call call, token string) (content []byte, err error) {
	err = c.graph.do(lane, func() (err error) {
		content, err = c.request(ctx, call, token)
		return err
	})
	return content, err
}

func (c *Client) request(ctx context.Context, call call, token string) ([]byte, error) {
	address := call.path
	if strings.HasPrefix(address, "/") {
		address = c.config.GraphURL + address
	} else if !strings.HasPrefix(address, c.config.GraphURL+"/") {
		// A next link that leads elsewhere would carry the token with it.
		return nil, errors.New("the answer of Graph leads to an address outside Graph")
	}
	var content []byte
	var err error
	if call.body != nil {
		if content, err = json.Marshal(call.body); err != nil {
			return nil, fmt.Errorf("writing %s: %w", call.name, err)
		}
	}
	var body any
	if content != nil {
		body = bytes.NewReader(content)
	}
	if call.once {
		ctx = context.WithValue(ctx, onceKey{}, true)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, call.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", call.name, err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Prefer", cmp.Or(call.prefer, preferImmutable))
	request.Header.Set("client-request-id", uuid.NewString())
	if content != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if call.ifMatch != "" {
		request.Header.Set("If-Match", call.ifMatch)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	switch {
	case err != nil:
		return nil, unreachable(ctx, err)
	case len(read) > answerLimit:
		return nil, fmt.Errorf("the answer to %s is larger than %d bytes", call.name, answerLimit)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return nil, graphError(answer.StatusCode, answer.Header, read, c.config.Now())
	}
	return read, nil
}

// preferImmutable asks for ids that stay when an event is moved; asked for in
// every request, since an id of one kind is not valid in the other.
const preferImmutable = `IdType="ImmutableId"`
