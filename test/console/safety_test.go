package console_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
)

// visitor is a browser without scripts.
type visitor struct {
	*world
	client *http.Client
}

func (w *world) visitor() *visitor {
	w.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &visitor{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (v *visitor) do(method, path string, form url.Values, headers ...string) answer {
	v.Helper()
	request, err := http.NewRequestWithContext(v.Context(), method, v.address+path, strings.NewReader(form.Encode()))
	v.must(err)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for index := 0; index+1 < len(headers); index += 2 {
		request.Header.Set(headers[index], headers[index+1])
	}
	got, err := v.client.Do(request)
	v.must(err)
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	v.must(err)
	return answer{got.StatusCode, string(content), got.Header}
}

func (v *visitor) get(path string) answer { return v.do(http.MethodGet, path, nil) }

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

// form is what the forms of a page carry.
func (v *visitor) form(path string) string {
	v.Helper()
	found := formToken.FindStringSubmatch(v.get(path).body)
	if found == nil {
		v.Fatalf("%s has no form", path)
	}
	return found[1]
}

// signIn gives the visitor a session of NightPOS's.
func (v *visitor) signIn(login string) *visitor {
	v.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","params":{"db":"night","login":%q,"password":%q}}`, login, login)
	request, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.nightposURL+"/web/session/authenticate", strings.NewReader(body))
	v.must(err)
	request.Header.Set("Content-Type", "application/json")
	got, err := v.client.Do(request)
	v.must(err)
	got.Body.Close()
	return v
}

// enter signs in with the admin token.
func (v *visitor) enter() answer {
	v.Helper()
	return v.do(http.MethodPost, root+"/sign-in", url.Values{"token": {adminToken}})
}

func TestNobodySeesSomebodyElsesCalendar(t *testing.T) {
	w := newWorld(t, nil)
	w.nightposEvent("alice", "Only for Alice", 2, nil)
	w.connect("alice")
	w.connect("bob")
	w.settle("alice", "connected")
	w.settle("bob", "connected")
	stranger, bob := w.visitor(), w.visitor().signIn("bob")
	form := bob.form(root + "/mine")
	id := fmt.Sprint(w.user("alice").ID)
	for _, path := range []string{
		"/gateway", "/people", "/people/alice", "/people/" + id, "/people/alice/preview", "/people/alice/reset?events=both&next_sync=all", "/live/alice", "/live/gateway",
		"/live/" + id, "/activity", "/activity?user=alice", "/settings", "/guide", "/jobs/A", "/doctor", "/live/doctor", "/lag.json",
	} {
		if got := bob.get(root + path); got.status != http.StatusForbidden || strings.Contains(got.body, "Only for Alice") || strings.Contains(got.body, alice) {
			t.Errorf("Bob gets %d from %s, want 403 and nothing of Alice's", got.status, path)
		}
		if got := stranger.get(root + path); strings.Contains(got.body, "Alice") || !strings.Contains(got.body, "<h1>Sign in</h1>") && got.status != http.StatusUnauthorized {
			t.Errorf("a stranger gets %d from %s", got.status, path)
		}
	}
	for _, path := range []string{"/people/alice/pause", "/people/alice/disconnect", "/people/alice/reset", "/people/alice/link", "/people/alice/prefer", "/invite", "/doctor", "/settings", "/database", "/jobs/A/undo"} {
		fields := url.Values{"form": {form}, "events": {"both"}, "next_sync": {"all"}, "user": {"alice"}, "outlook_sync": {"off"}}
		if got := bob.do(http.MethodPost, root+path, fields); got.status != http.StatusForbidden {
			t.Errorf("Bob posts to %s and gets %d, want 403", path, got.status)
		}
		if got := stranger.do(http.MethodPost, root+path, fields); got.status != http.StatusUnauthorized {
			t.Errorf("a stranger posts to %s and gets %d, want 401", path, got.status)
		}
	}
	if got := w.user("alice").State; got != "connected" {
		t.Errorf("Alice is %s, want connected", got)
	}
	if got := bob.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, "Bob&#39;s calendar") || strings.Contains(got.body, "Alice") {
		t.Errorf("Bob's first page is %d %s", got.status, got.body)
	}
}

func TestFormsOfOthersDoNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.connect("alice")
	w.connect("bob")
	w.settle("alice", "connected")
	aliceHere, bobHere := w.visitor().signIn("alice"), w.visitor().signIn("bob")
	own, others := aliceHere.form(root+"/mine"), bobHere.form(root+"/mine")
	for name, row := range map[string]struct {
		form    url.Values
		headers []string
	}{
		"no token":         {url.Values{}, nil},
		"a made-up token":  {url.Values{"form": {"AAAA"}}, nil},
		"somebody else's":  {url.Values{"form": {others}}, nil},
		"another site's":   {url.Values{"form": {own}}, []string{"Origin", "https://evil.example"}},
		"a foreign page's": {url.Values{"form": {own}}, []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		if got := aliceHere.do(http.MethodPost, root+"/mine/pause", row.form, row.headers...); got.status != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", name, got.status)
		}
	}
	if got := w.visitor().do(http.MethodPost, root+"/sign-in", url.Values{"token": {adminToken}}, "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
		t.Errorf("another site signs in: got %d %s", got.status, got.header.Get("Set-Cookie"))
	}
	if got := w.user("alice").State; got != "connected" {
		t.Fatalf("Alice is %s, want connected", got)
	}
	if got := aliceHere.do(http.MethodPost, root+"/mine/pause", url.Values{"form": {own}}); got.status != http.StatusSeeOther || w.user("alice").State != "paused" {
		t.Errorf("Alice's own form: got %d, and she is %s", got.status, w.user("alice").State)
	}
}

