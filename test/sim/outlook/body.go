package outlook

import (
	stdhtml "html"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What Exchange makes of a body (7.16): a whole HTML document, without what it
// holds to be unsafe; text becomes HTML.
const (
	bodyHead  = "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head>"
	emptyBody = bodyHead + "<body></body></html>"
)

// maximumPreview is the length of bodyPreview in characters (7.16, in practice).
const maximumPreview = 255

var unsafeElements = map[atom.Atom]bool{
	atom.Script: true, atom.Iframe: true, atom.Frame: true, atom.Frameset: true, atom.Object: true,
	atom.Embed: true, atom.Applet: true, atom.Link: true, atom.Base: true, atom.Meta: true,
	atom.Form: true, atom.Input: true, atom.Button: true, atom.Select: true, atom.Textarea: true,
	atom.Noscript: true, atom.Template: true, atom.Title: true,
}

// acceptBody turns the body of a request into what the store holds.
func acceptBody(contentType, content string) string {
	if contentType == "text" {
		lines := strings.Split(strings.ReplaceAll(content, "\r\n", "\n"), "\n")
		for i, line := range lines {
			lines[i] = stdhtml.EscapeString(line)
		}
		if content != "" {
			content = "<div class=\"PlainText\">" + strings.Join(lines, "<br>\n") + "</div>"
		}
	}
	document, err := html.Parse(strings.NewReader(content))
	if err != nil { // only a reader can fail, and a string does not
		return emptyBody
	}
	body := findElement(document, atom.Body)
	if body == nil { // a frameset document has none
		return emptyBody
	}
	clean(body)
	var out strings.Builder
	out.WriteString(bodyHead)
	if err := html.Render(&out, body); err != nil {
		return emptyBody
	}
	out.WriteString("</html>")
	return out.String()
}

func findElement(node *html.Node, wanted atom.Atom) *html.Node {
	if node.Type == html.ElementNode && node.DataAtom == wanted {
		return node
	}
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		if found := findElement(child, wanted); found != nil {
			return found
		}
	}
	return nil
}

func clean(node *html.Node) {
	kept := node.Attr[:0]
	for _, attribute := range node.Attr {
		name := strings.ToLower(attribute.Key)
		value := strings.ToLower(strings.TrimSpace(attribute.Val))
		if strings.HasPrefix(name, "on") || name == "srcdoc" || strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "vbscript:") {
			continue
		}
		kept = append(kept, attribute)
	}
	node.Attr = kept
	for child := node.FirstChild; child != nil; {
		next := child.NextSibling
		if child.Type == html.CommentNode || child.Type == html.ElementNode && unsafeElements[child.DataAtom] {
			node.RemoveChild(child)
		} else {
			clean(child)
		}
		child = next
	}
}

func showBody(stored string, text bool) map[string]any {
	if text {
		return map[string]any{"contentType": "text", "content": bodyText(stored)}
	}
	return map[string]any{"contentType": "html", "content": stored}
}

var blockElements = map[atom.Atom]bool{
	atom.P: true, atom.Div: true, atom.Li: true, atom.Tr: true, atom.Ul: true, atom.Ol: true, atom.Table: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Hr: true,
}

var (
	blanks     = regexp.MustCompile(`[ \t\r\n]+`)
	emptyLines = regexp.MustCompile(`\n{3,}`)
)

// bodyText is the plain text of a stored body, with CRLF line ends.
func bodyText(stored string) string {
	document, err := html.Parse(strings.NewReader(stored))
	if err != nil {
		return ""
	}
	body := findElement(document, atom.Body)
	if body == nil {
		return ""
	}
	var out strings.Builder
	var walk func(*html.Node)
	walk = func(node *html.Node) {
		switch {
		case node.Type == html.TextNode:
			text := blanks.ReplaceAllString(node.Data, " ")
			if out.Len() == 0 || strings.HasSuffix(out.String(), "\n") {
				text = strings.TrimLeft(text, " ")
			}
			out.WriteString(text)
		case node.DataAtom == atom.Br:
			out.WriteString("\n")
		case node.DataAtom == atom.Style:
			return
		}
		block := blockElements[node.DataAtom]
		if block && out.Len() > 0 && !strings.HasSuffix(out.String(), "\n") {
			out.WriteString("\n")
		}
		for child := node.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
		if block && out.Len() > 0 && !strings.HasSuffix(out.String(), "\n") {
			out.WriteString("\n")
		}
	}
	walk(body)
	text := strings.TrimSpace(emptyLines.ReplaceAllString(out.String(), "\n\n"))
	return strings.ReplaceAll(text, "\n", "\r\n")
}

func preview(stored string) string {
	text := []rune(bodyText(stored))
	if len(text) > maximumPreview {
		text = text[:maximumPreview]
	}
	return string(text)
}
