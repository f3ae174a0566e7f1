package outlook

import (
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// FuzzBody parts whatever somebody sends as the text of an invitation: the block of
// the online meeting is never harmed, and a link leads to the web or nowhere.
func FuzzBody(f *testing.F) {
	f.Add("<html><body><p>Agenda</p>" + line + block + line + "</body></html>")
	f.Add("<div><p>A</p>" + block + "</div>" + joinLink("", "https://meet.example.com/a?b=c&d"))
	f.Add(`<p><a title=NightPOS&#32;meeting link href=javascript:alert(1)>x</a></p>`)
	f.Add(`<a title="` + linkTitle + `" href=" https://a.example">x</a><a <a title="` + linkTitle + `">`)
	f.Add("<!DOCTYPE <html><head><body ></BODY ></body>")
	f.Add("a\r\nb < c & d")
	f.Fuzz(func(t *testing.T, content string) {
		body := unframe(content)
		if len(body) > len(content) {
			t.Errorf("the frame was taken off %d bytes and %d are left", len(content), len(body))
		}
		if joined := strings.Join(topLevel(body), ""); joined != body {
			t.Errorf("the pieces of %q are together %q", body, joined)
		}
		own, kept, found := splitMeetingBlock(body, join)
		if found != holds(body, join) {
			t.Errorf("the block of %q was found: %t", body, found)
		}
		if found {
			if !holds(kept, join) || holds(own, join) {
				t.Errorf("%q was parted into %q and %q", body, own, kept)
			}
			if _, again, _ := splitMeetingBlock(joinMeetingBlock("<p>New</p>", kept), join); !holds(again, join) {
				t.Errorf("the block %q did not come through another text: %q", kept, again)
			}
		}
		_, link, _ := splitLink(body)
		if web := strings.HasPrefix(link, "http://") || strings.HasPrefix(link, "https://"); link != "" && !web && !reconciler.AsksOnline(link) {
			t.Errorf("the link is %q", link)
		}
		if plain := plainBody(content); strings.ContainsAny(strings.ReplaceAll(plain, "<br>", ""), "<>\n") {
			t.Errorf("a text became markup: %q", plain)
		}
	})
}

// FuzzRetryAfter reads the header that says how long to wait: never longer than an
// hour, never backwards.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
	for _, value := range []string{"", "5", "-5", "1e9", "99999999999999999999", "Tue, 15 Jan 2030 09:00:05 GMT", "Tue, 15 Jan 1900 09:00:05 GMT"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if wait := retryAfter(value, now); wait < 0 || wait > time.Hour {
			t.Errorf("%q is to wait %s", value, wait)
		}
	})
}

// FuzzCertificate reads whatever file is named as the application's certificate: it
// is an error that shows nothing of it, or it can sign.
func FuzzCertificate(f *testing.F) {
	from := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	_, good, err := sim.ApplicationCertificate("gateway", from, from.AddDate(1, 0, 0))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := ParseCertificate(good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\naHVzaA==\n-----END RSA PRIVATE KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, file []byte) {
		certificate, err := ParseCertificate(file)
		if err != nil {
			if told := err.Error(); strings.Contains(told, "\n") || len(told) > 200 {
				t.Errorf("the error is %q", told)
			}
			return
		}
		if _, err := certificate.assertion("client", "https://login.example", time.Now()); err != nil {
			t.Errorf("it cannot sign: %v", err)
		}
	})
}
