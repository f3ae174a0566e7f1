package outlook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// guid derives a stable identifier from the seed and a label.
func (s *Server) guid(label string) string {
	return formatGUID(s.hash(label))
}

func (s *Server) hash(label string) []byte {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], s.config.Seed)
	sum := sha256.Sum256(append(seed[:], label...))
	return sum[:]
}

func formatGUID(bytes []byte) string {
	b := append([]byte(nil), bytes[:16]...)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func urlText(bytes []byte) string { return base64.URLEncoding.EncodeToString(bytes) }

// The ids of events have the form that recorded ones have (7.3): the default id
// carries the mailbox's GUID as text and a MAPI entry id of folder and item, the
// immutable one the item alone.
var (
	entryProvider     = mustHex("1d840311aa6611cd9bc800aa002fc45a")
	immutableProvider = mustHex("1d840311aa6611cd9bc800aa002f845a")
)

func mustHex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

// globalCounter is a MAPI counter: six bytes, big-endian.
func globalCounter(number uint64) []byte {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], number)
	return bytes[2:]
}

func (m *mailbox) defaultID(number uint64) string {
	id := []byte{0x00, 0x03, 0x24, 0x00}
	id = append(id, m.guid...)
	id = append(id, 0x00, 0x46, 0x00, 0x00, 0x00, 0x00, 0x00)
	id = append(id, entryProvider...)
	id = append(id, 0x07, 0x00)
	id = append(id, m.database...)
	id = append(id, globalCounter(0x10d)...) // the calendar folder
	id = append(id, 0x00, 0x00)
	id = append(id, m.database...)
	id = append(id, globalCounter(number)...)
	id = append(id, 0x00, 0x00)
	return urlText(id)
}

func (m *mailbox) immutableID(number uint64) string {
	id := []byte{0x00, 0x09, 0x00, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00}
	id = append(id, immutableProvider...)
	id = append(id, 0x0d, 0x00)
	id = append(id, m.database...)
	id = append(id, globalCounter(number)...)
	id = append(id, 0x00, 0x00)
	return urlText(id)
}

// calendarIdentity has the form of a folder id; calendars have no immutable form.
func (m *mailbox) calendarIdentity() string {
	id := []byte{0x00, 0x03, 0x24, 0x00}
	id = append(id, m.guid...)
	id = append(id, 0x00, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00)
	id = append(id, entryProvider...)
	id = append(id, 0x01, 0x00)
	id = append(id, m.database...)
	id = append(id, globalCounter(0x10d)...)
	id = append(id, 0x00, 0x00)
	return urlText(id)
}

// parseID finds the item number in an id of this mailbox. An id of the other
// mode, of another mailbox or cut short is malformed (7.3).
func (m *mailbox) parseID(id string, immutable bool) (uint64, error) {
	bytes, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(bytes) < 8 {
		return 0, errorMalformedID()
	}
	number := binary.BigEndian.Uint64(append([]byte{0, 0}, bytes[len(bytes)-8:len(bytes)-2]...))
	expected := m.defaultID(number)
	if immutable {
		expected = m.immutableID(number)
	}
	if id != expected {
		return 0, errorMalformedID()
	}
	return number, nil
}

// changeKey is the base64 text of one saved version: 22 bytes, as recorded ones
// have (7.3).
func (m *mailbox) changeKey(version uint64) string {
	key := append([]byte{}, m.database...)
	key = append(key, globalCounter(version)...)
	return base64.StdEncoding.EncodeToString(key)
}

// globalObjectID is an iCalUId: the hexadecimal GlobalObjectId of a meeting that
// is not an occurrence, with its creation time in it (7.4).
func (s *Server) globalObjectID(created time.Time, number uint64) string {
	id := mustHex("040000008200e00074c5b7101a82e008")
	id = append(id, 0, 0, 0, 0)
	const epochs = 116444736000000000 // 1601 to 1970 in units of 100 ns
	id = binary.LittleEndian.AppendUint64(id, uint64(created.UnixNano()/100+epochs))
	id = append(id, make([]byte, 8)...)
	id = binary.LittleEndian.AppendUint32(id, 16)
	id = append(id, s.hash(fmt.Sprintf("meeting %d", number))[:16]...)
	return strings.ToUpper(hex.EncodeToString(id))
}
