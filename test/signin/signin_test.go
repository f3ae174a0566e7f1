package signin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// connected is the page at the end of alice's way.
const connected = "Alice's calendar is connected to alice@nightpos.example"

// in runs a test in a bubble.
func in(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, nil)) })
}

// shows checks a page.
func shows(t *testing.T, shown page, status int, title string) {
	t.Helper()
	if shown.status != status || shown.title != title {
		t.Errorf("got %d %q, want %d %q", shown.status, shown.title, status, title)
	}
	if policy := shown.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the page's policy is %q", policy)
	}
}

// mailboxes are the connected people's, by login.
func (w *world) mailboxes() string {
	w.Helper()
	members, err := w.service.Store().MembersNow(w.Context())
	w.must(err)
	text := ""
	for _, member := range members {
		text += member.Login + "=" + member.Mailbox + " "
	}
	return strings.TrimSpace(text)
}

func TestLinkConnectsAPersonOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link := w.link("alice")
		shown := w.newBrowser().connect(link, "alice@")
		shows(t, shown, http.StatusOK, connected)
		if !strings.Contains(shown.body, "alice@nightpos.example") {
			t.Error("the page does not name the mailbox")
		}
		if got, want := w.mailboxes(), "alice=alice@nightpos.example"; got != want {
			t.Errorf("connected: %s, want %s", got, want)
		}
		shows(t, w.newBrowser().open(link), http.StatusGone, "This link is no longer good")
		// The same mailbox may be connected again.
		shows(t, w.newBrowser().connect(w.link("6"), "alice@"), http.StatusOK, connected)
		w.settle()
		if got := w.nightpos.Counts()["webhook lost"]; got != 0 {
			t.Errorf("%d webhooks were lost", got)
		}
	})
}

// settle lets the first sync end.
func (w *world) settle() { time.Sleep(10 * time.Second) }

func TestSessionOfNightPOSConnectsItsPerson(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		browser := w.newBrowser()
		shows(t, browser.open(gatewayURL+"/microsoft_account/connect"), http.StatusUnauthorized, "Who are you?")
		browser.signInToNightPOS("bob")
		shows(t, browser.press(browser.open(gatewayURL+"/microsoft_account/connect"), "bob@"), http.StatusOK, "Bob's calendar is connected to bob@nightpos.example")
		if got, want := w.mailboxes(), "bob=bob@nightpos.example"; got != want {
			t.Errorf("connected: %s, want %s", got, want)
		}
		w.settle()
	})
}

func TestOpeningALinkDoesNotUseItUp(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link := w.link("alice")
		for range 3 { // mail scanners; they get a page and nothing else happens
			shown := w.newBrowser().open(link)
			shows(t, shown, http.StatusOK, "Connect your Outlook calendar?")
			if shown.header.Get("Set-Cookie") != "" || !strings.Contains(shown.body, "Connect Alice&#39;s calendar") {
				t.Errorf("the link's page sets %q and shows:\n%s", shown.header.Get("Set-Cookie"), shown.body)
			}
			w.newBrowser().beginSignIn(link) // a person who changes her mind
		}
		shows(t, w.newBrowser().connect(link, "alice@"), http.StatusOK, connected)
		w.settle()
	})
}

func TestLinkThatWasPassedOn(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link := w.link("alice")
		session := w.newBrowser()
		session.signInToNightPOS("bob")
		shows(t, session.open(link), http.StatusForbidden, "This link is for somebody else")

		// Without a session Microsoft shows whose account it is.
		browser := w.newBrowser()
		state := browser.beginSignIn(link)
		shows(t, browser.comeBack(url.Values{"state": {state}, "code": {browser.code(state, "bob@nightpos.example")}}),
			http.StatusConflict, "This mailbox is somebody else's")
		if got := w.mailboxes(); got != "" {
			t.Errorf("connected: %s, want nobody", got)
		}
		// Alice herself can still use it.
		shows(t, w.newBrowser().connect(link, "alice@"), http.StatusOK, connected)
		w.settle()
	})
}

func TestAnotherMailboxAsksFirst(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		shows(t, w.newBrowser().connect(w.link("alice"), "alice@"), http.StatusOK, connected)
		browser := w.newBrowser()
		state := browser.beginSignIn(w.link("alice"))
		shown := browser.comeBack(url.Values{"state": {state}, "code": {browser.code(state, "alice@outlook.example")}})
		shows(t, shown, http.StatusConflict, "You are connected with another mailbox")
		if !strings.Contains(shown.body, "alice@nightpos.example") {
			t.Error("the page does not name the mailbox that is connected")
		}
		// Nor is it taken by somebody else.
		browser = w.newBrowser()
		state = browser.beginSignIn(w.link("bob"))
		shows(t, browser.comeBack(url.Values{"state": {state}, "code": {browser.code(state, "alice@nightpos.example")}}),
			http.StatusConflict, "This mailbox is somebody else's")
		if got, want := w.mailboxes(), "alice=alice@nightpos.example"; got != want {
			t.Errorf("connected: %s, want %s", got, want)
		}
		w.settle()
	})
}

