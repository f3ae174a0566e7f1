// Command pack makes a version's catalogue out of a folder of its recordings:
// the ids of models, the answers of fields_get (010-017) and the rows of
// ir.model.fields (300; in 19 the names and ids of 408 and 301, the rest from the
// answers of fields_get).
//
//	go run ./test/sim/nightpos/testdata/catalogue/pack.go nightpos-18/ > test/sim/nightpos/catalogue/18.json.gz
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recorded is a recording as it was made.
type recorded struct {
	Exchanges []struct {
		Label   string `json:"label"`
		Request struct {
			JSON struct {
				Params struct {
					Args []json.RawMessage `json:"args"`
				} `json:"params"`
			} `json:"json"`
		} `json:"request"`
		Response struct {
			JSON struct {
				Result json.RawMessage `json:"result"`
			} `json:"json"`
		} `json:"response"`
	} `json:"exchanges"`
}

type catalogue struct {
	Models    map[string]int              `json:"models"`
	Described map[string]json.RawMessage  `json:"described"`
	Fields    map[string][]map[string]any `json:"fields"`
}

func main() {
	if err := pack(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("give the folder of one version's recordings")
	}
	made := catalogue{Models: map[string]int{}, Described: map[string]json.RawMessage{}, Fields: map[string][]map[string]any{}}
	for _, pattern := range []string{"01[0-7]-*.json", "300-*.json", "408-*.json", "301-*.json"} {
		files, err := filepath.Glob(filepath.Join(arguments[0], pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := made.add(file); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	if err := made.complete(); err != nil {
		return err
	}
	writer, err := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(writer).Encode(made); err != nil {
		return err
	}
	return writer.Close()
}

func (c *catalogue) add(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var from recorded
	if err := json.Unmarshal(content, &from); err != nil {
		return err
	}
	for _, exchange := range from.Exchanges {
		given, result := exchange.Request.JSON.Params.Args, exchange.Response.JSON.Result
		if len(given) < 6 {
			continue
		}
		var model, method string
		if json.Unmarshal(given[3], &model) != nil || json.Unmarshal(given[4], &method) != nil {
			continue
		}
		switch {
		case method == "fields_get" && c.Described[model] == nil:
			c.Described[model] = result
		case model == "ir.model" && method == "search":
			// That of 408, which nothing else tells in 19.
			var ids []int
			if err := json.Unmarshal(result, &ids); err != nil || len(ids) != 1 || c.Models["calendar.event"] != 0 {
				continue
			}
			c.Models["calendar.event"] = ids[0]
		case model == "base.automation" && method == "create":
			if err := c.addChosen(exchange.Label, given[5]); err != nil {
				return err
			}
		case model == "ir.model" && method == "search_read":
			var rows []struct {
				ID    int    `json:"id"`
				Model string `json:"model"`
			}
			if err := json.Unmarshal(result, &rows); err != nil {
				return err
			}
			for _, row := range rows {
				c.Models[row.Model] = row.ID
			}
		case model == "ir.model.fields" && method == "search_read":
			var list []json.RawMessage
			var domain [][]any
			var rows []map[string]any
			if err := json.Unmarshal(given[5], &list); err != nil {
				return err
			}
			if err := json.Unmarshal(list[0], &domain); err != nil {
				return err
			}
			if err := json.Unmarshal(result, &rows); err != nil {
				return err
			}
			for _, row := range rows {
				delete(row, "groups")
			}
			about, _ := domain[0][2].(string)
			if id, numbered := domain[0][2].(float64); numbered {
				about = c.name(int(id))
			}
			if c.Fields[about] == nil {
				c.Fields[about] = rows
			}
		}
	}
	return nil
}

func (c *catalogue) name(id int) string {
	for name, known := range c.Models {
		if known == id {
			return name
		}
	}
	return ""
}

// chosen are the fields that the rules of 301 send, in their order.
var chosen = map[string][]string{
	"calendar.attendee":   {"id", "event_id", "partner_id", "state"},
	"calendar.recurrence": {"id", "rrule", "base_event_id", "calendar_event_ids", "end_type", "until", "count"},
}

// addChosen learns ids from a rule of 301, where ir.model.fields was not read.
func (c *catalogue) addChosen(label string, list json.RawMessage) error {
	_, model, _ := strings.Cut(label, " on_create_or_write on ")
	if chosen[model] == nil || c.Fields[model] != nil {
		return nil
	}
	var rules []struct {
		Model   int                  `json:"model_id"`
		Actions [][3]json.RawMessage `json:"action_server_ids"`
	}
	var action struct {
		Fields [][3]json.RawMessage `json:"webhook_field_ids"`
	}
	var ids []int
	if err := json.Unmarshal(list, &rules); err != nil {
		return err
	}
	if err := json.Unmarshal(rules[0].Actions[0][2], &action); err != nil {
		return err
	}
	if err := json.Unmarshal(action.Fields[0][2], &ids); err != nil {
		return err
	}
	c.Models[model] = rules[0].Model
	for index, name := range chosen[model] {
		c.Fields[model] = append(c.Fields[model], map[string]any{"id": ids[index], "name": name})
	}
	return nil
}

// firstUnrecorded is the first id of the fields whose id was not recorded.
const firstUnrecorded = 6000

// complete takes from fields_get what the rows lack.
func (c *catalogue) complete() error {
	next := firstUnrecorded
	for _, model := range slices.Sorted(maps.Keys(c.Fields)) {
		var described map[string]struct {
			Type    string `json:"type"`
			Store   bool   `json:"store"`
			Related any    `json:"related"`
		}
		if err := json.Unmarshal(c.Described[model], &described); err != nil {
			return err
		}
		known := map[string]bool{}
		for _, row := range c.Fields[model] {
			name, _ := row["name"].(string)
			known[name] = true
			if row["ttype"] == nil {
				row["ttype"], row["store"], row["related"] = described[name].Type, described[name].Store, described[name].Related
			}
		}
		if len(c.Fields[model]) != len(chosen[model]) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(described)) {
			if one := described[name]; !known[name] {
				c.Fields[model] = append(c.Fields[model], map[string]any{"id": next, "name": name, "ttype": one.Type, "store": one.Store, "related": one.Related})
				next++
			}
		}
	}
	return nil
}
