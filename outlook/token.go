package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Token is a person's consent and what it currently buys. It is as secret as a
// password.
type Token struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Expires      time.Time `json:"expires"`
	// Renewed is when the access token was made by renewing; the zero time for
	// one of a sign-in.
	Renewed time.Time `json:"renewed,omitzero"`
	// Scopes are what the person granted.
	Scopes []string `json:"scopes,omitempty"`
	// Refused is why Microsoft no longer takes the refresh token; empty while it
	// does. Only a new sign-in ends that.
	Refused string `json:"refused,omitempty"`
}

// TokenStore keeps tokens, encrypted, for all replicas of the gateway.
type TokenStore interface {
	// Token returns a lane's token and which version of it that is; its error
	// wraps reconciler.ErrReconnect when there is none.
	Token(ctx context.Context, lane string) (token Token, version string, err error)
	// ReplaceToken puts a token in the place of a version, and says whether that
	// was still there; if not, nothing is changed.
	ReplaceToken(ctx context.Context, lane, version string, token Token) (bool, error)
	// RefuseToken is the same for a token that Microsoft no longer takes; it also
	// notes the reason with the person.
	RefuseToken(ctx context.Context, lane, version string, token Token) (bool, error)
	// LockToken says that a holder is about to renew a lane's token, for at most
	// the time given; false when another holder is at it, in any replica.
	LockToken(ctx context.Context, lane, holder string, life time.Duration) (bool, error)
	// UnlockToken ends what LockToken began.
	UnlockToken(ctx context.Context, lane, holder string) error
}

const (
	// tokenMargin is how long a token must still be valid for a call.
	tokenMargin = 2 * time.Minute
	// subscriptionMargin is the same for calls about subscriptions: Graph
	// delivers with the token of the last such call, and only while it is valid.
	subscriptionMargin = 45 * time.Minute
	// leastMargin is the same when there is no other token to be had.
	leastMargin = 30 * time.Second
	// tokensKept bounds how many tokens are held in memory, tokenLife how long one
	// is used without asking the store: whoever connected anew may have connected
	// another mailbox.
	tokensKept = 10_000
	tokenLife  = 2 * time.Second
	// renewalTime bounds one call for a token, renewalGrace what is left of it
	// when whoever asked has gone: a new refresh token must not be lost on the way.
	renewalTime  = 20 * time.Second
	renewalGrace = 3 * time.Second
	// lockLife is how long others keep away from a renewal whose process died.
	lockLife = renewalTime + 10*time.Second
	// lockStep is the first pause between two looks at somebody else's renewal;
	// each is twice as long as the one before, up to lockStepMost.
	lockStep     = 50 * time.Millisecond
	lockStepMost = time.Second
	// youngToken is the age under which a token that Graph does not take is not
	// renewed: the new one would fare no better.
	youngToken = time.Minute
)

// tokenSource hands out access tokens and renews them, one renewal at a time for
// each lane across all replicas.
type tokenSource struct {
	config      Config
	oauth       atomic.Pointer[oauth2.Config]
	client      *http.Client
	application *application
	breaker     *breaker

	mutex sync.Mutex
	known map[string]knownToken
	// unsaved are renewed tokens that the store did not take yet.
	unsaved map[string]unsavedToken
	// renewing holds a channel for each lane whose token is being renewed, closed
	// at the end of that.
	renewing map[string]chan struct{}
}

type knownToken struct {
	Token
	read time.Time
}

type unsavedToken struct {
	token   Token
	version string
}

