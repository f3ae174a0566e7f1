package redis

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// A link is stored as the digest of its graph id (digestLength bytes, spaces
// when there is none: the commit script reads it) and then a compact binary
// form, because there are as many links as there are events.

// encodingVersion is the first byte after the digest, so that the form can
// change while old links are still stored.
const encodingVersion = 1

// extendedVersion is encodingVersion with what only links of series and of their
// occurrences have, behind all else.
const extendedVersion = 2

// What is true of a link, in one byte.
const (
	flagEnded byte = 1 << iota
	flagHeld
	flagAlone
	// flagSaved links hold Saved and Preview behind the change key.
	flagSaved
	flagAside
	flagListed
)

var errLink = errors.New("a stored link cannot be understood")

// roleCodes number the roles; the number is stored.
var roleCodes = []reconciler.Role{"", reconciler.RoleOrganizer, reconciler.RoleAttendee, reconciler.RoleGuest, reconciler.RoleStandIn}

// fieldCodes number the fields; the number is stored, so new ones go to the end.
var fieldCodes = []reconciler.Field{
	reconciler.FieldTitle, reconciler.FieldBody, reconciler.FieldWhen, reconciler.FieldPlace, reconciler.FieldPrivacy,
	reconciler.FieldShowAs, reconciler.FieldReminders, reconciler.FieldMeetingLink, reconciler.FieldPeople,
	reconciler.FieldAnswers, reconciler.FieldCategories,
}

func encodeLink(link reconciler.Link) string {
	digest := strings.Repeat(" ", digestLength)
	if link.GraphID != "" {
		digest = shortDigest(link.GraphID)
	}
	version := byte(encodingVersion)
	if link.Series != nil || link.Apart {
		version = extendedVersion
	}
	out := append([]byte(digest), version)
	out = append(out, byte(max(slices.Index(roleCodes, link.Role), 0)))
	flags := byte(0)
	for flag, set := range map[byte]bool{flagEnded: link.Ended, flagHeld: link.Held, flagAlone: link.Alone, flagAside: link.Aside, flagListed: link.Listed, flagSaved: !link.Saved.IsZero()} {
		if set {
			flags |= flag
		}
	}
	out = append(out, flags)
	out = binary.AppendVarint(out, int64(link.Generation))
	out = binary.AppendVarint(out, link.Updated.UnixMilli())
	out = appendText(out, packText(link.GraphID))
	out = appendText(out, packText(link.ICalUID))
	out = appendText(out, packText(link.ChangeKey))
	if !link.Saved.IsZero() {
		out = appendText(binary.AppendVarint(out, link.Saved.UnixNano()), []byte(link.Preview))
	}
	out = appendBase(out, link.Outlook)
	out = appendBase(out, link.NightPOS)
	if version == extendedVersion {
		out = appendSeries(out, link)
	}
	return string(out)
}

func decodeLink(recordID int64, text string) (reconciler.Link, error) {
	if len(text) < digestLength+3 || text[digestLength] != encodingVersion && text[digestLength] != extendedVersion {
		return reconciler.Link{}, errLink
	}
	in := &reader{rest: []byte(text[digestLength+1:])}
	link := reconciler.Link{RecordID: recordID}
	if role := int(in.byte()); role < len(roleCodes) {
		link.Role = roleCodes[role]
	}
	flags := in.byte()
	link.Ended, link.Held, link.Alone = flags&flagEnded != 0, flags&flagHeld != 0, flags&flagAlone != 0
	link.Aside, link.Listed = flags&flagAside != 0, flags&flagListed != 0
	link.Generation = int(in.varint())
	link.Updated = time.UnixMilli(in.varint()).UTC()
	link.GraphID = in.packed()
	link.ICalUID = in.packed()
	link.ChangeKey = in.packed()
	if flags&flagSaved != 0 {
		link.Saved = time.Unix(0, in.varint()).UTC()
		link.Preview = string(in.text())
	}
	link.Outlook = in.base()
	link.NightPOS = in.base()
	if text[digestLength] == extendedVersion {
		in.series(&link)
	}
	if in.err != nil || len(in.rest) != 0 {
		return reconciler.Link{}, errLink
	}
	return link, nil
}

// How packText wrote a text.
const (
	packPlain = iota
	packHex
	packBase64
	packBase64Padded
)

