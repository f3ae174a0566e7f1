package nightpos_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// recording is a conversation with a real server; testdata/pack.go made it.
type recording struct {
	Name      string
	Exchanges []exchange
	// Heard says that a listener took down the webhooks: Hits, of very many the
	// first, and of all of them in Order the path, the record, and its name and
	// active where they were in the body.
	Heard bool
	Hits  []hit
	Order [][]any
}

// exchange is one call. A request that was no JSON-RPC was not kept.
type exchange struct {
	Label    string
	Elapsed  float64
	Request  map[string]any
	Status   int
	Response map[string]any
	// Line is the request's first where it was not sent to /jsonrpc; then Body and
	// Answer are what was sent and answered.
	Line            string
	Headers         []string
	Body, Answer    any
	ResponseHeaders []string
}

// hit is one webhook and, if the listener looked, what a second connection could
// read while the webhook was waiting for its answer.
type hit struct {
	Path  string
	Body  map[string]any
	Probe []any
	// Answered is after how many seconds the listener answered.
	Answered float64
	Raw      string
}

// answer is how the listener treated a webhook. Of very many the recording kept
// the first only; the others were alike.
func (r recording) answer(index int) hit { return r.Hits[min(index, len(r.Hits)-1)] }

func readRecordings(t *testing.T, version int) []recording {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("testdata/%d.json.gz", version))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []recording
	if err := json.NewDecoder(reader).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// relations are what the fields of each model refer to, as fields_get said in
// the recordings, and for the other models as their calls here need it.
func relations(recordings []recording) map[string]map[string]string {
	found := map[string]map[string]string{
		"base.automation": {
			"model_id": "ir.model", "trigger_field_ids": "ir.model.fields", "action_server_ids": "ir.actions.server",
		},
		"ir.actions.server": {
			"model_id": "ir.model", "webhook_field_ids": "ir.model.fields", "groups_id": "res.groups", "group_ids": "res.groups", "base_automation_id": "base.automation",
		},
		"ir.model.fields": {"model_id": "ir.model", "groups": "res.groups"},
		"ir.model.data":   {},
	}
	for _, one := range recordings {
		for _, exchange := range one.Exchanges {
			call := callOf(exchange.Request)
			described, _ := exchange.Response["result"].(map[string]any)
			if call.method != "fields_get" || found[call.model] != nil {
				continue
			}
			fields := map[string]string{}
			for name, field := range described {
				if relation, ok := field.(map[string]any)["relation"].(string); ok {
					fields[name] = relation
				}
			}
			found[call.model] = fields
		}
	}
	return found
}

// call is a method of a model called by execute_kw or execute; the zero value is any other
// request.
type call struct {
	model, method string
	list          []any
	named         map[string]any
}

func callOf(request map[string]any) call {
	parameters, _ := request["params"].(map[string]any)
	given, _ := parameters["args"].([]any)
	if parameters["method"] == "execute" && len(given) > 5 {
		one := call{list: given[5:]}
		one.model, _ = given[3].(string)
		one.method, _ = given[4].(string)
		return one
	}
	if parameters["method"] != "execute_kw" || len(given) < 6 {
		return call{}
	}
	one := call{}
	one.model, _ = given[3].(string)
	one.method, _ = given[4].(string)
	one.list, _ = given[5].([]any)
	if len(given) > 6 {
		one.named, _ = given[6].(map[string]any)
	}
	return one
}
