package gateway

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Senders makes and checks the secrets by which the gateway knows who posts to
// its webhooks. Both are derived from the gateway's own keys, so that checking
// one needs no look-up: a flood of forged posts never reaches the store.
type Senders struct {
	states   [][]byte
	tokens   []string
	random   io.Reader
	database string
}

const (
	nonceLength = 12
	// macLength truncates HMAC-SHA256: 128 bits, which keeps a client state well
	// under Graph's 128 characters.
	macLength = 16
	maxLane   = 40
)

// NewSenders derives the secrets from keys of 32 bytes, of which the first
// makes new ones and all are accepted. The database ties the NightPOS token to
// one NightPOS, and random gives the client states' nonces.
func NewSenders(keys [][]byte, database string, random io.Reader) (*Senders, error) {
	if len(keys) == 0 {
		return nil, errors.New("deriving the webhooks' secrets: no key")
	}
	senders := &Senders{random: random, database: database}
	for _, key := range keys {
		state, err := hkdf.Key(sha256.New, key, nil, "graph client state", 32)
		if err != nil {
			return nil, fmt.Errorf("deriving the webhooks' secrets: %w", err)
		}
		token, err := hkdf.Key(sha256.New, key, nil, "nightpos webhook token "+database, 24)
		if err != nil {
			return nil, fmt.Errorf("deriving the webhooks' secrets: %w", err)
		}
		senders.states = append(senders.states, state)
		senders.tokens = append(senders.tokens, base64.RawURLEncoding.EncodeToString(token))
	}
	return senders, nil
}

// ClientState makes the secret for one subscription of a lane.
func (s *Senders) ClientState(lane string) (string, error) {
	if lane == "" || len(lane) > maxLane || strings.Contains(lane, ".") {
		return "", fmt.Errorf("lane %q does not fit into a client state", lane)
	}
	var nonce [nonceLength]byte
	if _, err := io.ReadFull(s.random, nonce[:]); err != nil {
		return "", fmt.Errorf("making a client state: %w", err)
	}
	body := append([]byte(lane+"."), nonce[:]...)
	return base64.RawURLEncoding.EncodeToString(append(body, mac(s.states[0], body)...)), nil
}

// Keys name the keys whose client states are accepted; the first makes new ones.
// A name tells nothing about its key.
func (s *Senders) Keys() []string {
	names := make([]string, 0, len(s.states))
	for _, key := range s.states {
		names = append(names, base64.RawURLEncoding.EncodeToString(mac(key, []byte("name"))[:6]))
	}
	return names
}

// Lane returns the lane of a client state that this gateway made. It looks at
// nothing else, and compares in constant time.
func (s *Senders) Lane(state string) (lane string, ok bool) {
	if len(state) > 128 {
		return "", false
	}
	content, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil || len(content) <= nonceLength+macLength+1 {
		return "", false
	}
	body, sum := content[:len(content)-macLength], content[len(content)-macLength:]
	for _, key := range s.states {
		if hmac.Equal(mac(key, body), sum) {
			ok = true
		}
	}
	if !ok {
		return "", false
	}
	return string(body[:len(body)-nonceLength-1]), true
}

// Token is the secret in the address that NightPOS posts to.
func (s *Senders) Token() string { return s.tokens[0] }

// IsToken checks the secret of a NightPOS post in constant time.
func (s *Senders) IsToken(token string) bool {
	found := false
	for _, known := range s.tokens {
		if hmac.Equal([]byte(known), []byte(token)) {
			found = true
		}
	}
	return found
}

func mac(key, body []byte) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write(body)
	return sum.Sum(nil)[:macLength]
}
