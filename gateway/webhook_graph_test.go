package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/gateway"
)

func TestValidationHandshake(t *testing.T) {
	w := newWorld(t, nil)
	tokens := map[string]string{
		"opaque":           "eyJ0eXAi.abc-_123",
		"as once shown":    "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a-494c-aaf1-ac0dcfca45b7",
		"every ASCII sign": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ z",
		"a page":           "<script>alert(document.cookie)</script>",
		"a header":         "a\r\nSet-Cookie: x=y\r\n\r\nb",
		"not text":         "\x00\xff\xfe",
		"Thai":             "สวัสดี",
		"long":             strings.Repeat("x", 4096),
		"looks encoded":    "a%20b+c",
	}
	for name, token := range tokens {
		for _, route := range []string{graph, lifecycle} {
			answer := w.post(route+"?own=1&validationToken="+url.QueryEscape(token), "")
			if answer.Code != http.StatusOK || answer.Body.String() != token {
				t.Errorf("%s: %s answered %d %q, want 200 and the token itself", name, route, answer.Code, answer.Body)
			}
			if got := answer.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
				t.Errorf("%s: the answer is %s, want text/plain", name, got)
			}
			if got := answer.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s: X-Content-Type-Options is %q, want nosniff", name, got)
			}
			if got := answer.Header().Get("Set-Cookie"); got != "" {
				t.Errorf("%s: the token became a header", name)
			}
		}
	}
	// Graph writes spaces as %20 or as +.
	for _, encoded := range []string{"a%20b", "a+b"} {
		if got := w.post(graph+"?validationToken="+encoded, "").Body.String(); got != "a b" {
			t.Errorf("%s was decoded to %q, want %q", encoded, got, "a b")
		}
	}
	for name, query := range map[string]string{"empty": "", "too long": strings.Repeat("x", 4097)} {
		if got := w.post(graph+"?validationToken="+query, "").Code; got != http.StatusBadRequest {
			t.Errorf("a token that is %s: answered %d, want 400", name, got)
		}
	}
	if got := w.store.kept(); len(got) > 0 {
		t.Errorf("handshakes left %v in the store", got)
	}
}

// graphPosts are bodies as Graph is known to send them; STATE and OTHER stand
// for the client states of lanes 6 and 7.
var graphPosts = map[string]struct {
	body string
	want []string
	// dropped is how many items had a client state that is not ours.
	dropped string
}{
	"as documented": {
		`{"value":[{"id":"lsgTZMr9KwAAA","subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","subscriptionExpirationDateTime":"2026-11-28T11:00:00.0000000Z","clientState":"STATE","changeType":"updated","resource":"Users/622eaaff-0683-4862-9de4-f2ec83c2bd98/Events/AAMkAGUwNjQ4ZjIxAAA=","tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95","resourceData":{"@odata.type":"#Microsoft.Graph.Event","@odata.id":"Users/622eaaff-0683-4862-9de4-f2ec83c2bd98/Events/AAMkAGUwNjQ4ZjIxAAA=","@odata.etag":"W/\"CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAGDUUXn\"","id":"AAMkAGUwNjQ4ZjIxAAA="}}]}`,
		[]string{"6 outlook:AAMkAGUwNjQ4ZjIxAAA= CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAGDUUXn"},
		"",
	},
	"without id, lower case type, guid resource, zone as an offset": {
		`{"value":[{"subscriptionId":"s","subscriptionExpirationDateTime":"2022-01-02T03:12:18.2257768+05:30","clientState":"STATE","changeType":"created","resource":"users/{user_guid}@{tenant_guid}/events/e1","resourceData":{"@odata.type":"#microsoft.graph.event","id":"e1"}}]}`,
		[]string{"6 outlook:e1 "},
		"",
	},
	"parenthesised resource, a deletion": {
		`{"value":[{"clientState":"STATE","changeType":"deleted","resource":"Users('u')/events('e1')","resourceData":{"id":"e1","@odata.etag":"W/\"k\""}}]}`,
		[]string{"6 outlook:e1 deleted"},
		"",
	},
	"no resource data": {`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":null}]}`, []string{"6 changes "}, ""},
	"several subscriptions, one of them a stranger's": {
		`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1"}},{"clientState":"forged","changeType":"updated","resourceData":{"id":"e2"}},{"changeType":"updated","resourceData":{"id":"e3"}},{"clientState":"OTHER","changeType":"updated","resourceData":{"id":"e1"}}]}`,
		[]string{"6 outlook:e1 ", "7 outlook:e1 "},
		"2",
	},
	"the same told three times": {
		`{"value":[{"clientState":"STATE","changeType":"created","resourceData":{"id":"e1","@odata.etag":"W/\"a\""}},{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1","@odata.etag":"W/\"a\""}},{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1","@odata.etag":"W/\"a\""}}]}`,
		[]string{"6 outlook:e1 a"},
		"",
	},
	// One of the two may be our own write, and the order says nothing.
	"two versions": {
		`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1","@odata.etag":"W/\"b\""}},{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1","@odata.etag":"W/\"a\""}}]}`,
		[]string{"6 outlook:e1 b", "6 outlook:e1 a"},
		"",
	},
	"lifecycle among changes": {
		`{"value":[{"subscriptionId":"s","subscriptionExpirationDateTime":"2026-11-28T11:00:00.0000000Z","tenantId":"t","clientState":"STATE","lifecycleEvent":"reauthorizationRequired"},{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1"}}]}`,
		[]string{"6 subscription reauthorize s", "6 outlook:e1 "},
		"",
	},
	"lifecycle as it once was": {
		`{"value":[{"subscriptionId":"s","organizationId":"t","clientState":"OTHER","lifecycleEvent":"missed"}]}`,
		[]string{"7 sweep "},
		"",
	},
	"rich, which was never asked for": {
		`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1"},"encryptedContent":{"data":"AA==","dataKey":"AA=="}}],"validationTokens":["a.b.c"]}`,
		[]string{"6 outlook:e1 "},
		"",
	},
	"nothing":             {`{"value":[]}`, []string{}, ""},
	"items of wrong kind": {`{"value":[null,1,"x",[],{"clientState":7},{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e1"}}]}`, []string{"6 outlook:e1 "}, ""},
	"strangers only":      {`{"value":[{"clientState":"","changeType":"updated"},{"clientState":"STATEx","changeType":"updated"}]}`, []string{}, "2"},
}

