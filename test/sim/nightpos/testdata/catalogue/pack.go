// Command pack makes a version's catalogue out of a folder of its recordings:
// the ids of models, the answers of fields_get (010-017) and the rows of
// ir.model.fields (300).
//
//	go run ./test/sim/nightpos/testdata/catalogue/pack.go nightpos-18/ > test/sim/nightpos/catalogue/18.json.gz
package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// recorded is a recording as it was made.
type recorded struct {
	Exchanges []struct {
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
	for _, pattern := range []string{"01[0-7]-*.json", "300-*.json"} {
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
	names := map[int]string{}
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
		case model == "ir.model" && method == "search_read":
			var rows []struct {
				ID    int    `json:"id"`
				Model string `json:"model"`
			}
			if err := json.Unmarshal(result, &rows); err != nil {
				return err
			}
			for _, row := range rows {
				c.Models[row.Model], names[row.ID] = row.ID, row.Model
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
			id, _ := domain[0][2].(float64)
			for _, row := range rows {
				delete(row, "groups")
			}
			c.Fields[names[int(id)]] = rows
		}
	}
	return nil
}
