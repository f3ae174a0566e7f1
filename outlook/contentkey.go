package outlook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the padding that Graph encrypts with
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"
)

// ContentKey is a pair of keys for the content of notifications: Graph encrypts it
// with the certificate, and only who has the private key can read it.
type ContentKey struct {
	// ID is what notifications name the key by.
	ID string
	// Created is when it was made.
	Created time.Time

	certificate []byte
	private     *rsa.PrivateKey
}

const (
	contentKeyBits = 2048
	// contentKeyLife is how long the certificate says that it is good for: longer
	// than any key is used.
	contentKeyLife = 2 * 365 * 24 * time.Hour
)

// NewContentKey makes one with a certificate that it signs itself. It takes a
// moment of computing.
func NewContentKey(now time.Time) (*ContentKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, contentKeyBits)
	if err != nil {
		return nil, fmt.Errorf("making a key for the content of notifications: %w", err)
	}
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a key for the content of notifications: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: number.Add(number, big.NewInt(1)), Subject: pkix.Name{CommonName: "Outlook gateway"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(contentKeyLife),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the content of notifications: %w", err)
	}
	return &ContentKey{ID: uuid.NewString(), Created: now.UTC(), certificate: certificate, private: private}, nil
}

// storedContentKey is how a key is kept. It is a secret.
type storedContentKey struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	Certificate []byte    `json:"certificate"`
	Private     []byte    `json:"private"`
}

// MarshalJSON writes the key with its private part.
func (k *ContentKey) MarshalJSON() ([]byte, error) {
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("writing a key for the content of notifications: %w", err)
	}
	return json.Marshal(storedContentKey{ID: k.ID, Created: k.Created, Certificate: k.certificate, Private: private})
}

var errContentKey = errors.New("a stored key for the content of notifications cannot be read")

// UnmarshalJSON is the reverse. Its error holds nothing of the key.
func (k *ContentKey) UnmarshalJSON(text []byte) error {
	var stored storedContentKey
	if json.Unmarshal(text, &stored) != nil {
		return errContentKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(stored.Private)
	private, is := parsed.(*rsa.PrivateKey)
	if err != nil || !is || stored.ID == "" || len(stored.Certificate) == 0 {
		return errContentKey
	}
	*k = ContentKey{ID: stored.ID, Created: stored.Created, certificate: stored.Certificate, private: private}
	return nil
}

// encryptedContent is what a notification holds of an event.
type encryptedContent struct {
	Data          string `json:"data"`
	DataSignature string `json:"dataSignature"`
	DataKey       string `json:"dataKey"`
	CertificateID string `json:"encryptionCertificateId"`
}

// maxContent bounds the data of one notification: without the text an event has a
// few kilobytes, with 500 attendees some hundred.
const maxContent = 256 << 10

// errContent says that content was not encrypted as Graph does, or was changed. It
// says no more: who sent it is not to learn what was wrong.
var errContent = errors.New("the content of a notification cannot be decrypted")

// open decrypts content. Its signature is checked before anything else is done
// with it.
func (k *ContentKey) open(sealed encryptedContent) ([]byte, error) {
	decode := base64.StdEncoding.DecodeString
	data, err := decode(sealed.Data)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errContent
	}
	signature, err := decode(sealed.DataSignature)
	if err != nil {
		return nil, errContent
	}
	wrapped, err := decode(sealed.DataKey)
	if err != nil {
		return nil, errContent
	}
	key, err := rsa.DecryptOAEP(sha1.New(), nil, k.private, wrapped, nil) //nolint:gosec // what Graph encrypts with
	if err != nil || len(key) != 32 {
		return nil, errContent
	}
	expected := hmac.New(sha256.New, key)
	expected.Write(data)
	if !hmac.Equal(expected.Sum(nil), signature) {
		return nil, errContent
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errContent
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errContent
	}
	for _, filler := range plain[len(plain)-padding:] {
		if int(filler) != padding {
			return nil, errContent
		}
	}
	return plain[:len(plain)-padding], nil
}
