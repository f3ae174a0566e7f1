package findings

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/languages"
	"github.com/nightpos/outlook-gateway/test/catalogue"
)

// TestEveryFindingExistsInBothLanguages compares the catalogues: the same keys, the
// same values put in, nothing empty, and nothing left in English.
func TestEveryFindingExistsInBothLanguages(t *testing.T) {
	catalogue.Compare(t, catalogues, "catalogue", "clock.graph", "clock.nightpos", "dependency.microsoft", "dependency.nightpos")
}

// TestAPhraseIsSaidInEveryLanguage: with a phrase in it and a day for the reader,
// also after it was stored.
func TestAPhraseIsSaidInEveryLanguage(t *testing.T) {
	said := Say("microsoft.secret_expiry", "What", Say("secret"), "Day", time.Date(2028, 11, 22, 0, 0, 0, 0, time.UTC), "Count", 100)
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	var stored Phrase
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if got, known := Text(languages.English, stored, nil); !known || got != "the client secret is good until 2028-11-22, for 100 days" {
		t.Errorf("got %q, %t", got, known)
	}
	shown := func(name, value string) string {
		if name == "Day" {
			return "22 พ.ย. 2571"
		}
		return value
	}
	if got, known := Text(languages.Thai, stored, shown); !known || got != "ไคลเอนต์ซีเคร็ตใช้ได้ถึง 22 พ.ย. 2571 อีก 100 วัน" {
		t.Errorf("got %q, %t", got, known)
	}
}

// TestAPhraseOfAnotherVersion: a key that is not in the catalogue is no text, and
// neither is a phrase with such a part.
func TestAPhraseOfAnotherVersion(t *testing.T) {
	for _, said := range []Phrase{{}, Say("later"), Say("microsoft.refused", "Refusal", Say("later"))} {
		if got, known := Text(languages.Thai, said, nil); known {
			t.Errorf("%+v is %q", said, got)
		}
	}
	if got, _ := Text(languages.English, Say("settings.file", "Error", "{{.Error}}"), nil); !strings.HasSuffix(got, "{{.Error}}") {
		t.Errorf("a value is put in as it is: got %q", got)
	}
}
