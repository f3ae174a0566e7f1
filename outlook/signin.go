package outlook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// scopes are what the gateway asks people for: who they are, and their calendars
// while they are away.
var scopes = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}

// ErrScopes says that a person consented to less than what is needed.
var ErrScopes = errors.New("the consent does not cover the calendar")

// AuthCodeURL is where a person's browser is sent to consent. State comes back
// with the code; verifier is kept until then and given to Exchange, and belongs
// to this one sign-in (see oauth2.GenerateVerifier). A login hint may be empty.
func (c *Client) AuthCodeURL(state, verifier, loginHint string) string {
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "select_account")}
	if loginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", loginHint))
	}
	return c.tokens.oauth.Load().AuthCodeURL(state, options...)
}

// ScopesError says what a consent lacks. It wraps ErrScopes.
type ScopesError struct {
	// Missing are the scopes that were not granted.
	Missing []string
}

func (e *ScopesError) Error() string { return ErrScopes.Error() + ": " + strings.Join(e.Missing, ", ") }

// Unwrap returns ErrScopes.
func (e *ScopesError) Unwrap() error { return ErrScopes }

// Consent is what a person allowed at sign-in.
type Consent struct {
	Token Token
	// Tenant is the id of the person's directory; empty when Microsoft did not
	// tell.
	Tenant string
}

// Exchange redeems the code that a browser came back with. The error wraps a
// *ScopesError when the consent is too small, reconciler.ErrReconnect when the
// code is worth nothing, or ErrApplication.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (Consent, error) {
	began := c.config.Now()
	answered, err := c.tokens.oauth.Load().Exchange(context.WithValue(ctx, oauth2.HTTPClient, c.tokens.client), code, oauth2.VerifierOption(verifier))
	err = signInError(ctx, err, c.config.Now())
	c.tokens.application.settled("", err)
	c.config.Observe("POST token", c.config.Now().Sub(began), err)
	if err != nil {
		return Consent{}, fmt.Errorf("redeeming a code: %w", err)
	}
	token := tokenOf(answered, nil)
	var missing []string
	for _, scope := range scopes {
		held := granted(token.Scopes, scope)
		switch scope {
		case "openid": // not always listed, and nothing depends on it
			held = true
		case "offline_access": // never listed
			held = token.RefreshToken != ""
		}
		if !held {
			missing = append(missing, scope)
		}
	}
	if len(missing) > 0 {
		return Consent{}, &ScopesError{Missing: missing}
	}
	identity, _ := answered.Extra("id_token").(string)
	return Consent{Token: token, Tenant: c.tenantOf(identity)}, nil
}

// tenantOf reads the tenant out of an id token. It came from Microsoft itself
// over TLS, in answer to a code that only the gateway can redeem, which is as
// good as its signature (OpenID Connect Core 3.1.3.7).
func (c *Client) tenantOf(identity string) string {
	parts := strings.Split(identity, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Audience string `json:"aud"`
		Tenant   string `json:"tid"`
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.Audience != c.tokens.oauth.Load().ClientID {
		return ""
	}
	return strings.ToLower(claims.Tenant)
}

// tokenOf translates an answer. An answer without a refresh token keeps none: a
// token that cannot be renewed is a consent that ends.
func tokenOf(answered *oauth2.Token, before []string) Token {
	token := Token{AccessToken: answered.AccessToken, RefreshToken: answered.RefreshToken, Expires: answered.Expiry.UTC(), Scopes: before}
	if scope, ok := answered.Extra("scope").(string); ok && scope != "" {
		token.Scopes = strings.Fields(scope)
	}
	return token
}

// granted compares scopes by their last part: answers write them in full or
// short.
func granted(scopes []string, wanted string) bool {
	for _, scope := range scopes {
		if strings.EqualFold(scope[strings.LastIndexByte(scope, '/')+1:], wanted) {
			return true
		}
	}
	return false
}

// Profile is whose mailbox a token opens.
type Profile struct {
	// ID is the person's object id, which never changes; addresses do.
	ID                string `json:"id"`
	Mail              string `json:"mail"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
}

// Address is the mailbox's address.
func (p Profile) Address() string {
	if p.Mail != "" {
		return p.Mail
	}
	return p.UserPrincipalName
}

// Me asks whose mailbox a member's token opens.
func (c *Client) Me(ctx context.Context, member reconciler.Member) (Profile, error) {
	var profile Profile
	err := c.do(ctx, member.ID, call{
		name: "GET me", method: http.MethodGet, path: "/me?$select=" + url.QueryEscape("id,mail,userPrincipalName,displayName"),
	}, &profile)
	if err != nil {
		return Profile{}, fmt.Errorf("asking whose mailbox it is: %w", err)
	}
	return profile, nil
}

// Whose asks whose mailbox a token opens that is not kept yet.
func (c *Client) Whose(ctx context.Context, token Token) (Profile, error) {
	return c.Me(context.WithValue(ctx, givenToken{}, token.AccessToken), reconciler.Member{ID: "connecting"})
}

// givenToken marks the context of calls that carry a token of their own.
type givenToken struct{}
