package signin_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func TestProofKeyBelongsToItsSignIn(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		link := w.link("alice")
		first, second := b.beginSignIn(link), b.beginSignIn(link)
		// AADSTS501481: the code of one attempt with the state of another.
		shows(t, b.comeBack(url.Values{"state": {first}, "code": {b.code(second, "alice@")}}), http.StatusBadRequest, "This sign-in is no longer good")
		shows(t, b.comeBack(url.Values{"state": {second}, "code": {b.code(second, "alice@")}}), http.StatusOK, connected)
		w.settle()
		for _, sent := range b.sent {
			query := sent.Query()
			for name, want := range map[string]string{
				"response_type": "code", "prompt": "select_account", "code_challenge_method": "S256",
				"scope": "openid offline_access User.Read Calendars.ReadWrite", "redirect_uri": gatewayURL + "/microsoft_account/authentication",
			} {
				if got := query.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if got := len(query.Get("code_challenge")); got != 43 {
				t.Errorf("the challenge has %d characters, want the 43 of SHA-256", got)
			}
		}
	})
}

// TestSessionEndsWithItsOwnPerson: on a shared browser, who comes back must be
// who went.
func TestSessionEndsWithItsOwnPerson(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		b.signInToNightPOS("alice")
		state := b.beginSignIn(gatewayURL + "/microsoft_account/connect")
		back := url.Values{"state": {state}, "code": {b.code(state, "alice@")}}
		b.signInToNightPOS("bob")
		shows(t, b.comeBack(back), http.StatusForbidden, "Somebody else is signed in to NightPOS now")
		// Nothing was used up.
		b.signInToNightPOS("alice")
		shows(t, b.comeBack(back), http.StatusOK, connected)
		w.settle()
	})
}

func TestOtherSitesCannotBegin(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link, err := url.Parse(w.link("alice"))
		w.must(err)
		for name, header := range map[string][2]string{
			"by origin":   {"Origin", "https://evil.example"},
			"by metadata": {"Sec-Fetch-Site", "cross-site"},
		} {
			b := w.newBrowser()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gatewayURL+"/microsoft_account/connect",
				strings.NewReader(link.RawQuery))
			w.must(err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(header[0], header[1])
			shown := b.do(request)
			if shown.status != http.StatusForbidden || shown.title != "Another site asked for this" {
				t.Errorf("%s: got %d %q, want a refusal", name, shown.status, shown.title)
			}
		}
	})
}

// TestOneMailboxForTwo: two people who connect the same mailbox at the same time
// do not both get it.
func TestOneMailboxForTwo(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var group sync.WaitGroup
		browsers := map[string]*browser{"alice": w.newBrowser(), "bob": w.newBrowser()}
		statuses := map[string]int{}
		var mutex sync.Mutex
		for login, b := range browsers {
			state := b.beginSignIn(w.link(login))
			back := url.Values{"state": {state}, "code": {b.code(state, "alice@outlook.example")}}
			group.Go(func() {
				status := b.comeBack(back).status
				mutex.Lock()
				defer mutex.Unlock()
				statuses[login] = status
			})
		}
		group.Wait()
		if statuses["alice"]+statuses["bob"] != http.StatusOK+http.StatusConflict {
			t.Errorf("got %v, want one connected and one refused", statuses)
		}
		if got := w.mailboxes(); got != "alice=alice@outlook.example" && got != "bob=alice@outlook.example" {
			t.Errorf("connected: %s, want one of them", got)
		}
		// Who was refused learns whom to ask, and can connect the own mailbox.
		for login, other := range map[string]string{"alice": "Bob", "bob": "Alice"} {
			if statuses[login] == http.StatusConflict {
				shown := browsers[login].connect(w.link(login), "alice@outlook.example")
				if !strings.Contains(shown.body, "<dd>"+other+"</dd>") {
					t.Errorf("the page does not name %s:\n%s", other, shown.body)
				}
				if got := browsers[login].connect(w.link(login), login+"@nightpos.example").status; got != http.StatusOK {
					t.Errorf("the own mailbox of %s: got %d, want 200", login, got)
				}
			}
		}
		w.settle()
	})
}

