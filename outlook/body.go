package outlook

import (
	"html"
	"regexp"
	"strings"

	nethtml "golang.org/x/net/html"
)

var (
	bodyStart = regexp.MustCompile(`(?is)<body\b[^>]*>`)
	bodyEnd   = regexp.MustCompile(`(?is)</body\s*>`)
	// frameParts are what may stand around a body that has no body element.
	frameParts = regexp.MustCompile(`(?is)<!doctype[^>]*>|</?html\b[^>]*>|<head\b[^>]*>.*?</head\s*>`)
	// emptyBody recognises markup around nothing.
	emptyBody = regexp.MustCompile(`(?i)^(\s|&nbsp;|&#160;|\x{a0}|</?(p|div|span|br|font)\b[^>]*>)*$`)
	// separator is the line that Teams draws above and below its block.
	separator = regexp.MustCompile(`_{20,}`)
)

// unframe takes away what Exchange wraps around a body.
func unframe(content string) string {
	if start := bodyStart.FindStringIndex(content); start != nil {
		content = content[start[1]:]
		if ends := bodyEnd.FindAllStringIndex(content, -1); len(ends) > 0 {
			content = content[:ends[len(ends)-1][0]]
		}
	} else {
		content = frameParts.ReplaceAllString(content, "")
	}
	content = strings.TrimSpace(content)
	if emptyBody.MatchString(content) {
		return ""
	}
	return content
}

// plainBody makes HTML of a body that came as text.
func plainBody(content string) string {
	content = strings.TrimSpace(strings.ReplaceAll(content, "\r\n", "\n"))
	return strings.ReplaceAll(html.EscapeString(content), "\n", "<br>")
}

// splitMeetingBlock parts a body into what people wrote and the block of the
// online meeting, which Exchange and Teams need back unharmed: writing a body
// without it ends the online meeting. The block is the outermost element that
// holds the address for joining, together with the lines Teams draws around it.
// Where a wrapper holds both, it stays with the text; where markup is too broken or
// too deep to tell them apart, all of it counts as the block, and nothing of it is
// lost.
func splitMeetingBlock(body, joinURL string) (own, block string, found bool) {
	return splitWithin(body, joinURL, mostPeeled)
}

// mostPeeled bounds how many bytes are read again to take elements off text and block
// alike. Each element costs a reading of all that it holds, and whoever sends an
// invitation chooses how many there are.
const mostPeeled = 4 << 20

func splitWithin(body, joinURL string, budget int) (own, block string, found bool) {
	if joinURL == "" {
		return body, "", false
	}
	pieces := topLevel(body)
	first, last := -1, -1
	for index, piece := range pieces {
		if holds(piece, joinURL) {
			if first < 0 {
				first = index
			}
			last = index
		}
	}
	if first < 0 {
		return body, "", false
	}
	if budget -= len(body); first == last && budget > 0 {
		// Everything may be wrapped into one element, text and block alike.
		if inner, open, end, wrapped := unwrap(pieces[first]); wrapped && !isBlock(open) {
			ownInner, blockInner, foundInner := splitWithin(inner, joinURL, budget)
			if foundInner && strings.TrimSpace(textOf(ownInner)) != "" {
				before, after := strings.Join(pieces[:first], ""), strings.Join(pieces[last+1:], "")
				return strings.TrimSpace(before + open + ownInner + end + after), blockInner, true
			}
		}
	}
	for first > 0 && isSeparator(pieces[first-1]) {
		first--
	}
	for last < len(pieces)-1 && isSeparator(pieces[last+1]) {
		last++
	}
	own = strings.TrimSpace(strings.Join(pieces[:first], "") + strings.Join(pieces[last+1:], ""))
	return own, strings.Join(pieces[first:last+1], ""), true
}

func holds(piece, joinURL string) bool {
	return strings.Contains(piece, joinURL) || strings.Contains(piece, html.EscapeString(joinURL))
}

// isBlock knows the class that Teams gives its block.
func isBlock(open string) bool { return strings.Contains(open, "me-email-text") }

func isSeparator(piece string) bool {
	text := strings.TrimSpace(textOf(piece))
	return text == "" || strings.Trim(separator.ReplaceAllString(text, ""), " \u00a0\r\n\t") == ""
}

// textOf is the text of some HTML.
func textOf(content string) string {
	var text strings.Builder
	tokenizer := nethtml.NewTokenizer(strings.NewReader(content))
	for {
		switch tokenizer.Next() {
		case nethtml.ErrorToken:
			return text.String()
		case nethtml.TextToken:
			text.Write(tokenizer.Text())
		}
	}
}

// voidElements have no end.
var voidElements = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true,
	"link": true, "meta": true, "source": true, "track": true, "wbr": true,
}

// topLevel cuts HTML into its outermost elements and the text between them. The
// pieces together are the original, byte for byte.
func topLevel(content string) []string {
	var pieces []string
	var piece strings.Builder
	depth := 0
	flush := func() {
		if piece.Len() > 0 {
			pieces = append(pieces, piece.String())
			piece.Reset()
		}
	}
	tokenizer := nethtml.NewTokenizer(strings.NewReader(content))
	consumed := 0
	for {
		kind := tokenizer.Next()
		raw := string(tokenizer.Raw())
		if kind == nethtml.ErrorToken {
			piece.WriteString(content[consumed:])
			flush()
			return pieces
		}
		consumed += len(raw)
		name, _ := tokenizer.TagName()
		switch {
		case kind == nethtml.StartTagToken && !voidElements[string(name)]:
			if depth == 0 {
				flush()
			}
			depth++
			piece.WriteString(raw)
		case kind == nethtml.EndTagToken && depth > 0:
			piece.WriteString(raw)
			if depth--; depth == 0 {
				flush()
			}
		default:
			piece.WriteString(raw)
			if depth == 0 {
				flush()
			}
		}
	}
}

// unwrap takes the outer element off a piece. It is not ok unless everything
// inside is closed where it should be.
func unwrap(piece string) (inner, open, end string, ok bool) {
	var elements []string
	tokenizer := nethtml.NewTokenizer(strings.NewReader(piece))
	start, consumed := 0, 0
	for {
		kind := tokenizer.Next()
		if kind == nethtml.ErrorToken {
			return "", "", "", false
		}
		raw := len(tokenizer.Raw())
		consumed += raw
		name, _ := tokenizer.TagName()
		switch {
		case kind == nethtml.StartTagToken && !voidElements[string(name)]:
			if elements = append(elements, string(name)); len(elements) == 1 {
				start = consumed
			}
		case kind == nethtml.EndTagToken:
			if len(elements) == 0 || elements[len(elements)-1] != string(name) {
				return "", "", "", false
			}
			if elements = elements[:len(elements)-1]; len(elements) == 0 {
				stop := consumed - raw
				return piece[start:stop], piece[:start], piece[stop:], consumed == len(piece)
			}
		}
	}
}

// joinMeetingBlock is the opposite of splitMeetingBlock.
func joinMeetingBlock(own, block string) string { return own + block }

// framed is how a body is sent.
func framed(content string) string { return "<html><body>" + content + "</body></html>" }
