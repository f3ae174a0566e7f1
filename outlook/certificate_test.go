package outlook_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// credential is a certificate that is good for the years around the bubble's, and
// the file that holds it.
func credential(t *testing.T) (*x509.Certificate, []byte) {
	t.Helper()
	from := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	certificate, file, err := sim.ApplicationCertificate("gateway", from, from.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return certificate, file
}

// TestACertificateInsteadOfASecret is 1.16; the simulated sign-in checks every
// part of the assertion.
func TestACertificateInsteadOfASecret(t *testing.T) {
	registered, file := credential(t)
	_, stranger := credential(t)
	for name, c := range map[string]struct {
		file []byte
		good bool
	}{"registered": {file, true}, "700027 another one": {stranger, false}} {
		t.Run(name, func(t *testing.T) {
			certificate, err := outlook.ParseCertificate(c.file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) {
					application := sim.DefaultApplication
					application.Certificates = []*x509.Certificate{registered}
					config.Applications = []sim.Application{application}
				})
				secret := ""
				client := w.replica(func(config *outlook.Config) {
					config.Certificate, config.ClientSecret, config.RedirectURL = certificate, "an old secret", "https://gateway.sim/authentication"
					next := config.HTTP
					config.HTTP = roundTripper(func(request *http.Request) (*http.Response, error) {
						if strings.Contains(request.URL.Path, "/oauth2/") {
							body, err := request.GetBody()
							if err != nil {
								return nil, err
							}
							form := make([]byte, request.ContentLength)
							_, _ = body.Read(form) // a reader of bytes gives all of them
							secret += string(form)
						}
						return next.RoundTrip(request)
					})
				})
				// Twice, since no assertion may be shown twice.
				for range 2 {
					time.Sleep(3 * time.Hour)
					if err := look(t.Context(), client, alice); c.good && err != nil || !c.good && !errors.Is(err, outlook.ErrApplication) {
						t.Errorf("1.16 renewing: got %v", err)
					}
				}
				if err := client.Application(); (err == nil) != c.good || !c.good && !strings.Contains(err.Error(), "AADSTS700027") {
					t.Errorf("the alarm: got %v", err)
				}
				if token := w.tokens.kept[alice.ID]; token.Refused != "" {
					t.Errorf("refused as %q, want nobody's connection lost", token.Refused)
				}
				code := signIn(t, w, client.AuthCodeURL("state", strings.Repeat("v", 43), alice.Address))
				if consent, err := client.Exchange(t.Context(), code, strings.Repeat("v", 43)); c.good && (err != nil || consent.Token.RefreshToken == "") || !c.good && !errors.Is(err, outlook.ErrApplication) {
					t.Errorf("1.16 redeeming: got %v", err)
				}
				if strings.Contains(secret, "client_secret") {
					t.Error("a secret was sent beside the assertion")
				}
			})
		})
	}
}

