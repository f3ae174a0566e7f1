package outlook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Token is a person's consent and what it currently buys. It is as secret as a
// password.
type Token struct {
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Expires      time.Time `json:"expires"`
	// Scopes are what the person granted.
	Scopes []string `json:"scopes,omitempty"`
}

// TokenStore keeps tokens, encrypted.
type TokenStore interface {
	// Token returns a lane's token; its error wraps reconciler.ErrReconnect when
	// there is none.
	Token(ctx context.Context, lane string) (Token, error)
	// SaveToken replaces a lane's token.
	SaveToken(ctx context.Context, lane string, token Token) error
}

const (
	// tokenMargin is how long a token must still be valid for a call.
	tokenMargin = 2 * time.Minute
	// subscriptionMargin is the same for calls about subscriptions: Graph
	// delivers with the token of the last such call, and only while it is valid.
	subscriptionMargin = 45 * time.Minute
	// tokensKept bounds how many tokens are held in memory.
	tokensKept = 10_000
)

// tokenSource hands out access tokens and renews them, one renewal at a time for
// each lane.
type tokenSource struct {
	config Config
	oauth  oauth2.Config
	client *http.Client

	mutex sync.Mutex
	known map[string]Token
	// renewing holds a channel for each lane whose token is being renewed, closed
	// at the end of that.
	renewing map[string]chan struct{}
}

func newTokenSource(config Config) *tokenSource {
	base := config.LoginURL + "/" + config.Tenant + "/oauth2/v2.0/"
	return &tokenSource{
		config: config,
		oauth: oauth2.Config{
			ClientID: config.ClientID, ClientSecret: config.ClientSecret, RedirectURL: config.RedirectURL,
			Endpoint: oauth2.Endpoint{AuthURL: base + "authorize", TokenURL: base + "token", AuthStyle: oauth2.AuthStyleInParams},
			Scopes:   scopes,
		},
		client:   &http.Client{Transport: config.HTTP, Timeout: config.Timeout},
		known:    map[string]Token{},
		renewing: map[string]chan struct{}{},
	}
}

func (s *tokenSource) accessToken(ctx context.Context, lane string, refresh bool) (string, error) {
	margin := tokenMargin
	if ctx.Value(freshToken{}) != nil {
		margin = subscriptionMargin
	}
	s.mutex.Lock()
	known := s.known[lane]
	s.mutex.Unlock()
	if !refresh && s.valid(known, margin) {
		return known.AccessToken, nil
	}
	finish, err := s.alone(ctx, lane)
	if err != nil {
		return "", err
	}
	defer finish()
	// Another worker or replica may have renewed it meanwhile.
	stored, err := s.config.Store.Token(ctx, lane)
	if err != nil {
		return "", fmt.Errorf("reading a token: %w", err)
	}
	if s.valid(stored, margin) && (!refresh || stored.AccessToken != known.AccessToken) {
		s.remember(lane, stored)
		return stored.AccessToken, nil
	}
	renewed, err := s.renew(ctx, stored)
	if err != nil {
		return "", err
	}
	// Kept before it is used: the old refresh token may be worth nothing now.
	if err := s.config.Store.SaveToken(ctx, lane, renewed); err != nil {
		return "", fmt.Errorf("keeping a renewed token: %w", err)
	}
	s.remember(lane, renewed)
	return renewed.AccessToken, nil
}

// freshToken marks the context of calls that need subscriptionMargin.
type freshToken struct{}

func (s *tokenSource) valid(token Token, margin time.Duration) bool {
	return token.AccessToken != "" && token.Expires.Sub(s.config.Now()) > margin
}

func (s *tokenSource) remember(lane string, token Token) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.known) >= tokensKept {
		clear(s.known)
	}
	s.known[lane] = token
}

// alone waits until nobody else renews this lane's token. The lock is a channel
// since it is held across calls.
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
			return nil, &reconciler.RetryError{Cause: "signin_busy", Err: ctx.Err()}
		}
	}
}

func (s *tokenSource) renew(ctx context.Context, stored Token) (Token, error) {
	if stored.RefreshToken == "" {
		return Token{}, fmt.Errorf("%w: there is no refresh token", reconciler.ErrReconnect)
	}
	began := s.config.Now()
	answered, err := s.oauth.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, s.client), &oauth2.Token{RefreshToken: stored.RefreshToken}).Token()
	err = signInError(ctx, err, s.config.Now())
	s.config.Observe("POST token", s.config.Now().Sub(began), err)
	if err != nil {
		return Token{}, fmt.Errorf("renewing a token: %w", err)
	}
	return tokenOf(answered, stored.Scopes), nil
}

// signInError sorts what the sign-in service answered by the words of RFC 6749;
// Microsoft's numbers and texts may change.
func signInError(ctx context.Context, err error, now time.Time) error {
	if err == nil {
		return nil
	}
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return unreachable(ctx, err)
	}
	// The description may name people; the code is enough.
	told := fmt.Errorf("Microsoft's sign-in answered %q", answered.ErrorCode) //nolint:staticcheck // a name comes first
	switch answered.ErrorCode {
	case "invalid_grant", "interaction_required", "consent_required", "login_required":
		return fmt.Errorf("%w: %w", reconciler.ErrReconnect, told)
	case "invalid_client", "unauthorized_client":
		return &reconciler.RetryError{Cause: "application", Err: fmt.Errorf("%w: %w", ErrApplication, told)}
	case "invalid_request", "invalid_scope", "access_denied", "unsupported_grant_type":
		return told
	}
	after := time.Duration(0)
	if answered.Response != nil {
		after = retryAfter(answered.Response.Header.Get("Retry-After"), now)
	}
	return &reconciler.RetryError{After: after, Cause: "signin_unavailable", Err: told}
}