func newTokenSource(config Config) *tokenSource {
	base := config.LoginURL + "/" + config.Tenant + "/oauth2/v2.0/"
	transport := config.HTTP
	if config.Certificate != nil {
		transport = &assertionTransport{next: config.HTTP, signer: config.Certificate, audience: base + "token", now: config.Now}
		config.ClientSecret = ""
	}
	source := &tokenSource{
		config: config,
		client: &http.Client{
			Transport: transport, Timeout: config.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		application: newApplication(config),
		breaker:     newBreaker("Microsoft's sign-in", causeSignIn, config.Now, config.Log),
		known:       map[string]knownToken{},
		unsaved:     map[string]unsavedToken{},
		renewing:    map[string]chan struct{}{},
	}
	if asserting, ok := transport.(*assertionTransport); ok {
		asserting.clientID = func() string { return source.oauth.Load().ClientID }
	}
	source.oauth.Store(&oauth2.Config{
		ClientID: config.ClientID, ClientSecret: config.ClientSecret, RedirectURL: config.RedirectURL,
		Endpoint: oauth2.Endpoint{AuthURL: base + "authorize", TokenURL: base + "token", AuthStyle: oauth2.AuthStyleInParams},
		Scopes:   scopes,
	})
	return source
}

// ClientID is the application's that the gateway is to Microsoft now, empty for none.
func (c *Client) ClientID() string { return c.tokens.oauth.Load().ClientID }

// SetApplication changes who the gateway is to Microsoft from now on. A client
// with a certificate shows that, whatever the secret.
func (c *Client) SetApplication(clientID, clientSecret string) {
	next := *c.tokens.oauth.Load()
	next.ClientID, next.ClientSecret = clientID, clientSecret
	if c.config.Certificate != nil {
		next.ClientSecret = ""
	}
	c.tokens.oauth.Store(&next)
	c.tokens.application.changed()
}

// freshToken marks the context of calls that need subscriptionMargin.
type freshToken struct{}

// errRefusedToken says that Graph does not take a token that was just renewed.
var errRefusedToken = errors.New("Graph does not take a token that sign-in has just given out") //nolint:staticcheck // a name comes first

// accessToken returns a token that is valid for a call, and is not the one that
// Graph has just rejected, if any.
func (s *tokenSource) accessToken(ctx context.Context, lane, rejected string) (string, error) {
	margin := tokenMargin
	if ctx.Value(freshToken{}) != nil {
		margin = subscriptionMargin
	}
	usable := func(token Token) bool {
		return token.AccessToken != "" && token.AccessToken != rejected && token.Refused == "" && token.Expires.Sub(s.config.Now()) > margin
	}
	if known, there := s.recall(lane); there && usable(known) {
		return known.AccessToken, nil
	}
	finish, err := s.alone(ctx, lane)
	if err != nil {
		return "", err
	}
	defer finish()
	token, _, err := s.stored(ctx, lane)
	if err != nil || usable(token) {
		return token.AccessToken, err
	}
	holder := uuid.NewString()
	token, err = s.lock(ctx, lane, holder, usable)
	if err != nil || usable(token) {
		return token.AccessToken, err
	}
	defer s.unlock(ctx, lane, holder)
	// Whoever held the lock before may have renewed it.
	token, version, err := s.stored(ctx, lane)
	if err != nil || usable(token) {
		return token.AccessToken, err
	}
	if rejected != "" && token.AccessToken == rejected && s.config.Now().Sub(token.Renewed) < youngToken {
		return "", &reconciler.RetryError{Cause: "unauthorized", Err: errRefusedToken}
	}
	renewed, err := s.renew(ctx, lane, token, version, usable)
	var retry *reconciler.RetryError
	if errors.As(err, &retry) && token.AccessToken != "" && token.AccessToken != rejected && token.Expires.Sub(s.config.Now()) > leastMargin {
		// Better one that ends soon than none while sign-in is out.
		return token.AccessToken, nil
	}
	return renewed, err
}

// stored reads a lane's token, after saving what could not be saved before. A
// token that Microsoft no longer takes is an error.
func (s *tokenSource) stored(ctx context.Context, lane string) (Token, string, error) {
	s.mutex.Lock()
	waiting, there := s.unsaved[lane]
	s.mutex.Unlock()
	if there {
		if _, err := s.config.Store.ReplaceToken(ctx, lane, waiting.version, waiting.token); err != nil {
			return Token{}, "", &reconciler.RetryError{Cause: "store", Err: err}
		}
		s.mutex.Lock()
		delete(s.unsaved, lane)
		s.mutex.Unlock()
	}
	token, version, err := s.config.Store.Token(ctx, lane)
	switch {
	case err != nil:
		return Token{}, "", fmt.Errorf("reading a token: %w", err)
	case token.Refused != "":
		return Token{}, "", fmt.Errorf("%w: %s", reconciler.ErrReconnect, token.Refused)
	}
	s.remember(lane, token)
	return token, version, nil
}

// lock waits until nobody else renews the lane's token, or until somebody has:
// then it returns that one, and holds nothing.
func (s *tokenSource) lock(ctx context.Context, lane, holder string, usable func(Token) bool) (Token, error) {
	for step := lockStep; ; step = min(2*step, lockStepMost) {
		taken, err := s.config.Store.LockToken(ctx, lane, holder, lockLife)
		if err != nil {
			return Token{}, &reconciler.RetryError{Cause: "store", Err: err}
		}
		if taken {
			return Token{}, nil
		}
		if !wait(ctx, step) {
			return Token{}, busy(ctx)
		}
		if token, _, err := s.stored(ctx, lane); err != nil || usable(token) {
			return token, err
		}
	}
}

func busy(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &reconciler.RetryError{Cause: "signin_busy", Err: ctx.Err()}
}

func (s *tokenSource) unlock(ctx context.Context, lane, holder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalGrace)
	defer cancel()
	if err := s.config.Store.UnlockToken(ctx, lane, holder); err != nil {
		s.config.Log.Warn("a renewal could not be declared over; others wait for its end", zap.Error(err))
	}
}

