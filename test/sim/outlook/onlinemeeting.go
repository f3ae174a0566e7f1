package outlook

import (
	stdhtml "html"
	"strings"
)

// defaultProvider is the only online meeting provider of the mailboxes here
// (calendar.allowedOnlineMeetingProviders).
const defaultProvider = "teamsForBusiness"

// applyOnline makes a meeting an online one, once (7.15). A provider that the
// calendar does not allow is ignored without a word, and false undoes nothing.
func applyOnline(e *event, content map[string]any) error {
	provider := defaultProvider
	if given := content["onlineMeetingProvider"]; given != nil {
		var err error
		if provider, err = enumeration(given, providerValues, "OnlineMeetingProviderType"); err != nil {
			return err
		}
	}
	wanted := false
	if given, ok := content["isOnlineMeeting"]; ok {
		if err := boolean(given, &wanted); err != nil {
			return err
		}
	}
	if wanted && !e.online && (provider == defaultProvider || provider == "unknown") {
		e.online, e.onlineProvider = true, defaultProvider
	}
	return nil
}

// furnish gives a new online meeting its address and puts the blob that carries
// it into the body; a body written without the blob ends the online meeting
// (7.16).
func (s *Server) furnish(e *event) {
	switch {
	case e.online && e.joinURL == "":
		e.joinURL = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_" + strings.TrimRight(s.secret("", 24), "=") + "%40thread.v2/0"
		blob := "<div class=\"me-email-text\" lang=\"en-US\"><hr><b>Microsoft Teams meeting</b><br><a class=\"me-email-headline\" href=\"" +
			stdhtml.EscapeString(e.joinURL) + "\">Join the meeting now</a></div>"
		e.body = strings.Replace(e.body, "</body>", blob+"</body>", 1)
	case e.online && !strings.Contains(e.body, stdhtml.EscapeString(e.joinURL)):
		e.online, e.onlineProvider, e.joinURL = false, "unknown", ""
	}
}
