package threats_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/world"
)

// nightposHook is the address that NightPOS posts to, as its own rules hold it.
func (s *scene) nightposHook() string {
	s.Helper()
	senders, err := gateway.NewSenders([][]byte{[]byte("0123456789abcdef0123456789abcdef")}, "night", strings.NewReader(""))
	if err != nil {
		s.Fatal(err)
	}
	return "/webhooks/nightpos/" + senders.Token() + "?on=save"
}

// TestLargeAndNestedBodies: whatever is posted anywhere is answered at once, with
// an error that says what is wrong, and the gateway goes on.
func TestLargeAndNestedBodies(t *testing.T) {
	in(t, func(s *scene) {
		var bomb bytes.Buffer
		zipped := gzip.NewWriter(&bomb)
		if _, err := zipped.Write(bytes.Repeat([]byte(" "), 8<<20)); err != nil {
			s.Fatal(err)
		}
		if err := zipped.Close(); err != nil {
			s.Fatal(err)
		}
		deep := func(open, inner, closed string, depth int) string {
			return strings.Repeat(open, depth) + inner + strings.Repeat(closed, depth)
		}
		bodies := map[string]struct {
			body    string
			headers []string
		}{
			"large":             {strings.Repeat("x", 3<<20), nil},
			"many small ones":   {`{"value":[` + strings.Repeat(`{"clientState":"x"},`, 90_000) + `{}]}`, nil},
			"lists in lists":    {deep("[", "", "]", 9_000), nil},
			"deeper than JSON":  {deep("[", "", "]", 200_000), nil},
			"objects":           {deep(`{"value":`, "[]", "}", 9_000), nil},
			"in a field":        {`{"value":[{"clientState":"x","resourceData":` + deep(`{"a":`, "1", "}", 9_000) + `}]}`, nil},
			"a bomb":            {bomb.String(), []string{"Content-Encoding", "gzip"}},
			"numbers":           {`{"value":[` + strings.Repeat("9", 1<<20) + `]}`, nil},
			"the same key":      {`{` + strings.Repeat(`"conflict":"newest",`, 3_000) + `"conflict":"newest","conflict":"x"}`, nil},
			"not text":          {string(bytes.Repeat([]byte{0xff, 0x00}, 1000)), nil},
			"half of an escape": {`{"value":"\ud800`, nil},
		}
		for _, target := range []struct{ method, path string }{
			{http.MethodPost, "/webhooks/graph"},
			{http.MethodPost, "/webhooks/graph/lifecycle"},
			{http.MethodPost, s.nightposHook()},
			{http.MethodPut, "/api/v1/settings"},
			{http.MethodPost, "/api/v1/users/alice/reset"},
			{http.MethodPost, "/api/v1/users/alice/connect-link"},
			{http.MethodPost, "/microsoft_account/connect"},
			{http.MethodPost, "/microsoft_account/console/sign-in"},
		} {
			for name, one := range bodies {
				headers := one.headers
				if strings.HasPrefix(target.path, "/api/") {
					headers = append(headers, bearer()...)
				}
				began := time.Now()
				got, err := s.try(target.method, target.path, one.body, headers...)
				if errors.Is(err, io.ErrClosedPipe) && len(one.body) > 4<<10 {
					continue // it hung up on a body that is too large; a form may have 4 KB
				}
				if err != nil {
					s.Fatalf("%s to %s: %v", name, target.path, err)
				}
				forged := got.StatusCode == http.StatusAccepted && strings.HasPrefix(target.path, "/webhooks/graph")
				if !forged && (got.StatusCode < http.StatusBadRequest || got.StatusCode >= http.StatusInternalServerError) {
					s.Errorf("%s to %s: answered %d %.200s", name, target.path, got.StatusCode, got.body)
				}
				if took := time.Since(began); took > time.Second {
					s.Errorf("%s to %s: answered after %s", name, target.path, took)
				}
			}
		}
		if got := s.ask(http.MethodGet, "/api/v1/users/alice", "", bearer()...); !strings.Contains(got.body, `"connected"`) {
			s.Errorf("afterwards Alice is %s", got.body)
		}
	})
}

