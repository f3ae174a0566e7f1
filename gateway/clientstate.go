package gateway

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
)

// Senders makes and checks the secrets by which the gateway knows who posts to
// its webhooks. Both are derived from the gateway's own keys, so that checking
// one needs no look-up: a flood of forged posts never reaches the store.
type Senders struct {
	states   [][]byte
	keys     [][]byte
	random   io.Reader
	database string
	// tokens are those that NightPOS may post with; the first is the one to use.
	tokens atomic.Pointer[[]string]
}

// Generations is how many tokens each key makes for a NightPOS database, one after
// the other, which is one a week for 19 years; see Use.
const Generations = 1000

const (
	nonceLength = 12
	// macLength truncates HMAC-SHA256: 128 bits, which keeps a client state well
	// under Graph's 128 characters.
	macLength = 16
	maxLane   = 40
)

// NewSenders derives the secrets from keys of 32 bytes, of which the first
// makes new ones and all are accepted. The database ties both to one NightPOS, where
// several share a key, and random gives the client states' nonces.
func NewSenders(keys [][]byte, database string, random io.Reader) (*Senders, error) {
	if len(keys) == 0 {
		return nil, errors.New("deriving the webhooks' secrets: no key")
	}
	senders := &Senders{keys: keys, random: random, database: database}
	for _, key := range keys {
		state, err := hkdf.Key(sha256.New, key, nil, "graph client state "+database, 32)
		if err != nil {
			return nil, fmt.Errorf("deriving the webhooks' secrets: %w", err)
		}
		senders.states = append(senders.states, state)
	}
	return senders, senders.Use(0, false)
}

// Use has NightPOS's token be that of a generation, from 0 on, and accepts the one
// before it as well if former is set. Other replicas have to be told.
func (s *Senders) Use(generation int, former bool) error {
	generations := []int{generation}
	if former && generation > 0 {
		generations = append(generations, generation-1)
	}
	var tokens []string
	for _, one := range generations {
		for _, key := range s.keys {
			token, err := s.token(key, one)
			if err != nil {
				return err
			}
			tokens = append(tokens, token)
		}
	}
	s.tokens.Store(&tokens)
	return nil
}

func (s *Senders) token(key []byte, generation int) (string, error) {
	if generation < 0 || generation >= Generations {
		return "", fmt.Errorf("deriving the webhooks' secrets: there is no generation %d", generation)
	}
	purpose := "nightpos webhook token " + s.database
	if generation > 0 {
		purpose += "\x00" + strconv.Itoa(generation)
	}
	token, err := hkdf.Key(sha256.New, key, nil, purpose, 24)
	if err != nil {
		return "", fmt.Errorf("deriving the webhooks' secrets: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(token), nil
}

// TokenOf is the token of a generation, whichever is in use.
func (s *Senders) TokenOf(generation int) (string, error) { return s.token(s.keys[0], generation) }

// Tokens are those of every generation, for who does not know which is in use.
func (s *Senders) Tokens() ([]string, error) {
	var tokens []string
	for generation := range Generations {
		for _, key := range s.keys {
			token, err := s.token(key, generation)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token)
		}
	}
	return tokens, nil
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
func (s *Senders) Token() string { return (*s.tokens.Load())[0] }

// IsToken checks the secret of a NightPOS post in constant time.
func (s *Senders) IsToken(token string) bool {
	found := false
	for _, known := range *s.tokens.Load() {
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
