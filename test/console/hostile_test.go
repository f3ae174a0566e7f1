package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
)

// hostile are texts that would do something in a page that took them for HTML.
var hostile = []string{
	`<script>window.hacked="script"</script>`,
	`<img src=x onerror="window.hacked='image'">`,
	`"><svg onload="window.hacked='attribute'">`,
	`'><iframe srcdoc="<script>parent.hacked='frame'</script>"></iframe>`,
	`<div hx-post="/microsoft_account/console/mine/disconnect" hx-trigger="load">`,
	`<form action="https://evil.example"><input name=form></form>`,
	`{{.Form}} ${window.hacked='template'} javascript:window.hacked='address'`,
	`<a href="javascript:window.hacked='link'">x</a><style>body{display:none}</style><base href="https://evil.example/">`,
}

// TestNothingOfAnEventRunsInTheConsole: titles, places and descriptions are shown as
// the text that they are, on every page that shows any, also where they come live and
// where a conflict kept them.
func TestNothingOfAnEventRunsInTheConsole(t *testing.T) {
	b, w, x := openTab(t), newWorld(t, nil), readTexts(t, "en")
	w.connect("alice")
	w.settle("alice", "connected")
	b.signInToNightPOS(w, "alice")
	b.open(w.address+root+"/mine", x.of(t, "person.mine", "Name", "Alice"))
	inert := func(page string) {
		t.Helper()
		if got := b.value(`String(window.hacked)`); got != "undefined" {
			t.Errorf("%s: %s of an event ran", page, got)
		}
		if got := b.value(`[...document.querySelectorAll("main :is(img, svg, iframe, style, base, [onerror], [onload], [hx-post], [href^=javascript], form[action*=evil], script:not([src])), head base")].map((e) => e.outerHTML).join()`); got != "" {
			t.Errorf("%s: the page has made elements of a text: %s", page, got)
		}
	}
	// Live, while the page is open.
	for index, text := range hostile {
		if index%2 == 0 {
			w.nightposEvent("alice", text, 2+index, map[string]any{"location": text, "description": "<p>" + text + "</p>"})
		} else {
			w.outlookEvent(alice, text, 2+index)
		}
	}
	w.until("alice", "has every event", func(gateway.User) bool {
		for _, text := range hostile {
			if w.titled(text) != 2 {
				return false
			}
		}
		return true
	})
	for _, text := range hostile {
		b.until(fmt.Sprintf("document.querySelector('main').textContent.includes(%q)", text))
	}
	inert("the own calendar")

	// What a conflict keeps, and puts back.
	w.call(http.MethodPost, "/users/alice/pause", "", nil)
	for _, shown := range w.nightpos.Events() {
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{shown["id"].(int)}, map[string]any{"name": "N " + hostile[0], "description": "<p>N " + hostile[1] + "</p>"}))
	}
	for _, shown := range w.outlook.Mailbox(alice).Events() {
		_, err := w.outlook.Mailbox(alice).Update(t.Context(), fmt.Sprint(shown["id"]), map[string]any{
			"subject": "O " + hostile[2], "body": map[string]any{"contentType": "html", "content": "<p>O " + hostile[3] + "</p>"},
		})
		w.must(err)
	}
	b.open(w.address+root+"/mine/preview", x.of(t, "preview.title"))
	inert("the preview")
	w.call(http.MethodPost, "/users/alice/resume", "", nil)
	b.open(w.address+root+"/mine", x.of(t, "person.mine", "Name", "Alice"))
	b.says(x.of(t, "conflict.title"))
	b.until(`document.querySelectorAll("q").length >= 8`)
	inert("the conflicts")
	b.press(x.of(t, "conflict.use"))
	b.says(x.of(t, "done.prefer"))
	inert("the version put back")

	admin := w.visitor()
	admin.enter()
	for _, path := range []string{"/people/alice", "/activity", "/activity?user=" + "%3Cscript%3Ealert(1)%3C/script%3E", "/people?text=%22%3E%3Csvg%20onload%3Dalert(1)%3E", "/people/%3Cscript%3E", "/jobs/%3Cscript%3E"} {
		body := admin.get(root + path).body
		for _, raw := range []string{"<script>", "<img", "<svg", "<iframe", "<style", "<base"} {
			if strings.Contains(body, raw) {
				t.Errorf("%s holds %s as it is", path, raw)
			}
		}
	}
}
