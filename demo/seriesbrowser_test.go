package demo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// choose selects a value as a person does, with the events that follow.
func (b *browser) choose(selector, chosen string) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; return e.dispatchEvent(new Event("change", {bubbles: true})); })()`, selector, chosen))
}

// TestAPersonUsesASeries makes a weekly series on one side, and moves, renames
// and deletes parts of it on either.
func TestAPersonUsesASeries(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int64
		narrow        bool
	}{{"series-wide", 1920, 1080, false}, {"series-narrow", 360, 740, true}} {
		t.Run(size.name, func(t *testing.T) {
			server, outlook, nightpos := served(t)
			b := openBrowser(t, size.name, size.width, size.height)
			b.do(chromedp.Navigate(server.URL))
			b.wait(`document.body.dataset.live && document.querySelector("[data-side=nightpos]").dataset.ready`)
			show := func(side string) {
				if size.narrow {
					b.do(chromedp.Click(chromedp.CSS("[data-tab=" + side + "]")))
				}
			}
			click := func(selector string) { b.do(chromedp.Click(chromedp.CSS(selector))) }

			// Tuesday at 9:00 in Outlook, three times.
			x, y := b.point("[data-side=outlook] .day:nth-child(2)", 0.5, 2.25/13)
			b.do(chromedp.MouseClickXY(x, y))
			b.wait(`document.querySelector("#editor").open`)
			b.do(chromedp.SendKeys(chromedp.CSS("#title"), "Stand-up"))
			b.wait(`document.querySelector("#scope").hidden && document.querySelector("#times-field").hidden`)
			b.choose("#repeats", "weekly")
			b.choose("#times", "3")
			b.still()
			b.picture("create")
			click("#save")
			b.wait(exists("nightpos", "Stand-up") + `?.querySelector(".repeating:not(.changed)")`)
			b.wait(`document.querySelector("#activity").textContent.includes("series, all 3")`)

			// An hour later and a day further by keyboard in NightPOS, this one only.
			show("nightpos")
			b.do(chromedp.Focus(chromedp.CSS(card("nightpos", "Stand-up"))))
			b.keys("ArrowRight", true)
			b.wait(`document.querySelector("#which").open && document.activeElement.dataset.scope === "one"`)
			b.still()
			b.picture("dialog")
			click("#which [data-scope=one]")
			b.wait(exists("outlook", "Stand-up") + `?.closest("[data-day]").dataset.day === "2"`)
			b.wait(exists("outlook", "Stand-up") + `?.querySelector(".repeating.changed")`)

			// Nothing happens when the question is not answered.
			b.do(chromedp.Focus(chromedp.CSS(card("nightpos", "Stand-up"))))
			b.keys("ArrowRight", true)
			b.wait(`document.querySelector("#which").open`)
			click(`#which [data-scope=""]`)
			b.wait(`!document.querySelector("#which").open`)

			// From the second week on under another name, in NightPOS.
			click("#next")
			b.wait(exists("nightpos", "Stand-up") + `?.querySelector(".repeating:not(.changed)")`)
			b.do(chromedp.Focus(chromedp.CSS(card("nightpos", "Stand-up"))))
			b.keys("Enter", false)
			b.wait(`document.querySelector("#editor").open && !document.querySelector("#scope").hidden`)
			b.choose("#title", "Weekly")
			click("[name=scope][value=following]")
			b.still()
			b.picture("editor")
			click("#save")
			b.wait(exists("outlook", "Weekly"))
			click("#previous")
			b.wait(exists("outlook", "Stand-up"))
			b.still()
			b.picture("calendar")
			b.dark()
			b.still()
			b.picture("dark")
			if got := value[int](b, "document.documentElement.scrollWidth"); got > int(size.width) {
				t.Errorf("the page is %d pixels wide in a window of %d", got, size.width)
			}

			// All of it in Outlook.
			show("outlook")
			b.do(chromedp.Focus(chromedp.CSS(card("outlook", "Stand-up"))))
			b.keys("Enter", false)
			b.wait(`document.querySelector("#editor").open`)
			click("[name=scope][value=all]")
			click("#delete")
			b.wait("!" + exists("outlook", "Stand-up"))
			b.wait("!" + exists("nightpos", "Stand-up"))
			for _, side := range []*memory{outlook, nightpos} {
				if list, err := side.Events(t.Context(), "alice", time.Now().AddDate(0, 0, -14), time.Now().AddDate(0, 1, 14)); err != nil || len(list) != 0 {
					t.Errorf("%s: got %d events, %v; want none", side.side, len(list), err)
				}
			}
		})
	}
}