func TestBuiltInSyncMustBeStopped(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		alice, admin := w.nightpos.Member("alice").ID, w.nightpos.Member("admin")
		w.must(admin.WriteUser(t.Context(), alice, map[string]any{"microsoft_calendar_rtoken": "token"}))
		link := w.link("alice")
		shows(t, w.newBrowser().connect(link, "alice@"), http.StatusConflict, "NightPOS's own Outlook sync is still on")
		w.must(admin.WriteUser(t.Context(), alice, map[string]any{"microsoft_synchronization_stopped": true}))
		shows(t, w.newBrowser().connect(link, "alice@"), http.StatusOK, connected)
		w.settle()
	})
}

func TestStates(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		const unknown, other = "This sign-in is not known", "Another browser began this"
		browser := w.newBrowser()
		state := browser.beginSignIn(w.link("alice"))
		code := browser.code(state, "alice@nightpos.example")
		good := url.Values{"state": {state}, "code": {code}}
		shows(t, browser.comeBack(url.Values{"code": {code}}), http.StatusBadRequest, unknown)
		shows(t, browser.comeBack(url.Values{"state": {state + "A"}, "code": {code}}), http.StatusBadRequest, unknown)
		another := "A"
		if state[:1] == another {
			another = "B"
		}
		shows(t, browser.comeBack(url.Values{"state": {another + state[1:]}, "code": {code}}), http.StatusBadRequest, unknown)
		shows(t, w.newBrowser().comeBack(good), http.StatusBadRequest, other)
		stranger := w.newBrowser()
		stranger.beginSignIn(w.link("bob"))
		shows(t, stranger.comeBack(good), http.StatusBadRequest, other)
		// None of that took anything away from the browser that began it.
		shows(t, browser.comeBack(good), http.StatusOK, connected)
		shows(t, browser.comeBack(good), http.StatusBadRequest, unknown)

		late := w.newBrowser()
		state = late.beginSignIn(w.link("bob"))
		code = late.code(state, "bob@nightpos.example")
		time.Sleep(31 * time.Minute)
		shows(t, late.comeBack(url.Values{"state": {state}, "code": {code}}), http.StatusBadRequest, unknown)
		link := w.link("bob")
		time.Sleep(25 * time.Hour)
		shows(t, w.newBrowser().open(link), http.StatusGone, "This link is no longer good")
	})
}

// TestErrorsOfMicrosoft has Microsoft send the browser back with each of its
// errors, numbered as in its own table.
func TestErrorsOfMicrosoft(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		for _, one := range []struct {
			word   string
			number int
			status int
			title  string
			says   string
		}{
			{"access_denied", 65004, 403, "You did not agree", "Accept"},
			{"access_denied", 0, 403, "You did not agree", "Accept"},
			{"access_denied", 90094, 403, "Your organization has to agree first", "/organizations/v2.0/adminconsent?client_id=" + simoutlook.DefaultApplication.ID},
			{"access_denied", 90095, 403, "Your administrator has been asked", "approved"},
			{"invalid_grant", 65001, 403, "Your organization has to agree first", "adminconsent"},
			{"unauthorized_client", 50194, 502, "The application belongs to one organization", "MICROSOFT_TENANT"},
			{"invalid_request", 50011, 502, "The redirect URI does not match", gatewayURL + "/microsoft_account/authentication"},
			{"invalid_client", 7000222, 502, "The client secret has expired", "Certificates"},
			{"invalid_client", 7000215, 502, "The client secret is wrong", "not to its id"},
			{"invalid_client", 7000218, 502, "There is no client secret", "MICROSOFT_CLIENT_SECRET"},
			{"invalid_client", 700027, 502, "The certificate is not accepted", "certificate"},
			{"invalid_client", 7000112, 502, "The application is disabled", "Enterprise applications"},
			{"invalid_client", 0, 502, "Microsoft does not accept the application", "MICROSOFT_CLIENT_ID"},
			{"unauthorized_client", 700016, 502, "Microsoft does not know the application", "MICROSOFT_TENANT"},
			{"access_denied", 50105, 403, "You are not assigned to the application", "assign"},
			{"interaction_required", 53003, 403, "A rule of your organization forbids it", "administrator"},
			{"interaction_required", 50076, 403, "Microsoft wants you to sign in again", "another step"},
			{"interaction_required", 50079, 403, "Microsoft wants you to sign in again", "another step"},
			{"invalid_grant", 50057, 403, "Your Microsoft account cannot sign in", "disabled"},
			{"invalid_grant", 50034, 403, "Your Microsoft account cannot sign in", "no longer exists"},
			{"invalid_grant", 70043, 403, "Microsoft wants you to sign in again", ""},
			{"invalid_grant", 54005, 400, "This sign-in is no longer good", "used already"},
			{"invalid_grant", 501481, 400, "This sign-in is no longer good", "another browser"},
			{"invalid_grant", 700005, 400, "This sign-in is no longer good", ""},
			{"invalid_scope", 70011, 502, "Microsoft does not know what is asked for", "MICROSOFT_GRAPH_URL"},
			{"invalid_resource", 0, 502, "Microsoft does not know what is asked for", ""},
			{"invalid_request", 900144, 502, "Microsoft did not understand the gateway", ""},
			{"invalid_request", 50196, 429, "Microsoft has seen this sign-in too often", ""},
			{"invalid_request", 700084, 502, "The redirect URI is of the wrong kind", gatewayURL + "/microsoft_account/authentication"},
			{"invalid_request", 9001023, 502, "The tenant does not serve this sign-in", ""},
			{"temporarily_unavailable", 90033, 503, "That did not work just now", "Nothing was changed"},
			{"server_error", 90006, 503, "That did not work just now", ""},
			{"login_required", 50058, 403, "Microsoft wants you to sign in again", ""},
			{"something_new", 0, 502, "Microsoft refused the sign-in", ""},
		} {
			name := fmt.Sprintf("%s, AADSTS%d", one.word, one.number)
			browser := w.newBrowser()
			query := url.Values{"state": {browser.beginSignIn(w.link("alice"))}, "error": {one.word}}
			if one.number != 0 {
				query.Set("error_description", fmt.Sprintf("AADSTS%d: <script>alert('secret of Alice')</script>", one.number))
			}
			shown := browser.comeBack(query)
			if shown.status != one.status || shown.title != one.title || !strings.Contains(shown.body, one.says) {
				t.Errorf("%s: got %d %q, want %d %q with %q:\n%s", name, shown.status, shown.title, one.status, one.title, one.says, shown.body)
			}
			if strings.Contains(shown.body, "secret of Alice") {
				t.Errorf("%s: the page shows what anybody can put into its address", name)
			}
		}
		if got := w.mailboxes(); got != "" {
			t.Errorf("connected: %s, want nobody", got)
		}
	})
}

func TestWrongSecretConnectsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *simoutlook.Config, config *service.Config) { config.Settings.MicrosoftClientSecret = "another" })
		shown := w.newBrowser().connect(w.link("alice"), "alice@")
		if shown.status != http.StatusBadGateway || !strings.Contains(shown.body, "MICROSOFT_CLIENT_SECRET") {
			t.Errorf("got %d %q, want a page that names MICROSOFT_CLIENT_SECRET", shown.status, shown.title)
		}
		if got := w.mailboxes(); got != "" {
			t.Errorf("connected: %s, want nobody", got)
		}
	})
}

func TestConnectLinkAPI(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		const path = "/api/v1/users/alice/connect-link"
		for _, one := range []struct {
			name, path, body, token string
			want                    int
		}{
			{"no token", path, "", "", 401},
			{"a wrong token", path, "", adminToken + "0", 401},
			{"a stranger", "/api/v1/users/mallory/connect-link", "", adminToken, 404},
			{"an unknown id", "/api/v1/users/9999/connect-link", "", adminToken, 404},
			{"not JSON", path, "{", adminToken, 400},
			{"an unknown field", path, `{"frist_sync":"all"}`, adminToken, 400},
			{"a first sync of no kind", path, `{"first_sync":"some"}`, adminToken, 422},
			{"a class of no name", path, `{"send":["yours"]}`, adminToken, 422},
			{"only what is new", path, `{"first_sync":"new","send":["past","mine_alone"]}`, adminToken, 200},
			{"everything", path, `{"first_sync":"all","send":[]}`, adminToken, 200},
			{"an escaped login", "/api/v1/users/%61lice/connect-link", "", adminToken, 200},
		} {
			answer := w.post(one.path, one.body, one.token)
			if answer.status != one.want {
				t.Errorf("%s: got %d %s, want %d", one.name, answer.status, answer.body, one.want)
			}
			if kind := answer.header.Get("Content-Type"); one.want >= 400 && kind != "application/problem+json" {
				t.Errorf("%s: the error's type is %s", one.name, kind)
			}
		}
		for login, want := range map[string]int{"admin": 200, "bob": 403} {
			browser := w.newBrowser()
			browser.signInToNightPOS(login)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gatewayURL+path, nil)
			w.must(err)
			if got := browser.do(request).status; got != want {
				t.Errorf("with the session of %s: got %d, want %d", login, got, want)
			}
			request.Header.Set("Sec-Fetch-Site", "cross-site")
			if got := browser.do(request).status; got != 403 {
				t.Errorf("from another site with the session of %s: got %d, want 403", login, got)
			}
		}
	})
}
