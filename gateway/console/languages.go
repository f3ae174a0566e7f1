package console

import (
	"embed"
	"fmt"
	"net/http"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed catalogue/en.json catalogue/th.json
var catalogues embed.FS

// spoken are the languages there are, the first for whoever asks for none of them.
var spoken = []language.Tag{language.English, language.Thai}

// languages holds the texts.
type languages struct {
	matcher    language.Matcher
	localizers []*i18n.Localizer
	printers   []*message.Printer
}

func newLanguages() (*languages, error) {
	bundle := i18n.NewBundle(spoken[0])
	l := &languages{matcher: language.NewMatcher(spoken)}
	for _, tag := range spoken {
		name := tag.String() + ".json"
		content, err := catalogues.ReadFile("catalogue/" + name)
		if err != nil {
			return nil, err
		}
		if _, err := bundle.ParseMessageFileBytes(content, name); err != nil {
			return nil, fmt.Errorf("reading the texts of %s: %w", name, err)
		}
	}
	for _, tag := range spoken {
		l.localizers = append(l.localizers, i18n.NewLocalizer(bundle, tag.String()))
		l.printers = append(l.printers, message.NewPrinter(tag))
	}
	return l, nil
}

// choose is the index of the language for a browser: the one it chose here, or
// what its own settings ask for.
func (l *languages) choose(r *http.Request, cookie string) int {
	if chosen, err := r.Cookie(cookie); err == nil {
		for index, tag := range spoken {
			if tag.String() == chosen.Value {
				return index
			}
		}
	}
	asked, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(asked) == 0 {
		return 0
	}
	_, index, _ := l.matcher.Match(asked...)
	return index
}
