package reconciler

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
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

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:digestBytes])
}

// NewBase takes down what an event shows.
func NewBase(event Event) Base {
	base := Base{
		string(FieldTitle):       digest(event.Title),
		string(FieldBody):        digest(event.Body),
		string(FieldWhen):        whenDigest(event.When),
		string(FieldPlace):       digest(event.Place),
		string(FieldPrivacy):     digest(string(event.Privacy)),
		string(FieldShowAs):      digest(string(event.ShowAs)),
		string(FieldReminders):   remindersDigest(event.Reminders),
		string(FieldMeetingLink): digest(event.MeetingLink),
	}
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
