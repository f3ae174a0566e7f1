package doctor_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/doctor"
	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// makeup is what a world is made with, before anything runs.
type makeup struct {
	nightpos simnightpos.Config
	outlook  simoutlook.Config
	// stopped: no gateway runs.
	stopped bool
}

// world is a gateway in good order between a NightPOS and an Outlook, behind a
// proxy and with a Redis, for planting mistakes.
type world struct {
	*testing.T
	nightpos *simnightpos.Server
	outlook  *simoutlook.Server
	// environment is what the doctor is given.
	environment map[string]string
	// proxy, if set, stands before the gateway.
	proxy   atomic.Pointer[func(http.ResponseWriter, *http.Request, http.Handler)]
	gateway http.Handler
	config  doctor.Config
}

// swapped answers with what is known later than its address.
type swapped struct{ handler atomic.Pointer[http.Handler] }

func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := s.handler.Load(); handler != nil {
		(*handler).ServeHTTP(w, r)
		return
	}
	http.Error(w, "nothing is here yet", http.StatusServiceUnavailable)
}

func (s *swapped) set(handler http.Handler) { s.handler.Store(&handler) }

func serve(t *testing.T) (*swapped, string) {
	t.Helper()
	handler := &swapped{}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return handler, server.URL
}

func newWorld(t *testing.T, change func(*makeup)) *world {
	t.Helper()
	w := &world{T: t}
	nightposHandler, nightposURL := serve(t)
	outlookHandler, outlookURL := serve(t)
	publicHandler, publicURL := serve(t)
	made := makeup{
		nightpos: simnightpos.Config{BaseURL: publicURL, People: []simnightpos.Person{{Name: "Gateway", Login: "gateway", Address: "gateway@nightpos.example", Password: "the-password"}}},
		outlook: simoutlook.Config{
			BaseURL: outlookURL, Switches: simoutlook.Switches{AnyAddress: true},
			People: []simoutlook.Person{{Name: "Alice", Address: "alice@nightpos.example"}},
			Applications: []simoutlook.Application{{
				ID: simoutlook.DefaultApplication.ID, Secret: simoutlook.DefaultApplication.Secret, RedirectURIs: []string{publicURL + gateway.RedirectPath},
			}},
		},
	}
	if change != nil {
		change(&made)
	}
	var err error
	if w.nightpos, err = simnightpos.New(made.nightpos); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nightpos.Close)
	if w.outlook, err = simoutlook.New(made.outlook); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.outlook.Close)
	nightposHandler.set(w.nightpos.Handler())
	outlookHandler.set(w.outlook.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.environment = map[string]string{
		"GATEWAY_LISTEN": listener.Addr().String(), "GATEWAY_PUBLIC_URL": publicURL, "GATEWAY_DATA_DIR": t.TempDir(),
		"GATEWAY_SECRET_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "GATEWAY_ADMIN_TOKEN": strings.Repeat("t", 32),
		"REDIS_URL":           redisURL(t, "--appendonly", "yes", "--appendfsync", "always"),
		"MICROSOFT_CLIENT_ID": simoutlook.DefaultApplication.ID, "MICROSOFT_CLIENT_SECRET": simoutlook.DefaultApplication.Secret,
		"MICROSOFT_CLIENT_SECRET_EXPIRES": time.Now().AddDate(1, 0, 0).Format(time.DateOnly),
		"MICROSOFT_LOGIN_URL":             outlookURL, "MICROSOFT_GRAPH_URL": outlookURL + "/v1.0",
		"NIGHTPOS_URL": nightposURL, "NIGHTPOS_DB": "night", "NIGHTPOS_LOGIN": "gateway", "NIGHTPOS_API_KEY": w.nightpos.Member("gateway").APIKey(0),
		"NIGHTPOS_ADMIN_LOGIN": "admin", "NIGHTPOS_ADMIN_API_KEY": w.nightpos.Member("admin").APIKey(0),
	}
	if made.stopped {
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		w.start(listener)
	}
	target, err := url.Parse("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	w.gateway = proxy
	publicHandler.set(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if between := w.proxy.Load(); between != nil {
			(*between)(answer, r, proxy)
			return
		}
		proxy.ServeHTTP(answer, r)
	}))
	w.config = doctor.Config{Lookup: w.lookup, RedisServer: "redis-server"}
	return w
}

