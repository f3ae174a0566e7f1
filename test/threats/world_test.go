package threats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nightpos/outlook-gateway/test/world"
)

// lines is what the gateway logs, as it would be written.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// scene is a world in which Alice is connected, and what its gateway logs.
type scene struct {
	*testing.T
	*world.World
	logged lines
}

// in runs a test in a bubble with a world.
func in(t *testing.T, test func(s *scene)) {
	inWith(t, func(*world.Options) {}, test)
}

// inWith is in with a world of another kind.
func inWith(t *testing.T, change func(*world.Options), test func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t}
		encoding := zap.NewProductionEncoderConfig()
		log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.AddSync(&s.logged), zapcore.DebugLevel))
		options := world.Options{Connect: []string{"alice"}, Log: log}
		change(&options)
		s.World = world.New(t, options)
		defer s.Close()
		s.Quiet()
		test(s)
	})
}

// answer is what a request was answered, its body read.
type answer struct {
	*http.Response
	body string
}

// ask sends a request to the gateway, without following anything.
func (s *scene) ask(method, path, body string, headers ...string) answer {
	s.Helper()
	got, err := s.try(method, path, body, headers...)
	if err != nil {
		s.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// try is ask where the gateway may hang up.
func (s *scene) try(method, path, body string, headers ...string) (answer, error) {
	s.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, world.GatewayURL, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if !strings.HasPrefix(path, "/") {
		s.Fatalf("%s is no path", path)
	}
	// As it is written.
	request.URL.Opaque = "//gateway.sim" + path
	for index := 0; index+1 < len(headers); index += 2 {
		if headers[index] == "Host" {
			request.Host = headers[index+1]
			continue
		}
		request.Header.Set(headers[index], headers[index+1])
	}
	got, err := s.Transport().RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	return answer{got, string(content)}, err
}

// session signs somebody in to NightPOS and returns the cookie.
func (s *scene) session(login string) string {
	s.Helper()
	body := `{"jsonrpc":"2.0","params":{"db":"night","login":"` + login + `","password":"` + login + `"}}`
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, world.NightPOSURL+"/web/session/authenticate", strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	got, err := s.Transport().RoundTrip(request)
	if err != nil {
		s.Fatal(err)
	}
	defer got.Body.Close()
	for _, cookie := range got.Cookies() {
		if cookie.Name == "session_id" {
			return cookie.Name + "=" + cookie.Value
		}
	}
	s.Fatalf("%s has no session", login)
	return ""
}

// bearer is the header that opens the admin API.
func bearer() []string { return []string{"Authorization", "Bearer " + world.AdminToken} }

// link makes a connect link for somebody and returns its path and query.
func (s *scene) link(login string) string {
	s.Helper()
	var made struct{ URL string }
	if err := json.Unmarshal([]byte(s.ask(http.MethodPost, "/api/v1/users/"+login+"/connect-link", "", bearer()...).body), &made); err != nil {
		s.Fatal(err)
	}
	return strings.TrimPrefix(made.URL, world.GatewayURL)
}

// calls counts all that the gateway asked Graph and NightPOS.
func (s *scene) calls() (graph, nightpos int) {
	for _, count := range s.Outlook.Counts() {
		graph += count
	}
	for _, count := range s.NightPOS.Counts() {
		nightpos += count
	}
	return graph, nightpos
}
