package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// Gateway and NightPOS share a domain, so that browsers send the gateway
// NightPOS's session; they differ by their ports.
const (
	gatewayURL  = "http://night.sim"
	nightposURL = "http://night.sim:8069"
	outlookURL  = "http://outlook.sim"
	adminToken  = "0123456789abcdef0123456789abcdef"
)

// world is the gateway between both simulated servers, with nobody connected.
type world struct {
	*testing.T
	network  network.Network
	outlook  *simoutlook.Server
	nightpos *simnightpos.Server
	service  *service.Service
	// consentFault and tokenFault spoil what Microsoft answers next.
	consentFault, tokenFault atomic.Pointer[simoutlook.SignInFault]
}

// newWorld must be called in a synctest bubble.
func newWorld(t *testing.T, change func(*simoutlook.Config, *service.Config)) *world {
	t.Helper()
	w := &world{T: t}
	outlookConfig := simoutlook.Config{
		BaseURL: outlookURL, Seed: 1, Transport: w.network.Transport(), Switches: simoutlook.Switches{AccountPage: true, AnyAddress: true},
		People: []simoutlook.Person{
			{Name: "Alice", Address: "alice@nightpos.example"},
			{Name: "Bob", Address: "bob@nightpos.example"},
			{Name: "Alice at home", Address: "alice@outlook.example"},
		},
	}
	outlookConfig.ConsentFaults = func(simoutlook.SignInCall) *simoutlook.SignInFault { return w.consentFault.Load() }
	outlookConfig.SignInFaults = func(simoutlook.SignInCall) *simoutlook.SignInFault { return w.tokenFault.Load() }
	engine, err := redis.NewInProcess("", nil)
	w.must(err)
	config := service.Config{
		Transport: w.network.Transport(), Engine: engine, Workers: 2,
		Settings: gateway.Settings{
			PublicURL: gatewayURL, SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, AdminToken: adminToken,
			MicrosoftClientID: simoutlook.DefaultApplication.ID, MicrosoftClientSecret: gateway.Secret(simoutlook.DefaultApplication.Secret),
			MicrosoftTenant: "common", MicrosoftLoginURL: outlookURL, MicrosoftGraphURL: outlookURL + "/v1.0",
			NightPOSURL: nightposURL, NightPOSDatabase: "night", NightPOSLogin: "admin", NightPOSAPIKey: "admin", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest",
		},
	}
	if change != nil {
		change(&outlookConfig, &config)
	}
	w.outlook, err = simoutlook.New(outlookConfig)
	w.must(err)
	w.nightpos, err = simnightpos.New(simnightpos.Config{BaseURL: nightposURL, Seed: 1, Transport: w.network.Transport()})
	w.must(err)
	// What was opened first is closed last.
	t.Cleanup(func() { w.must(engine.Close()); w.nightpos.Close(); w.outlook.Close() })
	w.host("outlook.sim", w.outlook.Handler())
	w.host("night.sim:8069", w.nightpos.Handler())
	config.Listener, err = w.network.Listen("night.sim")
	w.must(err)
	w.service, err = service.Start(context.WithoutCancel(t.Context()), config)
	w.must(err)
	t.Cleanup(func() { w.must(w.service.Close()) })
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) host(address string, handler http.Handler) {
	listener, err := w.network.Listen(address)
	w.must(err)
	server := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	w.Cleanup(func() {
		w.must(server.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			w.Error(err)
		}
	})
}

// link asks the admin API for a connect link.
func (w *world) link(user string) string {
	w.Helper()
	answer := w.post("/api/v1/users/"+url.PathEscape(user)+"/connect-link", "", adminToken)
	if answer.status != http.StatusOK {
		w.Fatalf("a link for %s: got %d %s", user, answer.status, answer.body)
	}
	var made struct{ URL string }
	w.must(json.Unmarshal([]byte(answer.body), &made))
	return made.URL
}

// post calls the admin API.
func (w *world) post(path, body, token string) page {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, gatewayURL+path, strings.NewReader(body))
	w.must(err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return w.newBrowser().do(request)
}

// browser is one with cookies of its own. It follows redirects like any other.
type browser struct {
	*world
	client *http.Client
	// program says that it is no browser but something that follows links.
	program bool
	// sent are the addresses at Microsoft that it was sent to, by state.
	sent map[string]*url.URL
}

func (w *world) newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	transport := w.network.Transport()
	w.Cleanup(transport.CloseIdleConnections)
	return &browser{world: w, client: &http.Client{Transport: transport, Jar: jar}, sent: map[string]*url.URL{}}
}

