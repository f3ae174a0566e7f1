package outlook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	redirect = "https://gateway.example/signin"
	tenant   = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
)

// browser makes requests without following redirects.
func (w *world) browser() *http.Client {
	return &http.Client{Transport: w.network.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// clientContext makes the OAuth libraries use the network in memory.
func (w *world) clientContext() context.Context {
	return oidc.ClientContext(context.Background(), w.browser())
}

func application(tenant string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: outlook.DefaultApplication.ID, ClientSecret: outlook.DefaultApplication.Secret, RedirectURL: redirect, Scopes: everyScope,
		Endpoint: oauth2.Endpoint{AuthURL: "http://outlook.sim/" + tenant + "/oauth2/v2.0/authorize", TokenURL: "http://outlook.sim/" + tenant + "/oauth2/v2.0/token", AuthStyle: oauth2.AuthStyleInParams},
	}
}

// visit opens an address and returns where it redirects to, and the page.
func (w *world) visit(address string) (*url.URL, string, int) {
	w.t.Helper()
	given, err := w.browser().Get(address)
	if err != nil {
		w.t.Fatalf("visiting: %v", err)
	}
	defer given.Body.Close()
	page, err := io.ReadAll(given.Body)
	if err != nil {
		w.t.Fatalf("reading the page: %v", err)
	}
	target, err := url.Parse(given.Header.Get("Location"))
	if err != nil {
		w.t.Fatalf("location: %v", err)
	}
	return target, string(page), given.StatusCode
}

// code signs alice in and returns the authorization code.
func (w *world) code(config *oauth2.Config, options ...oauth2.AuthCodeOption) string {
	w.t.Helper()
	options = append(options, oauth2.SetAuthURLParam("login_hint", alice))
	target, page, _ := w.visit(config.AuthCodeURL("the state", options...))
	if !strings.HasPrefix(target.String(), redirect+"?") || target.Query().Get("state") != "the state" || target.Query().Get("code") == "" {
		w.t.Fatalf("1.3: redirected to %q, page %q", target, page)
	}
	return target.Query().Get("code")
}

// refusedToken checks the error of the token endpoint.
func refusedToken(t *testing.T, name string, err error, status int, code string, number string) {
	t.Helper()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		t.Errorf("%s: got %v, want a refusal", name, err)
		return
	}
	if refused.Response.StatusCode != status || refused.ErrorCode != code || !strings.HasPrefix(refused.ErrorDescription, "AADSTS"+number+":") {
		t.Errorf("%s: got %d %q %q, want %d %q AADSTS%s", name, refused.Response.StatusCode, refused.ErrorCode, refused.ErrorDescription, status, code, number)
	}
}

func withTenant(c *outlook.Config) { c.TenantID = tenant }