func (w *world) filled(body string) string {
	return strings.NewReplacer("STATE", w.clientState("6"), "OTHER", w.clientState("7")).Replace(body)
}

func TestGraphNotifications(t *testing.T) {
	for name, post := range graphPosts {
		for _, route := range []string{graph, lifecycle} {
			t.Run(name+" at "+route, func(t *testing.T) {
				w := newWorld(t, nil)
				answer := w.post(route, w.filled(post.body))
				if answer.Code != http.StatusAccepted || answer.Body.Len() > 0 {
					t.Errorf("answered %d %q, want 202 and nothing", answer.Code, answer.Body)
				}
				if diff := cmp.Diff(post.want, w.store.kept()); diff != "" {
					t.Errorf("in the store (-want +got):\n%s", diff)
				}
				series := `outlook_gateway_webhooks_rejected_total{reason="client_state",route="` + route + `"}`
				if got := w.metric(series); got != post.dropped {
					t.Errorf("%s is %q, want %q", series, got, post.dropped)
				}
			})
		}
	}
}

// Whoever guesses sees no difference between a right and a wrong client state.
func TestWrongClientStateIsAnsweredAlike(t *testing.T) {
	w := newWorld(t, nil)
	right := w.post(graph, w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`))
	wrong := w.post(graph, `{"value":[{"clientState":"guess","changeType":"updated","resourceData":{"id":"e"}}]}`)
	for _, header := range []http.Header{right.Header(), wrong.Header()} {
		header.Del("X-Request-Id")
	}
	if diff := cmp.Diff(right.Header(), wrong.Header()); diff != "" || right.Code != wrong.Code || right.Body.String() != wrong.Body.String() {
		t.Errorf("a wrong client state is answered %d, a right one %d; headers: %s", wrong.Code, right.Code, diff)
	}
}

func TestBodiesThatAreNoNotifications(t *testing.T) {
	w := newWorld(t, nil)
	huge := `{"value":[` + strings.Repeat(" ", 2<<20) + `]}`
	for name, post := range map[string]struct {
		body string
		want int
	}{
		"empty":              {"", http.StatusBadRequest},
		"not JSON":           {"<html>", http.StatusBadRequest},
		"a list":             {"[]", http.StatusBadRequest},
		"null":               {"null", http.StatusBadRequest},
		"no value":           {`{"values":[]}`, http.StatusBadRequest},
		"value is null":      {`{"value":null}`, http.StatusBadRequest},
		"value is a text":    {`{"value":"x"}`, http.StatusBadRequest},
		"cut short":          {`{"value":[{"clientState":"x"`, http.StatusBadRequest},
		"two in one":         {`{"value":[]}{"value":[]}`, http.StatusBadRequest},
		"nested without end": {strings.Repeat("[", 100_000), http.StatusBadRequest},
		"too many":           {`{"value":[` + strings.Repeat("{},", 6000) + `{}]}`, http.StatusBadRequest},
		"too large":          {huge, http.StatusRequestEntityTooLarge},
	} {
		for _, route := range []string{graph, lifecycle} {
			answer := w.post(route, post.body)
			if answer.Code != post.want || answer.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %s answered %d, %s, want %d, application/problem+json", name, route, answer.Code, answer.Header().Get("Content-Type"), post.want)
			}
		}
		// A body of unknown length is measured while it is read.
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, graph, io.MultiReader(strings.NewReader(post.body)))
		request.ContentLength = -1
		recorder := httptest.NewRecorder()
		if w.server.ServeHTTP(recorder, request); recorder.Code != post.want {
			t.Errorf("%s, in chunks: answered %d, want %d", name, recorder.Code, post.want)
		}
	}
	if got := w.store.kept(); len(got) > 0 {
		t.Errorf("the store has %v", got)
	}
}

func TestGraphIsToldWhenTheStoreCannotBeReached(t *testing.T) {
	for name, change := range map[string]func(*store){
		"away": func(s *store) { s.away = true },
		"slow": func(s *store) { s.slow = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.store.set(change)
				body := w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)
				began := time.Now()
				answer := w.post(graph, body)
				if took := time.Since(began); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" || took >= 3*time.Second {
					t.Errorf("answered %d after %s, Retry-After %q, want 503 and a time within 3 s", answer.Code, took, answer.Header().Get("Retry-After"))
				}
				// What needs no store is answered without it.
				if got := w.post(graph, `{"value":[{"clientState":"forged","changeType":"updated"}]}`).Code; got != http.StatusAccepted {
					t.Errorf("a stranger's post was answered %d, want 202", got)
				}
				if got := w.post(graph+"?validationToken=t", "").Body.String(); got != "t" {
					t.Errorf("the handshake was answered %q, want t", got)
				}
				// Graph sends it again.
				w.store.set(func(s *store) { s.away, s.slow = false, 0 })
				if got := w.post(graph, body).Code; got != http.StatusAccepted || len(w.store.kept()) != 1 {
					t.Errorf("the second post: %d, the store has %v, want 202 and one hint", got, w.store.kept())
				}
			})
		})
	}
}

// A 202 means that the hint is in the store already.
func TestAcknowledgedOnlyOnceStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		gate := make(chan struct{})
		w.store.set(func(s *store) { s.waiting = gate })
		body := w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)
		answered := make(chan int, 1)
		go func() { answered <- w.post(graph, body).Code }()
		synctest.Wait()
		select {
		case code := <-answered:
			t.Fatalf("answered %d before the store had the hint", code)
		default:
		}
		close(gate)
		if code := <-answered; code != http.StatusAccepted || len(w.store.kept()) != 1 {
			t.Errorf("answered %d with %v in the store, want 202 and one hint", code, w.store.kept())
		}
	})
}

func TestEchoesAreCounted(t *testing.T) {
	w := newWorld(t, nil)
	w.store.echoes = 1
	w.post(graph, w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`))
	if got := w.metric(`outlook_gateway_echoes_dropped_total{side="outlook"}`); got != "1" {
		t.Errorf("echoes dropped is %q, want 1", got)
	}
	if got := w.metric(`outlook_gateway_webhook_seconds_count{route="/webhooks/graph",status="202"}`); got != "1" {
		t.Errorf("webhooks answered is %q, want 1", got)
	}
}

// Every key on the list is accepted, so that one can be replaced while
// subscriptions and rules made with it live on.
func TestKeysRotate(t *testing.T) {
	old, both, renewed := newSenders(t, key(1)), newSenders(t, key(2), key(1)), newSenders(t, key(2))
	state, err := old.ClientState("6")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := both.ClientState("6")
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		what    string
		senders *gateway.Senders
		state   string
		token   string
		want    bool
	}{
		{"old secrets with both keys", both, state, old.Token(), true},
		{"new secrets with both keys", both, fresh, both.Token(), true},
		{"new secrets with the new key", renewed, fresh, renewed.Token(), true},
		{"old secrets with the new key", renewed, state, old.Token(), false},
		{"new secrets with the old key", old, fresh, both.Token(), false},
	} {
		lane, known := check.senders.Lane(check.state)
		if known != check.want || (known && lane != "6") || check.senders.IsToken(check.token) != check.want {
			t.Errorf("%s: lane %q, %t, token %t, want %t", check.what, lane, known, check.senders.IsToken(check.token), check.want)
		}
	}
	if len(state) > 128 {
		t.Errorf("a client state has %d characters, and Graph takes 128", len(state))
	}
	other, err := gateway.NewSenders([][]byte{key(1)}, "other", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if lane, known := other.Lane(state); known || other.IsToken(old.Token()) {
		t.Errorf("of another database with the same key, the token is accepted: %t; the client state: %t, for lane %q", other.IsToken(old.Token()), known, lane)
	}
	for _, lane := range []string{"", "a.b", strings.Repeat("9", 41)} {
		if state, err := old.ClientState(lane); err == nil {
			t.Errorf("lane %q got the client state %q, want an error", lane, state)
		}
	}
}

func TestPostsOfSendersWhoHangUp(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, graph, failing{})
	recorder := httptest.NewRecorder()
	if w.server.ServeHTTP(recorder, request); recorder.Code != http.StatusBadRequest {
		t.Errorf("a body that breaks off was answered %d, want 400", recorder.Code)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// richPost is a post with content for both lanes, and for nobody's.
const richPost = `{"value":[
	{"subscriptionId":"s","clientState":"STATE","changeType":"updated","tenantId":"T","resourceData":{"id":"e1","@odata.etag":"W/\"k\""},"encryptedContent":{"data":"AAAA","dataSignature":"BBBB","dataKey":"CCCC","encryptionCertificateId":"c"}},
	{"subscriptionId":"s","clientState":"OTHER","changeType":"deleted","tenantId":"T","resourceData":{"id":"e2","@odata.etag":"W/\"k\""},"encryptedContent":{"data":"AAAA"}},
	{"subscriptionId":"s","clientState":"OTHER","changeType":"created","tenantId":"U","resourceData":{"id":"e3","@odata.etag":"W/\"k\""},"encryptedContent":{"data":"AAAA"}},
	{"subscriptionId":"s","clientState":"OTHER","changeType":"created","tenantId":"T","resourceData":{"id":"e4"},"encryptedContent":"none"},
	{"subscriptionId":"s","clientState":"forged","changeType":"updated","tenantId":"T","resourceData":{"id":"e5","@odata.etag":"W/\"k\""},"encryptedContent":{"data":"AAAA"}}],
	"validationTokens":["e30.eyJ0aWQiOiJUIn0.e30", 7, null]}`

func TestContentIsKeptBeforeItsHints(t *testing.T) {
	for name, row := range map[string]struct {
		with, lost bool
		want       []string
	}{
		"with content": {with: true, want: []string{"6 e1"}},
		"without":      {},
		"not kept":     {with: true, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.store.lost = row.lost
			if row.with {
				w = newWorld(t, func(config *gateway.Config) { config.Contents = config.Hints.(*store) })
				w.store.lost = row.lost
			}
			body := strings.ReplaceAll(w.filled(richPost), `, 7, null`, ``)
			if answer := w.post(graph, body); answer.Code != http.StatusAccepted {
				t.Fatalf("answered %d %s", answer.Code, answer.Body)
			}
			var kept []string
			for _, content := range w.store.contents {
				kept = append(kept, content.Lane+" "+content.GraphID)
				if !strings.Contains(string(content.Sealed), `"CCCC"`) || !strings.Contains(string(content.Sealed), "eyJ0aWQiOiJUIn0") {
					t.Errorf("kept %s, want what was encrypted and the token of its tenant", content.Sealed)
				}
			}
			if diff := cmp.Diff(row.want, kept); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"6 outlook:e1 k", "7 outlook:e2 deleted", "7 outlook:e3 k", "7 outlook:e4 "}, w.store.kept()); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
		})
	}
}

// TestContentsAreBounded: one post is not kept many times over.
func TestContentsAreBounded(t *testing.T) {
	w := newWorld(t, func(config *gateway.Config) { config.Contents = config.Hints.(*store) })
	item := `{"clientState":"STATE","changeType":"updated","tenantId":"T","resourceData":{"id":"e","@odata.etag":"k"},"encryptedContent":{"data":"A"}},`
	token := "e30.eyJ0aWQiOiJUIn0." + strings.Repeat("A", 8000)
	if answer := w.post(graph, w.filled(`{"validationTokens":["`+token+`"],"value":[`+strings.Repeat(item, 3000)+`null]}`)); answer.Code != http.StatusAccepted {
		t.Fatalf("answered %d %s", answer.Code, answer.Body)
	}
	size := 0
	for _, content := range w.store.contents {
		size += len(content.Sealed)
	}
	if size == 0 || size > 5<<20 {
		t.Errorf("%d bytes are kept, want some, and at most a few times as many as were posted", size)
	}
}
