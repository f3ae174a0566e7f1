package redis

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer encrypts what must not be readable in Redis or its backups.
type Sealer interface {
	// Seal encrypts; place is bound to it, so that a value copied to another
	// place does not open there.
	Seal(plain []byte, place string) ([]byte, error)
	// Open is the reverse. It fails when the key is unknown, the value was
	// changed, or it belongs to another place.
	Open(sealed []byte, place string) ([]byte, error)
	// Former says that a value was sealed with another key than those that are
	// sealed now: once that key is taken off the list, it no longer opens.
	Former(sealed []byte) bool
}

// keyLength is what the cipher needs, in bytes.
const keyLength = 32

// keyID names the key that sealed a value, so that keys can be rotated.
type keyID [4]byte

type sealer struct {
	first keyID
	keys  map[keyID]tink.AEAD
}

// NewSealer takes keys of 32 bytes: the first encrypts, all decrypt. The cipher
// is XChaCha20-Poly1305, whose random nonces never run out.
func NewSealer(keys ...[]byte) (Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("encrypting what is stored: no key")
	}
	made := &sealer{keys: map[keyID]tink.AEAD{}}
	for index, key := range keys {
		if len(key) != keyLength {
			return nil, fmt.Errorf("encrypting what is stored: key %d has %d bytes and needs %d", index+1, len(key), keyLength)
		}
		cipher, err := subtle.NewXChaCha20Poly1305(key)
		if err != nil {
			return nil, fmt.Errorf("encrypting what is stored: key %d: %w", index+1, err)
		}
		sum := sha256.Sum256(append([]byte("outlook-gateway key id "), key...))
		id := keyID(sum[:4])
		if index == 0 {
			made.first = id
		}
		made.keys[id] = cipher
	}
	return made, nil
}

// Seal implements Sealer with the first key.
func (s *sealer) Seal(plain []byte, place string) ([]byte, error) {
	sealed, err := s.keys[s.first].Encrypt(plain, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("encrypting %s: %w", place, err)
	}
	return append(s.first[:], sealed...), nil
}

// Open implements Sealer with whichever key sealed the value.
func (s *sealer) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < len(keyID{}) {
		return nil, fmt.Errorf("decrypting %s: too short", place)
	}
	cipher := s.keys[keyID(sealed[:4])]
	if cipher == nil {
		return nil, fmt.Errorf("decrypting %s: it was encrypted with a key that GATEWAY_SECRET_KEY does not hold; add the former key to the list", place)
	}
	plain, err := cipher.Decrypt(sealed[4:], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("decrypting %s: the value was changed or belongs elsewhere", place)
	}
	return plain, nil
}

// Former implements Sealer.
func (s *sealer) Former(sealed []byte) bool {
	return len(sealed) >= len(keyID{}) && keyID(sealed[:4]) != s.first
}

// LoadOrCreateKey returns the key of an embedded store, which is kept beside
// its data, readable by its owner only, and made at the first start. All who call
// it at once get the same key.
func LoadOrCreateKey(dataDir string) ([]byte, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("GATEWAY_DATA_DIR %s cannot be made: %w", dataDir, err)
	}
	path := filepath.Join(dataDir, "secret.key")
	if key, err := readKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key := make([]byte, keyLength)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	// Whoever comes second must not put another key in its place: what the first
	// one encrypts until then could never be read again.
	if err := createFile(path, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keeping the key: %w", err)
	}
	return readKey(path)
}

// readKey reads the key of an embedded store.
func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path) // #nosec G304 -- the administrator names the folder
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the key: %w", err)
	case len(key) != keyLength:
		return nil, fmt.Errorf("%s has %d bytes and needs %d: restore it from a backup, or remove it together with the data", path, len(key), keyLength)
	}
	return key, nil
}

// writeFile replaces a file at once or not at all.
func writeFile(path string, content []byte) error {
	temporary, err := temporaryFile(path, content)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// createFile makes a file at once or not at all, and leaves one alone that is
// there: its error is fs.ErrExist then.
func createFile(path string, content []byte) error {
	temporary, err := temporaryFile(path, content)
	if err != nil {
		return err
	}
	err = os.Link(temporary, path)
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, errors.ErrUnsupported):
		// Some file systems know no second name of a file.
		if _, there := os.Lstat(path); there == nil {
			return errors.Join(fs.ErrExist, os.Remove(temporary))
		}
		if err = os.Rename(temporary, path); err != nil {
			return errors.Join(err, os.Remove(temporary))
		}
	default:
		err = errors.Join(err, os.Remove(temporary))
	}
	return errors.Join(err, syncFolder(filepath.Dir(path)))
}

// temporaryFile writes a file beside the one that it is to become, down to the
// disk, and returns its name.
func temporaryFile(path string, content []byte) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// syncFolder has the names of the files in a folder outlive a crash of the
// machine.
func syncFolder(path string) error {
	folder, err := os.Open(path) // #nosec G304 -- the administrator names the folder
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
