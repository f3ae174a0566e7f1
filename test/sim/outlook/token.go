package outlook

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	codeLifetime    = 10 * time.Minute    // 1.4
	refreshLifetime = 90 * 24 * time.Hour // 1.8
)

// grant is what a person has allowed an application.
type grant struct {
	box         *mailbox
	application string
	scopes      []string
	expires     time.Time // of the token that leads to it
	revoked     bool
}

func (g *grant) actor() string { return "app:" + g.application }

// allows tells whether the scopes suffice; a write scope covers reading.
func (g *grant) allows(scope string) bool {
	for _, granted := range g.scopes {
		if strings.EqualFold(granted, scope) || scope == scopeRead && strings.EqualFold(granted, scopeWrite) {
			return true
		}
	}
	return false
}

// authenticate finds the person behind a request; the errors are those of 1.22.
func (s *Server) authenticate(q *request) error {
	scheme, token, _ := strings.Cut(q.header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return errorUnauthenticated("Access token is empty.")
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := s.access[strings.TrimSpace(token)]
	switch {
	case found == nil:
		return errorUnauthenticated("CompactToken parsing failed with error code: 80049217")
	case !s.now().Before(found.expires):
		return errorUnauthenticated("Lifetime validation failed, the token is expired.")
	}
	q.grant, q.box = found, found.box
	if user, given := q.params["user"]; given && !strings.EqualFold(user, found.box.objectID) && !strings.EqualFold(user, found.box.person.Address) {
		return errorAccessDenied() // one's own mailbox only
	}
	return nil
}

// issue hands out tokens for a grant; the caller holds the mutex.
func (s *Server) issue(box *mailbox, application string, scopes []string) (access, refresh string, expires time.Time) {
	s.forgetTokens()
	span := s.config.Switches.TokenLifetime
	if span == (Span{}) {
		span = Span{60 * time.Minute, 90 * time.Minute} // 1.10
	}
	lifetime := s.pick(span).Truncate(time.Second)
	if s.config.Switches.LongLivedTokens {
		lifetime = 365 * 24 * time.Hour
	}
	now := s.now()
	expires = now.Add(lifetime)
	access = s.secret("EwB4A", 48)
	s.access[access] = &grant{box: box, application: application, scopes: scopes, expires: expires}
	if slices.Contains(scopes, "offline_access") {
		refresh = s.secret("M.R3_", 48)
		s.refresh[refresh] = &grant{box: box, application: application, scopes: scopes, expires: now.Add(refreshLifetime)}
	}
	return access, refresh, expires
}

// forgetTokens drops what is long expired whenever the tables have grown.
func (s *Server) forgetTokens() {
	if len(s.access)+len(s.refresh)+len(s.codes) < s.tokenMark {
		return
	}
	now := s.now()
	for token, held := range s.access {
		if now.Sub(held.expires) > time.Hour {
			delete(s.access, token)
		}
	}
	for token, held := range s.refresh {
		if now.After(held.expires) {
			delete(s.refresh, token)
		}
	}
	for code, held := range s.codes {
		if now.Sub(held.issued) > time.Hour {
			delete(s.codes, code)
		}
	}
	s.tokenMark = 2*(len(s.access)+len(s.refresh)+len(s.codes)) + 256
}

// Token grants an application access to a mailbox as if its owner had signed in
// and consented. The refresh token is empty unless scopes hold offline_access.
// For an address or an application that does not exist here, all results are
// zero.
func (s *Server) Token(_ context.Context, address, clientID string, scopes []string) (access, refresh string, expires time.Time) {
	s.mutex.Lock()
	defer s.unlock()
	box := s.find(address)
	if _, known := s.applications[clientID]; box == nil || !known {
		return "", "", time.Time{}
	}
	short := []string{}
	for _, scope := range scopes {
		short = append(short, scope[strings.LastIndex(scope, "/")+1:])
	}
	return s.issue(box, clientID, short)
}

// Revoke ends every grant of a person, as "sign out everywhere" does: refresh
// tokens answer invalid_grant from now on and access tokens 401 (1.9, 1.12). It
// tells whether the mailbox exists.
func (s *Server) Revoke(address string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	box := s.find(address)
	if box == nil {
		return false
	}
	for token, held := range s.access {
		if held.box == box {
			delete(s.access, token)
		}
	}
	for _, held := range s.refresh {
		if held.box == box {
			held.revoked = true
		}
	}
	return true
}

// signingKey signs id tokens. It is made once for each process: only what is
// signed depends on the seed. Microsoft's keys have 2,048 bits; with half of that,
// which proves as much to who reads the tokens here, simulated weeks sign them in a
// tenth of the time.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

const signingKeyID = "simulated-signing-key"

// identityToken is a signed id_token (1.6).
func (s *Server) identityToken(box *mailbox, application, nonce string, scopes []string) (string, error) {
	now := s.now()
	claims := map[string]any{
		"ver": "2.0", "iss": s.config.BaseURL + "/" + s.config.TenantID + "/v2.0", "sub": strings.TrimRight(urlText(s.hash("subject "+application+box.objectID)), "="),
		"aud": application, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"oid": box.objectID, "tid": s.config.TenantID,
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if slices.Contains(scopes, "profile") {
		claims["name"], claims["preferred_username"] = box.person.Name, box.person.Address
	}
	if slices.Contains(scopes, "email") {
		claims["email"] = box.person.Address
	}
	return signToken(claims)
}

// signToken makes a JWT that publicKeys prove.
func signToken(claims map[string]any) (string, error) {
	key, err := signingKey()
	if err != nil {
		return "", fmt.Errorf("making a signing key: %w", err)
	}
	header, err := json.Marshal(map[string]any{"alg": "RS256", "typ": "JWT", "kid": signingKeyID})
	if err != nil {
		return "", fmt.Errorf("rendering the token header: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("rendering the claims: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode(header) + "." + encode(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed + "." + encode(signature), nil
}

// publicKeys is the key set of the discovery endpoint (1.2).
func publicKeys() (map[string]any, error) {
	key, err := signingKey()
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	return map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "kid": signingKeyID, "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}}, nil
}