func TestASessionIsNewWithEverySignIn(t *testing.T) {
	w := newWorld(t, func(config *service.Config) { config.Settings.PublicURL = "https://gateway.example" })
	v := w.visitor()
	first := v.enter()
	cookie := first.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-outlook_gateway_session=", "; Path=/;", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie is %s, want %s in it", cookie, want)
		}
	}
	// The jar keeps nothing that is for https only.
	session := func(cookie string) string { text, _, _ := strings.Cut(cookie, ";"); return text }
	former := session(cookie)
	again := v.do(http.MethodPost, root+"/sign-in", url.Values{"token": {adminToken}, "form": {v.formOf(former)}}, "Cookie", former)
	next := session(again.header.Get("Set-Cookie"))
	if next == former || next == "" {
		t.Errorf("the session after another sign-in is %q as before", next)
	}
	opens := func(cookie string) bool {
		return strings.Contains(v.do(http.MethodGet, root+"/people", nil, "Cookie", cookie).body, "<h1>People</h1>")
	}
	if opens(former) || !opens(next) {
		t.Errorf("the former session opens: %t, the new one: %t", opens(former), opens(next))
	}
	if got := v.do(http.MethodPost, root+"/sign-out", url.Values{"form": {v.formOf(next)}}, "Cookie", next); got.status != http.StatusSeeOther || opens(next) {
		t.Errorf("signing out: got %d, and the session still opens: %t", got.status, opens(next))
	}
	for _, forged := range []string{"A", strings.ToLower(next), former + "A"} {
		if opens(forged) {
			t.Errorf("%q opens", forged)
		}
	}
	// The token cannot be guessed at leisure.
	statuses := map[int]int{}
	for range 20 {
		statuses[v.do(http.MethodPost, root+"/sign-in", url.Values{"token": {"0123456789"}}).status]++
	}
	if statuses[http.StatusTooManyRequests] < 8 || statuses[http.StatusUnauthorized] == 0 {
		t.Errorf("twenty guesses: %v", statuses)
	}
	// Whoever has it is let in all the same.
	if got := w.visitor().do(http.MethodPost, root+"/sign-in", url.Values{"token": {adminToken}}); got.status != http.StatusSeeOther || got.header.Get("Set-Cookie") == "" {
		t.Errorf("the right token after twenty guesses: got %d", got.status)
	}
}

func (v *visitor) formOf(cookie string) string {
	v.Helper()
	found := formToken.FindStringSubmatch(v.do(http.MethodGet, root+"/gateway", nil, "Cookie", cookie).body)
	if found == nil {
		v.Fatal("the page has no form")
	}
	return found[1]
}

var inline = regexp.MustCompile(`(?i)<script(?:>| [^>]*[^>]*>[^<])|<style|\sstyle=|\son[a-z]+=|javascript:`)

func TestPagesAreWithinTheirPolicy(t *testing.T) {
	w := newWorld(t, nil)
	w.nightposEvent("alice", `<script>alert("title")</script>`, 2, nil)
	w.connect("alice")
	w.settle("alice", "connected")
	admin := w.visitor()
	if got := admin.get("/"); !strings.Contains(got.body, "Sign in") {
		t.Errorf("the first page for strangers is %s", got.body)
	}
	admin.enter()
	for _, path := range []string{"", "/gateway", "/people", "/people/alice", "/people/alice/preview", "/people/alice/reset", "/activity", "/doctor", "/settings", "/guide", "/nothing", "/jobs/nothing"} {
		got := admin.get(root + path)
		header := got.header
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if header.Get("X-Frame-Options") != "DENY" || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the headers are %v", path, header)
		}
		if found := inline.FindString(got.body); found != "" {
			t.Errorf("%s: inline code: %s", path, found)
		}
	}
	if got := admin.get(root + "/people/alice").body; !strings.Contains(got, "&lt;script&gt;alert(") {
		t.Error("the event with an unkind title is not shown")
	}
}

// TestTheFirstPageIsLight: everything that a browser fetches before it paints, as
// it is sent.
func TestTheFirstPageIsLight(t *testing.T) {
	w := newWorld(t, nil)
	v := w.visitor()
	v.enter()
	// The overview has the chart besides.
	for _, path := range []string{"/people", "/gateway"} {
		v.light(path)
	}
}

