package outlook_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what Graph encrypts with
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/nightpos/outlook-gateway/outlook"
)

const (
	tenantID = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
	senderID = "0bf30f3b-4a52-48df-9a82-234910c4a086"
	appID    = "24d3b144-21ae-4080-943f-7067b395b913"
)

// signer is Microsoft's sign-in as far as it signs validation tokens.
type signer struct {
	*testing.T
	key   *rsa.PrivateKey
	asked int
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{T: t, key: key}
}

// RoundTrip answers with the public keys.
func (s *signer) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Path != "/common/discovery/v2.0/keys" {
		return nil, fmt.Errorf("nobody is at %s", request.URL)
	}
	s.asked++
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(set)), Request: request,
	}, nil
}

// token signs claims, those of a right token but for the changes.
func (s *signer) token(id string, changes map[string]any) string {
	s.Helper()
	now := time.Now()
	claims := map[string]any{
		"ver": "2.0", "aud": appID, "azp": senderID, "tid": tenantID, "iss": graph + "/" + tenantID + "/v2.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	content, err := json.Marshal(claims)
	if err != nil {
		s.Fatal(err)
	}
	signing, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: s.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", id))
	if err != nil {
		s.Fatal(err)
	}
	signed, err := signing.Sign(content)
	if err != nil {
		s.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// vault is what is kept of notifications, and the keys.
type vault struct {
	kept map[string][]byte
	keys []*outlook.ContentKey
}

func (v *vault) Contents(_ context.Context, _ string, ids []string) (map[string][]byte, error) {
	found := map[string][]byte{}
	for _, id := range ids {
		if content := v.kept[id]; content != nil {
			found[id] = content
		}
	}
	return found, nil
}

func (v *vault) ContentKey(_ context.Context, id string) (*outlook.ContentKey, error) {
	for _, key := range v.keys {
		if key.ID == id {
			return key, nil
		}
	}
	return nil, nil
}

func newContentKey(t *testing.T) *outlook.ContentKey {
	t.Helper()
	key, err := outlook.NewContentKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// encrypted is what Graph makes of content (5.4): data, data key, signature.
func encrypted(t *testing.T, key *outlook.ContentKey, content string) map[string]any {
	t.Helper()
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var stored struct{ Certificate []byte }
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(stored.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	padding := aes.BlockSize - len(content)%aes.BlockSize
	data := append([]byte(content), bytes.Repeat([]byte{byte(padding)}, padding)...)
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, secret[:16]).CryptBlocks(data, data)
	sum := hmac.New(sha256.New, secret)
	sum.Write(data)
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, certificate.PublicKey.(*rsa.PublicKey), secret, nil) //nolint:gosec // as above
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"data": base64.StdEncoding.EncodeToString(data), "dataSignature": base64.StdEncoding.EncodeToString(sum.Sum(nil)),
		"dataKey": base64.StdEncoding.EncodeToString(wrapped), "encryptionCertificateId": key.ID, "encryptionCertificateThumbprint": "07293748CC064953A3052FB978C735FB89E61C3D",
	}
}

const toldEvent = `{"@odata.type":"#microsoft.graph.event","id":"e1","changeKey":"CQAAABYA","type":"singleInstance","subject":"Told","bodyPreview":"",` +
	`"start":{"dateTime":"2027-01-12T09:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2027-01-12T10:00:00.0000000","timeZone":"UTC"},` +
	`"attendees@odata.type":"#Collection(microsoft.graph.attendee)","attendees":[],"lastModifiedDateTime":"2027-01-11T09:00:00Z"}`

// post is a collection with one notification that has content.
func post(t *testing.T, content map[string]any, tokens any) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"value": []any{map[string]any{
			"subscriptionId": "s1", "clientState": "c", "changeType": "updated", "tenantId": tenantID, "encryptedContent": content,
			"resourceData": map[string]any{"id": "e1", "@odata.etag": `W/"CQAAABYA"`},
		}},
		"validationTokens": tokens,
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestContentOfNotifications is chapter 5: what is believed to come from Microsoft,
// and all that is not.
func TestContentOfNotifications(t *testing.T) {
	microsoft, stranger := newSigner(t), newSigner(t)
	present, former, foreign := newContentKey(t), newContentKey(t), newContentKey(t)
	for name, row := range map[string]struct {
		key     *outlook.ContentKey
		content string
		spoil   func(map[string]any)
		tokens  any
		told    bool
	}{
		"right":                                 {told: true},
		"for the former key":                    {key: former, told: true},
		"a token of version 1.0":                {tokens: []any{microsoft.token("k", map[string]any{"ver": "1.0", "azp": nil, "appid": senderID, "iss": "https://sts.windows.net/" + tenantID + "/"})}, told: true},
		"a token beside another tenant's":       {tokens: []any{microsoft.token("k", map[string]any{"tid": "another"}), microsoft.token("k", nil)}, told: true},
		"a wrong signature":                     {spoil: func(c map[string]any) { c["dataSignature"] = base64.StdEncoding.EncodeToString(make([]byte, 32)) }},
		"no signature":                          {spoil: func(c map[string]any) { delete(c, "dataSignature") }},
		"changed data":                          {spoil: func(c map[string]any) { c["data"] = flipped(c["data"]) }},
		"a changed key":                         {spoil: func(c map[string]any) { c["dataKey"] = flipped(c["dataKey"]) }},
		"no data":                               {spoil: func(c map[string]any) { c["data"] = "" }},
		"data that is no block":                 {spoil: func(c map[string]any) { c["data"] = "AAAA" }},
		"a key that is gone":                    {key: foreign},
		"another key's id":                      {spoil: func(c map[string]any) { c["encryptionCertificateId"] = former.ID }},
		"an id of nothing":                      {spoil: func(c map[string]any) { c["encryptionCertificateId"] = nil }},
		"another event":                         {content: strings.Replace(toldEvent, `"e1"`, `"e2"`, 1)},
		"no event":                              {content: `[]`},
		"an event of no type":                   {content: `{"id":"e1"}`},
		"no tokens":                             {tokens: []any{}},
		"null tokens":                           {tokens: nil, spoil: func(map[string]any) {}},
		"a token for another application":       {tokens: []any{microsoft.token("k", map[string]any{"aud": "11111111-2222-3333-4444-555555555555"})}},
		"a token of another sender":             {tokens: []any{microsoft.token("k", map[string]any{"azp": appID})}},
		"the sender where version 1.0 names it": {tokens: []any{microsoft.token("k", map[string]any{"azp": nil, "appid": senderID})}},
		"a token of another tenant":             {tokens: []any{microsoft.token("k", map[string]any{"tid": "another", "iss": graph + "/another/v2.0"})}},
		"an issuer of another tenant":           {tokens: []any{microsoft.token("k", map[string]any{"iss": graph + "/another/v2.0"})}},
		"another issuer":                        {tokens: []any{microsoft.token("k", map[string]any{"iss": "https://login.example/" + tenantID + "/v2.0"})}},
		"an issuer of version 1.0 in 2.0":       {tokens: []any{microsoft.token("k", map[string]any{"iss": "https://sts.windows.net/" + tenantID + "/"})}},
		"a token that is over":                  {tokens: []any{microsoft.token("k", map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})}},
		"a token of a stranger":                 {tokens: []any{stranger.token("k", nil)}},
		"a stranger's token by another name":    {tokens: []any{stranger.token("x", nil)}},
		"an unsigned token":                     {tokens: []any{unsigned(microsoft.token("k", nil))}},
		"tokens that are none":                  {tokens: []any{"", ".", "a.b.c", strings.Repeat("x", 10_000)}},
	} {
		t.Run(name, func(t *testing.T) {
			key := row.key
			if key == nil {
				key = present
			}
			content := row.content
			if content == "" {
				content = toldEvent
			}
			tokens := row.tokens
			if tokens == nil && row.spoil == nil {
				tokens = []any{microsoft.token("k", nil)}
			}
			sealed := encrypted(t, key, content)
			if row.spoil != nil {
				if name != "null tokens" {
					tokens = []any{microsoft.token("k", nil)}
				}
				row.spoil(sealed)
			}
			read, err := outlook.ParseNotifications(post(t, sealed, tokens))
			if err != nil || len(read) != 1 || read[0].GraphID != "e1" || read[0].ChangeKey != "CQAAABYA" {
				t.Fatalf("got %+v, %v; want the notification, whatever its content is", read, err)
			}
			client, err := outlook.New(outlook.Config{
				GraphURL: graph + "/v1.0", LoginURL: graph, ClientID: appID, DatabaseID: database, Store: newTokens(), HTTP: microsoft,
				Contents: &vault{kept: map[string][]byte{"e1": read[0].Content}, keys: []*outlook.ContentKey{present, former}},
			})
			if err != nil {
				t.Fatal(err)
			}
			told := client.Told(t.Context(), alice, []string{"e1", "e9"})
			if !row.told {
				if len(told) != 0 {
					t.Errorf("it is believed: %+v", told)
				}
				return
			}
			if copied := told["e1"]; len(told) != 1 || copied.Event.Title != "Told" || copied.ChangeKey != "CQAAABYA" || !copied.Told || copied.Preview == "" || copied.Modified.IsZero() {
				t.Errorf("got %+v, want the event as it was told", told)
			}
		})
	}
}

// flipped changes the first bit of what base64 says.
func flipped(text any) string {
	content, _ := base64.StdEncoding.DecodeString(text.(string))
	content[0] ^= 0x80
	return base64.StdEncoding.EncodeToString(content)
}

// unsigned is a token that says that it needs no signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

// TestStrangersTokensMakeFewCalls: names of signing keys that do not exist are not
// looked up one by one.
func TestStrangersTokensMakeFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		microsoft, stranger, key := newSigner(t), newSigner(t), newContentKey(t)
		kept := &vault{kept: map[string][]byte{}, keys: []*outlook.ContentKey{key}}
		client, err := outlook.New(outlook.Config{
			GraphURL: graph + "/v1.0", LoginURL: graph, ClientID: appID, DatabaseID: database, Store: newTokens(), HTTP: microsoft, Contents: kept,
		})
		if err != nil {
			t.Fatal(err)
		}
		look := func(token string) bool {
			read, err := outlook.ParseNotifications(post(t, encrypted(t, key, toldEvent), []any{token}))
			if err != nil {
				t.Fatal(err)
			}
			kept.kept["e1"] = read[0].Content
			return len(client.Told(t.Context(), alice, []string{"e1"})) == 1
		}
		if !look(microsoft.token("k", nil)) {
			t.Fatal("a right token is not believed")
		}
		for number := range 200 {
			if look(stranger.token(fmt.Sprint("made up ", number), nil)) {
				t.Fatal("a stranger's token is believed")
			}
		}
		if microsoft.asked > 4 {
			t.Errorf("the keys were asked for %d times at one moment, want a few times", microsoft.asked)
		}
		if !look(microsoft.token("k", nil)) {
			t.Error("after that a right token is not believed")
		}
	})
}

// TestContentKeysAreKept: what is stored reads back, and nothing else does.
func TestContentKeysAreKept(t *testing.T) {
	key := newContentKey(t)
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var read outlook.ContentKey
	if err := json.Unmarshal(text, &read); err != nil || read.ID != key.ID || !read.Created.Equal(key.Created) {
		t.Errorf("got %+v, %v, want the same key", read.ID, err)
	}
	for _, wrong := range []string{`{}`, `{"id":"x","private":"AAAA","certificate":"AAAA"}`, `[]`, strings.Replace(string(text), `"private":"`, `"private":"AAAA`, 1)} {
		if err := json.Unmarshal([]byte(wrong), &read); err == nil {
			t.Errorf("%.40s reads as a key", wrong)
		}
	}
}
