// Package catalogue holds catalogues of texts against each other, and pages against
// the language that they are in.
package catalogue

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Read reads the texts of one language: every form of each.
func Read(t testing.TB, files fs.FS, folder, language string) map[string][]string {
	t.Helper()
	content, err := fs.ReadFile(files, path.Join(folder, language+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(content, &raw); err != nil {
		t.Fatal(err)
	}
	read := map[string][]string{}
	for key, text := range raw {
		switch text := text.(type) {
		case string:
			read[key] = []string{text}
		case map[string]any:
			for _, form := range text {
				read[key] = append(read[key], fmt.Sprint(form))
			}
		}
	}
	return read
}

var placeholder = regexp.MustCompile(`{{\.\w+}}`)

func placeholders(forms []string) []string {
	found := placeholder.FindAllString(strings.Join(forms, " "), -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// Compare holds Thai against English: the same keys, the same values put in,
// nothing empty, and nothing left in English but for the keys that are the same in
// both.
func Compare(t testing.TB, files fs.FS, folder string, same ...string) {
	t.Helper()
	english, thai := Read(t, files, folder, "en"), Read(t, files, folder, "th")
	for key, forms := range english {
		translated, found := thai[key]
		if !found {
			t.Errorf("%s is not in Thai", key)
			continue
		}
		if got, want := placeholders(translated), placeholders(forms); !slices.Equal(got, want) {
			t.Errorf("%s in Thai has the values %v, want %v", key, got, want)
		}
		for _, form := range slices.Concat(forms, translated) {
			if strings.TrimSpace(form) == "" {
				t.Errorf("%s is empty", key)
			}
		}
		letters := placeholder.ReplaceAllString(strings.Join(translated, ""), "")
		if !hasThai(letters) && hasLatin(letters) && !slices.Contains(same, key) {
			t.Errorf("%s is not translated: %q", key, translated)
		}
		if hasThai(strings.Join(forms, "")) {
			t.Errorf("%s is Thai in English: %q", key, forms)
		}
	}
	for key := range thai {
		if _, found := english[key]; !found {
			t.Errorf("%s is not in English", key)
		}
	}
}

func hasThai(text string) bool {
	return strings.ContainsFunc(text, func(letter rune) bool { return letter >= 'ก' && letter <= '๛' })
}

func hasLatin(text string) bool {
	return strings.ContainsFunc(text, func(letter rune) bool { return letter >= 'A' && letter <= 'Z' || letter >= 'a' && letter <= 'z' })
}

// name is what has no language: addresses, settings, zones and Microsoft's codes.
var name = regexp.MustCompile(`https?://\S+|\S+@\S+|\b[A-Z]+(_[A-Z]+)+\b|\b[A-Z][a-zA-Z]+/[A-Z][a-zA-Z_]+|\bAADSTS\d+|\bUTC\b`)

// Untranslated are the texts of a Thai page that hold Latin letters and no Thai
// one: in elements and in the attributes that people hear or see. Left out is what
// says itself that it is in another language, what is code or quoted, and what
// consists of names only.
func Untranslated(t testing.TB, page string, names ...string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	// "Lunch with Bob" goes before "Bob".
	names = append([]string{"NightPOS", "Outlook", "Microsoft"}, names...)
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	var found []string
	look := func(text string) {
		left := name.ReplaceAllString(text, "")
		for _, one := range names {
			left = strings.ReplaceAll(left, one, "")
		}
		if hasLatin(left) && !hasThai(text) {
			found = append(found, strings.TrimSpace(text))
		}
	}
	var walk func(node *html.Node)
	walk = func(node *html.Node) {
		switch node.Type {
		case html.TextNode:
			look(node.Data)
		case html.ElementNode:
			if slices.Contains([]string{"code", "q", "script", "style"}, node.Data) {
				return
			}
			for _, attribute := range node.Attr {
				switch attribute.Key {
				case "lang":
					if attribute.Val != "th" {
						return
					}
				case "aria-label", "placeholder", "title", "alt", "data-label", "data-copied":
					look(attribute.Val)
				}
			}
		}
		for child := node.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(root)
	return found
}
