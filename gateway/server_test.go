package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/network"
)

func TestHealth(t *testing.T) {
	asked := 0
	w := newWorld(t, func(config *gateway.Config) {
		config.Dependencies = []gateway.Dependency{{Name: "store", Required: true, Check: func(context.Context) error { asked++; return errAway }}}
	})
	answer := w.do(http.MethodGet, "/healthz", "")
	if got := answer.Body.String(); answer.Code != http.StatusOK || got != `{"status":"ok"}`+"\n" || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answered %d %s", answer.Code, got)
	}
	if asked > 0 {
		t.Error("healthz asked a dependency")
	}
}

// readiness is the answer of readyz.
type readiness struct {
	Status       string                     `json:"status"`
	Dependencies []gateway.DependencyStatus `json:"dependencies"`
}

func (w *world) ready() (int, readiness) {
	w.Helper()
	answer := w.do(http.MethodGet, "/readyz", "")
	var told readiness
	if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil {
		w.Fatalf("readyz answered %d %q: %v", answer.Code, answer.Body, err)
	}
	return answer.Code, told
}

func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var storeErr, nightposErr error
		w := newWorld(t, func(config *gateway.Config) {
			config.Dependencies = []gateway.Dependency{
				{Name: "store", Required: true, Check: func(context.Context) error {
					asked++
					time.Sleep(20 * time.Millisecond)
					return storeErr
				}},
				{Name: "nightpos", Check: func(ctx context.Context) error {
					if errors.Is(nightposErr, context.DeadlineExceeded) {
						<-ctx.Done()
						return ctx.Err()
					}
					return nightposErr
				}},
			}
		})
		start := time.Now().Add(20 * time.Millisecond).UTC()
		ok := gateway.DependencyStatus{Name: "store", Required: true, Status: "ok", LatencyMS: 20, Since: start}
		suite := gateway.DependencyStatus{Name: "nightpos", Status: "ok", Since: start}
		check := func(what string, wantCode int, want ...gateway.DependencyStatus) {
			t.Helper()
			code, got := w.ready()
			if diff := cmp.Diff(want, got.Dependencies, cmpopts.EquateApproxTime(50*time.Millisecond)); code != wantCode || diff != "" {
				t.Errorf("%s: answered %d, want %d (-want +got):\n%s", what, code, wantCode, diff)
			}
		}
		check("at first", 200, ok, suite)
		// Many monitors cost one check a second.
		for range 100 {
			w.ready()
		}
		if asked != 1 {
			t.Errorf("the store was asked %d times within a second, want once", asked)
		}
		time.Sleep(time.Minute)
		check("a minute later", 200, ok, suite)

		nightposErr = errors.New("no route to host")
		time.Sleep(time.Minute)
		suite.Status, suite.Error, suite.Since = "failed", "no route to host", time.Now().UTC()
		check("without NightPOS", 200, ok, suite)

		storeErr = &gateway.Warning{Text: "not durable"}
		time.Sleep(time.Minute)
		ok.Status, ok.Error, ok.Since = "warning", "not durable", time.Now().UTC()
		check("with a warning", 200, ok, suite)

		storeErr = fmt.Errorf("redis: %w", errAway)
		time.Sleep(time.Minute)
		ok.Status, ok.Error, ok.Since = "failed", "redis: the store is away", time.Now().UTC()
		check("without the store", 503, ok, suite)

		storeErr, nightposErr = nil, context.DeadlineExceeded
		time.Sleep(time.Minute)
		began := time.Now()
		code, told := w.ready()
		if took := time.Since(began); code != 200 || took > 5*time.Second || told.Dependencies[1].Status != "failed" {
			t.Errorf("a dependency that hangs: answered %d after %s: %+v", code, took, told)
		}
	})
}

func TestMetricsAndOtherAddresses(t *testing.T) {
	w := newWorld(t, nil)
	answer := w.do(http.MethodGet, "/metrics", "")
	if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("metrics answered %d, %s", answer.Code, answer.Header().Get("Content-Type"))
	}
	for _, series := range []string{
		`outlook_gateway_sync_lag_seconds_count{from="outlook"} 0`, `outlook_gateway_sync_lag_seconds_count{from="nightpos"} 0`,
		`outlook_gateway_echoes_dropped_total{side="outlook"} 0`,
	} {
		if !strings.Contains(answer.Body.String(), series) {
			t.Errorf("there is no series %s before the first change", series)
		}
	}
	for _, one := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 404},
		{"GET", "/webhooks", 404},
		{"GET", graph, 405},
		{"GET", graph + "?validationToken=x", 405},
		{"PUT", w.nightpos("save"), 405},
		{"POST", "/healthz", 405},
		{"HEAD", "/healthz", 200},
		{"POST", graph + "/", 404},
		{"POST", "/webhooks/nightpos", 404},
		{"POST", "/webhooks/nightpos/", 404},
	} {
		answer := w.do(one.method, one.path, "")
		if answer.Code != one.want {
			t.Errorf("%s %.30s answered %d, want %d", one.method, one.path, answer.Code, one.want)
		}
		if answer.Code >= 400 && answer.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %.30s answered with %s", one.method, one.path, answer.Header().Get("Content-Type"))
		}
		if answer.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s %.30s has no request id", one.method, one.path)
		}
	}
}