func (w *world) lookup(name string) (string, bool) {
	value, given := w.environment[name]
	return value, given
}

// start registers and starts a gateway in good order.
func (w *world) start(listener net.Listener) {
	w.Helper()
	settings, err := gateway.LoadSettings(w.lookup, "")
	if err != nil {
		w.Fatal(err)
	}
	transport := &http.Transport{}
	config := service.Config{Settings: settings, Listener: listener, Transport: transport}
	if _, err := service.Register(w.Context(), config); err != nil {
		w.Fatal(err)
	}
	running, err := service.Start(w.Context(), config)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := running.Close(); err != nil {
			w.Error(err)
		}
	})
}

// between puts something between the world and the gateway.
func (w *world) between(work func(answer http.ResponseWriter, r *http.Request, next http.Handler)) {
	w.proxy.Store(&work)
}

// unlike lets the environment differ from the gateway's.
func (w *world) unlike(name, value string) { w.environment[name] = value }

// admin calls a method of a model as the administrator, and reads the answer.
func (w *world) admin(into any, model, method string, arguments ...any) {
	w.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw", "args": []any{"night", 2, "admin", model, method, arguments},
	}})
	if err != nil {
		w.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/jsonrpc", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	w.nightpos.Handler().ServeHTTP(recorder, request)
	var told struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &told); err != nil || told.Error != nil {
		w.Fatalf("%s.%s: %v %s", model, method, err, told.Error)
	}
	if into != nil {
		if err := json.Unmarshal(told.Result, into); err != nil {
			w.Fatal(err)
		}
	}
}

// find searches for the first record of a name.
func (w *world) find(model, name string) int {
	w.Helper()
	var ids []int
	w.admin(&ids, model, "search", []any{[]any{"name", "=", name}})
	if len(ids) == 0 {
		w.Fatalf("there is no %s of the name %q", model, name)
	}
	return ids[0]
}

// redisURL starts a redis-server.
func redisURL(t *testing.T, arguments ...string) string {
	t.Helper()
	return serverURL(t, append(arguments, "--save", "")...)
}

// serverURL runs redis-server, as a Redis or as a Sentinel.
func serverURL(t *testing.T, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("REQUIRE_REDIS") != "" {
			t.Fatal("redis-server is not on PATH")
		}
		t.Skip("redis-server is not on PATH; ./scripts/test installs it")
	}
	// Somebody else may take a port between its being found free and being used.
	for range 5 {
		if address := startRedis(t, path, arguments); address != "" {
			return "redis://" + address
		}
	}
	t.Fatal("redis-server does not start")
	return ""
}

// sentinelURL starts a Redis and a Sentinel that watches it.
func sentinelURL(t *testing.T, arguments ...string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(redisURL(t, arguments...), "redis://"))
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, []byte("sentinel monitor night "+host+" "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return serverURL(t, file, "--sentinel") + "?master_name=night"
}

// startRedis tries one port; it returns nothing if that was taken.
func startRedis(t *testing.T, path string, arguments []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	listener.Close()
	command := exec.Command(path, append(arguments, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
	})
	for {
		select {
		case <-ended:
			return ""
		case <-time.After(10 * time.Millisecond):
		}
		connection, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_, err = io.WriteString(connection, "PING\r\n")
		first := make([]byte, 1)
		if err == nil {
			_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
			_, err = io.ReadFull(connection, first)
		}
		connection.Close()
		// Those with a password answer with an error.
		if err == nil && (first[0] == '+' || first[0] == '-') {
			return address
		}
	}
}

// stranger answers everything with a page.
func stranger(answer http.ResponseWriter, _ *http.Request, _ http.Handler) {
	answer.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(answer, "<html>Welcome</html>")
}

// on changes the answers of one path.
func on(path string, work func(answer http.ResponseWriter, r *http.Request, next http.Handler)) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasPrefix(r.URL.Path, path) {
			work(answer, r, next)
			return
		}
		next.ServeHTTP(answer, r)
	}
}

// at is an address as DNS would give it.
var at = netip.MustParseAddr
