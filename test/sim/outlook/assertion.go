package outlook

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLife is the most that an assertion may live (1.16).
	assertionLife = 10 * time.Minute
)

// signInRefusal is an error of the token endpoint.
type signInRefusal struct {
	status, number int
	word, text     string
}

// credentials checks who the application is: by its secret in the form or in a
// Basic header (1.6), or by an assertion signed with its certificate (1.16).
func (s *Server) credentials(r *http.Request, tenant string) (Application, *signInRefusal) {
	form := r.PostForm
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, basic := r.BasicAuth(); basic {
		plainUser, userErr := url.QueryUnescape(user)
		plainPassword, passwordErr := url.QueryUnescape(password)
		if userErr == nil && passwordErr == nil {
			id, secret = plainUser, plainPassword
		}
	}
	application, known := s.application(id)
	assertion := form.Get("client_assertion")
	switch {
	case id == "":
		return application, &signInRefusal{http.StatusBadRequest, 900144, "invalid_request", "The request body must contain the following parameter: 'client_id'."}
	case !known:
		return application, &signInRefusal{http.StatusBadRequest, 700016, "unauthorized_client", "Application with identifier '" + id + "' was not found in the directory."}
	case assertion != "":
		if err := s.assertion(assertion, form.Get("client_assertion_type"), application, tenant); err != nil {
			return application, &signInRefusal{http.StatusUnauthorized, 700027, "invalid_client", "Client assertion failed signature validation: " + err.Error()}
		}
	case secret == "":
		return application, &signInRefusal{http.StatusUnauthorized, 7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(application.Secret)) == 0:
		return application, &signInRefusal{http.StatusUnauthorized, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + id + "'."}
	}
	return application, nil
}

// assertion checks a certificate credential in every part that 1.16 names, and
// that it was not shown before.
func (s *Server) assertion(text, kind string, application Application, tenant string) error {
	if kind != assertionType {
		return fmt.Errorf("the assertion type %q is unknown", kind)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return fmt.Errorf("the assertion has %d parts", len(parts))
	}
	var header struct {
		Algorithm  string `json:"alg"`
		Type       string `json:"typ"`
		Thumbprint string `json:"x5t#S256"`
	}
	var claims struct {
		Audience  string `json:"aud"`
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		ID        string `json:"jti"`
		NotBefore int64  `json:"nbf"`
		IssuedAt  int64  `json:"iat"`
		Expires   int64  `json:"exp"`
	}
	for index, into := range []any{&header, &claims} {
		plain, err := base64.RawURLEncoding.DecodeString(parts[index])
		if err != nil {
			return fmt.Errorf("part %d of the assertion is not base64url", index+1)
		}
		if err := json.Unmarshal(plain, into); err != nil {
			return fmt.Errorf("part %d of the assertion is not what was expected", index+1)
		}
	}
	now := s.now()
	begins, ends := time.Unix(claims.NotBefore, 0), time.Unix(claims.Expires, 0)
	audience := s.config.BaseURL + "/" + tenant + "/oauth2/v2.0/token"
	switch {
	case header.Algorithm != "PS256" || header.Type != "JWT":
		return fmt.Errorf("the header has alg %q and typ %q", header.Algorithm, header.Type)
	case claims.Audience != audience:
		return fmt.Errorf("the audience is %q, not %q", claims.Audience, audience)
	case claims.Issuer != application.ID || claims.Subject != application.ID:
		return fmt.Errorf("issuer %q and subject %q must be the application", claims.Issuer, claims.Subject)
	case now.Before(begins) || !now.Before(ends) || ends.Sub(begins) > assertionLife || claims.IssuedAt == 0:
		return fmt.Errorf("the assertion is not within its valid time range")
	case claims.ID == "":
		return fmt.Errorf("the assertion has no jti")
	}
	certificate := application.certificate(header.Thumbprint)
	if certificate == nil {
		return fmt.Errorf("the certificate of x5t#S256 %q is not registered", header.Thumbprint)
	}
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return fmt.Errorf("the certificate is not valid at this time")
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if !ok || err != nil {
		return fmt.Errorf("the signature cannot be read")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
		return fmt.Errorf("the signature is not valid")
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, shown := s.assertions[claims.ID]; shown {
		return fmt.Errorf("the assertion was used before")
	}
	for id, until := range s.assertions {
		if !now.Before(until) {
			delete(s.assertions, id)
		}
	}
	s.assertions[claims.ID] = ends
	return nil
}

func (a Application) certificate(thumbprint string) *x509.Certificate {
	for _, certificate := range a.Certificates {
		sum := sha256.Sum256(certificate.Raw)
		if base64.RawURLEncoding.EncodeToString(sum[:]) == thumbprint {
			return certificate
		}
	}
	return nil
}

// ApplicationCertificate makes what an application signs its assertions with:
// the certificate to register, and a PEM file with key and certificate for the
// application itself. It is good until the given time.
func ApplicationCertificate(name string, from, until time.Time) (*x509.Certificate, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the certificate: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("rendering the key: %w", err)
	}
	file := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})
	return certificate, append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...), nil
}
