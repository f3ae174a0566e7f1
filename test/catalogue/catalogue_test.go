package catalogue_test

import (
	"slices"
	"testing"

	"github.com/nightpos/outlook-gateway/test/catalogue"
)

func TestUntranslated(t *testing.T) {
	page := `<html lang="th"><title>People</title><body>
		<p>ผู้ใช้ Alice</p><p>Alice (alice)</p><p>alice@nightpos.example</p><p>GATEWAY_ADMIN_TOKEN</p><p>Asia/Bangkok</p>
		<p lang="en">English</p><code>code</code><q>quoted</q><p>12:30</p>
		<button aria-label="Close">ปิด</button><input placeholder="ค้นหา"><p>Forgotten <b>ไทย</b></p></body></html>`
	want := []string{"People", "Close", "Forgotten"}
	if got := catalogue.Untranslated(t, page, "Alice", "alice"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