func (v *visitor) light(path string) {
	t, w := v.T, v.world
	t.Helper()
	page := v.get(root + path).body
	size := len(page)
	for _, found := range regexp.MustCompile(`(?:src|href)="([^"]*/asset/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		got := v.do(http.MethodGet, found[1], nil, "Accept-Encoding", "gzip")
		if got.status != http.StatusOK || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", found[1], got.status, got.header)
		}
		unpacked, err := gzip.NewReader(strings.NewReader(got.body))
		w.must(err)
		_, err = io.Copy(io.Discard, unpacked)
		w.must(err)
		size += len(got.body)
	}
	if size > 100_000 || size < 10_000 {
		t.Errorf("%s: the first paint takes %d bytes, want less than 100,000", path, size)
	}
}

// TestAPrivateConflictIsForItsPeopleOnly: what a conflict replaced is event text.
func TestAPrivateConflictIsForItsPeopleOnly(t *testing.T) {
	w := newWorld(t, nil)
	record := w.nightposEvent("alice", "Secret one", 2, map[string]any{"privacy": "private"})
	w.connect("alice")
	w.settle("alice", "connected")
	w.call(http.MethodPost, "/users/alice/pause", "", nil)
	w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"name": "Secret two"}))
	for _, shown := range w.outlook.Mailbox(alice).Events() {
		_, err := w.outlook.Mailbox(alice).Update(t.Context(), fmt.Sprint(shown["id"]), map[string]any{"subject": "Secret three"})
		w.must(err)
	}
	w.call(http.MethodPost, "/users/alice/resume", "", nil)
	owner, admin := w.visitor().signIn("alice"), w.visitor()
	admin.enter()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		body := owner.get(root + "/mine").body
		if strings.Contains(body, "Changed on both sides") && strings.Contains(body, "<q>Secret") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Alice does not see what was replaced: %s", body)
		}
	}
	for _, path := range []string{"/people/alice", "/activity", "/people/alice/preview"} {
		body := admin.get(root + path).body
		if strings.Contains(body, "Secret") {
			t.Errorf("%s tells an administrator what a private event is about", path)
		}
	}
	for _, query := range []string{"?user=alice&limit=200", "?limit=200", fmt.Sprintf("?event=%d&limit=200", record)} {
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, "/activity"+query, "", &lines)
		told := false
		for _, line := range lines {
			for _, one := range line.Conflict {
				told = true
				if one.Value != "" || one.ID != "" {
					t.Errorf("the API's activity%s tells an administrator what a private event is about: %+v", query, one)
				}
			}
		}
		if !told {
			t.Errorf("the API's activity%s does not tell that there was a conflict", query)
		}
	}
	if body := admin.get(root + "/people/alice").body; !strings.Contains(body, "Private event") || !strings.Contains(body, "Changed on both sides") {
		t.Error("an administrator does not see that there was a conflict")
	}
}

// TestStreamsHaveLimits: a visitor has a few, and they end when the gateway stops.
func TestStreamsHaveLimits(t *testing.T) {
	w := newWorld(t, nil)
	w.connect("alice")
	w.settle("alice", "connected")
	v := w.visitor().signIn("alice")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open := func() *http.Response {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.address+root+"/live/mine", nil)
		w.must(err)
		got, err := v.client.Do(request)
		w.must(err)
		return got
	}
	var streams []*http.Response
	for range 6 {
		got := open()
		defer got.Body.Close()
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("a stream is %d %v", got.StatusCode, got.Header)
		}
		streams = append(streams, got)
	}
	line, err := bufio.NewReader(streams[0].Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: <section") {
		t.Errorf("the stream begins with %q (%v)", line, err)
	}
	full := open()
	defer full.Body.Close()
	if full.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the seventh stream is %d, want 503", full.StatusCode)
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- w.service.Close() }()
	for _, stream := range streams[1:] {
		if _, err := io.Copy(io.Discard, stream.Body); err != nil {
			t.Errorf("a stream ends with %v", err)
		}
	}
	w.must(<-ended)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

// TestOneExaminationAtATime: a second one is refused while the first is under way,
// which tells how far it is, and everything that it found is there at its end.
func TestOneExaminationAtATime(t *testing.T) {
	w := newWorld(t, nil)
	admin := w.visitor()
	admin.enter()
	form := url.Values{"form": {admin.form(root + "/gateway")}}
	if got := admin.do(http.MethodPost, root+"/doctor", form); got.status != http.StatusSeeOther {
		t.Fatalf("the first one: got %d", got.status)
	}
	if got := admin.do(http.MethodPost, root+"/doctor", form); got.status != http.StatusConflict || !strings.Contains(got.body, "under way already") {
		t.Errorf("the second one: got %d", got.status)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		body := admin.get(root + "/doctor").body
		if strings.Contains(body, "nightpos.webhooks") && !strings.Contains(body, "<progress") {
			break
		}
		if !strings.Contains(body, "<progress") || time.Now().After(end) {
			t.Fatalf("the examination shows no progress and no end: %s", body)
		}
	}
	if got := admin.do(http.MethodPost, root+"/doctor", form); got.status != http.StatusSeeOther {
		t.Errorf("another one after it: got %d", got.status)
	}
}
