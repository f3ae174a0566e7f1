// Package languages has the texts of pages in the languages that people read: it
// chooses one for a browser and puts values into texts.
package languages

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Language is one of those that are spoken.
type Language int

// The languages; the first is for whoever asks for none of them.
const (
	English Language = iota
	Thai
)

var tags = []language.Tag{language.English, language.Thai}

// String is the language's name for browsers.
func (l Language) String() string { return tags[l].String() }

// Parse finds a language by that name.
func Parse(name string) (Language, bool) {
	for index, tag := range tags {
		if tag.String() == name {
			return Language(index), true
		}
	}
	return English, false
}

// Catalogue holds the texts of some pages in every language.
type Catalogue struct {
	localizers []*i18n.Localizer
	printers   []*message.Printer
}

// Read reads a catalogue from a folder that has a file of texts for each language,
// such as th.json.
func Read(files fs.FS, folder string) (*Catalogue, error) {
	bundle := i18n.NewBundle(tags[0])
	c := &Catalogue{}
	for _, tag := range tags {
		name := tag.String() + ".json"
		content, err := fs.ReadFile(files, path.Join(folder, name))
		if err != nil {
			return nil, err
		}
		if _, err := bundle.ParseMessageFileBytes(content, name); err != nil {
			return nil, fmt.Errorf("reading the texts of %s: %w", name, err)
		}
	}
	for _, tag := range tags {
		c.localizers = append(c.localizers, i18n.NewLocalizer(bundle, tag.String()))
		c.printers = append(c.printers, message.NewPrinter(tag))
	}
	return c, nil
}

// Text is a text in a language, the key itself where there is none. Arguments are
// names and values in turn; one named Count chooses between one and many.
func (c *Catalogue) Text(in Language, key string, arguments ...any) string {
	values := map[string]any{}
	config := &i18n.LocalizeConfig{MessageID: key, TemplateData: values}
	for index := 0; index+1 < len(arguments); index += 2 {
		name, _ := arguments[index].(string)
		value := arguments[index+1]
		if count, ok := value.(int); ok {
			if name == "Count" {
				config.PluralCount = count
			}
			value = c.Number(in, count)
		}
		values[name] = value
	}
	text, err := c.localizers[in].Localize(config)
	if err != nil && config.PluralCount != nil {
		// The text is the same for one and for many.
		config.PluralCount = nil
		text, err = c.localizers[in].Localize(config)
	}
	if err != nil {
		return key
	}
	return text
}

// Number writes a number with the separators of the language.
func (c *Catalogue) Number(in Language, number int) string {
	return c.printers[in].Sprintf("%d", number)
}

var matcher = language.NewMatcher(tags)

// Choose finds the language for a browser: the one that it chose here, which the
// cookie of this name tells, or what its own settings ask for.
func Choose(r *http.Request, cookie string) Language {
	if chosen, err := r.Cookie(cookie); err == nil {
		if found, spoken := Parse(chosen.Value); spoken {
			return found
		}
	}
	asked, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(asked) == 0 {
		return English
	}
	_, index, _ := matcher.Match(asked...)
	return Language(index)
}

// rememberFor is how long a choice of language lasts, in seconds.
const rememberFor = 365 * 24 * 3600

// Remember has the browser come with its choice from now on.
func Remember(w http.ResponseWriter, cookie string, secure bool, chosen Language) {
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: chosen.String(), Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: rememberFor,
	})
}