// renew asks for a new token and keeps it. Once asked, the answer is waited for
// and kept even if whoever asked has gone. When the answer is lost on the way
// the old refresh token is used again, which Entra allows.
func (s *tokenSource) renew(ctx context.Context, lane string, token Token, version string, usable func(Token) bool) (string, error) {
	if token.RefreshToken == "" {
		return "", fmt.Errorf("%w: there is no refresh token", reconciler.ErrReconnect)
	}
	if err := s.application.admit(); err != nil {
		return "", err
	}
	lingering, cancel := linger(ctx)
	defer cancel()
	var renewed Token
	err := s.breaker.do(lane, func() (err error) {
		renewed, err = s.ask(lingering, token)
		return err
	})
	s.application.settled(lane, err)
	if errors.Is(err, reconciler.ErrReconnect) {
		return s.refuse(lingering, lane, token, version, err, usable)
	}
	if err != nil {
		return "", fmt.Errorf("renewing a token: %w", err)
	}
	done, err := s.config.Store.ReplaceToken(lingering, lane, version, renewed)
	if err != nil {
		// Not to be lost: the old refresh token may be worth nothing now.
		s.mutex.Lock()
		s.unsaved[lane] = unsavedToken{token: renewed, version: version}
		s.mutex.Unlock()
		return "", &reconciler.RetryError{Cause: "store", Err: fmt.Errorf("keeping a renewed token: %w", err)}
	}
	if !done {
		// The person signed in again meanwhile, or somebody was quicker after all.
		if token, _, err = s.stored(ctx, lane); err != nil || usable(token) {
			return token.AccessToken, err
		}
		return "", &reconciler.RetryError{Cause: "signin_busy", Err: errors.New("the token changed while it was renewed")}
	}
	s.remember(lane, renewed)
	return renewed.AccessToken, nil
}

// refuse notes that Microsoft no longer takes a refresh token, unless it is no
// longer the one that is stored.
func (s *tokenSource) refuse(ctx context.Context, lane string, token Token, version string, cause error, usable func(Token) bool) (string, error) {
	s.forget(lane)
	token.AccessToken, token.Refused = "", cause.Error()
	done, err := s.config.Store.RefuseToken(ctx, lane, version, token)
	if err != nil {
		return "", &reconciler.RetryError{Cause: "store", Err: fmt.Errorf("noting that a person must connect again: %w", err)}
	}
	if !done {
		if token, _, err = s.stored(ctx, lane); err != nil || usable(token) {
			return token.AccessToken, err
		}
		return "", &reconciler.RetryError{Cause: "signin_busy", Err: cause}
	}
	fields := []zap.Field{zap.String("lane", lane)}
	var told *SignInError
	if errors.As(cause, &told) {
		fields = append(fields, zap.String("error", told.Word), zap.String("suberror", told.SubError), zap.Int("aadsts", told.Number),
			zap.String("trace_id", told.TraceID), zap.String("correlation_id", told.CorrelationID))
	}
	s.config.Log.Warn("a person must connect Outlook again", fields...)
	return "", fmt.Errorf("%w: %w", reconciler.ErrReconnect, cause)
}

// ask makes the call.
func (s *tokenSource) ask(ctx context.Context, token Token) (Token, error) {
	began := s.config.Now()
	answered, err := s.oauth.Load().TokenSource(context.WithValue(ctx, oauth2.HTTPClient, s.client), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	err = signInError(ctx, err, s.config.Now())
	s.config.Observe("POST token", s.config.Now().Sub(began), err)
	if err != nil {
		return Token{}, err
	}
	renewed := tokenOf(answered, token.Scopes)
	renewed.Renewed = s.config.Now().UTC()
	return renewed, nil
}

// linger is a context that lasts a little longer than its parent, and at most
// renewalTime.
func linger(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), renewalTime)
	stop := context.AfterFunc(parent, func() {
		if wait(ctx, renewalGrace) {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

// wait waits and says whether the context lasted that long.
func wait(ctx context.Context, pause time.Duration) bool {
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (s *tokenSource) recall(lane string) (Token, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known, there := s.known[lane]
	if !there || s.config.Now().Sub(known.read).Abs() > tokenLife {
		return Token{}, false
	}
	return known.Token, true
}

func (s *tokenSource) remember(lane string, token Token) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.known) >= tokensKept {
		clear(s.known)
	}
	s.known[lane] = knownToken{Token: token, read: s.config.Now()}
}

func (s *tokenSource) forget(lane string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.known, lane)
	delete(s.unsaved, lane)
}

// Forget drops what is held in memory of a lane's token, for somebody who has
// just connected or disconnected. Other replicas do so within two seconds.
func (c *Client) Forget(lane string) { c.tokens.forget(lane) }

// alone waits until nobody else in this process renews this lane's token. The
// lock is a channel since it is held across calls.
func (s *tokenSource) alone(ctx context.Context, lane string) (finish func(), err error) {
	for {
		s.mutex.Lock()
		other := s.renewing[lane]
		if other == nil {
			mine := make(chan struct{})
			s.renewing[lane] = mine
			s.mutex.Unlock()
			return func() {
				s.mutex.Lock()
				delete(s.renewing, lane)
				s.mutex.Unlock()
				close(mine)
			}, nil
		}
		s.mutex.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, busy(ctx)
		}
	}
}