// page is what a browser shows.
type page struct {
	address *url.URL
	status  int
	title   string
	body    string
	header  http.Header
}

var (
	heading = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	form    = regexp.MustCompile(`(?s)<form method="(?:post|POST)"(?: action="([^"]*)")?>(.*?)</form>`)
	hidden  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	button  = regexp.MustCompile(`(?s)<button[^>]*?(?: name="([^"]*)" value="([^"]*)")?>(.*?)</button>`)
)

func (b *browser) do(request *http.Request) page {
	b.Helper()
	answer, err := b.client.Do(request)
	b.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	b.must(err)
	shown := page{address: answer.Request.URL, status: answer.StatusCode, body: string(content), header: answer.Header}
	if found := heading.FindStringSubmatch(shown.body); found != nil {
		shown.title = html.UnescapeString(found[1])
	}
	return shown
}

// press uses the button of a page whose text holds what is given.
func (b *browser) press(shown page, text string) page {
	b.Helper()
	for _, found := range form.FindAllStringSubmatch(shown.body, -1) {
		for _, pressed := range button.FindAllStringSubmatch(found[2], -1) {
			if !strings.Contains(html.UnescapeString(pressed[3]), text) {
				continue
			}
			values := url.Values{}
			for _, input := range hidden.FindAllStringSubmatch(found[2], -1) {
				values.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
			}
			if pressed[1] != "" {
				values.Set(pressed[1], html.UnescapeString(pressed[2]))
			}
			target, err := shown.address.Parse(html.UnescapeString(found[1]))
			b.must(err)
			if found[1] == "" {
				target = shown.address
			}
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, target.String(), strings.NewReader(values.Encode()))
			b.must(err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Origin", shown.address.Scheme+"://"+shown.address.Host)
			return b.do(request)
		}
	}
	b.Fatalf("the page %q has no button %q:\n%s", shown.title, text, shown.body)
	return page{}
}

// connect goes the whole way from a link: the button, the account at Microsoft,
// and back.
func (b *browser) connect(link, account string) page {
	b.Helper()
	shown := b.open(link)
	if shown.status != http.StatusOK || !strings.Contains(shown.body, "<button") {
		return shown
	}
	return b.press(b.press(shown, "Connect"), account)
}

func (b *browser) open(address string) page {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
	b.must(err)
	if !b.program {
		request.Header.Set("Sec-Fetch-Mode", "navigate")
	}
	return b.do(request)
}

// signInToNightPOS gives the browser a session of NightPOS's.
func (b *browser) signInToNightPOS(login string) {
	b.Helper()
	body := `{"jsonrpc":"2.0","params":{"db":"night","login":"` + login + `","password":"` + login + `"}}`
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, nightposURL+"/web/session/authenticate", strings.NewReader(body))
	b.must(err)
	request.Header.Set("Content-Type", "application/json")
	if shown := b.do(request); !strings.Contains(shown.body, `"uid"`) {
		b.Fatalf("signing in to NightPOS: %s", shown.body)
	}
}

// beginSignIn follows a link, or else the browser's session, as far as Microsoft
// and returns the state that the browser was sent there with.
func (b *browser) beginSignIn(link string) (state string) {
	b.Helper()
	defer b.stay()()
	shown := b.open(link)
	if shown.header.Get("Location") == "" {
		shown = b.press(shown, "Connect")
	}
	sent, err := url.Parse(shown.header.Get("Location"))
	b.must(err)
	if sent.Host != "outlook.sim" {
		b.Fatalf("the link shows %d %q, want Microsoft's sign-in", shown.status, shown.title)
	}
	state = sent.Query().Get("state")
	b.sent[state] = sent
	return state
}

// stay keeps the browser from following redirects until it is undone.
func (b *browser) stay() (undo func()) {
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func() { b.client.CheckRedirect = nil }
}

// code picks an account at Microsoft for a sign-in that was begun, and returns the
// code that the browser would take back.
func (b *browser) code(state, account string) string {
	b.Helper()
	defer b.stay()()
	back, err := url.Parse(b.press(b.open(b.sent[state].String()), account).header.Get("Location"))
	b.must(err)
	if back.Query().Get("code") == "" {
		b.Fatalf("Microsoft sends the browser to %s, want a code", back)
	}
	return back.Query().Get("code")
}

// comeBack is Microsoft's redirect.
func (b *browser) comeBack(query url.Values) page {
	b.Helper()
	return b.open(gatewayURL + "/microsoft_account/authentication?" + query.Encode())
}