// A fault in one request costs that request: the place is given back, the log
// says which, and what came in is not shown.
func TestPanicsAreContained(t *testing.T) {
	w := newWorld(t, func(config *gateway.Config) { config.MaxConcurrency = 1 })
	w.store.set(func(s *store) { s.broken = true })
	for range 3 {
		answer := w.post(w.nightpos("save"), saved)
		if answer.Code != http.StatusInternalServerError || strings.Contains(answer.Body.String(), "broken") {
			t.Errorf("answered %d %s, want 500 and no cause", answer.Code, answer.Body)
		}
	}
	logged := w.logs.FilterMessageSnippet("unforeseen").All()
	if len(logged) != 3 {
		t.Fatalf("the log has %d entries, want 3", len(logged))
	}
	if shown := fmt.Sprint(logged[0].ContextMap()); strings.Contains(shown, w.senders.Token()) {
		t.Errorf("the log shows the token: %s", shown)
	}
}

func TestServerStopsInTime(t *testing.T) {
	for name, one := range map[string]struct {
		slow    time.Duration
		want    int
		wantErr bool
	}{
		"a request that ends":      {time.Second, http.StatusAccepted, false},
		"a request that hangs":     {0, http.StatusBadRequest, false},
		"no request":               {-1, 0, false},
		"a store that is too slow": {time.Hour, http.StatusServiceUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &network.Network{}
				w := newWorld(t, nil)
				stop := w.running(memory)
				client := &http.Client{Transport: memory.Transport()}
				body := io.Reader(strings.NewReader(w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)))
				hanging, writer := io.Pipe()
				if one.slow == 0 {
					body = hanging
				}
				w.store.set(func(s *store) { s.slow = one.slow })
				codes := make(chan int, 1)
				go func() {
					defer close(codes)
					if one.slow < 0 {
						return
					}
					answer, err := client.Post("http://gateway.test"+graph, "application/json", body)
					if err != nil {
						return
					}
					defer answer.Body.Close()
					codes <- answer.StatusCode
				}()
				time.Sleep(100 * time.Millisecond)
				began := time.Now()
				err := stop()
				if took := time.Since(began); took > 7*time.Second || (err != nil) != one.wantErr {
					t.Errorf("stopped after %s with %v, want within 7 s and an error: %t", took, err, one.wantErr)
				}
				_ = writer.Close()
				if got := <-codes; got != one.want {
					t.Errorf("the request under way was answered %d, want %d", got, one.want)
				}
				if _, err := client.Get("http://gateway.test/healthz"); err == nil {
					t.Error("a stopped server answers")
				}
			})
		})
	}
}

// TestADrainedServerStillTakesWebhooks holds that who is told to stop says so to
// monitors first, and takes what is still sent to it meanwhile.
func TestADrainedServerStillTakesWebhooks(t *testing.T) {
	for name, hosts := range map[string]bool{"alone": false, "behind hosts": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const drain = 2 * time.Second
				memory := &network.Network{}
				w := newWorld(t, func(config *gateway.Config) { config.Drain = drain })
				run := w.running
				if hosts {
					run = w.runningBehind(gateway.NewHosts(nil, drain))
				}
				stop := run(memory)
				client := &http.Client{Transport: memory.Transport()}
				expect := func(when, path string, want int) {
					t.Helper()
					answer, err := client.Get("http://gateway.test" + path)
					if err != nil {
						t.Fatalf("%s, %s: %v", when, path, err)
					}
					_ = answer.Body.Close()
					if answer.StatusCode != want {
						t.Errorf("%s, %s answers %d, want %d", when, path, answer.StatusCode, want)
					}
				}
				synctest.Wait()
				expect("before", "/readyz", http.StatusOK)
				began, stopped := time.Now(), make(chan error, 1)
				go func() { stopped <- stop() }()
				time.Sleep(drain - 100*time.Millisecond) // virtual: the last moment of the drain
				expect("while it drains", "/readyz", http.StatusServiceUnavailable)
				if hosts {
					request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://gateway.test/readyz", nil)
					if err != nil {
						t.Fatal(err)
					}
					request.Host = "10.0.0.7:8080"
					answer, err := client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					_ = answer.Body.Close()
					if answer.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("while it drains, /readyz answers %d under its address, want 503", answer.StatusCode)
					}
				}
				expect("while it drains", "/healthz", http.StatusOK)
				answer, err := client.Post("http://gateway.test"+graph, "application/json",
					strings.NewReader(w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)))
				if err != nil {
					t.Fatalf("while it drains, a notification: %v", err)
				}
				_ = answer.Body.Close()
				if !answer.Close {
					t.Error("while it drains, it keeps a connection")
				}
				if answer.StatusCode != http.StatusAccepted || len(w.store.kept()) != 1 {
					t.Errorf("while it drains, a notification is answered %d and %q kept", answer.StatusCode, w.store.kept())
				}
				if err := <-stopped; err != nil || time.Since(began) > drain+time.Second {
					t.Errorf("stopped after %s with %v, want soon after %s and no error", time.Since(began), err, drain)
				}
				if _, err := client.Get("http://gateway.test/healthz"); err == nil {
					t.Error("a stopped server answers")
				}
			})
		})
	}
}

// TestUnusedConnectionsDoNotHoldUpTheEnd opens a connection ahead of need, as
// clients and load balancers do, and sends nothing.
func TestUnusedConnectionsDoNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &network.Network{}
		w := newWorld(t, nil)
		stop := w.running(memory)
		connection, err := memory.DialContext(t.Context(), "tcp", "gateway.test:80")
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		synctest.Wait()
		began := time.Now()
		err = stop()
		if took := time.Since(began); err != nil || took > 2*time.Second {
			t.Errorf("stopped after %s with %v, want within 2 s and no error", took, err)
		}
	})
}

func TestServerNeedsItsParts(t *testing.T) {
	if _, err := gateway.NewServer(gateway.Config{}); err == nil {
		t.Error("a server without anything was made")
	}
	if _, err := gateway.NewSenders(nil, "night", strings.NewReader("")); err == nil {
		t.Error("secrets without a key were made")
	}
}
