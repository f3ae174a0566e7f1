package outlook_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what 5.4 names
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// reader is an application that can read the content of notifications.
type reader struct {
	*testing.T
	key         *rsa.PrivateKey
	certificate string
}

func newReader(t *testing.T, bits int) *reader {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(50, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{T: t, key: key, certificate: base64.StdEncoding.EncodeToString(der)}
}

// read decrypts as 5.4 says.
func (r *reader) read(notification map[string]any) map[string]any {
	r.Helper()
	sealed, _ := notification["encryptedContent"].(map[string]any)
	part := func(name string) []byte {
		text, _ := sealed[name].(string)
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(content) == 0 {
			r.Fatalf("5.3: %s of %v", name, sealed)
		}
		return content
	}
	key, err := rsa.DecryptOAEP(sha1.New(), nil, r.key, part("dataKey"), nil) //nolint:gosec // as above
	if err != nil || len(key) != 32 {
		r.Fatalf("5.4: a key of %d bytes, %v", len(key), err)
	}
	data := part("data")
	sum := hmac.New(sha256.New, key)
	sum.Write(data)
	if !hmac.Equal(sum.Sum(nil), part("dataSignature")) {
		r.Fatal("5.4: the signature is wrong")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		r.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(data, data)
	var shown map[string]any
	if err := json.Unmarshal(data[:len(data)-int(data[len(data)-1])], &shown); err != nil {
		r.Fatal(err)
	}
	return shown
}

func (r *reader) subscribing(life time.Duration, changes map[string]any) map[string]any {
	wanted := subscribing(life)
	maps.Copy(wanted, map[string]any{
		"resource": "/me/events?$select=subject,start,attendees,bodyPreview,changeKey,type", "includeResourceData": true,
		"encryptionCertificate": r.certificate, "encryptionCertificateId": "first",
	})
	maps.Copy(wanted, changes)
	return wanted
}

func TestContentOfNotifications(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		first := newReader(t, 2048)
		subscription := w.want(w.call(alice, "POST", "/subscriptions", first.subscribing(23*time.Hour, nil)), 201, "")
		content := meeting("x")
		content["body"] = map[string]any{"contentType": "html", "content": "<p>The plan</p>"}
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		settle()
		received := l.take()
		if len(received) != 1 {
			t.Fatalf("got %d notifications, want 1", len(received))
		}
		shown := first.read(received[0])
		if shown["id"] != made.text("id") || shown["@odata.etag"] != made.text("@odata.etag") || shown["subject"] != "x" || shown["bodyPreview"] != "The plan" || shown["changeKey"] != made.text("changeKey") {
			t.Errorf("5.3: got %v, want what was selected of %v", shown, made)
		}
		if got := slices.Sorted(maps.Keys(shown)); slices.Contains(got, "body") || slices.Contains(got, "location") {
			t.Errorf("5.2: got %v, want nothing but what was selected", got)
		}
		tokens := l.validationTokens()
		if len(tokens) != 1 {
			t.Fatalf("5.5: %d validation tokens, want 1", len(tokens))
		}
		transport := w.network.Transport()
		defer transport.CloseIdleConnections()
		keys := oidc.NewRemoteKeySet(oidc.ClientContext(t.Context(), &http.Client{Transport: transport}), "http://outlook.sim/common/discovery/v2.0/keys")
		verifier := oidc.NewVerifier("", keys, &oidc.Config{ClientID: outlook.DefaultApplication.ID, SkipIssuerCheck: true, Now: time.Now})
		token, err := verifier.Verify(t.Context(), tokens[0])
		if err != nil {
			t.Fatalf("5.5: %v", err)
		}
		claims := map[string]any{}
		if err := token.Claims(&claims); err != nil || claims["azp"] != "0bf30f3b-4a52-48df-9a82-234910c4a086" || !strings.HasSuffix(token.Issuer, "/"+claims["tid"].(string)+"/v2.0") {
			t.Errorf("5.5: claims %v, %v", claims, err)
		}

		second := newReader(t, 2048)
		w.want(w.call(alice, "PATCH", "/subscriptions/"+subscription.text("id"), map[string]any{
			"expirationDateTime": time.Now().Add(23 * time.Hour).UTC().Format(time.RFC3339), "encryptionCertificate": second.certificate, "encryptionCertificateId": "second",
		}), 200, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"subject": "y"}), 200, "")
		settle()
		if received = l.take(); len(received) != 1 || second.read(received[0])["subject"] != "y" || received[0]["encryptedContent"].(map[string]any)["encryptionCertificateId"] != "second" {
			t.Errorf("5.6: got %v, want it encrypted for the second certificate", received)
		}
		w.want(w.call(alice, "DELETE", "/me/events/"+made.text("id"), nil), 204, "")
		settle()
		if received = l.take(); len(received) != 1 || received[0]["encryptedContent"] != nil {
			t.Errorf("a deletion: got %v, want no content", received)
		}
	})
}

func TestRefusedSubscriptionsWithContent(t *testing.T) {
	long, short := newReader(t, 2048), newReader(t, 1024)
	for name, changes := range map[string]map[string]any{
		"2.2 too long":     {"expirationDateTime": time.Date(2000, 1, 2, 0, 1, 0, 0, time.UTC).Format(time.RFC3339)},
		"5.2 no $select":   {"resource": "/me/events"},
		"5.2 body":         {"resource": "/me/events?$select=subject,body"},
		"5.2 $top":         {"resource": "/me/events?$select=subject&$top=1"},
		"5.1 short key":    {"encryptionCertificate": short.certificate},
		"5.1 no key":       {"encryptionCertificate": nil},
		"5.1 no key's id":  {"encryptionCertificateId": ""},
		"5.1 a long id":    {"encryptionCertificateId": strings.Repeat("x", 129)},
		"5.1 no X.509":     {"encryptionCertificate": "AAAA"},
		"another property": {"resource": "/me/events?$select=nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			withListener(t, nil, func(_ *testing.T, w *world, _ *listener) {
				code := "ExtensionError"
				if strings.HasPrefix(name, "5.1") {
					code = "InvalidRequest"
				}
				w.want(w.call(alice, "POST", "/subscriptions", long.subscribing(time.Hour, changes)), 400, code)
			})
		})
	}
}
