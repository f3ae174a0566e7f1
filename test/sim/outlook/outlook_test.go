package outlook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/network"
	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	alice = "alice@nightpos.example"
	bob   = "bob@nightpos.example"
	carol = "carol@nightpos.example"

	property = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name NightPOSRecord"
)

var everyScope = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}

// world is a simulated Outlook in a network in memory, inside a bubble.
type world struct {
	t       *testing.T
	server  *outlook.Server
	network *network.Network
	tokens  map[string]string
}

// inBubble runs a test with a server in virtual time.
func inBubble(t *testing.T, adjust func(*outlook.Config), run func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, network: &network.Network{}, tokens: map[string]string{}}
		config := outlook.Config{
			BaseURL: "http://outlook.sim", Seed: 7, Transport: w.network.Transport(),
			People: []outlook.Person{
				{Name: "Alice Able", Address: alice, TimeZone: "Europe/Berlin"},
				{Name: "Bob Best", Address: bob},
				{Name: "Carol Cook", Address: carol},
			},
		}
		if adjust != nil {
			adjust(&config)
		}
		server, err := outlook.New(config)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		w.server = server
		defer server.Close()
		defer w.serve("outlook.sim", server.Handler())()
		run(t, w)
	})
}

// serve opens a host in the network and returns what closes it.
func (w *world) serve(host string, handler http.Handler) func() {
	w.t.Helper()
	listener, err := w.network.Listen(host)
	if err != nil {
		w.t.Fatalf("listening on %s: %v", host, err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return func() {
		_ = server.Close()
		<-done
	}
}

func (w *world) token(address string) string {
	if w.tokens[address] == "" {
		w.tokens[address], _, _ = w.server.Token(context.Background(), address, outlook.DefaultApplication.ID, everyScope)
	}
	return w.tokens[address]
}

// reply is an answer of Graph.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (r reply) code() string {
	envelope, _ := r.body["error"].(map[string]any)
	code, _ := envelope["code"].(string)
	return code
}

func (r reply) message() string {
	envelope, _ := r.body["error"].(map[string]any)
	message, _ := envelope["message"].(string)
	return message
}

func (r reply) text(name string) string {
	text, _ := r.body[name].(string)
	return text
}

func (r reply) values() []map[string]any {
	list, _ := r.body["value"].([]any)
	values := []map[string]any{}
	for _, item := range list {
		values = append(values, item.(map[string]any))
	}
	return values
}

// call makes a Graph call as a person; headers are "Name: value".
func (w *world) call(as, method, path string, body any, headers ...string) reply {
	w.t.Helper()
	given, err := w.try(w.token(as), method, path, body, headers...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return given
}

func (w *world) try(token, method, path string, body any, headers ...string) (reply, error) {
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		rendered, err := json.Marshal(body)
		if err != nil {
			return reply{}, fmt.Errorf("rendering: %w", err)
		}
		reader = bytes.NewReader(rendered)
	}
	if !strings.HasPrefix(path, "http") {
		path = "http://outlook.sim/v1.0" + path
	}
	outgoing, err := http.NewRequestWithContext(context.Background(), method, path, reader)
	if err != nil {
		return reply{}, fmt.Errorf("requesting: %w", err)
	}
	if token != "" {
		outgoing.Header.Set("Authorization", "Bearer "+token)
	}
	outgoing.Header.Set("Content-Type", "application/json")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		outgoing.Header.Add(name, value)
	}
	given, err := w.network.Transport().RoundTrip(outgoing)
	if err != nil {
		return reply{}, err
	}
	defer given.Body.Close()
	content, err := io.ReadAll(given.Body)
	if err != nil {
		return reply{}, fmt.Errorf("reading: %w", err)
	}
	r := reply{status: given.StatusCode, header: given.Header}
	if len(content) > 0 {
		if err := json.Unmarshal(content, &r.body); err != nil {
			return r, fmt.Errorf("reading %q: %w", content, err)
		}
	}
	return r, nil
}

// want fails the test unless the answer has the status and the error code.
func (w *world) want(r reply, status int, code string) reply {
	w.t.Helper()
	if r.status != status || r.code() != code {
		w.t.Fatalf("got status %d, code %q, message %q; want %d, %q", r.status, r.code(), r.message(), status, code)
	}
	return r
}

// mails counts what was sent since a number of mails, as "kind to" lines.
func (w *world) mails(since int) []string {
	var lines []string
	for _, mail := range w.server.Mails()[since:] {
		lines = append(lines, mail.Kind+" "+strings.TrimSuffix(mail.To, "@nightpos.example"))
	}
	return lines
}

// settle lets copies, answers and notifications arrive.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func at(text, zone string) map[string]any { return map[string]any{"dateTime": text, "timeZone": zone} }

func meeting(subject string, attendees ...string) map[string]any {
	content := map[string]any{
		"subject": subject, "start": at("2026-12-01T09:00:00", "Europe/Berlin"), "end": at("2026-12-01T10:00:00", "Europe/Berlin"),
	}
	if len(attendees) > 0 {
		content["attendees"] = guests(attendees...)
	}
	return content
}

func guests(addresses ...string) []any {
	list := []any{}
	for _, address := range addresses {
		list = append(list, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address}})
	}
	return list
}

// dig reads a member below members.
func dig(value any, path ...string) any {
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}