// TestSlowClientsAreCutOff: whoever sends a header or a body drop by drop, or reads
// nothing, is gone after a while, and everybody else is served meanwhile.
func TestSlowClientsAreCutOff(t *testing.T) {
	in(t, func(s *scene) {
		const patience = 40 * time.Second
		for name, drops := range map[string]struct {
			begin, drop string
		}{
			"nothing at all": {"", ""},
			"a header":       {"POST /webhooks/graph HTTP/1.1\r\nHost: gateway.sim\r\n", "X-A: b\r\n"},
			"a body":         {"POST /webhooks/graph HTTP/1.1\r\nHost: gateway.sim\r\nContent-Length: 100000\r\n\r\n", " "},
			"a long line":    {"GET /", "x"},
		} {
			connection, err := s.Dial("gateway.sim")
			if err != nil {
				s.Fatal(err)
			}
			began := time.Now()
			var group sync.WaitGroup
			group.Go(func() {
				// The other end of a pipe takes what it reads, or closes.
				if _, err := io.WriteString(connection, drops.begin); err != nil {
					return
				}
				for drops.drop != "" {
					time.Sleep(time.Second)
					if _, err := io.WriteString(connection, drops.drop); err != nil {
						return
					}
				}
			})
			if err := connection.SetReadDeadline(time.Now().Add(10 * patience)); err != nil {
				s.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, connection); errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > patience {
				s.Errorf("%s drop by drop is waited for after %s", name, time.Since(began))
			}
			connection.Close()
			group.Wait()
			if got := s.ask(http.MethodGet, "/healthz", "").StatusCode; got != http.StatusOK {
				s.Errorf("others are answered %d", got)
			}
		}
		s.stallsNobody()
		// Who reads nothing is not written to for ever.
		deaf, err := s.Dial("gateway.sim")
		if err != nil {
			s.Fatal(err)
		}
		defer deaf.Close()
		if _, err := io.WriteString(deaf, "GET /healthz HTTP/1.1\r\nHost: gateway.sim\r\n\r\n"); err != nil {
			s.Fatal(err)
		}
		time.Sleep(patience)
		if _, err := io.Copy(io.Discard, deaf); err != nil {
			s.Errorf("whoever reads nothing for %s has a connection that ends with %v", patience, err)
		}
		if _, err := io.WriteString(deaf, "x"); !errors.Is(err, io.ErrClosedPipe) {
			s.Errorf("whoever reads nothing for %s is not cut off: %v", patience, err)
		}
		// A header as long as it likes to be is too long.
		connection, err := s.Dial("gateway.sim")
		if err != nil {
			s.Fatal(err)
		}
		defer connection.Close()
		go func() {
			_, _ = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: gateway.sim\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n")
		}()
		head := make([]byte, 64)
		if count, err := io.ReadAtLeast(connection, head, 12); err != nil || !strings.Contains(string(head[:count]), "431") {
			s.Errorf("a header of a megabyte is answered %q, %v; want 431", head, err)
		}
	})
}

