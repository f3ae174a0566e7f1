package signin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// tab is a tab of a real browser, as narrow as a telephone.
type tab struct {
	*testing.T
	ctx    context.Context
	folder string
}

const narrow = 360

func openTab(t *testing.T) *tab {
	t.Helper()
	path := ""
	for _, candidate := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(candidate); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("REQUIRE_BROWSER") != "" {
			t.Fatal("chromium is not installed, and REQUIRE_BROWSER is set")
		}
		t.Skip("chromium is not installed")
	}
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, folder: folder}
	b.do(chromedp.EmulateViewport(narrow, 720))
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.picture("failed")
		b.Fatal(err)
	}
}

func (b *tab) value(expression string) string {
	b.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return got
}

// wait waits until the page with a heading is there.
func (b *tab) wait(heading string) {
	b.Helper()
	expression := fmt.Sprintf("document.readyState === 'complete' && document.querySelector('h1')?.textContent === %q", heading)
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(5*time.Second)))
		if err == nil {
			return
		}
		// A page on the way to another one ends the look at it.
		if time.Now().After(deadline) {
			b.picture("failed")
			b.Fatalf("waiting for %q: %v; the page says %s", heading, err, b.value("document.body.innerText"))
		}
	}
}

// press uses the button with a text, and waits for the page after it.
func (b *tab) press(text, heading string) {
	b.Helper()
	marked := fmt.Sprintf(`[...document.querySelectorAll("button, a.button")].find((e) => e.textContent.includes(%q))?.setAttribute("id", "pressed") ?? "done"`, text)
	b.value(marked)
	b.do(chromedp.Click(chromedp.CSS("#pressed")))
	b.wait(heading)
}

// page checks what every page of the gateway promises, and takes a picture.
func (b *tab) page(name string) {
	b.Helper()
	if got := b.value("String(document.documentElement.scrollWidth)"); got != fmt.Sprint(narrow) {
		b.Errorf("%s: the page is %s pixels wide in a window of %d", name, got, narrow)
	}
	// What the policy forbids would leave the page bare.
	if got := b.value(`getComputedStyle(document.querySelector("main")).borderTopWidth`); got != "4px" {
		b.Errorf("%s: the page is not dressed, the edge of its sheet is %s wide", name, got)
	}
	b.picture(name)
}

