package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
)

// languages runs a test in both.
func languages(t *testing.T, work func(t *testing.T, b *tab, x texts)) {
	for _, language := range []string{"en", "th"} {
		t.Run(language, func(t *testing.T) {
			b := openTab(t)
			b.prefix = language
			b.speak(language)
			work(t, b, readTexts(t, language))
		})
	}
}

// TestAPersonsOwnCalendar goes the way of a person: signed in to NightPOS, connect,
// the first sync and what it keeps back, pause and resume, a conflict, an event that
// cannot cross, and another account.
func TestAPersonsOwnCalendar(t *testing.T) {
	languages(t, func(t *testing.T, b *tab, x texts) {
		w := newWorld(t, nil)
		// Something that waits, something that crosses, and three that nobody can tell
		// apart.
		w.nightposEvent("alice", "Meeting with a customer", 3, nil, guest)
		w.nightposEvent("alice", "Budget", 2, nil)
		w.nightposEvent("alice", "Gym", 4, nil)
		for range 2 {
			w.outlookEvent(alice, "Gym", 4)
		}
		b.signInToNightPOS(w, "alice")
		b.open(w.address+"/", x.of(t, "person.mine", "Name", "Alice"))
		b.says(x.of(t, "state.none"))
		b.page("none")
		b.press(x.of(t, "button.connect"))
		b.headed("Pick an account")
		b.pick(alice)
		b.until("document.querySelector('h1')?.textContent.includes('Alice')")
		b.open(w.address+root+"/mine", x.of(t, "person.mine", "Name", "Alice"))

		// Without reloading.
		b.says(x.of(t, "state.connected"))
		b.says(x.of(t, "class.mine_with_attendees.text"))
		b.says("Gym")
		b.page("connected")
		b.dress("dark")
		b.page("connected-dark")
		b.dress("light")
		b.press(x.of(t, "button.preview"))
		b.headed(x.of(t, "preview.title"))
		b.says("Meeting with a customer")
		b.page("preview")
		b.press(x.of(t, "button.back"), true)
		b.headed(x.of(t, "person.mine", "Name", "Alice"))
		b.press(x.of(t, "class.mine_with_attendees.button"))
		b.says(x.of(t, "done.release"))
		b.until("document.querySelector('#held') === null")

		// A change made elsewhere appears by itself.
		made := w.outlookEvent(alice, "Lunch with Bob", 5)
		b.says("Lunch with Bob")
		b.says(x.of(t, "state.changed_from", "Side", "Outlook"))

		b.fill("skip_categories", "Family, family")
		b.press(x.of(t, "button.save"))
		b.says(x.of(t, "done.choices"))
		if got := b.value("document.querySelector('[name=skip_categories]').value"); got != "Family" {
			t.Errorf("the categories are shown as %q", got)
		}

		b.press(x.of(t, "button.pause"))
		b.says(x.of(t, "done.pause"))
		b.says(x.of(t, "state.paused"))
		b.page("paused")
		_, err := w.outlook.Mailbox(alice).Update(t.Context(), made, map[string]any{"subject": "Lunch at noon"})
		w.must(err)
		for _, shown := range w.nightpos.Events() {
			if shown["name"] == "Lunch with Bob" {
				w.must(w.nightpos.Member("alice").Write(t.Context(), []int{shown["id"].(int)}, map[string]any{"name": "Lunch at one"}))
			}
		}
		b.press(x.of(t, "button.resume"))
		b.says(x.of(t, "done.resume"))
		b.says(x.of(t, "conflict.title"))
		b.says("Lunch at noon")
		b.page("conflict")
		b.press(x.of(t, "conflict.use"))
		b.says(x.of(t, "done.prefer"))
		b.says(x.of(t, "conflict.restored", "Field", x.of(t, "field.title"), "Loser", "Outlook", "Winner", "NightPOS"))
		w.until("alice", "sees the other version in both calendars", func(gateway.User) bool {
			return w.titled("Lunch at noon") == 2 && w.titled("Lunch at one") == 0
		})
		b.page("conflict-restored")

		// Its own details are a choice of two steps.
		b.press(x.of(t, "switch.title"))
		b.press(x.of(t, "button.disconnect"))
		b.says(x.of(t, "done.disconnect"))
		b.says(x.of(t, "state.none"))
	})
}

