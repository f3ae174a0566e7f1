package outlook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestMicrosoftClient runs Microsoft's own JavaScript client against the server
// on a real TLS listener. Without Node.js it is skipped, unless REQUIRE_NODE is
// set.
func TestMicrosoftClient(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("REQUIRE_NODE") != "" {
				t.Fatalf("REQUIRE_NODE is set: %v", err)
			}
			t.Skipf("Microsoft's client needs Node.js: %v", err)
		}
	}
	if testing.Short() {
		t.Skip("runs npm and waits for real retries")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if _, err := os.Stat("client/node_modules"); err != nil {
		install := exec.CommandContext(ctx, "npm", "ci")
		install.Dir = "client"
		if output, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, output)
		}
	}

	certificate, authority, err := outlook.SelfSigned("127.0.0.1", "localhost")
	if err != nil {
		t.Fatalf("SelfSigned: %v", err)
	}
	authorityFile := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authorityFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	defer transport.CloseIdleConnections()

	graph := openTLS(t, certificate)
	var throttled atomic.Int32
	server, err := outlook.New(outlook.Config{
		BaseURL: "https://" + graph.Addr().String(), Seed: 1, Transport: transport,
		People: []outlook.Person{{Name: "Alice Able", Address: alice, TimeZone: "Europe/Berlin"}},
		Faults: func(call outlook.CallInfo) *outlook.Fault {
			if call.Method == http.MethodGet && call.Template == "/me/calendars" && throttled.Add(1) == 1 {
				return &outlook.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(server.Close)
	serveTLS(t, graph, server.Handler())
	endpoint := openTLS(t, certificate)
	serveTLS(t, endpoint, notificationEndpoint())

	token, _, _ := server.Token(ctx, alice, outlook.DefaultApplication.ID, everyScope)
	check := exec.CommandContext(ctx, "node", "check.js")
	check.Dir = "client"
	check.Env = append(os.Environ(),
		"NODE_EXTRA_CA_CERTS="+authorityFile, "GRAPH_URL=https://"+graph.Addr().String(), "GRAPH_TOKEN="+token,
		"NOTIFICATION_URL=https://"+endpoint.Addr().String()+"/notifications")
	output, err := check.CombinedOutput()
	if err != nil {
		t.Fatalf("Microsoft's client is not content: %v\n%s", err, output)
	}
	if got := strings.Count(string(output), "ok "); got != 9 {
		t.Errorf("%d steps passed, want 9:\n%s", got, output)
	}
	if got := throttled.Load(); got != 2 {
		t.Errorf("the throttled call was made %d times, want 2", got)
	}
}

func openTLS(t *testing.T, certificate tls.Certificate) net.Listener {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	return listener
}

func serveTLS(t *testing.T, listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
}

// notificationEndpoint answers validations, keeps notifications and shows them
// on GET.
func notificationEndpoint() http.Handler {
	var mutex sync.Mutex
	received := []json.RawMessage{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /notifications", func(w http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, token)
			return
		}
		var body struct{ Value []json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mutex.Lock()
		received = append(received, body.Value...)
		mutex.Unlock()
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("GET /notifications", func(w http.ResponseWriter, _ *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		_ = json.NewEncoder(w).Encode(received)
	})
	return mux
}