// TestRefusalKeepsTheConnection: signing in to another mailbox leaves the token
// of the connected one as it was.
func TestRefusalKeepsTheConnection(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		shows(t, w.newBrowser().connect(w.link("alice"), "alice@nightpos"), http.StatusOK, connected)
		w.settle()
		before, _, err := w.service.Store().Token(t.Context(), "6")
		w.must(err)
		shows(t, w.newBrowser().connect(w.link("alice"), "alice@outlook"), http.StatusConflict, "You are connected with another mailbox")
		after, _, err := w.service.Store().Token(t.Context(), "6")
		w.must(err)
		if !bytes.Equal(before, after) {
			t.Error("the token was replaced by that of the mailbox that was refused")
		}
		state, err := w.service.Store().MemberState(t.Context(), "6")
		w.must(err)
		if person := w.outlook.Mailbox("alice@nightpos.example").Person(); state.MailboxID != person.ObjectID || state.MailboxTenant == "" {
			t.Errorf("the mailbox is kept as %q of tenant %q, want %q of its tenant", state.MailboxID, state.MailboxTenant, person.ObjectID)
		}
		w.settle()
	})
}

// TestMicrosoftIsAwayAtTheEnd: when the code cannot be redeemed, the link is good
// again, for as long as it was before.
func TestMicrosoftIsAwayAtTheEnd(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link, b := w.link("alice"), w.newBrowser()
		time.Sleep(23 * time.Hour)
		w.tokenFault.Store(&simoutlook.SignInFault{Drop: true})
		shows(t, b.connect(link, "alice@"), http.StatusServiceUnavailable, "That did not work just now")
		w.tokenFault.Store(nil)
		time.Sleep(50 * time.Minute)
		shows(t, b.open(link), http.StatusOK, "Connect your Outlook calendar?")
		time.Sleep(11 * time.Minute)
		shows(t, b.open(link), http.StatusGone, "This link is no longer good")
	})
}

func TestPersonWhoLeft(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link := w.link("alice")
		w.must(w.nightpos.Member("admin").WriteUser(t.Context(), w.nightpos.Member("alice").ID, map[string]any{"active": false}))
		shows(t, w.newBrowser().open(link), http.StatusGone, "There is no such person in NightPOS any more")
	})
}

// TestNamesAreText: whatever somebody is called, a page shows it as text.
func TestNamesAreText(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		name := `<script>alert(1)</script>"'`
		w.must(w.nightpos.Member("admin").WriteUser(t.Context(), w.nightpos.Member("alice").ID, map[string]any{"name": name}))
		b := w.newBrowser()
		asked := b.open(w.link("alice"))
		for _, shown := range []page{asked, b.press(b.press(asked, "Connect"), "alice@")} {
			if shown.status != http.StatusOK || strings.Contains(shown.body, "<script") || !strings.Contains(shown.body, "&lt;script&gt;") {
				t.Errorf("got %d:\n%s", shown.status, shown.body)
			}
			if got := shown.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: got %q, want no-store", got)
			}
		}
		w.settle()
	})
}

func TestMarkOfTheBrowser(t *testing.T) {
	for scheme, want := range map[string]string{
		"http":  "outlook_gateway=; Path=/; HttpOnly; SameSite=Lax",
		"https": "__Host-outlook_gateway=; Path=/; HttpOnly; Secure; SameSite=Lax",
	} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(_ *simoutlook.Config, config *service.Config) {
					config.Settings.PublicURL = scheme + "://night.sim"
				})
				b := w.newBrowser()
				defer b.stay()()
				link, err := url.Parse(w.link("alice"))
				w.must(err)
				link.Scheme = "http" // as a proxy passes it on
				cookie, err := http.ParseSetCookie(b.press(b.open(link.String()), "Connect").header.Get("Set-Cookie"))
				w.must(err)
				cookie.Value, cookie.MaxAge = "", 0
				if got := cookie.String(); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// TestProgramFollowsALink: where nobody sees a page there is nobody to ask.
func TestProgramFollowsALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *simoutlook.Config, _ *service.Config) { config.Switches.AccountPage = false })
		b := w.newBrowser()
		b.program = true
		shows(t, b.open(w.link("alice")), http.StatusOK, connected)
		w.settle()
	})
}

// TestSecondAttemptHasItsWholeTime: a browser that begins again is known for as
// long as the new sign-in takes.
func TestSecondAttemptHasItsWholeTime(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		link, b := w.link("alice"), w.newBrowser()
		b.beginSignIn(link)
		time.Sleep(14 * time.Minute)
		state := b.beginSignIn(link)
		time.Sleep(14 * time.Minute)
		shows(t, b.comeBack(url.Values{"state": {state}, "code": {b.code(state, "alice@")}}), http.StatusOK, connected)
		w.settle()
	})
}
