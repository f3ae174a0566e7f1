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

// idEncoding is base64 in which + is _ and / is -, the other way round than
// usual: the third occurrence of the sample of 8.12 shows it.
var idEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")

// globalCounter is a MAPI counter: six bytes, big-endian.
func globalCounter(number uint64) []byte {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], number)
	return bytes[2:]
}

// key is what an id names: an event that is stored, or the occurrence of a series
// on the day that its rule gives it, which the occurrence keeps when it moves
// (7.12). The immutable id holds the item, the default one the calendar and the
// entry: both are others after a move (7.3).
type key struct {
	item   uint64
	folder uint64    // the calendar
	entry  uint64    // the number of the item until it is moved
	slot   time.Time // midnight in UTC, standing for a date; zero for what is no occurrence
}

// whole names the series of an occurrence, and everything else itself.
func (k key) whole() key {
	k.slot = time.Time{}
	return k
}

func (m *mailbox) defaultID(k key) string {
	entry := []byte{0x00, 0x00, 0x00, 0x00}
	entry = append(entry, entryProvider...)
	entry = append(entry, 0x07, 0x00)
	entry = append(entry, m.database...)
	entry = append(entry, globalCounter(k.folder)...)
	entry = append(entry, 0x00, 0x00)
	entry = append(entry, m.database...)
	entry = append(entry, globalCounter(k.entry)...)
	entry = append(entry, 0x00, 0x00)
	id := []byte{0x00, 0x03, 0x24, 0x00}
	id = append(id, m.guid...)
	return idEncoding.EncodeToString(appendEntry(id, entry, k.slot))
}

func (m *mailbox) immutableID(k key) string {
	entry := []byte{0x00, 0x00, 0x00, 0x00}
	entry = append(entry, immutableProvider...)
	entry = append(entry, 0x0d, 0x00)
	entry = append(entry, m.database...)
	entry = append(entry, globalCounter(k.item)...)
	entry = append(entry, 0x00, 0x00)
	return idEncoding.EncodeToString(appendEntry([]byte{0x00, 0x09}, entry, k.slot))
}

// appendEntry ends an id with an entry id and its length. The id of an
// occurrence has the ticks of its day before both, as those of the samples of
// 7.12 and 8.12 have ("AgI1sE1TatAAEYA" is 08, the ticks of 2019-04-15, 46 00).
func appendEntry(id, entry []byte, slot time.Time) []byte {
	if slot.IsZero() {
		id = append(id, 0x00)
	} else {
		id = append(id, 0x01, byte(len(entry)+11), 0x00, 0x08)
		const epochSeconds = 62135596800 // year 1 to 1970
		id = binary.BigEndian.AppendUint64(id, uint64(slot.Unix()+epochSeconds)*1e7)
	}
	id = append(id, byte(len(entry)), 0x00)
	return append(id, entry...)
}

// calendarIdentity has the form of a folder id; calendars have no immutable form.
func (m *mailbox) calendarIdentity(folder uint64) string {
	id := []byte{0x00, 0x03, 0x24, 0x00}
	id = append(id, m.guid...)
	id = append(id, 0x00, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00)
	id = append(id, entryProvider...)
	id = append(id, 0x01, 0x00)
	id = append(id, m.database...)
	id = append(id, globalCounter(folder)...)
	id = append(id, 0x00, 0x00)
	return idEncoding.EncodeToString(id)
}

// parseID finds what an id of this mailbox names. An id of the other mode, of
// another mailbox or cut short is malformed (7.3).
func (m *mailbox) parseID(id string, immutable bool) (key, error) {
	bytes, err := idEncoding.DecodeString(id)
	if err != nil || len(bytes) < 8 {
		return key{}, errorMalformedID()
	}
	k := key{entry: readCounter(bytes, 8)}
	if immutable {
		k.item, k.folder = k.entry, defaultFolder
		if found := m.events[k.item]; found != nil {
			k.folder, k.entry = found.folder, found.entry
		}
	} else {
		k.item, k.folder = m.itemAt(k.entry), readCounter(bytes, 8+2+len(m.database)+6)
	}
	if m.idOf(k, immutable) == id {
		return k, nil
	}
	at := 4 + len(m.guid) // of the byte that tells an occurrence
	if immutable {
		at = 2
	}
	if len(bytes) < at+12 {
		return key{}, errorMalformedID()
	}
	ticks := binary.BigEndian.Uint64(bytes[at+4:])
	const dayTicks, epochDays = 24 * 3600 * 1e7, 719162 // year 1 to 1970
	if days := ticks / dayTicks; days < 4e6 {
		k.slot = time.Unix((int64(days)-epochDays)*24*3600, 0).UTC()
	}
	if k.slot.IsZero() || m.idOf(k, immutable) != id {
		return key{}, errorMalformedID()
	}
	return k, nil
}

// readCounter reads a counter that begins so many bytes before the end; where
// there is none it is 0, which no id holds.
func readCounter(id []byte, before int) uint64 {
	if len(id) < before {
		return 0
	}
	at := len(id) - before
	return binary.BigEndian.Uint64(append([]byte{0, 0}, id[at:at+6]...))
}

func (m *mailbox) idOf(k key, immutable bool) string {
	if immutable {
		return m.immutableID(k)
	}
	return m.defaultID(k)
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

// The date of an iCalUId: four bytes in hexadecimal, zero for what is no
// occurrence (7.4).
const (
	uidDateAt  = 32
	uidDateEnd = 40
	uidNoDate  = "00000000"
)

// occurrenceUID is the iCalUId of one occurrence of a series.
func occurrenceUID(series string, slot time.Time) string {
	return series[:uidDateAt] + fmt.Sprintf("%04X%02X%02X", slot.Year(), int(slot.Month()), slot.Day()) + series[uidDateEnd:]
}

// splitUID takes the date off an iCalUId; slot is zero if there is none.
func splitUID(uid string) (series string, slot time.Time) {
	if len(uid) < uidDateEnd || uid[uidDateAt:uidDateEnd] == uidNoDate {
		return uid, time.Time{}
	}
	var year, month, day int
	if _, err := fmt.Sscanf(uid[uidDateAt:uidDateEnd], "%04X%02X%02X", &year, &month, &day); err != nil {
		return uid, time.Time{}
	}
	return uid[:uidDateAt] + uidNoDate + uid[uidDateEnd:], time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}
