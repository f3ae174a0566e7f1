package outlook_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestClientAssertion shows the server assertions that are right and wrong in
// every part that 1.16 names.
func TestClientAssertion(t *testing.T) {
	began := time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC) // before the bubble's
	certificate, file, err := outlook.ApplicationCertificate("gateway", began, began.AddDate(0, 6, 0))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(file, file)
	if err != nil {
		t.Fatalf("the PEM file: got %v, want a pair", err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	registered := func(config *outlook.Config) {
		config.Applications = []outlook.Application{{ID: "app", Secret: "secret", Certificates: []*x509.Certificate{certificate}}}
	}
	inBubble(t, registered, func(t *testing.T, w *world) {
		thumbprint := sha256.Sum256(certificate.Raw)
		type parts struct{ header, claims map[string]any }
		key := pair.PrivateKey.(*rsa.PrivateKey)
		signed := func(key *rsa.PrivateKey, change func(parts)) string {
			p := parts{
				map[string]any{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])},
				map[string]any{
					"aud": "http://outlook.sim/common/oauth2/v2.0/token", "iss": "app", "sub": "app", "jti": fmt.Sprint(time.Now().UnixNano()),
					"nbf": time.Now().Unix(), "iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
				},
			}
			if change != nil {
				change(p)
			}
			var encoded []string
			for _, part := range []map[string]any{p.header, p.claims} {
				plain, err := json.Marshal(part)
				if err != nil {
					t.Fatal(err)
				}
				encoded = append(encoded, base64.RawURLEncoding.EncodeToString(plain))
			}
			text := strings.Join(encoded, ".")
			sum := sha256.Sum256([]byte(text))
			signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			if err != nil {
				t.Fatal(err)
			}
			return text + "." + base64.RawURLEncoding.EncodeToString(signature)
		}
		redeem := func(assertion string) (int, string) {
			_, refresh, _ := w.server.Token(t.Context(), alice, "app", everyScope)
			given, err := w.browser().PostForm("http://outlook.sim/common/oauth2/v2.0/token", url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {"app"}, "client_assertion": {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer given.Body.Close()
			body, err := io.ReadAll(given.Body)
			if err != nil {
				t.Fatal(err)
			}
			return given.StatusCode, string(body)
		}
		right := signed(key, nil)
		if status, body := redeem(right); status != http.StatusOK {
			t.Fatalf("1.16: got %d %s, want tokens", status, body)
		}
		for name, wrong := range map[string]string{
			"used before":       right,
			"another algorithm": signed(key, func(p parts) { p.header["alg"] = "RS256" }),
			"unknown thumb":     signed(key, func(p parts) { p.header["x5t#S256"] = "AAAA" }),
			"another audience":  signed(key, func(p parts) { p.claims["aud"] = "http://outlook.sim/organizations/oauth2/v2.0/token" }),
			"another issuer":    signed(key, func(p parts) { p.claims["iss"] = "other" }),
			"another subject":   signed(key, func(p parts) { p.claims["sub"] = "other" }),
			"no id":             signed(key, func(p parts) { delete(p.claims, "jti") }),
			"too long":          signed(key, func(p parts) { p.claims["exp"] = time.Now().Add(time.Hour).Unix() }),
			"over":              signed(key, func(p parts) { p.claims["exp"] = time.Now().Unix() }),
			"not yet":           signed(key, func(p parts) { p.claims["nbf"] = time.Now().Add(time.Minute).Unix() }),
			"another key":       signed(stranger, nil),
			"nonsense":          "a.b.c",
		} {
			if status, body := redeem(wrong); status != http.StatusUnauthorized || !strings.Contains(body, `"invalid_client"`) || !strings.Contains(body, "700027") {
				t.Errorf("%s: got %d %s, want 401 invalid_client 700027", name, status, body)
			}
		}
		time.Sleep(180 * 24 * time.Hour)
		if status, body := redeem(signed(key, nil)); status != http.StatusUnauthorized {
			t.Errorf("with an expired certificate: got %d %s, want 401", status, body)
		}
	})
}
