package demo_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a browser of its own, at one size of the window.
type browser struct {
	t      *testing.T
	ctx    context.Context
	name   string
	folder string
}

func openBrowser(t *testing.T, name string, width, height int64) *browser {
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
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, name: name, folder: folder}
	b.do(chromedp.EmulateViewport(width, height))
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.picture("failed")
		b.t.Fatal(err)
	}
}

// wait waits until a JavaScript expression is true.
func (b *browser) wait(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](fmt.Sprintf("Boolean(%s)", expression), chromedp.WithPollingTimeout(10*time.Second))); err != nil {
		b.picture("failed")
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

func value[T any](b *browser, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// point is the middle of what a selector finds, or a part of it from its corner.
func (b *browser) point(selector string, x, y float64) (float64, float64) {
	b.t.Helper()
	box := value[[]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center", inline: "center"}); const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()`, selector))
	return box[0] + x*box[2], box[1] + y*box[3]
}

func (b *browser) picture(what string) {
	b.t.Helper()
	action := chromedp.FullScreenshot(100)
	if what == "dialog" { // what lies outside of the window is not painted in it
		action = chromedp.CaptureScreenshot()
	}
	content, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Logf("no picture of %s: %v", what, err)
		return
	}
	if err := os.MkdirAll(b.folder, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.folder, b.name+"-"+what+".png"), content, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// still waits for the end of every animation that has one.
func (b *browser) still() {
	b.t.Helper()
	b.wait(`document.getAnimations().every((animation) => animation.playState !== "running" || animation.effect.getTiming().iterations === Infinity)`)
}

func (b *browser) dark() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	}))
}

func card(side, title string) string {
	return fmt.Sprintf(`[data-side=%s] .event[data-title="%s"]:not(.leaving)`, side, title)
}

func exists(side, title string) string {
	return fmt.Sprintf("document.querySelector(`%s`)", card(side, title))
}

func TestAPersonUsesBothCalendars(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int64
		narrow        bool
	}{{"wide", 1280, 900, false}, {"narrow", 390, 844, true}} {
		t.Run(size.name, func(t *testing.T) {
			server, outlook, nightpos := served(t)
			b := openBrowser(t, size.name, size.width, size.height)
			b.do(chromedp.Navigate(server.URL))
			b.wait(`document.body.dataset.live && document.querySelector("[data-side=nightpos]").dataset.ready`)
			b.picture("empty")
			if got := value[int](b, "document.documentElement.scrollWidth"); got > int(size.width) {
				t.Errorf("the page is %d pixels wide in a window of %d", got, size.width)
			}
			show := func(side string) {
				if size.narrow {
					b.do(chromedp.Click(chromedp.CSS("[data-tab=" + side + "]")))
				}
			}

			// Wednesday, two hours after the first one shown: 9:00.
			x, y := b.point("[data-side=outlook] .day:nth-child(3)", 0.5, 2.25/13)
			b.do(chromedp.MouseClickXY(x, y))
			b.wait(`document.querySelector("dialog").open`)
			b.do(
				chromedp.SendKeys(chromedp.CSS("#title"), "Menu tasting"),
				chromedp.SendKeys(chromedp.CSS("#place"), "Bar"),
				chromedp.SendKeys(chromedp.CSS("#guests"), "bob@nightpos.example"),
			)
			b.still()
			b.picture("dialog")
			b.do(chromedp.Click(chromedp.CSS("#save")))
			b.wait(`!document.querySelector("dialog").open`)
			b.wait(exists("outlook", "Menu tasting"))
			show("nightpos")
			b.wait(exists("nightpos", "Menu tasting") + `?.querySelector(".badge")`)
			b.wait(`document.querySelector("#activity .lag:not(.waiting):not(.none)")`)
			b.still()
			b.picture("created")

			// One hour down and one day to the right, in NightPOS; Outlook follows.
			fromX, fromY := b.point(card("nightpos", "Menu tasting"), 0.5, 0.4)
			column := value[float64](b, `document.querySelector("[data-side=nightpos] .day").getBoundingClientRect().width`)
			hour := value[float64](b, `document.querySelector("[data-side=nightpos] .hours").getBoundingClientRect().height / 13`)
			b.do(chromedp.DragAndDropXY(fromX, fromY, fromX+column, fromY+hour))
			b.wait(exists("outlook", "Menu tasting") + `.closest("[data-day]").dataset.day === "3"`)
			b.wait(exists("outlook", "Menu tasting") + `.textContent.includes("10:00 – 11:00")`)

			// Half an hour longer by its lower edge, in Outlook.
			show("outlook")
			fromX, fromY = b.point(card("outlook", "Menu tasting")+" .handle", 0.5, 0.5)
			b.do(chromedp.DragAndDropXY(fromX, fromY, fromX, fromY+hour/2))
			b.wait(exists("nightpos", "Menu tasting") + `.textContent.includes("10:00 – 11:30")`)

			// By keyboard: a day to the left, then open.
			b.do(chromedp.Focus(chromedp.CSS(card("outlook", "Menu tasting"))))
			b.keys("ArrowLeft", true)
			b.wait(exists("nightpos", "Menu tasting") + `.closest("[data-day]").dataset.day === "2"`)
			b.wait(exists("outlook", "Menu tasting") + `.closest("[data-day]").dataset.day === "2"`)
			b.keys("Enter", false)
			b.wait(`document.querySelector("dialog").open`)
			b.do(chromedp.Click(chromedp.CSS("#delete")))
			b.wait("!" + exists("outlook", "Menu tasting"))
			b.wait("!" + exists("nightpos", "Menu tasting"))

			// Many at once, and the dark dress.
			b.do(chromedp.Click(chromedp.CSS("[data-preset=burst]")))
			b.wait(`document.querySelectorAll("[data-side=nightpos] .event:not(.leaving)").length === 20`)
			b.wait(`document.querySelectorAll("#activity .lag:not(.waiting):not(.none)").length >= 20`)
			b.still()
			b.picture("burst")
			b.dark()
			b.still()
			b.picture("dark")

			for _, side := range []*memory{outlook, nightpos} {
				if list, err := side.Events(t.Context(), "alice", time.Now().AddDate(0, 0, -14), time.Now().AddDate(0, 0, 14)); err != nil || len(list) != 20 {
					t.Errorf("%s: got %d events, %v; want the 20 of the preset", side.side, len(list), err)
				}
			}
		})
	}
}

// keys presses a key where the focus is, with Alt if so wished.
func (b *browser) keys(key string, alt bool) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: %q, altKey: %t, bubbles: true}))`, key, alt))
}