// stallsNobody stalls more posts to a webhook than there are places, by sending
// nothing of their bodies or drop by drop, and wants genuine ones to be taken.
func (s *scene) stallsNobody() {
	s.Helper()
	const stalled = 1000
	var group sync.WaitGroup
	var stalling atomic.Int64
	for index := range stalled {
		connection, err := s.Dial("gateway.sim")
		if err != nil {
			s.Fatal(err)
		}
		defer connection.Close()
		group.Go(func() {
			if _, err := io.WriteString(connection, "POST /webhooks/graph HTTP/1.1\r\nHost: gateway.sim\r\nContent-Length: 100000\r\n\r\n"); err != nil {
				return
			}
			stalling.Add(1)
			defer stalling.Add(-1)
			group.Go(func() {
				for index%2 == 0 {
					if _, err := io.WriteString(connection, " "); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
			// It ends when the gateway closes.
			_, _ = io.Copy(io.Discard, connection)
		})
	}
	time.Sleep(time.Second)
	body := fmt.Sprintf(`{"value":[{"clientState":%q,"changeType":"updated","resourceData":{"id":"e"}}]}`, s.clientState())
	for _, filled := range []string{body, body + strings.Repeat(" ", 100_000)} {
		if got := s.ask(http.MethodPost, "/webhooks/graph", filled).StatusCode; got != http.StatusAccepted {
			s.Errorf("a notification of %d bytes is answered %d while %d posts stall", len(filled), got, stalling.Load())
		}
	}
	if got := stalling.Load(); got != stalled {
		s.Errorf("%d posts stall, want %d", got, stalled)
	}
	time.Sleep(4 * time.Second)
	if got := stalling.Load(); got != 0 {
		s.Errorf("%d posts stall still after five seconds", got)
	}
	group.Wait()
}

// TestRequestsForgeNeitherHeadersNorLines: what a request holds becomes no header
// of an answer and no line of the log.
func TestRequestsForgeNeitherHeadersNorLines(t *testing.T) {
	in(t, func(s *scene) {
		const forged = "\r\nX-Forged: yes\r\n{\"level\":\"error\",\"msg\":\"forged\"}\n"
		written := strings.NewReplacer("\r", "%0d", "\n", "%0a", " ", "%20", `"`, "%22", "{", "%7b", "}", "%7d").Replace(forged)
		for _, path := range []string{
			"/" + written, "/webhooks/nightpos/" + written, "/webhooks/graph?validationToken=" + written, "/api/v1/users/" + written,
			"/api/v1/users/" + written + "/preview", "/api/v1/jobs/" + written, "/api/v1/activity?user=" + written, "/api/v1/activity?before=" + written,
			"/microsoft_account/connect?link=" + written, "/microsoft_account/authentication?state=" + written + "&code=" + written,
			"/microsoft_account/authentication?error=" + written + "&error_description=" + written, "/microsoft_account/console/people/" + written,
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				got := s.ask(method, path, "", append(bearer(), "User-Agent", "a\tb", "X-Request-Id", "forged")...)
				if got.Header.Get("X-Forged") != "" || got.Header.Get("X-Request-Id") == "forged" {
					s.Errorf("%s %.60s: the answer has a header of the request's: %v", method, path, got.Header)
				}
				if got.StatusCode == http.StatusInternalServerError {
					s.Errorf("%s %.60s: answered %d", method, path, got.StatusCode)
				}
			}
		}
		for line := range strings.Lines(s.logged.String()) {
			var entry struct {
				Message string `json:"msg"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil || strings.HasPrefix(entry.Message, "forged") {
				s.Errorf("the log has the line %q", line)
			}
		}
	})
}

// TestSignInRedirectsNowhereElse: whatever a request says, a browser is sent to
// Microsoft's sign-in and nowhere else, and told to come back to the public
// address.
func TestSignInRedirectsNowhereElse(t *testing.T) {
	in(t, func(s *scene) {
		link := s.link("bob")
		for _, more := range []string{"", "&redirect=http://evil.sim", "&next=//evil.sim", "&return_to=http://evil.sim", "&redirect_uri=http://evil.sim", "&state=x&client_id=y"} {
			for _, headers := range [][]string{nil, {"Host", "evil.sim"}, {"X-Forwarded-Host", "evil.sim"}, {"X-Forwarded-Proto", "javascript"}, {"Forwarded", "host=evil.sim"}, {"Referer", "http://evil.sim"}, {"Origin", "http://evil.sim"}} {
				got := s.ask(http.MethodGet, link+more, "", headers...)
				sent, err := got.Location()
				if err != nil {
					s.Fatalf("with %q and %v: answered %d, %v", more, headers, got.StatusCode, err)
				}
				if sent.Scheme+"://"+sent.Host != world.OutlookURL || sent.Query().Get("redirect_uri") != world.GatewayURL+"/microsoft_account/authentication" || strings.Contains(sent.String(), "evil") {
					s.Errorf("with %q and %v the browser is sent to %s", more, headers, sent)
				}
			}
		}
		for _, path := range []string{"//evil.sim", "/%2f%2fevil.sim", "/\\evil.sim", "/microsoft_account/console//evil.sim", "/microsoft_account/console/../..//evil.sim", "/microsoft_account/authentication?error=x&error_uri=http://evil.sim"} {
			got := s.ask(http.MethodGet, path, "")
			if sent, err := got.Location(); err == nil && (sent.Host != "gateway.sim" || strings.HasPrefix(sent.Path, "//") || strings.HasPrefix(sent.Path, "/\\")) {
				s.Errorf("%s leads to %s", path, sent)
			}
		}
	})
}

// TestErrorsAndMetricsTellNoSecrets: what strangers and monitors can see names
// nobody and nothing of anybody's.
func TestErrorsAndMetricsTellNoSecrets(t *testing.T) {
	in(t, func(s *scene) {
		start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 3)
		if _, err := s.NightPOS.Member("alice").Create(context.Background(), map[string]any{
			"name": "Zwirbelfink", "location": "Quarzlibelle", "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
		}); err != nil {
			s.Fatal(err)
		}
		s.Quiet()
		link := s.link("bob")
		var told strings.Builder
		for _, path := range []string{"/metrics", "/readyz", "/healthz", "/", "/nowhere", "/api/v1/users", "/api/v1/openapi.json", "/microsoft_account/console", "/microsoft_account/authentication?state=x", "/webhooks/nightpos/x"} {
			got := s.ask(http.MethodGet, path, "")
			fmt.Fprintln(&told, path, got.Header, got.body)
		}
		told.WriteString(s.logged.String())
		for _, secret := range []string{
			"Zwirbelfink", "Quarzlibelle", "alice@", "Alice", world.AdminToken, "0123456789abcdef0123456789abcdef", "the-password-of-the-account", "simulated-secret",
			strings.TrimPrefix(s.nightposHook(), "/webhooks/nightpos/"), strings.TrimPrefix(link, "/microsoft_account/connect?link="), s.clientState(),
			"EwB4A", "M.R3_", "Bearer ey",
		} {
			if at := strings.Index(told.String(), secret); at >= 0 {
				s.Errorf("%q is told: %.200s", secret, told.String()[max(0, at-100):])
			}
		}
	})
}
