// Command pack makes the packed recordings beside it out of a folder of recorded
// conversations with one version of NightPOS (a JSON file each, named by its
// number), of each only what the replay compares.
//
//	go run ./test/sim/nightpos/testdata/pack.go nightpos-18/ > test/sim/nightpos/testdata/18.json.gz
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recorded is a recording as it was made.
type recorded struct {
	Scenario  string `json:"scenario"`
	Exchanges []struct {
		Label   string  `json:"label"`
		Elapsed float64 `json:"elapsed_ms"`
		Request struct {
			JSON    json.RawMessage
			Line    string
			Headers []string
		} `json:"request"`
		Response struct {
			Status  int             `json:"status"`
			JSON    json.RawMessage `json:"json"`
			Headers []string        `json:"headers"`
		} `json:"response"`
	} `json:"exchanges"`
	Summary json.RawMessage `json:"summary"`
}

// summary is what a recording about webhooks says of them; of other recordings
// the summary only repeats their answers.
type summary struct {
	Hits []struct {
		Path     string          `json:"path"`
		Body     json.RawMessage `json:"json"`
		Probe    json.RawMessage `json:"probe"`
		Answered float64         `json:"answered_after_s"`
		Raw      string          `json:"raw"`
	} `json:"hits"`
	Order [][]any `json:"order"`
	Raw   string  `json:"webhook raw"`
}

type (
	packed struct {
		Name      string     `json:"name"`
		Exchanges []exchange `json:"exchanges"`
		// Heard says that a listener took down what came.
		Heard bool  `json:"heard,omitempty"`
		Hits  []hit `json:"hits,omitempty"`
		// Order is each webhook's path, record, name and active; Hits may be its
		// beginning only.
		Order [][]any `json:"order,omitempty"`
	}
	exchange struct {
		Label    string          `json:"label"`
		Elapsed  float64         `json:"elapsed"`
		Request  json.RawMessage `json:"request"`
		Status   int             `json:"status"`
		Response json.RawMessage `json:"response"`
		// Line is the request's first where it is not that of JSON-RPC; then Body
		// and Answer are what was sent and answered, and the headers are those
		// that say something.
		Line            string          `json:"line,omitempty"`
		Headers         []string        `json:"headers,omitempty"`
		Body            json.RawMessage `json:"body,omitempty"`
		Answer          json.RawMessage `json:"answer,omitempty"`
		ResponseHeaders []string        `json:"responseHeaders,omitempty"`
	}
	hit struct {
		Path     string          `json:"path,omitempty"`
		Body     json.RawMessage `json:"body,omitempty"`
		Probe    json.RawMessage `json:"probe,omitempty"`
		Answered float64         `json:"answered,omitempty"`
		Raw      string          `json:"raw,omitempty"`
	}
)

// wanted are the recordings of events and of series.
func wanted(name string) bool {
	number, err := strconv.Atoi(name[:3])
	return err == nil && (number <= 63 || number >= 100 && number <= 126 || number >= 200 && number <= 242 || number >= 300 && number <= 358 || number >= 400 && number <= 408 || number >= 420 && number <= 429 || number >= 430 && number <= 432 || number == 650 || number == 651 || number >= 800 && number <= 805)
}

// made is where a recording stands in the order in which those of its version
// were made.
func made(nineteen bool, name string) string {
	switch number := name[:3]; {
	case !nineteen && number == "408":
		return "430" + name
	case !nineteen:
	case number >= "400" && number < "408", number >= "420" && number < "430":
		return "300" + name
	case number == "408":
		return "400" + name
	case number == "300" || number == "358":
		return "500" + name
	case number[0] == '8':
		return "600" + name
	case number[:2] == "43":
		return "700" + name
	}
	return name
}

// undescribed are calls whose answers are long and are not replayed.
var undescribed = []string{"doc index", "gzip accepted?"}

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
	files, err := filepath.Glob(filepath.Join(arguments[0], "[0-9][0-9][0-9]*.json"))
	if err != nil {
		return err
	}
	nineteen := strings.HasSuffix(filepath.Clean(arguments[0]), "-19")
	slices.SortFunc(files, func(a, b string) int {
		return strings.Compare(made(nineteen, filepath.Base(a)), made(nineteen, filepath.Base(b)))
	})
	var all []packed
	for _, file := range files {
		if !wanted(filepath.Base(file)) {
			continue
		}
		one, err := compact(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, one)
	}
	writer, err := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(all); err != nil {
		return err
	}
	return writer.Close()
}

// telling leaves out the headers that every call had.
func telling(headers []string, kind string) []string {
	return slices.DeleteFunc(headers, func(header string) bool {
		name, _, _ := strings.Cut(header, ":")
		return name == "Accept" || name == "Connection" || name == "Content-Length" || header == "Content-Type: "+kind
	})
}

func compact(file string) (packed, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return packed{}, err
	}
	var from recorded
	if err := json.Unmarshal(content, &from); err != nil {
		return packed{}, err
	}
	one := packed{Name: from.Scenario}
	for _, call := range from.Exchanges {
		kept := exchange{Label: call.Label, Elapsed: call.Elapsed, Request: call.Request.JSON, Status: call.Response.Status, Response: call.Response.JSON}
		if call.Request.Line != "" && !strings.HasPrefix(call.Request.Line, "POST /jsonrpc ") {
			kept.Line, kept.Body, kept.Answer = call.Request.Line, kept.Request, kept.Response
			kept.Request, kept.Response = nil, nil
			kept.Headers, kept.ResponseHeaders = telling(call.Request.Headers, "application/json"), telling(call.Response.Headers, "application/json; charset=utf-8")
		}
		if slices.Contains(undescribed, call.Label) {
			kept.Answer = nil
		}
		one.Exchanges = append(one.Exchanges, kept)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(from.Summary), []byte("{")) {
		return one, nil
	}
	var about summary
	// Summaries of other recordings have other shapes under the same names.
	if err := json.Unmarshal(from.Summary, &about); err != nil {
		return one, nil
	}
	one.Heard = about.Hits != nil || about.Raw != ""
	if about.Raw != "" {
		one.Hits = append(one.Hits, hit{Raw: about.Raw})
	}
	for _, came := range about.Hits {
		one.Hits = append(one.Hits, hit{came.Path, came.Body, came.Probe, came.Answered, came.Raw})
	}
	for _, came := range about.Order {
		one.Order = append(one.Order, came[1:])
	}
	return one, nil
}
