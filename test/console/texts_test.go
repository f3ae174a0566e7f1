package console_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// texts are the console's in one language.
type texts map[string]string

func readTexts(t *testing.T, language string) texts {
	t.Helper()
	return readCatalogue(t, "../../gateway/console/catalogue/", language)
}

// readSignInTexts are those of the pages on the way to Microsoft and back.
func readSignInTexts(t *testing.T, language string) texts {
	t.Helper()
	return readCatalogue(t, "../../gateway/page/catalogue/", language)
}

func readCatalogue(t *testing.T, folder, language string) texts {
	t.Helper()
	content, err := os.ReadFile(folder + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(content, &raw); err != nil {
		t.Fatal(err)
	}
	read := texts{}
	for key, text := range raw {
		var plain string
		var plural map[string]string
		if json.Unmarshal(text, &plain) != nil {
			if err := json.Unmarshal(text, &plural); err != nil {
				t.Fatalf("%s of %s: %v", key, language, err)
			}
			plain = plural["other"]
		}
		read[key] = plain
	}
	return read
}

// of is a text with its values put in: names and values in turn.
func (x texts) of(t *testing.T, key string, arguments ...string) string {
	t.Helper()
	text, found := x[key]
	if !found {
		t.Fatalf("there is no text %q", key)
	}
	for index := 0; index+1 < len(arguments); index += 2 {
		text = strings.ReplaceAll(text, "{{."+arguments[index]+"}}", arguments[index+1])
	}
	return text
}
