package nightpos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// wire answers JSON-RPC calls without a network: versions and sign-ins as 18
// does, the calls of models as the test says. Calls are counted.
type wire struct {
	answer func(r *http.Request) (*http.Response, error)
	calls  atomic.Int64
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(string(body), `"method":"version"`):
		return answered(200, `{"jsonrpc":"2.0","id":1,"result":{"server_version":"18.0","server_version_info":[18,0,0,"final",0,""]}}`), nil
	case strings.Contains(string(body), `"method":"authenticate"`):
		return answered(200, `{"jsonrpc":"2.0","id":1,"result":7}`), nil
	}
	w.calls.Add(1)
	return w.answer(r)
}

func answered(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

func always(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return answered(status, body), nil }
}

func (w *wire) client(t *testing.T) *nightpos.Client {
	t.Helper()
	client, err := nightpos.New(nightpos.Config{
		URL: "http://nightpos.test", Database: "night", Login: account, APIKey: password, HTTP: w, Protocol: nightpos.ProtocolJSONRPC, ActionID: 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// failure is an error as a server of any brand answers it.
func failure(name, message string) string {
	text, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "error": map[string]any{
		"code": 200, "message": "Qplexity Server Error", "data": map[string]any{"name": name, "message": message, "debug": "Traceback: secret"},
	}})
	return string(text)
}

// White labels rename the package, so that an error is known by the end of its
// name; no text of NightPOS's is passed on, since it may quote an event.
func TestErrorsAreKnownByTheEndOfTheirName(t *testing.T) {
	for name, want := range map[string]error{
		"odoo.exceptions.AccessError":              nightpos.ErrAccess,
		"ecommerce.exceptions.AccessError":         nightpos.ErrAccess,
		"AccessError":                              nightpos.ErrAccess,
		"ecommerce.exceptions.AccessDenied":        nightpos.ErrDenied,
		"ecommerce.exceptions.MissingError":        nightpos.ErrMissing,
		"ecommerce.exceptions.UserError":           nightpos.ErrInvalid,
		"odoo.exceptions.ValidationError":          nightpos.ErrInvalid,
		"odoo.exceptions.RedirectWarning":          nightpos.ErrInvalid,
		"builtins.ValueError":                      nightpos.ErrInvalid,
		"ecommerce.http.SessionExpiredException":   nightpos.ErrNoSession,
		"builtins.KeyError":                        nil,
		"odoo.exceptions.AccessErrorOfAnotherKind": nil,
		"":                                     nil,
		"psycopg2.errors.SerializationFailure": &reconciler.RetryError{},
		"psycopg2.OperationalError":            &reconciler.RetryError{},
		"odoo.sql_db.PoolError":                &reconciler.RetryError{},
		"psycopg2.extensions.TransactionRollbackError": &reconciler.RetryError{},
	} {
		wire := &wire{answer: always(200, failure(name, "secret title"))}
		_, err := wire.client(t).UsersByID(t.Context(), 6)
		var retry *reconciler.RetryError
		var answered *nightpos.CallError
		switch {
		case err == nil || !errors.As(err, &answered):
			t.Errorf("%q: got %v, want a CallError", name, err)
			continue
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error quotes NightPOS: %v", name, err)
		}
		var wanted *reconciler.RetryError
		temporary := errors.As(want, &wanted)
		if errors.As(err, &retry) != temporary {
			t.Errorf("%q: got %v, want one to try again: %t", name, err, temporary)
		}
		for _, kind := range []error{nightpos.ErrAccess, nightpos.ErrDenied, nightpos.ErrMissing, nightpos.ErrInvalid, nightpos.ErrNoSession} {
			if got, wants := errors.Is(err, kind), errors.Is(want, kind); got != wants {
				t.Errorf("%q: is %q: %t, want %t", name, kind, got, wants)
			}
		}
		if calls := wire.calls.Load(); calls != 1 {
			t.Errorf("%q: %d calls, want 1: an answer is an answer", name, calls)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, one := range map[string]struct {
		status int
		body   string
		// temporary errors are tried again later.
		temporary bool
	}{
		"neither result nor error":       {200, `{"jsonrpc":"2.0","id":1}`, false},
		"a result that is nothing":       {200, `{"jsonrpc":"2.0","id":1,"result":null}`, false},
		"another door's answer":          {200, `{"jsonrpc":"2.0","id":1,"result":{"infos":{"results":[[],[],[],[],[],[]]}}}`, false},
		"a page":                         {200, "<html>maintenance</html>", true},
		"cut short":                      {200, `{"jsonrpc":"2.0","id":1,"resu`, true},
		"empty":                          {200, "", true},
		"no JSON understood":             {400, "<p>Invalid JSON data</p>", false},
		"not found":                      {404, "", false},
		"moved, which is never followed": {302, "", false},
	} {
		wire := &wire{}
		wire.answer = func(r *http.Request) (*http.Response, error) {
			answer, err := always(one.status, one.body)(r)
			answer.Header.Set("Location", "http://elsewhere.test/")
			return answer, err
		}
		records, err := wire.client(t).Read(t.Context(), []int64{1})
		var retry *reconciler.RetryError
		if err == nil || len(records) > 0 || errors.As(err, &retry) != one.temporary {
			t.Errorf("%s: got %v, %v, want an error to try again: %t", name, records, err, one.temporary)
		}
		if calls := wire.calls.Load(); calls != 1 {
			t.Errorf("%s: %d calls, want 1", name, calls)
		}
	}
}

// What the gateway repeats by itself: calls that change nothing when they arrive
// twice, after failures on the way, and not for longer than a call may take.
func TestCallsAreRepeatedWhereThatIsSafe(t *testing.T) {
	status := func(code int, header ...string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			answer, err := always(code, "")(r)
			if len(header) > 0 {
				answer.Header.Set("Retry-After", header[0])
			}
			return answer, err
		}
	}
	for name, one := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		calls  int64
		after  time.Duration
	}{
		"502":                {status(502), 3, 0},
		"503":                {status(503), 3, 0},
		"504":                {status(504), 3, 0},
		"429 for a second":   {status(429, "1"), 3, time.Second},
		"503 for a quarter":  {status(503, "900"), 1, 15 * time.Minute},
		"429 for two days":   {status(429, "172800"), 1, time.Hour},
		"500":                {status(500), 1, 0},
		"connection refused": {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, 3, 0},
		"connection lost halfway": {func(*http.Request) (*http.Response, error) {
			answer := answered(200, "")
			answer.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"jsonrpc"`), broken{}))
			return answer, nil
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &wire{answer: one.answer}
				began := time.Now()
				_, err := wire.client(t).Read(t.Context(), []int64{1})
				var retry *reconciler.RetryError
				if !errors.As(err, &retry) || retry.After != one.after || wire.calls.Load() != one.calls {
					t.Errorf("got %v after %d calls, want one to try again after %s, and %d calls", err, wire.calls.Load(), one.after, one.calls)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				if err != nil && strings.Contains(err.Error(), "nightpos.test") {
					t.Errorf("the error shows the address: %v", err)
				}
			})
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		wire := &wire{answer: hangs}
		client := wire.client(t)
		began := time.Now()
		_, err := client.Read(t.Context(), []int64{1})
		var retry *reconciler.RetryError
		if took := time.Since(began); !errors.As(err, &retry) || took != 30*time.Second || wire.calls.Load() != 1 {
			t.Errorf("a server that hangs: %v after %s and %d calls, want an error to try again after 30 s", err, took, wire.calls.Load())
		}
		// Four calls hang; a fifth waits for its turn and not for ever.
		for range 4 {
			go func() { _, _ = client.Read(t.Context(), []int64{1}) }()
		}
		synctest.Wait()
		began = time.Now()
		_, err = client.Read(t.Context(), []int64{1})
		if took := time.Since(began); !errors.As(err, &retry) || took > time.Minute {
			t.Errorf("one too many: %v after %s, want an error to try again", err, took)
		}
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = client.Read(ctx, []int64{1}); !errors.Is(err, context.Canceled) {
			t.Errorf("a call given up: got %v, want context.Canceled", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestSigningIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		for name, one := range map[string]struct {
			config nightpos.Config
			want   error
			// temporary errors are tried again later.
			temporary bool
		}{
			"a wrong key":   {nightpos.Config{Database: "night", Login: account, APIKey: "guess"}, nightpos.ErrDenied, false},
			"a wrong login": {nightpos.Config{Database: "night", Login: "nobody", APIKey: password}, nightpos.ErrDenied, false},
			"no database":   {nightpos.Config{Database: "other", Login: account, APIKey: password}, nightpos.ErrNoDatabase, true},
		} {
			one.config.URL, one.config.HTTP = "http://nightpos.test", w.transport
			client, err := nightpos.New(one.config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.UserID(t.Context())
			var retry *reconciler.RetryError
			if !errors.Is(err, one.want) || errors.As(err, &retry) != one.temporary {
				t.Errorf("%s: got %v, want %v, to try again: %t", name, err, one.want, one.temporary)
			}
			if err != nil && strings.Contains(err.Error(), one.config.APIKey) {
				t.Errorf("%s: the error shows the key", name)
			}
		}
		// A server that goes away and comes back needs no new sign-in.
		w.whenCalled(func(string, string) sim.CallFate { return sim.CallFate{Status: 503} })
		if _, err := w.client.Read(t.Context(), []int64{1}); err == nil {
			t.Error("a server that is down was read")
		}
		w.whenCalled(nil)
		if _, err := w.client.Read(t.Context(), []int64{1}); err != nil {
			t.Errorf("once it is up again: %v", err)
		}
	})
}

func TestNewChecksItsConfig(t *testing.T) {
	good := nightpos.Config{URL: "https://night.example.com", Database: "night", Login: "gateway", APIKey: "key"}
	for name, change := range map[string]func(*nightpos.Config){
		"no address": func(c *nightpos.Config) { c.URL = "" }, "not an address": func(c *nightpos.Config) { c.URL = "night.example.com" },
		"another scheme": func(c *nightpos.Config) { c.URL = "ftp://night.example.com" },
		"no database":    func(c *nightpos.Config) { c.Database = "" }, "no login": func(c *nightpos.Config) { c.Login = "" },
		"no key": func(c *nightpos.Config) { c.APIKey = "" }, "another protocol": func(c *nightpos.Config) { c.Protocol = "xmlrpc" },
	} {
		config := good
		change(&config)
		if _, err := nightpos.New(config); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := nightpos.New(good); err != nil {
		t.Error(err)
	}
}