func TestSignIn(t *testing.T) {
	for _, segment := range []string{"common", "organizations", tenant, "nightpos.example"} {
		t.Run("1.1 "+segment, func(t *testing.T) {
			inBubble(t, withTenant, func(t *testing.T, w *world) {
				ctx, config, verifier := w.clientContext(), application(segment), oauth2.GenerateVerifier()
				token, err := config.Exchange(ctx, w.code(config, oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-1")), oauth2.VerifierOption(verifier))
				if err != nil {
					t.Fatalf("Exchange: %v", err)
				}
				if lifetime := time.Until(token.Expiry); lifetime < time.Hour || lifetime > 90*time.Minute {
					t.Errorf("1.10: lifetime %v", lifetime)
				}
				if got := token.Extra("scope"); got != "openid User.Read Calendars.ReadWrite" {
					t.Errorf("1.6: scope %q", got)
				}
				provider, err := oidc.NewProvider(ctx, "http://outlook.sim/"+tenant+"/v2.0")
				if err != nil {
					t.Fatalf("1.2: discovery: %v", err)
				}
				identity, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, token.Extra("id_token").(string))
				if err != nil {
					t.Fatalf("id_token: %v", err)
				}
				var claims struct{ OID, TID string }
				if err := identity.Claims(&claims); err != nil || identity.Nonce != "n-1" || claims.TID != tenant || claims.OID != w.server.Mailbox(alice).Person().ObjectID {
					t.Errorf("claims %+v, nonce %q, %v", claims, identity.Nonce, err)
				}
				me, err := w.try(token.AccessToken, "GET", "/me", nil)
				if err != nil || me.text("id") != claims.OID {
					t.Errorf("1.21: /me is %v, %v", me.body, err)
				}
				for range 2 { // 1.8: the old refresh token stays valid
					renewed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
					if err != nil || renewed.RefreshToken == token.RefreshToken || renewed.AccessToken == token.AccessToken {
						t.Errorf("1.7: refreshed to %v, %v", renewed, err)
					}
				}
				if !w.server.Revoke(alice) {
					t.Fatal("Revoke knows no alice")
				}
				_, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
				refusedToken(t, "revoked", err, 400, "invalid_grant", "50173")
				after, err := w.try(token.AccessToken, "GET", "/me", nil)
				if err != nil || after.status != 401 {
					t.Errorf("revoked: /me answers %d, %v", after.status, err)
				}
			})
		})
	}
}

func TestRefusedTokens(t *testing.T) {
	inBubble(t, withTenant, func(t *testing.T, w *world) {
		ctx, config, verifier := w.clientContext(), application("common"), oauth2.GenerateVerifier()
		code := w.code(config, oauth2.S256ChallengeOption(verifier))

		wrong := application("common")
		wrong.ClientSecret = "guess"
		_, err := wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "wrong secret", err, 401, "invalid_client", "7000215")
		wrong.ClientSecret = ""
		_, err = wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "no secret", err, 401, "invalid_client", "7000218")
		wrong = application("common")
		wrong.ClientID = "11111111-0000-0000-0000-000000000000"
		_, err = wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "unknown application", err, 400, "unauthorized_client", "700016")
		_, err = application(tenant).Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "1.4 other tenant path", err, 400, "invalid_grant", "700005")
		_, err = application("elsewhere.example").Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "unknown tenant", err, 400, "invalid_request", "90002")
		_, err = config.Exchange(ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
		refusedToken(t, "1.3 wrong verifier", err, 400, "invalid_grant", "501481")
		wrong = application("common")
		wrong.RedirectURL += "/other"
		_, err = wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "other redirect", err, 400, "invalid_grant", "500112")
		if _, err = config.Exchange(ctx, code, oauth2.VerifierOption(verifier)); err != nil {
			t.Fatalf("Exchange: %v", err)
		}
		_, err = config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		refusedToken(t, "1.4 twice", err, 400, "invalid_grant", "54005")

		basic := application("common")
		basic.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
		token, err := basic.Exchange(ctx, w.code(basic))
		if err != nil {
			t.Fatalf("1.6: HTTP Basic: %v", err)
		}
		code = w.code(config)
		time.Sleep(10*time.Minute + time.Second)
		_, err = config.Exchange(ctx, code)
		refusedToken(t, "1.4 after ten minutes", err, 400, "invalid_grant", "70008")
		_, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: "rubbish"}).Token()
		refusedToken(t, "unknown refresh token", err, 400, "invalid_grant", "70000")
		time.Sleep(91 * 24 * time.Hour)
		_, err = config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		refusedToken(t, "1.8 after 90 days", err, 400, "invalid_grant", "700082")
	})
}

func TestRefreshTokenOnce(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.RefreshTokenOnce, c.Switches.QualifiedScopes = true, true }, func(t *testing.T, w *world) {
		_, refresh, _ := w.server.Token(context.Background(), alice, outlook.DefaultApplication.ID, everyScope)
		config := application("common")
		renewed, err := config.TokenSource(w.clientContext(), &oauth2.Token{RefreshToken: refresh}).Token()
		if err != nil {
			t.Fatalf("refreshing: %v", err)
		}
		if got := renewed.Extra("scope"); got != "openid https://graph.microsoft.com/User.Read https://graph.microsoft.com/Calendars.ReadWrite" {
			t.Errorf("1.19: scope %q", got)
		}
		_, err = config.TokenSource(w.clientContext(), &oauth2.Token{RefreshToken: refresh}).Token()
		refusedToken(t, "1.8 switch", err, 400, "invalid_grant", "50173")
	})
}

