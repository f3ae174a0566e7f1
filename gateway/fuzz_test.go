package gateway_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// at is the same world in one round of a fuzz test.
func (w *world) at(t *testing.T) *world {
	one := *w
	one.TB = t
	return &one
}

// held checks what a post left in the store: known lanes, keys that name work,
// and no more than the post itself held.
func (w *world) held(body string) {
	w.Helper()
	hints, _, _, _, _ := w.store.state()
	size := 0
	for _, hint := range hints {
		if hint.Lane != alice.ID && hint.Lane != bob.ID {
			w.Errorf("a hint for the lane %q", hint.Lane)
		}
		side, graphID, recordID := reconciler.ParseKey(hint.Item.Key)
		known := slices.Contains([]string{reconciler.KeySweep, reconciler.KeyChanges, reconciler.KeySubscription}, hint.Item.Key)
		if !known && side == "" {
			w.Errorf("a hint that names no work: %q", hint.Item.Key)
		}
		if graphID != hint.GraphID || recordID < 0 {
			w.Errorf("a hint about %q and %d with the key %q", hint.GraphID, recordID, hint.Item.Key)
		}
		size += len(hint.Item.Key) + len(hint.GraphID) + len(hint.Item.Version)
	}
	// A byte that is no text becomes three, an item at most two hints, and an id
	// is kept twice.
	if size > 16*len(body)+64 {
		w.Errorf("a post of %d bytes left %d bytes in the store", len(body), size)
	}
}

func FuzzGraphWebhook(f *testing.F) {
	for _, post := range graphPosts {
		f.Add(post.body)
	}
	f.Add(richPost)
	f.Add(`{"value":[` + strings.Repeat(`{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}},`, 20) + `null]}`)
	shared := newWorld(f, func(config *gateway.Config) { config.Contents = config.Hints.(*store) })
	state, other := shared.clientState(alice.ID), shared.clientState(bob.ID)
	f.Fuzz(func(t *testing.T, body string) {
		w := shared.at(t)
		body = strings.NewReplacer("STATE", state, "OTHER", other).Replace(body)
		w.store.set(func(s *store) { s.hints, s.contents = nil, nil })
		answer := w.post(graph, body)
		if !slices.Contains([]int{http.StatusAccepted, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, answer.Code) {
			t.Errorf("answered %d", answer.Code)
		}
		if answer.Code == http.StatusAccepted && !json.Valid([]byte(body)) {
			t.Error("what is not JSON was acknowledged")
		}
		if answer.Code != http.StatusAccepted && len(w.store.kept()) > 0 {
			t.Errorf("answered %d with %v in the store", answer.Code, w.store.kept())
		}
		w.held(body)
	})
}

func FuzzNightPOSWebhook(f *testing.F) {
	recorded, err := os.Open("../nightpos/testdata/webhooks.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	defer recorded.Close()
	lines := bufio.NewScanner(recorded)
	for lines.Scan() {
		var one struct {
			On   string
			Body json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			f.Fatal(err)
		}
		f.Add("on="+one.On, string(one.Body))
	}
	if err := lines.Err(); err != nil {
		f.Fatal(err)
	}
	shared := newWorld(f, nil)
	address := strings.TrimSuffix(shared.nightpos(""), "on=")
	f.Fuzz(func(t *testing.T, query, body string) {
		w := shared.at(t)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.URL.RawQuery = query
		w.store.set(func(s *store) { s.hints = nil })
		answer := w.serve(request)
		if !slices.Contains([]int{http.StatusAccepted, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, answer.Code) {
			t.Errorf("answered %d", answer.Code)
		}
		if got := len(w.store.kept()); got > 2 || (answer.Code != http.StatusAccepted && got > 0) {
			t.Errorf("answered %d with %v in the store", answer.Code, w.store.kept())
		}
		w.held(body)
	})
}

func FuzzValidationToken(f *testing.F) {
	for _, query := range []string{"validationToken=a%20b", "validationToken=%3Cscript%3E", "validationToken=a&validationToken=b", "own=1&validationToken=x", "validationToken", "validationToken=%zz", "a;b=c&validationToken=x"} {
		f.Add(query)
	}
	shared := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, query string) {
		w := shared.at(t)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, graph, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.RawQuery = query
		answer := w.serve(request)
		switch answer.Code {
		case http.StatusOK:
			if got, want := answer.Body.String(), request.URL.Query().Get("validationToken"); got != want || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("answered %q as %s, want %q as text/plain", got, answer.Header().Get("Content-Type"), want)
			}
		case http.StatusBadRequest:
		default:
			t.Errorf("answered %d", answer.Code)
		}
	})
}
