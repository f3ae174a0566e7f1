// Package findings has the texts of what a check-up finds and advises, in every
// language that pages are read in.
package findings

import (
	"embed"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/languages"
)

//go:embed catalogue/*.json
var catalogues embed.FS

// texts are part of the program: a test reads them.
var texts = sync.OnceValue(func() *languages.Catalogue {
	read, err := languages.Read(catalogues, "catalogue")
	if err != nil {
		panic(err)
	}
	return read
})

// Phrase is a sentence, or a part of one, in no language yet.
type Phrase struct {
	// Key is its stable name in the catalogue; empty says nothing.
	Key string `json:"key"`
	// Values are put in, by their names, as they are: addresses, names, numbers. One
	// named Count is a whole number that chooses between one and many, one named Day
	// a day such as 2028-11-22, and one named Sentence an error of the gateway's own,
	// in English.
	Values map[string]string `json:"values,omitempty"`
	// Phrases are put in in the language of the whole.
	Phrases map[string]Phrase `json:"phrases,omitempty"`
}

// Say makes a phrase of a key, and names and values in turn. A value is a Phrase,
// a time, of which the day counts, or anything that fmt prints.
func Say(key string, arguments ...any) Phrase {
	said := Phrase{Key: key}
	for index := 0; index+1 < len(arguments); index += 2 {
		name := fmt.Sprint(arguments[index])
		if part, is := arguments[index+1].(Phrase); is {
			if said.Phrases == nil {
				said.Phrases = map[string]Phrase{}
			}
			said.Phrases[name] = part
			continue
		}
		if said.Values == nil {
			said.Values = map[string]string{}
		}
		if day, is := arguments[index+1].(time.Time); is {
			said.Values[name] = day.Format(time.DateOnly)
		} else {
			said.Values[name] = fmt.Sprint(arguments[index+1])
		}
	}
	return said
}

// Text is a phrase in a language. Shown, if not nil, writes a value for the reader.
// It is false when the catalogue does not have the phrase or a part of it, as when
// another version of the gateway said it.
func Text(in languages.Language, said Phrase, shown func(name, value string) string) (string, bool) {
	arguments := make([]any, 0, 2*(len(said.Values)+len(said.Phrases)))
	for name, value := range said.Values {
		if shown != nil {
			value = shown(name, value)
		}
		if count, err := strconv.Atoi(value); err == nil && name == "Count" {
			arguments = append(arguments, name, count)
			continue
		}
		arguments = append(arguments, name, value)
	}
	for name, part := range said.Phrases {
		text, known := Text(in, part, shown)
		if !known {
			return "", false
		}
		arguments = append(arguments, name, text)
	}
	text := texts().Text(in, said.Key, arguments...)
	return text, text != said.Key
}
