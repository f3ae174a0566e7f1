package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/nightpos/outlook-gateway/demo"
)

// idle is a gateway that brings nothing across.
type idle struct {
	around demo.Surroundings
	closed bool
}

func (g *idle) Health(context.Context) []demo.Health {
	return []demo.Health{{Name: "Gateway", State: "ok"}}
}

func (g *idle) Close() error {
	g.closed = true
	return g.around.Listener.Close()
}

// output is written by Run and read by the test.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func (o *output) Write(content []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.text.Write(content)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

func startNightPOS(server **orm) func(demo.NightPOSStart) (demo.NightPOSServer, error) {
	return func(start demo.NightPOSStart) (demo.NightPOSServer, error) {
		*server = newORM(start.Now)
		return *server, nil
	}
}

func TestRunServesUntilInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	var server *orm
	gateway := &idle{}
	out := &output{grown: make(chan struct{}, 1)}
	folder := t.TempDir()
	ctx, interrupt := context.WithTimeout(t.Context(), 30*time.Second)
	defer interrupt()
	ended := make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Options{
			Listen: taken.Addr().String(), Out: out, Log: zaptest.NewLogger(t), DataDir: folder, NightPOS: startNightPOS(&server),
			Gateway: func(ctx context.Context, around demo.Surroundings) (demo.Gateway, error) {
				gateway.around = around
				consent, err := around.Consent(ctx, "alice")
				if err != nil || consent.AccessToken == "" || consent.RefreshToken == "" {
					return nil, errors.Join(err, errors.New("there is no token"))
				}
				if !signedIn(ctx, around, consent.AccessToken) {
					return nil, errors.New("the token is not worth anything")
				}
				return gateway, nil
			},
		})
	}()
	select {
	case <-out.grown:
	case err := <-ended:
		t.Fatalf("Run: %v", err)
	}
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(out.String())
	if address == "" || strings.HasSuffix(address, taken.Addr().String()) {
		t.Fatalf("printed: %q, want the address of a free port", out.String())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	created, err := client.Post(address+"/api/nightpos/events?person=alice", "application/json",
		strings.NewReader(`{"title":"Tasting","when":{"start":"2026-11-24T10:00:00Z","end":"2026-11-24T11:00:00Z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(created.Body)
	created.Body.Close()
	if created.StatusCode != http.StatusOK {
		t.Errorf("creating in NightPOS: got %d %s", created.StatusCode, content)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder while running: got %v, %v; want the gateway's", entries, err)
	}

	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("Run: got %v, want no error when interrupted", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("the folder afterwards: got %v, %v; want it empty", entries, err)
	}
	if !gateway.closed || !server.closed {
		t.Errorf("closed: gateway %t, NightPOS %t; want both", gateway.closed, server.closed)
	}
}

// signedIn says whether a token opens the mailbox that it was given for.
func signedIn(ctx context.Context, around demo.Surroundings, token string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, around.MicrosoftGraphURL+"/me", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var person struct{ DisplayName string }
	return json.NewDecoder(response.Body).Decode(&person) == nil && person.DisplayName == "Alice"
}

func TestRunChecksItsOptions(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var server *orm
	failing := errors.New("no gateway today")
	for name, test := range map[string]struct {
		options demo.Options
		want    string
	}{
		"no gateway to check": {demo.Options{Check: true, NightPOS: startNightPOS(&server)}, "needs a gateway"},
		"no NightPOS":         {demo.Options{}, "needs a simulated NightPOS"},
		"open to the network": {demo.Options{Listen: "0.0.0.0:0", NightPOS: startNightPOS(&server)}, "loopback only"},
		"not an address":      {demo.Options{Listen: "8088", NightPOS: startNightPOS(&server)}, "not an address"},
		"the gateway fails": {demo.Options{NightPOS: startNightPOS(&server), Gateway: func(context.Context, demo.Surroundings) (demo.Gateway, error) {
			return nil, failing
		}}, "no gateway today"},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.Out = io.Discard
			test.options.DataDir = t.TempDir()
			err := demo.Run(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to say %q", err, test.want)
			}
			if entries, err := os.ReadDir(test.options.DataDir); err != nil || len(entries) != 0 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}
