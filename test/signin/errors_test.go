package signin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestErrorCodes goes the whole way from a link to a page for every error of the
// facts' table 1.12, as Microsoft answers it: to the browser, or to the gateway
// that redeems the code. The link is good afterwards.
func TestErrorCodes(t *testing.T) {
	const (
		browser = 0 // the error comes with the browser
		again   = "This sign-in is no longer good"
		proof   = "Microsoft wants you to sign in again"
		account = "Your Microsoft account cannot sign in"
		consent = "Your organization has to agree first"
		later   = "That did not work just now"
		unknown = "Microsoft does not know what is asked for"
		unclear = "Microsoft did not understand the gateway"
	)
	rows := []struct {
		number int
		word   string
		// answered is the status of Microsoft's answer to the gateway.
		answered int
		status   int
		title    string
		says     string
	}{
		{65004, "access_denied", browser, 403, "You did not agree", "choose Accept"},
		{90094, "access_denied", browser, 403, consent, "/organizations/v2.0/adminconsent?client_id=" + simoutlook.DefaultApplication.ID},
		{90095, "access_denied", browser, 403, "Your administrator has been asked", "once it is approved"},
		{50011, "invalid_request", browser, 502, "The redirect URI does not match", gatewayURL + "/microsoft_account/authentication"},
		{50194, "unauthorized_client", browser, 502, "The application belongs to one organization", "MICROSOFT_TENANT"},
		{50105, "access_denied", browser, 403, "You are not assigned to the application", "assign you"},
		{50074, "interaction_required", browser, 403, proof, ""},
		{50078, "interaction_required", browser, 403, proof, ""},
		{50058, "login_required", browser, 403, proof, ""},
		{90033, "temporarily_unavailable", browser, 503, later, ""},
		{90006, "server_error", browser, 503, later, ""},

		{70000, "invalid_grant", 400, 400, again, ""},
		{70008, "invalid_grant", 400, 400, again, "took too long"},
		{700082, "invalid_grant", 400, 400, again, ""},
		{50173, "invalid_grant", 400, 400, again, ""},
		{65001, "invalid_grant", 400, 403, consent, "adminconsent"},
		{50076, "invalid_grant", 400, 403, proof, "another step"},
		{50079, "invalid_grant", 400, 403, proof, "another step"},
		{53003, "invalid_grant", 400, 403, "A rule of your organization forbids it", "Conditional access"},
		{70043, "invalid_grant", 400, 403, proof, ""},
		{50057, "invalid_grant", 400, 403, account, "disabled"},
		{50034, "invalid_grant", 400, 403, account, "no longer exists"},
		{54005, "invalid_grant", 400, 400, again, "used already"},
		{501481, "invalid_grant", 400, 400, again, "another browser"},
		{700005, "invalid_grant", 400, 400, again, ""},
		{50147, "invalid_request", 400, 400, again, ""},
		{7000222, "invalid_client", 401, 502, "The client secret has expired", "Make a new client secret"},
		{7000215, "invalid_client", 401, 502, "The client secret is wrong", "not to its id"},
		{7000218, "invalid_client", 401, 502, "There is no client secret", "MICROSOFT_CLIENT_SECRET"},
		{700027, "invalid_client", 401, 502, "The certificate is not accepted", "Upload the certificate"},
		{7000112, "invalid_client", 401, 502, "The application is disabled", "Enable it"},
		{700016, "unauthorized_client", 400, 502, "Microsoft does not know the application", "MICROSOFT_CLIENT_ID"},
		{900144, "invalid_request", 400, 502, unclear, ""},
		{9002313, "invalid_request", 400, 400, again, ""},
		{500112, "invalid_grant", 400, 502, "The redirect URI does not match", gatewayURL + "/microsoft_account/authentication"},
		{70011, "invalid_scope", 400, 502, unknown, ""},
		{700022, "invalid_scope", 400, 502, unknown, ""},
		{50033, "temporarily_unavailable", 503, 503, later, "Nothing was changed"},
		{50196, "invalid_grant", 400, 429, "Microsoft has seen this sign-in too often", "Wait"},
		{700084, "invalid_grant", 400, 502, "The redirect URI is of the wrong kind", "kind Web"},
		{9001023, "invalid_request", 400, 502, "The tenant does not serve this sign-in", "MICROSOFT_TENANT"},
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("AADSTS%d", row.number), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				fault := &simoutlook.SignInFault{Error: row.word, Number: row.number, Text: "Something about alice@nightpos.example <script>."}
				spoiled := &w.consentFault
				if row.answered != browser {
					fault.Status, spoiled = row.answered, &w.tokenFault
				}
				spoiled.Store(fault)
				link := w.link("alice")
				b := w.newBrowser()
				shown := b.connect(link, "alice@")
				shows(t, shown, row.status, row.title)
				for _, part := range []string{row.says, fmt.Sprintf("AADSTS%d", row.number), "trace id "} {
					if !strings.Contains(shown.body, part) {
						t.Errorf("the page lacks %q:\n%s", part, shown.body)
					}
				}
				if strings.Contains(shown.body, "Something about") {
					t.Error("the page shows Microsoft's own text")
				}
				if got := w.mailboxes(); got != "" {
					t.Errorf("connected: %s, want nobody", got)
				}
				spoiled.Store(nil)
				shows(t, b.connect(link, "alice@"), http.StatusOK, connected)
				w.settle()
			})
		})
	}
}

