package nightpos

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// Elements and attributes that NightPOS takes out of HTML.
var (
	dropped = map[string]bool{"script": true, "style": true, "head": true, "title": true, "iframe": true, "object": true, "embed": true, "form": true, "meta": true, "link": true, "base": true}
	opened  = map[string]bool{"html": true, "body": true}
	markup  = regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
)

// sanitise is what becomes of an HTML field: scripts, handlers and dangerous
// addresses go, and text without any markup becomes a paragraph.
func sanitise(content string) string {
	if strings.TrimSpace(content) == "" {
		return content
	}
	if !markup.MatchString(content) {
		return "<p>" + escapeText(html.UnescapeString(content)) + "</p>"
	}
	var out strings.Builder
	tokenizer := html.NewTokenizer(strings.NewReader(content))
	inside := ""
	for {
		kind := tokenizer.Next()
		if kind == html.ErrorToken {
			return strings.TrimSpace(out.String())
		}
		// Line ends stay as they were, which the token's text has lost.
		raw := string(tokenizer.Raw())
		token := tokenizer.Token()
		switch {
		case inside != "":
			if kind == html.EndTagToken && token.Data == inside {
				inside = ""
			}
		case kind == html.StartTagToken && dropped[token.Data]:
			if token.Data != "meta" && token.Data != "link" && token.Data != "base" && token.Data != "embed" {
				inside = token.Data
			}
		case dropped[token.Data] && kind != html.TextToken, opened[token.Data] && kind != html.TextToken, kind == html.CommentToken, kind == html.DoctypeToken:
		case kind == html.TextToken:
			out.WriteString(escapeText(html.UnescapeString(raw)))
		default:
			token.Attr = harmless(token.Attr)
			out.WriteString(token.String())
		}
	}
}

// escapeText escapes what lxml escapes in text: not quotes.
func escapeText(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func harmless(attributes []html.Attribute) []html.Attribute {
	var kept []html.Attribute
	for _, attribute := range attributes {
		value := strings.ToLower(strings.TrimSpace(attribute.Val))
		if strings.HasPrefix(attribute.Key, "on") {
			continue
		}
		if (attribute.Key == "href" || attribute.Key == "src") && (strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "vbscript:")) {
			attribute.Val = ""
		}
		kept = append(kept, attribute)
	}
	return kept
}
