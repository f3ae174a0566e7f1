package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/nightpos/outlook-gateway/test/catalogue"
)

// tab is a tab of a real browser.
type tab struct {
	*testing.T
	ctx    context.Context
	folder string
	width  int
	// prefix stands before the names of pictures.
	prefix string
}

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
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en-US"),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, folder: folder}
	b.resize(wide)
	b.dress("light")
	return b
}

// The widths at which every page is looked at, and those at which it only has to
// fit besides.
const (
	narrow = 360
	wide   = 1280
)

var otherWidths = []int{390, 1920}

func (b *tab) resize(width int) {
	b.Helper()
	b.width = width
	b.do(chromedp.EmulateViewport(int64(width), 800))
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

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; {
		_, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("document.readyState === 'complete' && ("+expression+")", chromedp.WithPollingTimeout(5*time.Second)))
		if err == nil {
			return
		}
		// A page on the way to another one ends the look at it.
		if time.Now().After(deadline) {
			b.picture("failed")
			b.Fatalf("waiting for %s: %v; the page says %s", expression, err, b.value("document.body.innerText"))
		}
	}
}

// says waits until the page holds a text.
func (b *tab) says(text string) {
	b.Helper()
	b.until(fmt.Sprintf("document.querySelector('main').innerText.includes(%q)", text))
}

// open opens an address and waits for its heading.
func (b *tab) open(address, heading string) {
	b.Helper()
	b.do(chromedp.Navigate(address))
	b.headed(heading)
}

// examine has the guide's check-up made, and waits until it has ended.
func (b *tab) examine(x texts) {
	b.Helper()
	next := func(button string) {
		b.value(`document.body.dataset.former = "yes"`)
		b.press(button)
		b.until(`document.querySelector(".steps") !== null && !document.body.dataset.former`)
	}
	begin := x.of(b.T, "doctor.begin")
	if b.value(fmt.Sprintf("String(document.body.innerText.includes(%q))", begin)) == "false" {
		begin = x.of(b.T, "doctor.repeat")
	}
	next(begin)
	for end := time.Now().Add(30 * time.Second); b.value(fmt.Sprintf("String(document.body.innerText.includes(%q))", x.of(b.T, "doctor.running"))) == "true"; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("the check-up does not end")
		}
		next(x.of(b.T, "guide.again"))
	}
}

func (b *tab) headed(heading string) {
	b.Helper()
	b.until(fmt.Sprintf("document.querySelector('h1')?.textContent === %q", heading))
}

// press uses the button, or the summary, with a text; with links, those count too.
// It has to be visible and nothing may cover it.
func (b *tab) press(text string, links ...bool) {
	b.Helper()
	selector := "button, [role=button], .button, summary"
	if len(links) > 0 {
		selector += ", main a"
	}
	// At once: what is live may change between a look and a click.
	pressed := b.value(fmt.Sprintf(`(() => {
		const button = [...document.querySelectorAll(%q)].find((e) => e.textContent.trim() === %q && e.checkVisibility());
		if (!button) return "not there";
		button.scrollIntoView({block: "center"});
		const box = button.getBoundingClientRect();
		const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
		if (!button.contains(top)) return "covered by " + top?.outerHTML;
		button.click();
		return "pressed"; })()`, selector, text))
	if pressed != "pressed" {
		b.picture("failed")
		b.Fatalf("the button %q is %s; the page says %s", text, pressed, b.value("document.body.innerText"))
	}
}

// pick chooses an account at Microsoft.
func (b *tab) pick(address string) {
	b.Helper()
	b.value(fmt.Sprintf(`[...document.querySelectorAll("button")].find((e) => e.textContent.includes(%q)).setAttribute("id", "picked"); "picked"`, address))
	b.do(chromedp.Click(chromedp.CSS("#picked")))
}

// speak asks for pages in a language, as a browser's own settings do.
func (b *tab) speak(language string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": language},
		})
		return err
	}))
}