func TestErrorWithoutStateIsExplained(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		shows(t, w.newBrowser().open(gatewayURL+"/microsoft_account/authentication?error=access_denied&error_description=AADSTS65004"),
			http.StatusForbidden, "You did not agree")
		shows(t, w.newBrowser().open(gatewayURL+"/microsoft_account/authentication?admin_consent=True&tenant=t"),
			http.StatusOK, "Your organization has agreed")
	})
}

func TestConsentIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(outlook *simoutlook.Config, _ *service.Config) { outlook.Switches.ConsentPage = true })
		link, b := w.link("alice"), w.newBrowser()
		asked := b.connect(link, "alice@")
		for _, scope := range []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"} {
			if !strings.Contains(asked.body, scope) {
				t.Errorf("the gateway does not ask for %s", scope)
			}
		}
		declined := b.press(asked, "Cancel")
		shows(t, declined, http.StatusForbidden, "You did not agree")
		if !strings.Contains(declined.body, `href="/microsoft_account/connect?link=`) {
			t.Errorf("the page does not lead back to the link:\n%s", declined.body)
		}
		shows(t, b.press(b.connect(link, "alice@"), "Accept"), http.StatusOK, connected)
		w.settle()
	})
}

func TestAdministratorHasToConsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(outlook *simoutlook.Config, _ *service.Config) {
			application := simoutlook.DefaultApplication
			application.AdminConsent = true
			outlook.Applications = []simoutlook.Application{application}
		})
		b := w.newBrowser()
		shows(t, b.press(b.connect(w.link("alice"), "alice@"), "Return to the application"), http.StatusForbidden, "Your organization has to agree first")
	})
}

// TestErrorsThatStayAtMicrosoft: where Microsoft sends nobody back, the link's
// page has said before what its error means.
func TestErrorsThatStayAtMicrosoft(t *testing.T) {
	for code, change := range map[string]func(*simoutlook.Application){
		"AADSTS50194": func(a *simoutlook.Application) { a.SingleTenant = true },
		"AADSTS50011": func(a *simoutlook.Application) { a.RedirectURIs = []string{gatewayURL + "/elsewhere"} },
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(outlook *simoutlook.Config, _ *service.Config) {
					application := simoutlook.DefaultApplication
					change(&application)
					outlook.Applications = []simoutlook.Application{application}
				})
				b := w.newBrowser()
				asked := b.open(w.link("alice"))
				stuck := b.press(asked, "Connect")
				if stuck.address.Host != "outlook.sim" || !strings.Contains(stuck.body, code) {
					t.Fatalf("the browser is at %s with:\n%s\nwant Microsoft's page for %s", stuck.address, stuck.body, code)
				}
				for _, part := range []string{code, "<code>" + gatewayURL + "/microsoft_account/authentication</code>", "<code>" + simoutlook.DefaultApplication.ID + "</code>", "MICROSOFT_TENANT"} {
					if !strings.Contains(asked.body, part) {
						t.Errorf("the link's page does not mention %s", part)
					}
				}
			})
		})
	}
}

func TestMissingScopes(t *testing.T) {
	for missing, granted := range map[string][]string{
		"Calendars.ReadWrite": {"openid", "offline_access", "User.Read", "Calendars.Read"},
		"User.Read":           {"openid", "offline_access", "Calendars.ReadWrite"},
		"offline_access":      {"openid", "User.Read", "Calendars.ReadWrite"},
	} {
		t.Run(missing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(outlook *simoutlook.Config, _ *service.Config) {
					application := simoutlook.DefaultApplication
					application.Grants = granted
					outlook.Applications = []simoutlook.Application{application}
				})
				shown := w.newBrowser().connect(w.link("alice"), "alice@")
				shows(t, shown, http.StatusForbidden, "You agreed to less than is needed")
				if !strings.Contains(shown.body, "<dd>"+missing+"</dd>") {
					t.Errorf("the page does not say that %s lacks:\n%s", missing, shown.body)
				}
				if got := w.mailboxes(); got != "" {
					t.Errorf("connected: %s, want nobody", got)
				}
			})
		})
	}
	t.Run("in full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(outlook *simoutlook.Config, _ *service.Config) { outlook.Switches.QualifiedScopes = true })
			shows(t, w.newBrowser().connect(w.link("alice"), "alice@"), http.StatusOK, connected)
			w.settle()
		})
	})
}
