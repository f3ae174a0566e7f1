package outlook

import (
	"html"
	"net/url"
	"regexp"
	"strings"

	nethtml "golang.org/x/net/html"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Graph lets nobody write the link of an online meeting. One that comes from
// NightPOS stands in the body instead, in a block of its own, which is no part of
// what people wrote: it is taken out when the body is read and put back when it is
// written. It is known by the title of its anchor, which mail clients keep when they
// rewrite everything else.
const linkTitle = "NightPOS meeting link"

// maxLink is how many characters a link may have.
const maxLink = 2_000

var (
	linkAnchor = `<a\b[^>]*\btitle=["']?` + linkTitle + `["']?[^>]*>.*?</a\s*>`
	// linkBlock is the block as it is written, or in a paragraph of some editor's.
	linkBlock = regexp.MustCompile(`(?is)<(?:div|p)\b[^>]*>\s*` + linkAnchor + `(?:\s|&nbsp;|<br\s*/?>|<o:p>[^<]*</o:p>)*</(?:div|p)\s*>`)
	// linkAlone is what is left of it in the midst of other text.
	linkAlone = regexp.MustCompile(`(?is)` + linkAnchor)
)

// splitLink parts a body into what people wrote and the link that NightPOS gave;
// found is false where there is none.
func splitLink(body string) (own, link string, found bool) {
	if !strings.Contains(body, linkTitle) {
		return body, "", false
	}
	anchor := linkAlone.FindString(body)
	if anchor == "" {
		return body, "", false
	}
	own = linkBlock.ReplaceAllString(body, "")
	own = linkAlone.ReplaceAllString(own, "")
	return strings.TrimSpace(own), projectLink(addressOf(anchor)), true
}

// addressOf is where an anchor leads.
func addressOf(anchor string) string {
	tokenizer := nethtml.NewTokenizer(strings.NewReader(anchor))
	if tokenizer.Next() != nethtml.StartTagToken {
		return ""
	}
	for _, attribute := range tokenizer.Token().Attr {
		if attribute.Key == "href" {
			return attribute.Val
		}
	}
	return ""
}

// joinLink is the opposite of splitLink.
func joinLink(own, link string) string {
	link = projectLink(link)
	if link == "" || reconciler.AsksOnline(link) {
		return own
	}
	address := html.EscapeString(link)
	return own + `<div><a href="` + address + `" title="` + linkTitle + `">` + address + `</a></div>`
}

// projectLink is what Outlook can show of a link: an address of the web, or the wish
// for an online meeting.
func projectLink(link string) string {
	link = oneLine(link)
	if reconciler.AsksOnline(link) {
		return reconciler.AskedOnline
	}
	parsed, err := url.Parse(link)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" || len(link) > maxLink || strings.ContainsAny(link, " \t\"<>") {
		return ""
	}
	return link
}

// onlineContent asks for an online meeting. It cannot be undone.
func onlineContent(body content) {
	body["isOnlineMeeting"], body["onlineMeetingProvider"] = true, "teamsForBusiness"
}
