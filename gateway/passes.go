package gateway

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// passes makes and checks the random words that travel through browsers: states
// of sign-ins, connect links and sessions of the console. They are signed, so that a forged one costs no
// look-up, and what they stand for is kept in a ticket.
type passes struct {
	keys   map[string][][]byte
	random io.Reader
}

// The kinds of pass; one is not good for the other.
const (
	passState   = "sign-in state"
	passLink    = "connect link"
	passSession = "console session"
	passForm    = "console form"
	passPage    = "sign-in page"
)

const passLength = 24

func newPasses(keys [][]byte, random io.Reader) (*passes, error) {
	if len(keys) == 0 {
		return nil, errors.New("signing links needs a key")
	}
	made := &passes{keys: map[string][][]byte{}, random: random}
	for _, kind := range []string{passState, passLink, passSession, passForm, passPage} {
		for _, key := range keys {
			derived, err := hkdf.Key(sha256.New, key, nil, kind, 32)
			if err != nil {
				return nil, fmt.Errorf("deriving the key of a %s: %w", kind, err)
			}
			made.keys[kind] = append(made.keys[kind], derived)
		}
	}
	return made, nil
}

// word returns unguessable text.
func (p *passes) word() (string, error) {
	bytes := make([]byte, passLength)
	if _, err := io.ReadFull(p.random, bytes); err != nil {
		return "", fmt.Errorf("making a random word: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes), nil
}

// make returns a new pass.
func (p *passes) make(kind string) (string, error) {
	word, err := p.word()
	if err != nil {
		return "", err
	}
	return word + "." + base64.RawURLEncoding.EncodeToString(mac(p.keys[kind][0], []byte(word))), nil
}

// genuine says whether a pass was made here. It looks at nothing else, and
// compares in constant time.
func (p *passes) genuine(kind, pass string) bool {
	if len(pass) > 128 {
		return false
	}
	word, signature, _ := strings.Cut(pass, ".")
	sum, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	good := false
	for _, key := range p.keys[kind] {
		if hmac.Equal(mac(key, []byte(word)), sum) {
			good = true
		}
	}
	return good
}

// seal writes down what a page is about, signed, so that the page may bring it back.
func (p *passes) seal(of outcome) (string, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return "", fmt.Errorf("sealing a page: %w", err)
	}
	encoded := base64.RawURLEncoding.EncodeToString(text)
	return encoded + "." + base64.RawURLEncoding.EncodeToString(mac(p.keys[passPage][0], []byte(encoded))), nil
}

// unseal reads what seal wrote; false for anything else.
func (p *passes) unseal(sealed string) (of outcome, genuine bool) {
	encoded, signature, _ := strings.Cut(sealed, ".")
	sum, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return outcome{}, false
	}
	for _, key := range p.keys[passPage] {
		if hmac.Equal(mac(key, []byte(encoded)), sum) {
			genuine = true
		}
	}
	if !genuine {
		return outcome{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(text, &of) != nil {
		return outcome{}, false
	}
	return of, true
}