// fill writes into a field.
func (b *tab) fill(id, text string) {
	b.Helper()
	b.value(fmt.Sprintf(`(() => { const field = document.getElementById(%q); field.value = %q; return "filled"; })()`, id, text))
}

// page checks what every page promises, and takes a picture at both widths.
func (b *tab) page(name string) {
	b.Helper()
	before := b.width
	for _, width := range otherWidths {
		b.fits(name, width)
	}
	for _, width := range []int{wide, narrow} {
		b.fits(name, width)
		b.picture(fmt.Sprintf("%s-%d", name, width))
		// In the other language at the other width.
		if (width == wide) == (b.prefix == "th") {
			b.axe(name)
		}
	}
	b.resize(before)
	if b.prefix == "th" {
		if left := catalogue.Untranslated(b.T, b.value("document.documentElement.outerHTML"), names...); len(left) > 0 {
			b.Errorf("%s: not translated: %q", name, left)
		}
	}
	// What the policy forbids would leave the page bare.
	if got := b.value(`getComputedStyle(document.querySelector(".bar")).display`); got != "flex" {
		b.Errorf("%s: the page is not dressed", name)
	}
	if got := b.value(`[...document.querySelectorAll("input:not([type=hidden]), select")].filter((e) => !e.labels.length).map((e) => e.name).join()`); got != "" {
		b.Errorf("%s: fields without a label: %s", name, got)
	}
	// A key that is shown instead of its text.
	if got := b.value(`(document.body.innerText.match(/\b(state|cause|button|nav|phase|deed|act|class|done|field|time|preview|lag|doctor|area|step|guide|conflict|privacy|show_as)\.[a-z_.]+/g) ?? []).join()`); got != "" {
		b.Errorf("%s: texts are missing: %s", name, got)
	}
}

// inThai looks at a page of the sign-in in both languages, and leaves it in English.
func (b *tab) inThai(name, thai, english string) {
	b.Helper()
	before := b.width
	look := func(prefix string) {
		for _, width := range []int{wide, narrow} {
			b.fits(name, width)
			b.picture(fmt.Sprintf("%s-sign-in-%s-%d", prefix, name, width))
		}
		b.axe(name)
	}
	look("en")
	b.press("ไทย")
	b.headed(thai)
	look("th")
	if left := catalogue.Untranslated(b.T, b.value("document.documentElement.outerHTML"), names...); len(left) > 0 {
		b.Errorf("%s: not translated: %q", name, left)
	}
	b.press("English")
	b.headed(english)
	b.resize(before)
}

// fits checks that nothing of a page sticks out.
func (b *tab) fits(name string, width int) {
	b.Helper()
	b.resize(width)
	if got := b.value("String(document.documentElement.scrollWidth)"); got != fmt.Sprint(width) {
		b.Errorf("%s: the page is %s pixels wide in a window of %d: %s", name, got, width, b.value(
			`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 30)).join(" | ")`))
	}
}

// names are those of people and events in these tests, which have no language.
var names = []string{
	"Alice", "Bob", "Mitchell Admin", "alice", "bob", "admin", "Meeting with a customer", "Budget", "Gym", "Family", "Lunch with Bob", "Lunch at noon", "Lunch at one",
	"Event ", "The doctor", "English", "miniredis", "embedded",
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
	if err := os.WriteFile(filepath.Join(b.folder, strings.TrimPrefix(b.prefix+"-"+name, "-")+".png"), content, 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) dress(scheme string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			// A picture in the middle of a transition shows neither of both.
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

// signInToNightPOS gives the browser a session of NightPOS's.
func (b *tab) signInToNightPOS(w *world, login string) {
	b.Helper()
	b.do(chromedp.Navigate(w.nightposURL))
	b.value(fmt.Sprintf(`window.signedIn = fetch("/web/session/authenticate", {method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({jsonrpc: "2.0", params: {db: "night", login: %q, password: %q}})}).then((answer) => { document.body.innerHTML = "<h1>" + answer.status + "</h1>"; }); "asked"`, login, login))
	b.headed("200")
}
