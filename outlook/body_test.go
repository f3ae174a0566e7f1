package outlook

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	join  = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=a&b"
	block = `<div class="me-email-text" lang="en-US"><b>Microsoft Teams meeting</b><br><a href="https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=a&amp;b">Join</a></div>`
	line  = `<div style="margin-bottom:6px"><span>________________________________________________________________________________</span></div>`
)

func TestUnframe(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{"<html><head><meta></head><body dir=\"ltr\">\r\n<p>Hi</p>\r\n</body></html>", "<p>Hi</p>"},
		{"<!DOCTYPE html><html><p>Hi</p></html>", "<p>Hi</p>"},
		{"<html><body><div><br></div>&nbsp;</body></html>", ""},
		{"plain", "plain"},
		{"", ""},
	} {
		if got := unframe(test.content); got != test.want {
			t.Errorf("unframe(%q) = %q, want %q", test.content, got, test.want)
		}
	}
}

func TestSplitMeetingBlock(t *testing.T) {
	for name, test := range map[string]struct {
		body, own, block string
		found            bool
	}{
		"behind a text":             {"<p>Agenda</p>" + block, "<p>Agenda</p>", block, true},
		"with Teams' lines":         {"<p>A</p>" + line + block + line, "<p>A</p>", line + block + line, true},
		"text on both sides":        {"<p>A</p>" + block + "<p>B</p>", "<p>A</p><p>B</p>", block, true},
		"alone":                     {block, "", block, true},
		"wrapped with the text":     {"<div><p>A</p>" + block + "</div>", "<div><p>A</p></div>", block, true},
		"nothing closed":            {"<p>A<div>" + block, "", "<p>A<div>" + block, true},
		"taken out by somebody":     {"<p>A</p>", "<p>A</p>", "", false},
		"the address as plain text": {"<p>A</p><p>" + join + "</p>", "<p>A</p>", "<p>" + join + "</p>", true},
	} {
		t.Run(name, func(t *testing.T) {
			own, found, ok := splitMeetingBlock(test.body, join)
			if own != test.own || found != test.block || ok != test.found {
				t.Errorf("got %q, %q, %t\nwant %q, %q, %t", own, found, ok, test.own, test.block, test.found)
			}
		})
	}
}

// Whoever invites chooses how deep a body is. What took a second for a thousand
// wrappers took hours for those that fit into a megabyte.
func TestADeepBodyCostsNoMoreThanAFlatOne(t *testing.T) {
	const wrappers = 20_000
	body := "<p>A</p>" + strings.Repeat("<div>", wrappers) + "x" + block + strings.Repeat("</div>", wrappers)
	own, found, ok := splitMeetingBlock(body, join)
	if !ok || own != "<p>A</p>" || len(found) != len(body)-len(own) {
		t.Errorf("got %d bytes of text and %d of the block, %t; want what is wrapped as the block", len(own), len(found), ok)
	}
	allowed := 80 * testing.AllocsPerRun(1, func() { topLevel(body) })
	if got := testing.AllocsPerRun(1, func() { splitMeetingBlock(body, join) }); got > allowed {
		t.Errorf("%.0f allocations; want at most %.0f", got, allowed)
	}
}

func TestTheBlockIsNeverHarmed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"<p>A</p>", "text", "<br>", "<div><p>x</div>", "</p>", "<b>", line, "<!-- c -->", "&amp;", "<img src=x>", "<"})
		before := strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "before"), "")
		after := strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "after"), "")
		_, found, ok := splitMeetingBlock(before+block+after, join)
		if !ok {
			t.Fatalf("the block was not found in %q", before+block+after)
		}
		if !strings.Contains(found, block) {
			t.Fatalf("the block came back as %q", found)
		}
		own, again, ok := splitMeetingBlock(joinMeetingBlock("<p>New</p>", found), join)
		if !ok || !strings.Contains(again, found) && own == "" {
			t.Fatalf("written back it splits into %q and %q", own, again)
		}
	})
}

func TestTopLevelLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"<p>", "</p>", "<br/>", "<DIV a='>'>", "</div>", "x", "<", "<!--", "-->", "<script>", "</script>", "&lt;"})).Draw(t, "content"), "")
		if got := strings.Join(topLevel(content), ""); got != content {
			t.Fatalf("got %q, want %q", got, content)
		}
	})
}
