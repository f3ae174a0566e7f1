package reconciler

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"strconv"
	"time"
)

// Base is what one side showed after the last agreement: per field, and within
// people, answers and categories per entry, a short digest of the value in that
// side's own terms. It holds no event text. A nil Base means that the sides have
// never agreed.
type Base map[string]string

// digestBytes are 48 bits, 8 characters when encoded, so that the chance that a
// real change goes unseen is one in 2^48.
const digestBytes = 6

// emptyDigest stands for most fields of most events.
var emptyDigest = computeDigest(nil)

func digest(parts ...string) string {
	// Most values fit, so that nothing is allocated but the digest.
	var buffer [128]byte
	value := buffer[:0]
	for i, part := range parts {
		if i > 0 {
			value = append(value, 0)
		}
		value = append(value, part...)
	}
	if len(value) == 0 {
		return emptyDigest
	}
	return computeDigest(value)
}

func computeDigest(value []byte) string {
	sum := sha256.Sum256(value)
	return base64.RawURLEncoding.EncodeToString(sum[:digestBytes])
}

// wholeFields is how many fields have one digest each.
const wholeFields = 8

// NewBase takes down what an event shows.
func NewBase(event Event) Base {
	base := make(Base, wholeFields+2*len(event.People)+len(event.Categories))
	base[string(FieldTitle)] = digest(event.Title)
	base[string(FieldBody)] = digest(event.Body)
	base[string(FieldWhen)] = whenDigest(event.When)
	base[string(FieldPlace)] = digest(event.Place)
	base[string(FieldPrivacy)] = digest(string(event.Privacy))
	base[string(FieldShowAs)] = digest(string(event.ShowAs))
	base[string(FieldReminders)] = remindersDigest(event.Reminders)
	base[string(FieldMeetingLink)] = digest(event.MeetingLink)
	for _, person := range event.People {
		if key := person.Key(); key != "" {
			base[entryKey(FieldPeople, key)] = digest(string(person.Type))
			base[entryKey(FieldAnswers, key)] = digest(string(person.Answer))
		}
	}
	for _, category := range event.Categories {
		base[entryKey(FieldCategories, category)] = digest(category)
	}
	return base
}

// entryKey names one person or category within its field.
func entryKey(field Field, entry string) string { return string(field) + "/" + digest(entry) }

// entryFields are merged entry by entry.
var entryFields = []Field{FieldPeople, FieldCategories}

// holds says that a key of a base is that of an entry of the field. The member's own
// reply is none.
func (f Field) holds(key string) bool {
	return len(key) > len(f)+1 && key[:len(f)] == string(f) && key[len(f)] == '/' && key != selfKey
}

// restoreFields gives a base back what an earlier one had of some fields.
func restoreFields(base, earlier Base, fields FieldSet) {
	for field := range fields {
		switch field {
		case FieldAnswers:
			// Replies are nobody's to restore.
		case FieldPeople, FieldCategories:
			maps.DeleteFunc(base, func(key, _ string) bool { return field.holds(key) })
			for key, entry := range earlier {
				if field.holds(key) {
					base[key] = entry
				}
			}
		default:
			base[string(field)] = earlier[string(field)]
		}
	}
}

func whenDigest(when When) string {
	return digest(strconv.FormatBool(when.AllDay), when.Start.UTC().Format(time.RFC3339), when.End.UTC().Format(time.RFC3339), when.Zone)
}

func remindersDigest(reminders []time.Duration) string {
	parts := make([]string, 0, len(reminders))
	for _, reminder := range reminders {
		parts = append(parts, reminder.String())
	}
	return digest(parts...)
}
