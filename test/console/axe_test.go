package console_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// axeSource is axe-core, which finds what keeps people with disabilities out.
// Without npm it is empty, unless REQUIRE_NODE is set.
var axeSource = sync.OnceValues(func() (string, error) {
	const file = "axe/node_modules/axe-core/axe.min.js"
	if _, err := os.Stat(file); err != nil {
		if _, err := exec.LookPath("npm"); err != nil && os.Getenv("REQUIRE_NODE") == "" {
			return "", nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		install := exec.CommandContext(ctx, "npm", "ci")
		install.Dir = "axe"
		if err := install.Run(); err != nil {
			return "", err
		}
	}
	content, err := os.ReadFile(file)
	return string(content), err
})

// axe checks a page for everybody's use.
func (b *tab) axe(name string) {
	b.Helper()
	source, err := axeSource()
	if err != nil {
		b.Fatalf("axe-core cannot be had: %v", err)
	}
	if source == "" {
		return
	}
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](source+"; 'there'")); err != nil {
		b.Fatal(err)
	}
	b.value(`window.checked = ""; axe.run(document).then((found) => { window.checked = "checked " + found.passes.length + found.violations.map((violation) =>
		"\n" + violation.impact + " " + violation.id + ": " + violation.nodes.map((node) => node.target + " " + node.failureSummary.slice(0, 200)).join("; ")).join(""); }); "asked"`)
	b.until(`window.checked !== ""`)
	if got := b.value(`window.checked.includes("\n") || window.checked === "checked 0" ? window.checked : ""`); got != "" {
		b.Errorf("%s at %d pixels: %s", name, b.width, got)
	}
}

// TestAxeFindsWhatIsWrong: a check that finds nothing anywhere would be no check.
func TestAxeFindsWhatIsWrong(t *testing.T) {
	source, err := axeSource()
	if err != nil || source == "" {
		t.Skipf("axe-core is not there: %v", err)
	}
	b := openTab(t)
	b.do(chromedp.Navigate("data:text/html,<title>A</title><h1>A</h1><input>"))
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](source+"; 'there'")); err != nil {
		t.Fatal(err)
	}
	b.value(`window.checked = ""; axe.run(document).then((found) => { window.checked = found.violations.map((one) => one.id).join(); }); "asked"`)
	b.until(`window.checked.includes("label")`)
}