// TestAPersonWhoCameByALink sees their calendar afterwards, without a NightPOS
// session, and can switch accounts.
func TestAPersonWhoCameByALink(t *testing.T) {
	b, w, x := openTab(t), newWorld(t, nil), readTexts(t, "en")
	var link struct{ URL string }
	w.call(http.MethodPost, "/users/bob/connect-link", "", &link)
	english, thai := readSignInTexts(t, "en"), readSignInTexts(t, "th")
	b.open(link.URL, english.of(t, "ask.title"))
	b.inThai("ask", thai.of(t, "ask.title"), english.of(t, "ask.title"))
	b.press("Connect Bob's calendar")
	b.headed("Pick an account")
	b.pick(bob)
	connected := []string{"Name", "Bob", "Mailbox", bob}
	b.headed(english.of(t, "connected.title", connected...))
	b.inThai("linked", thai.of(t, "connected.title", connected...), english.of(t, "connected.title", connected...))
	stale := openTab(t)
	stale.open(link.URL, english.of(t, "link.title"))
	stale.inThai("link-spent", thai.of(t, "link.title"), english.of(t, "link.title"))
	b.press("See how it goes")
	b.headed(x.of(t, "person.mine", "Name", "Bob"))
	b.says(x.of(t, "state.connected"))
	b.open(w.address+root+"/people", x.of(t, "failure.title"))
	b.prefix = "en"
	b.page("forbidden")
	b.press("ไทย")
	b.prefix = "th"
	b.headed(readTexts(t, "th").of(t, "failure.title"))
	b.page("forbidden")
	b.press("English")
	b.headed(x.of(t, "failure.title"))
	b.open(w.address+root+"/mine", x.of(t, "person.mine", "Name", "Bob"))
	b.press(x.of(t, "switch.title"))
	b.press(x.of(t, "button.switch"))
	b.headed("Connect your Outlook calendar?")
	b.open(w.address+root+"/mine", x.of(t, "person.mine", "Name", "Bob"))
	b.says(x.of(t, "state.none"))
	b.press(x.of(t, "button.sign_out"))
	b.headed(x.of(t, "signin.title"))
}

// TestTheGuideLeadsToTheFirstEvent is a new administrator with nothing but the
// gateway and the guide.
func TestTheGuideLeadsToTheFirstEvent(t *testing.T) {
	languages(t, leadsToTheFirstEvent)
}

func leadsToTheFirstEvent(t *testing.T, b *tab, x texts) {
	w, application := newWorldUnset(t)
	stands := func(step, status string) {
		t.Helper()
		b.until(fmt.Sprintf(`[...document.querySelectorAll(".steps > li")].find((e) => e.querySelector("h2").textContent === %q).querySelector(".step").classList.contains(%q)`, x.of(t, "guide."+step), status))
	}
	b.signInToNightPOS(w, "admin")
	b.open(w.address+"/", x.of(t, "nav.gateway"))
	b.says(x.of(t, "gateway.empty"))
	b.page("empty")
	b.press(x.of(t, "nav.guide"), true)
	b.headed(x.of(t, "guide.title"))
	b.says(x.of(t, "cause.no_application"))
	if got, want := b.value("document.getElementById('redirect-uri').textContent"), application.RedirectURIs[0]; got != want {
		t.Errorf("the guide tells the redirect URI %q, want %q", got, want)
	}
	for _, step := range []string{"register", "redirect", "permissions", "secret", "enter", "check", "connect", "event"} {
		stands(step, "open")
	}
	b.page("guide-empty")
	// A slip first: the guide says which step is wrong.
	b.fill("client_id", "11111111-2222-3333-4444-555555555555")
	b.fill("client_secret", application.Secret)
	b.press(x.of(t, "button.save"))
	b.says(x.of(t, "done.settings"))
	b.examine(x)
	stands("register", "failed")
	b.page("guide-wrong")
	b.fill("client_id", application.ID)
	b.fill("client_secret", application.Secret)
	b.fill("expires", "2031-05-01")
	b.value(`document.querySelector(".notice")?.remove(); "removed"`)
	b.press(x.of(t, "button.save"))
	b.says(x.of(t, "done.settings"))
	if text := b.value("document.body.innerHTML"); strings.Contains(text, application.Secret) {
		t.Error("the page shows the client secret")
	}
	b.examine(x)
	for _, step := range []string{"register", "redirect", "secret", "enter"} {
		stands(step, "ok")
	}
	stands("connect", "open")
	b.fill("user", "alice")
	b.press(x.of(t, "button.link"))
	b.says(x.of(t, "link.made", "Name", "Alice"))
	b.page("link")
	link := b.value("document.querySelector('.copy code').textContent")

	// Alice, in her own browser.
	other := openTab(t)
	other.open(link, "Connect your Outlook calendar?")
	other.press("Connect Alice's calendar")
	other.headed("Pick an account")
	other.pick(alice)
	other.headed("Alice's calendar is connected to alice@nightpos.example")
	// What the first sync still finds is no change.
	w.until("alice", "is through with the first sync", func(user gateway.User) bool { return user.FirstSync != nil && user.FirstSync.Finished })
	w.outlookEvent(alice, "The first event", 1)
	other.press("See how it goes")
	other.says("The first event")
	b.open(w.address+root+"/guide", x.of(t, "guide.title"))
	for _, step := range []string{"register", "redirect", "permissions", "secret", "enter", "connect", "event"} {
		stands(step, "ok")
	}
	b.page("guide-done")
	b.open(w.address+root+"/people", x.of(t, "nav.people"))
	b.says("alice@nightpos.example")
}
