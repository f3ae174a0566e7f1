package outlook

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the thumbprint of a certificate and the padding that 5.4 names
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	maximumContentLifetime = 1440 * time.Minute // 2.2, 5.2
	maximumCertificateID   = 128                // 5.1
	// changeTracking is the application that validation tokens are issued to (5.5).
	changeTracking = "0bf30f3b-4a52-48df-9a82-234910c4a086"
	// validationLifetime is how long a validation token is good for [U].
	validationLifetime = time.Hour
)

// content is what a subscription with resource data adds to its notifications
// (chapter 5). It is replaced, never changed.
type content struct {
	selected    []string
	certificate string
	id          string
	thumbprint  string
	key         *rsa.PublicKey
}

// readContent checks what 5.1 and 5.2 want of a subscription with resource data.
func readContent(query, certificate, id string) (*content, error) {
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, badRequest("InvalidRequest", "The resource's query '%s' is not one.", query)
	}
	made := &content{}
	for name, values := range options {
		if name != "$select" {
			return nil, badRequest("ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: The query option '%s' is not supported with resource data.]", name)
		}
		for part := range strings.SplitSeq(values[0], ",") {
			part = strings.TrimSpace(part)
			if !selectable[part] || part == "body" {
				return nil, badRequest("ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: The property '%s' cannot be selected with resource data.]", part)
			}
			made.selected = append(made.selected, part)
		}
	}
	if len(made.selected) == 0 {
		return nil, badRequest("ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: A subscription with resource data needs $select in its resource.]")
	}
	return made.encryptedFor(certificate, id)
}

// encryptedFor is the same with another certificate (5.6).
func (c *content) encryptedFor(certificate, id string) (*content, error) {
	if id == "" || len(id) > maximumCertificateID {
		return nil, badRequest("InvalidRequest", "encryptionCertificateId must have 1 to %d characters.", maximumCertificateID)
	}
	der, err := base64.StdEncoding.DecodeString(certificate)
	if err != nil || certificate == "" {
		return nil, badRequest("InvalidRequest", "encryptionCertificate must be a base64 encoded X.509 certificate.")
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badRequest("InvalidRequest", "encryptionCertificate must be a base64 encoded X.509 certificate.")
	}
	key, is := parsed.PublicKey.(*rsa.PublicKey)
	if !is || key.N.BitLen() < 2048 || key.N.BitLen() > 4096 {
		return nil, badRequest("InvalidRequest", "encryptionCertificate must hold an RSA key of 2048 to 4096 bits.")
	}
	sum := sha1.Sum(der) //nolint:gosec // names the certificate
	next := *c
	next.certificate, next.id, next.key = certificate, id, key
	next.thumbprint = strings.ToUpper(hex.EncodeToString(sum[:]))
	return &next, nil
}

// lists are the selected properties that are collections, with their types: the
// data name them (5.4).
var lists = map[string]string{
	"attendees": "#Collection(microsoft.graph.attendee)", "categories": "#Collection(String)",
}

// contentOf is what a notification shows of an event: what was selected, as it was
// when the change happened.
func (s *Server) contentOf(item *notification) (map[string]any, error) {
	to := item.to
	whole := s.render(to.box, item.event, view{immutable: to.immutable})
	shown := map[string]any{"@odata.type": "#microsoft.graph.event", "@odata.etag": item.etag, "id": whole["id"]}
	for _, name := range to.content.selected {
		value, there := whole[name]
		if !there {
			continue
		}
		if kind, is := lists[name]; is {
			shown[name+"@odata.type"] = kind
		}
		shown[name] = value
	}
	plain, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("rendering the content of a notification: %w", err)
	}
	return to.content.encrypt(plain)
}

// encrypt is 5.4.
func (c *content) encrypt(plain []byte) (map[string]any, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	data := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(data, data)
	signature := hmac.New(sha256.New, key)
	signature.Write(data)
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, c.key, key, nil) //nolint:gosec // what Graph uses
	if err != nil {
		return nil, fmt.Errorf("encrypting the content of a notification: %w", err)
	}
	return map[string]any{
		"data": base64.StdEncoding.EncodeToString(data), "dataSignature": base64.StdEncoding.EncodeToString(signature.Sum(nil)),
		"dataKey": base64.StdEncoding.EncodeToString(sealed), "encryptionCertificateId": c.id,
		"encryptionCertificateThumbprint": c.thumbprint,
	}, nil
}

// validationTokens prove that a POST with data comes from Microsoft: one for each
// application in it (5.5).
func (s *Server) validationTokens(items []*notification) (any, error) {
	if s.config.Switches.NoValidationTokens {
		return nil, nil
	}
	var applications []string
	for _, item := range items {
		if item.to.content != nil && !slices.Contains(applications, item.to.application) {
			applications = append(applications, item.to.application)
		}
	}
	if len(applications) == 0 {
		return nil, errNoContent
	}
	now := s.now()
	tokens := []string{}
	for _, application := range applications {
		claims := map[string]any{
			"aud": application, "tid": s.config.TenantID, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(validationLifetime).Unix(),
			"sub": s.guid("change tracking"), "oid": s.guid("change tracking"),
		}
		if s.config.Switches.OldValidationTokens {
			claims["ver"], claims["appid"], claims["iss"] = "1.0", changeTracking, "https://sts.windows.net/"+s.config.TenantID+"/"
		} else {
			claims["ver"], claims["azp"], claims["iss"] = "2.0", changeTracking, s.config.BaseURL+"/"+s.config.TenantID+"/v2.0"
		}
		token, err := signToken(claims)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// errNoContent says that a POST has no data.
var errNoContent = errors.New("no notification of the collection has content")