func (b *tab) picture(name string) {
	b.Helper()
	content, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Logf("no picture of %s: %v", name, err)
		return
	}
	if err := os.MkdirAll(b.folder, 0o750); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.folder, name+".png"), content, 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) dress(scheme string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// street is the gateway between both simulated servers, on the loopback
// interface.
type street struct {
	*testing.T
	address, nightpos string
	fault             atomic.Pointer[simoutlook.SignInFault]
}

func openStreet(t *testing.T) *street {
	t.Helper()
	s := &street{T: t}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(err)
	s.address = "http://" + listener.Addr().String()
	// Simulators that know their own address.
	serve := func(build func(address string) http.Handler) string {
		server := httptest.NewUnstartedServer(nil)
		address := "http://" + server.Listener.Addr().String()
		server.Config.Handler = build(address)
		server.Start()
		t.Cleanup(server.Close)
		return address
	}
	microsoft := serve(func(address string) http.Handler {
		server, err := simoutlook.New(simoutlook.Config{
			BaseURL: address, Seed: 1, Switches: simoutlook.Switches{AccountPage: true, ConsentPage: true},
			ConsentFaults: func(simoutlook.SignInCall) *simoutlook.SignInFault { return s.fault.Load() },
			People: []simoutlook.Person{
				{Name: "Alice", Address: "alice@nightpos.example"}, {Name: "Bob", Address: "bob@nightpos.example"}, {Name: "Alice at home", Address: "alice@outlook.example"},
			},
		})
		must(err)
		t.Cleanup(server.Close)
		return server.Handler()
	})
	s.nightpos = serve(func(address string) http.Handler {
		server, err := simnightpos.New(simnightpos.Config{BaseURL: address, Seed: 1})
		must(err)
		t.Cleanup(server.Close)
		return server.Handler()
	})
	engine, err := redis.NewInProcess("", nil)
	must(err)
	running, err := service.Start(context.WithoutCancel(t.Context()), service.Config{
		Listener: listener, Engine: engine, Workers: 2,
		Settings: gateway.Settings{
			PublicURL: s.address, SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, AdminToken: adminToken,
			MicrosoftClientID: simoutlook.DefaultApplication.ID, MicrosoftClientSecret: gateway.Secret(simoutlook.DefaultApplication.Secret),
			MicrosoftTenant: "common", MicrosoftLoginURL: microsoft, MicrosoftGraphURL: microsoft + "/v1.0",
			NightPOSURL: s.nightpos, NightPOSDatabase: "night", NightPOSLogin: "admin", NightPOSAPIKey: "admin", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest",
		},
	})
	must(err)
	t.Cleanup(func() { must(running.Close()); must(engine.Close()) })
	return s
}

func (s *street) link(login string) string {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.address+"/api/v1/users/"+login+"/connect-link", nil)
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	var made struct{ URL string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.URL == "" {
		s.Fatalf("a link for %s: got %d, %v", login, answer.StatusCode, err)
	}
	return made.URL
}

const (
	askPage  = "Connect your Outlook calendar?"
	pickPage = "Pick an account"
	agree    = "Permissions requested"
)

func TestAPersonConnectsInABrowser(t *testing.T) {
	b, s := openTab(t), openStreet(t)

	// A link: whose calendar, which account, what for, and then it is named.
	link := s.link("alice")
	b.do(chromedp.Navigate(link))
	b.wait(askPage)
	b.page("ask")
	b.dress("dark")
	b.do(chromedp.Click(chromedp.CSS("summary")))
	b.page("ask-dark")
	b.dress("light")
	b.press("Connect Alice", pickPage)
	b.press("alice@nightpos.example", agree)
	b.press("Cancel", "You did not agree")
	b.page("AADSTS65004")
	b.press("Begin anew", askPage)
	b.press("Connect Alice", pickPage)
	b.press("alice@nightpos.example", agree)
	b.press("Accept", connected)
	b.page("connected")
	b.dress("dark")
	b.page("connected-dark")
	b.dress("light")

	// The gateway's own refusals.
	b.do(chromedp.Navigate(link))
	b.wait("This link is no longer good")
	b.page("link")
	for name, row := range map[string][4]string{
		"taken": {"bob", "alice@nightpos.example", "This mailbox is somebody else's", "Alice"},
		"other": {"alice", "alice@outlook.example", "You are connected with another mailbox", "alice@nightpos.example"},
	} {
		b.do(chromedp.Navigate(s.link(row[0])))
		b.wait(askPage)
		b.press("Connect", pickPage)
		b.press(row[1], agree)
		b.press("Accept", row[2])
		b.page(name)
		if text := b.value("document.querySelector('dl').innerText"); !strings.Contains(text, row[3]) {
			t.Errorf("%s: the page names %q, want %s", name, text, row[3])
		}
	}
	b.do(chromedp.Navigate(s.address + "/microsoft_account/authentication?state=A&code=B"))
	b.wait("This sign-in is not known")
	b.page("state")
	b.do(chromedp.Navigate(s.address + "/microsoft_account/connect"))
	b.wait("Who are you?")
	b.page("session")

	// With NightPOS's session in the same browser there is nothing to ask.
	b.do(chromedp.Navigate(s.nightpos))
	b.value(`window.signedIn = fetch("/web/session/authenticate", {method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({jsonrpc: "2.0", params: {db: "night", login: "bob", password: "bob"}})}).then((answer) => { document.body.innerHTML = "<h1>" + answer.status + "</h1>"; }); "asked"`)
	b.wait("200")
	b.do(chromedp.Navigate(s.address + "/microsoft_account/connect"))
	b.wait(pickPage)
	b.press("bob@nightpos.example", agree)
	b.press("Accept", "Bob's calendar is connected to bob@nightpos.example")
	b.do(chromedp.Navigate(s.link("alice")))
	b.wait("This link is for somebody else")
	b.page("somebody-else")
}

// TestABrowserShowsEveryErrorOfMicrosoft looks at each page that explains an
// error, the way a person comes to see it.
func TestABrowserShowsEveryErrorOfMicrosoft(t *testing.T) {
	b, s := openTab(t), openStreet(t)
	link := s.link("alice")
	for _, row := range []struct {
		number      int
		word, title string
	}{
		{90094, "access_denied", "Your organization has to agree first"},
		{90095, "access_denied", "Your administrator has been asked"},
		{50194, "unauthorized_client", "The application belongs to one organization"},
		{50011, "invalid_request", "The redirect URI does not match"},
		{7000222, "invalid_client", "The client secret has expired"},
		{7000215, "invalid_client", "The client secret is wrong"},
		{7000218, "invalid_client", "There is no client secret"},
		{700027, "invalid_client", "The certificate is not accepted"},
		{7000112, "invalid_client", "The application is disabled"},
		{700016, "unauthorized_client", "Microsoft does not know the application"},
		{700084, "invalid_request", "The redirect URI is of the wrong kind"},
		{9001023, "invalid_request", "The tenant does not serve this sign-in"},
		{70011, "invalid_scope", "Microsoft does not know what is asked for"},
		{50105, "access_denied", "You are not assigned to the application"},
		{53003, "interaction_required", "A rule of your organization forbids it"},
		{50057, "invalid_grant", "Your Microsoft account cannot sign in"},
		{50076, "interaction_required", "Microsoft wants you to sign in again"},
		{54005, "invalid_grant", "This sign-in is no longer good"},
		{50196, "invalid_request", "Microsoft has seen this sign-in too often"},
		{90033, "temporarily_unavailable", "That did not work just now"},
		{900144, "invalid_request", "Microsoft did not understand the gateway"},
		{1234567, "something_new", "Microsoft refused the sign-in"},
	} {
		s.fault.Store(&simoutlook.SignInFault{Error: row.word, Number: row.number, Text: "Told by Microsoft."})
		b.do(chromedp.Navigate(link))
		b.wait(askPage)
		b.press("Connect Alice", pickPage)
		b.press("alice@nightpos.example", row.title)
		b.page(fmt.Sprintf("AADSTS%d", row.number))
	}
}
