package outlook

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// Certificate is what the application shows instead of a secret: it signs an
// assertion for each call with it.
type Certificate struct {
	// Expires is when Entra stops taking it.
	Expires time.Time
	signer  jose.Signer
}

// ParseCertificate reads a PEM file that holds an RSA key and its certificate,
// in any order. Its error never holds any of it.
func ParseCertificate(file []byte) (*Certificate, error) {
	pair, err := tls.X509KeyPair(file, file)
	if err != nil {
		return nil, errors.New("it must be a PEM file with a private key, not encrypted, and its certificate")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, errors.New("its certificate cannot be read")
	}
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("its key must be an RSA key: Entra takes no other for applications")
	}
	thumbprint := sha256.Sum256(leaf.Raw)
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(thumbprint[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("its key cannot sign: %w", err)
	}
	return &Certificate{Expires: leaf.NotAfter.UTC(), signer: signer}, nil
}

// assertionLife is how long an assertion is good for; Microsoft asks for five to
// ten minutes.
const assertionLife = 5 * time.Minute

// assertion is one that was not shown before.
func (c *Certificate) assertion(clientID, audience string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"aud": audience, "iss": clientID, "sub": clientID, "jti": uuid.NewString(),
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("writing an assertion: %w", err)
	}
	signed, err := c.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	return signed.CompactSerialize()
}

// assertionTransport adds an assertion to every call for a token. The oauth2
// library has no place for one when it renews.
type assertionTransport struct {
	next     http.RoundTripper
	signer   *Certificate
	clientID func() string
	audience string
	now      func() time.Time
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// formLimit bounds the form that an assertion is added to.
const formLimit = 1 << 20

// RoundTrip implements http.RoundTripper.
func (t *assertionTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	defer request.Body.Close()
	content, err := io.ReadAll(io.LimitReader(request.Body, formLimit))
	if err != nil {
		return nil, fmt.Errorf("reading the form of a call for a token: %w", err)
	}
	form, err := url.ParseQuery(string(content))
	if err != nil {
		return nil, errors.New("the form of a call for a token cannot be read")
	}
	assertion, err := t.signer.assertion(t.clientID(), t.audience, t.now())
	if err != nil {
		return nil, err
	}
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	content = []byte(form.Encode())
	sent := request.Clone(request.Context())
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return t.next.RoundTrip(sent)
}