// signIn opens the page of a sign-in and returns the code that it redirects with.
func signIn(t *testing.T, w *world, address string) string {
	t.Helper()
	browser := &http.Client{Transport: w.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	target, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || target.Query().Get("code") == "" {
		t.Fatalf("the sign-in answered %d and leads to %q, %v; want a code", answer.StatusCode, target, err)
	}
	return target.Query().Get("code")
}

func TestCertificatesThatCannotServe(t *testing.T) {
	certificate, file := credential(t)
	if parsed, err := outlook.ParseCertificate(file); err != nil || !parsed.Expires.Equal(certificate.NotAfter) {
		t.Errorf("a good one: got %+v, %v, want the end of its life", parsed, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: certificate.SerialNumber, NotBefore: certificate.NotBefore, NotAfter: certificate.NotAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	elliptical := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	_, other := credential(t)
	keyPart, _ := pem.Decode(file)
	for name, wrong := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("hush"), "a key alone": pem.EncodeToMemory(keyPart), "a certificate alone": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		"not of one kind": append(pem.EncodeToMemory(keyPart), other[strings.Index(string(other), "-----BEGIN CERTIFICATE"):]...), "an elliptic key": elliptical,
	} {
		if _, err := outlook.ParseCertificate(wrong); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want an error that shows nothing of it", name, err)
		}
	}
}

// TestTenantsAndClouds is 1.1: all of them by settings alone.
func TestTenantsAndClouds(t *testing.T) {
	const tenantID = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
	for _, c := range []struct{ tenant, login, graph string }{
		{"", "", ""}, // the defaults: common, and Microsoft's own addresses
		{"common", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"},
		{"organizations", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"},
		{"consumers", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"},
		{tenantID, "https://login.microsoftonline.com/", "https://graph.microsoft.com/v1.0/"},
		{tenantID, "https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"},
		{"organizations", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0"},
		{tenantID, "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"},
	} {
		t.Run(c.tenant+" "+c.login, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wantTenant, wantLogin, wantGraph := c.tenant, strings.TrimRight(c.login, "/"), strings.TrimRight(c.graph, "/")
				if c.tenant == "" {
					wantTenant, wantLogin, wantGraph = "common", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"
				}
				w := newWorld(t, func(config *sim.Config) {
					config.TenantID, config.BaseURL, config.Switches.QualifiedScopes = tenantID, strings.TrimSuffix(wantGraph, "/v1.0"), true
				})
				visited, inMemory := map[string]bool{}, w.transport
				// Whatever the address, the simulation answers.
				toSimulation := roundTripper(func(request *http.Request) (*http.Response, error) {
					visited[request.URL.Scheme+"://"+request.URL.Host] = true
					sent := request.Clone(request.Context())
					sent.URL.Scheme, sent.URL.Host = "http", "outlook.sim"
					return inMemory.RoundTrip(sent)
				})
				client := w.replica(func(config *outlook.Config) {
					config.Tenant, config.LoginURL, config.GraphURL, config.HTTP = c.tenant, c.login, c.graph, toSimulation
					config.RedirectURL = "https://gateway.sim/authentication"
				})
				page := client.AuthCodeURL("state", strings.Repeat("v", 43), alice.Address)
				if want := wantLogin + "/" + wantTenant + "/oauth2/v2.0/authorize?"; !strings.HasPrefix(page, want) {
					t.Fatalf("1.1: the page is %s, want %s…", page, want)
				}
				w.transport = toSimulation
				consent, err := client.Exchange(t.Context(), signIn(t, w, page), strings.Repeat("v", 43))
				if err != nil {
					t.Fatalf("redeeming: got %v, want tokens", err)
				}
				w.tokens.set(alice.ID, consent.Token)
				time.Sleep(3 * time.Hour)
				if profile, err := client.Me(t.Context(), alice); err != nil || profile.Mail != alice.Address {
					t.Errorf("got %+v, %v, want alice's mailbox", profile, err)
				}
				for range 120 { // more than a page
					if _, err := w.sim.Mailbox(alice.Address).Create(t.Context(), map[string]any{
						"subject": "One of many", "start": map[string]any{"dateTime": "2027-01-12T09:00:00", "timeZone": "UTC"},
						"end": map[string]any{"dateTime": "2027-01-12T10:00:00", "timeZone": "UTC"},
					}); err != nil {
						t.Fatal(err)
					}
				}
				if listed, err := client.List(t.Context(), alice, reconciler.Window{Start: day(0, 0), End: day(23, 0)}); err != nil || len(listed) != 120 {
					t.Errorf("listed %d, %v, want 120, over more than a page", len(listed), err)
				}
				for _, call := range w.sim.SignIns() {
					if call.Tenant != wantTenant {
						t.Errorf("1.4: asked at tenant %q, want %q", call.Tenant, wantTenant)
					}
				}
				graphHost := strings.TrimSuffix(wantGraph, "/v1.0")
				if len(visited) != 2 || !visited[wantLogin] || !visited[graphHost] {
					t.Errorf("visited %v, want %s and %s and nothing else", visited, wantLogin, graphHost)
				}
			})
		})
	}
}