// packText shortens what is hexadecimal (iCalUIds) or base64 (Graph ids and
// change keys) when that gives the very same text back.
func packText(text string) []byte {
	if raw, err := hex.DecodeString(text); err == nil && strings.ToUpper(hex.EncodeToString(raw)) == text {
		return append([]byte{packHex}, raw...)
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(text); err == nil {
		return append([]byte{packBase64}, raw...)
	}
	if raw, err := base64.URLEncoding.Strict().DecodeString(text); err == nil {
		return append([]byte{packBase64Padded}, raw...)
	}
	return append([]byte{packPlain}, text...)
}

func unpackText(packed []byte) (string, error) {
	if len(packed) == 0 {
		return "", errLink
	}
	switch packed[0] {
	case packHex:
		return strings.ToUpper(hex.EncodeToString(packed[1:])), nil
	case packBase64:
		return base64.RawURLEncoding.EncodeToString(packed[1:]), nil
	case packBase64Padded:
		return base64.URLEncoding.EncodeToString(packed[1:]), nil
	case packPlain:
		return string(packed[1:]), nil
	}
	return "", fmt.Errorf("%w: unknown packing %d", errLink, packed[0])
}

func appendText(out, text []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// appendBase writes the number of entries and then, for each, its field, the
// digest within the field (people, answers, categories) or nothing, and the
// digest of the value. What has another form than a base's is written as text.
func appendBase(out []byte, base reconciler.Base) []byte {
	names := make([]string, 0, len(base))
	for name := range base {
		names = append(names, name)
	}
	slices.Sort(names)
	out = binary.AppendUvarint(out, uint64(len(names)))
	for _, name := range names {
		field, entry, hasEntry := strings.Cut(name, "/")
		code := slices.Index(fieldCodes, reconciler.Field(field))
		rawEntry, entryOK := rawDigest(entry)
		rawValue, valueOK := rawDigest(base[name])
		switch {
		case code >= 0 && !hasEntry && valueOK:
			out = append(append(out, byte(code)), rawValue...)
		case code >= 0 && hasEntry && entryOK && valueOK:
			out = append(append(append(out, byte(code)|entryFlag), rawEntry...), rawValue...)
		default:
			out = append(out, textEntry)
			out = appendText(appendText(out, []byte(name)), []byte(base[name]))
		}
	}
	return out
}

const (
	entryFlag = 0x40
	textEntry = 0xff
	// rawDigestLength is the length of a base's digest, 8 characters of base64,
	// in bytes.
	rawDigestLength = 6
)

func rawDigest(text string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return raw, err == nil && len(raw) == rawDigestLength
}

// reader takes apart what the functions above put together; its first error
// stays.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(count int) []byte {
	if r.err != nil || count < 0 || count > len(r.rest) {
		r.err = errLink
		return make([]byte, max(0, min(count, rawDigestLength)))
	}
	taken := r.rest[:count]
	r.rest = r.rest[count:]
	return taken
}

func (r *reader) byte() byte {
	if taken := r.take(1); len(taken) == 1 {
		return taken[0]
	}
	return 0
}

func (r *reader) varint() int64 {
	value, size := binary.Varint(r.rest)
	if size <= 0 {
		r.err = errLink
		return 0
	}
	r.rest = r.rest[size:]
	return value
}

func (r *reader) uvarint() int {
	value, size := binary.Uvarint(r.rest)
	if size <= 0 || value > uint64(len(r.rest)) {
		r.err = errLink
		return 0
	}
	r.rest = r.rest[size:]
	return int(value)
}

func (r *reader) text() []byte { return r.take(r.uvarint()) }

func (r *reader) packed() string {
	text, err := unpackText(r.text())
	if err != nil {
		r.err = errLink
	}
	return text
}

func (r *reader) base() reconciler.Base {
	count := r.uvarint()
	if count == 0 {
		return nil
	}
	base := reconciler.Base{}
	for range count {
		if r.err != nil {
			return nil
		}
		code := r.byte()
		if code == textEntry {
			name := string(r.text())
			base[name] = string(r.text())
			continue
		}
		field := int(code &^ entryFlag)
		if field >= len(fieldCodes) {
			r.err = errLink
			return nil
		}
		name := string(fieldCodes[field])
		if code&entryFlag != 0 {
			name += "/" + base64.RawURLEncoding.EncodeToString(r.take(rawDigestLength))
		}
		base[name] = base64.RawURLEncoding.EncodeToString(r.take(rawDigestLength))
	}
	return base
}