func TestAuthorizeErrors(t *testing.T) {
	inBubble(t, func(c *outlook.Config) {
		c.Applications = []outlook.Application{{ID: outlook.DefaultApplication.ID, Secret: "s", RedirectURIs: []string{redirect}}}
		c.People[2].Password = "carol's"
	}, func(t *testing.T, w *world) {
		open := func(change func(url.Values)) (*url.URL, string, int) {
			values := url.Values{
				"client_id": {outlook.DefaultApplication.ID}, "response_type": {"code"}, "redirect_uri": {redirect},
				"scope": {"openid Calendars.ReadWrite"}, "state": {"s"}, "login_hint": {alice},
			}
			change(values)
			return w.visit("http://outlook.sim/common/oauth2/v2.0/authorize?" + values.Encode())
		}
		for name, change := range map[string]func(url.Values){
			"unsupported_response_type": func(v url.Values) { v.Set("response_type", "token") },
			"invalid_scope":             func(v url.Values) { v.Set("scope", "Files.Read") },
			"invalid_request":           func(v url.Values) { v.Del("scope") },
			"login_required":            func(v url.Values) { v.Del("login_hint"); v.Set("prompt", "none") },
		} {
			target, page, _ := open(change)
			if got := target.Query(); got.Get("error") != name || got.Get("state") != "s" || got.Get("error_description") == "" {
				t.Errorf("1.5 %s: redirected to %q, page %q", name, target, page)
			}
		}
		for name, change := range map[string]func(url.Values){
			"AADSTS50011":  func(v url.Values) { v.Set("redirect_uri", redirect+"/") },
			"AADSTS700016": func(v url.Values) { v.Set("client_id", "x") },
		} {
			if target, page, status := open(change); status != 400 || target.String() != "" || !strings.Contains(page, name) {
				t.Errorf("%s: got %d, to %q, page %q", name, status, target, page)
			}
		}
		_, page, status := open(func(v url.Values) { v.Del("login_hint") })
		if status != 200 || !strings.Contains(page, "Bob Best") || !strings.Contains(page, alice) {
			t.Errorf("the page of people: %d %q", status, page)
		}
		if target, page, _ := open(func(v url.Values) { v.Set("login_hint", carol) }); target.String() != "" || !strings.Contains(page, `name="password"`) {
			t.Errorf("carol was let in without her password: %q", target)
		}
		target, _, _ := open(func(v url.Values) { v.Set("response_mode", "fragment") })
		if target.RawQuery != "" || !strings.Contains(target.Fragment, "code=") {
			t.Errorf("1.3 fragment: %q", target)
		}
		if target, page, _ := open(func(v url.Values) { v.Set("response_mode", "form_post") }); target.String() != "" || !strings.Contains(page, `name="code"`) {
			t.Errorf("1.3 form_post: %q %q", target, page)
		}
		address := "http://outlook.sim/common/oauth2/v2.0/authorize?" + url.Values{
			"client_id": {outlook.DefaultApplication.ID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"openid"},
		}.Encode()
		for password, want := range map[string]int{"carol's": 302, "guess": 200} {
			given, err := w.browser().PostForm(address, url.Values{"login_hint": {carol}, "password": {password}})
			if err != nil {
				t.Fatal(err)
			}
			given.Body.Close()
			if given.StatusCode != want {
				t.Errorf("password %q: got %d, want %d", password, given.StatusCode, want)
			}
		}
	})
}

func TestRedirectAddresses(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for address, want := range map[string]int{
			"https://gateway.example/back": 302, "http://localhost:8080/back": 302, "http://127.0.0.1/back": 302, "http://gateway.sim/back": 302,
			"http://gateway.example/back": 400, "javascript:alert(1)": 400, "": 400, "https://gateway.example/" + strings.Repeat("x", 256): 400,
		} {
			config := application("common")
			config.RedirectURL = address
			if _, page, got := w.visit(config.AuthCodeURL("s", oauth2.SetAuthURLParam("login_hint", alice))); got != want {
				t.Errorf("1.14 %q: got %d, want %d, page %q", address, got, want, page)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	person := outlook.Person{Name: "A", Address: alice}
	for name, config := range map[string]outlook.Config{
		"no base URL":    {People: []outlook.Person{person}},
		"trailing slash": {BaseURL: "http://x/", People: []outlook.Person{person}},
		"nobody":         {BaseURL: "http://x"},
		"twice":          {BaseURL: "http://x", People: []outlook.Person{person, {Address: strings.ToUpper(alice)}}},
		"no address":     {BaseURL: "http://x", People: []outlook.Person{{Name: "A"}}},
		"zone":           {BaseURL: "http://x", People: []outlook.Person{{Address: alice, TimeZone: "Moon"}}},
	} {
		if server, err := outlook.New(config); err == nil {
			server.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
