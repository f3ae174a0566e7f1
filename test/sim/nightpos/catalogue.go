package nightpos

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// catalogues hold what each version was recorded to say of its calendar models:
// their ids, the answers of fields_get and the rows of ir.model.fields.
//
//go:embed catalogue/17.json.gz catalogue/18.json.gz catalogue/19.json.gz
var catalogues embed.FS

// catalogue is one version's.
type catalogue struct {
	// Models are the ids of models in ir.model.
	Models map[string]int `json:"models"`
	// Described is what fields_get answers, by model and field.
	Described map[string]map[string]map[string]any `json:"described"`
	// Fields are the rows of ir.model.fields, by model.
	Fields map[string][]struct {
		ID      int    `json:"id"`
		Name    string `json:"name"`
		Kind    string `json:"ttype"`
		Store   bool   `json:"store"`
		Related any    `json:"related"`
	} `json:"fields"`
}

func readCatalogue(version int) (*catalogue, error) {
	packed, err := catalogues.ReadFile(fmt.Sprintf("catalogue/%d.json.gz", version))
	if err != nil {
		return nil, fmt.Errorf("reading the field lists: %w", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking the field lists: %w", err)
	}
	found := &catalogue{}
	if err := json.NewDecoder(reader).Decode(found); err != nil {
		return nil, fmt.Errorf("decoding the field lists: %w", err)
	}
	return found, nil
}

// complete adds the fields that the catalogue knows and the schema does not, so
// that they can be read and chosen for webhooks: they are always empty.
func (c *catalogue) complete(models map[string]model) {
	for name, fields := range c.Described {
		defined, known := models[name]
		if !known {
			continue
		}
		for field, described := range fields {
			one, known := defined[field]
			if !known {
				one.kind = kindOf(textOf(described["type"]))
				one.relation = textOf(described["relation"])
				one.computed = empty
				choices, _ := described["selection"].([]any)
				for _, choice := range choices {
					if pair, ok := choice.([]any); ok && len(pair) == 2 {
						one.selection = append(one.selection, textOf(pair[0]))
					}
				}
			}
			one.label, one.group = textOf(described["string"]), textOf(described["groups"])
			defined[field] = one
		}
	}
}

func empty(*transaction, *record) any { return nil }

func kindOf(name string) kind {
	if name == "many2one_reference" {
		return kindInt
	}
	return kind(name)
}

// describe answers fields_get with the attributes that are asked for; nil if
// the model was not recorded.
func (c *catalogue) describe(model string, attributes []string) map[string]any {
	fields, known := c.Described[model]
	if !known {
		return nil
	}
	described := map[string]any{}
	for name, field := range fields {
		one := map[string]any{}
		for attribute, value := range field {
			// The fields that stand for groups come whole.
			if len(attributes) == 0 || strings.HasPrefix(name, "in_group_") || strings.HasPrefix(name, "sel_groups_") || slices.Contains(attributes, attribute) {
				one[attribute] = value
			}
		}
		described[name] = one
	}
	return described
}

// displayTime is how an event's time is shown to the reader, in the zone of the
// context or of the user.
func (t *transaction) displayTime(r *record) any {
	day, hour := "01/02/2006", "15:04:05"
	if t.nineteen() {
		hour = "03:04:05 PM"
	}
	location := t.zone()
	start, _ := r.values["start"].(time.Time)
	stop, _ := r.values["stop"].(time.Time)
	if truth(r.values["allday"]) {
		return "All Day, " + start.Format(day)
	}
	start, stop = start.In(location), stop.In(location)
	if stop.Sub(start) < 24*time.Hour {
		return fmt.Sprintf("%s at (%s To %s) (%s)", start.Format(day), start.Format(hour), stop.Format(hour), location)
	}
	return fmt.Sprintf("%s at %s To\n %s at %s (%s)", start.Format(day), start.Format(hour), stop.Format(day), stop.Format(hour), location)
}

// zone is that of the context, or of the acting user.
func (t *transaction) zone() *time.Location {
	name := textOf(t.context["tz"])
	if user := t.get("res.users", t.uid); name == "" && user != nil {
		name = textOf(user.values["tz"])
	}
	return location(name)
}

// locations are those that were loaded, by name: reading them takes longer than most
// of what is done with them.
var locations sync.Map

// location is a zone by its name; UTC if there is none of it.
func location(name string) *time.Location {
	if known, there := locations.Load(name); there {
		return known.(*time.Location)
	}
	found, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	locations.Store(name, found)
	return found
}
