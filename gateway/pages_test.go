package gateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway/languages"
	"github.com/nightpos/outlook-gateway/test/catalogue"
)

func TestEveryTextOfTheSignInExistsInBothLanguages(t *testing.T) {
	catalogue.Compare(t, messageTexts, "page/catalogue")
}

// testPages are the pages of a sign-in without anybody to ask.
func testPages(t *testing.T) *signIns {
	t.Helper()
	signing, err := newSignIns(Connections{
		PublicURL: "https://gateway.example/outlook", NightPOSURL: "https://nightpos.example", LoginURL: "https://login.example",
		ClientID: func() string { return "00000000-0000-0000-0000-000000000000" }, Keys: [][]byte{bytes.Repeat([]byte{1}, 32)},
	}, time.Now, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return signing
}

// outcomes are all pages that there are.
func outcomes() []outcome {
	all := []outcome{
		{Kind: outcomeAsk, Name: "Alice", Login: "alice", Link: "link"},
		{Kind: outcomeDone, Name: "Alice", Login: "alice", Mailbox: "alice@nightpos.example"},
		{Kind: outcomeAgreed},
	}
	for _, one := range append(slices.Clone(explanations), unexplained) {
		failure := &SignInFailure{Word: "never_heard_of", Detail: "bob@nightpos.example", Owner: "Alice", Trace: "0000-1111"}
		if len(one.numbers) > 0 {
			failure.Number = one.numbers[0]
		} else if len(one.words) > 0 {
			failure.Word = one.words[0]
		}
		all = append(all, outcome{Kind: outcomeFailed, Failure: failure, Link: "link", Request: "2222-3333"})
	}
	return all
}

// TestEveryPageOfTheSignInIsTranslated makes each page in both languages: no key is
// shown in place of its text, and nothing of a Thai page is left in English.
func TestEveryPageOfTheSignInIsTranslated(t *testing.T) {
	signing := testPages(t)
	keys := catalogue.Read(t, messageTexts, "page/catalogue", "en")
	shown := map[string]bool{}
	for _, of := range outcomes() {
		for _, language := range []languages.Language{languages.English, languages.Thai} {
			recorder := httptest.NewRecorder()
			signing.pages.showIn(recorder, language, of)
			body := recorder.Body.String()
			if got, want := recorder.Header().Get("Content-Language"), language.String(); got != want || !strings.Contains(body, `<html lang="`+want+`">`) {
				t.Errorf("%+v: the page says that it is in %q, want %q", of, got, want)
			}
			for key := range keys {
				if strings.Contains(body, ">"+key+"<") {
					t.Errorf("%+v in %s: the key %s is shown", of, language, key)
				}
			}
			if language == languages.Thai {
				if left := catalogue.Untranslated(t, body, "Alice", "alice", "0000-1111", "2222-3333"); len(left) > 0 {
					t.Errorf("%+v: not translated: %q", of, left)
				}
			}
			_, shownPage := signing.pages.message(language, of)
			shown[language.String()+shownPage.Title] = true
		}
	}
	if got, want := len(shown), 2*(len(explanations)+4); got != want {
		t.Errorf("%d titles differ, want %d", got, want)
	}
}

// TestEveryTextOfTheSignInIsUsed looks for each key in the sources.
func TestEveryTextOfTheSignInIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, name := range []string{"pages.go", "explanations.go", "page/message.html"} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`"([a-z_]+(?:\.[a-z]+)*)"`).FindAllStringSubmatch(string(content), -1) {
			used[found[1]] = true
		}
	}
	for _, one := range append(slices.Clone(explanations), unexplained) {
		used[one.key+".title"], used[one.key+".text"] = true, true
		if slices.Contains(one.shows, showDetail) {
			used[one.key+".detail"] = true
		}
	}
	for key := range catalogue.Read(t, messageTexts, "page/catalogue", "en") {
		if !used[key] {
			t.Errorf("the text %s is used nowhere", key)
		}
	}
}

var sealedPage = regexp.MustCompile(`name="page" value="([^"]+)"`)

// TestAPageOfTheSignInChangesItsLanguage: a page that cannot be asked for twice is
// shown again all the same, and nobody else's is.
func TestAPageOfTheSignInChangesItsLanguage(t *testing.T) {
	signing := testPages(t)
	show := func(accept string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, RedirectPath, nil)
		request.Header.Set("Accept-Language", accept)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		recorder := httptest.NewRecorder()
		signing.pages.show(recorder, request, outcome{Kind: outcomeDone, Name: "Alice", Login: "alice", Mailbox: "alice@nightpos.example"})
		return recorder
	}
	for accept, want := range map[string]string{"th-TH,th;q=0.9,en;q=0.5": "th", "de, en;q=0.5": "en", "fr": "en", "": "en", "de, th;q=0.2": "th"} {
		if got := show(accept).Header().Get("Content-Language"); got != want {
			t.Errorf("a browser that asks for %q is shown %s, want %s", accept, got, want)
		}
	}
	english := show("en")
	sealed := sealedPage.FindStringSubmatch(english.Body.String())
	if sealed == nil {
		t.Fatalf("the page cannot be shown again: %s", english.Body)
	}
	change := func(form url.Values, headers ...string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, routeLanguage, strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for index := 0; index+1 < len(headers); index += 2 {
			request.Header.Set(headers[index], headers[index+1])
		}
		recorder := httptest.NewRecorder()
		signing.bounded(signing.language)(recorder, request)
		return recorder
	}
	thai := change(url.Values{"language": {"th"}, "page": {sealed[1]}})
	if thai.Code != http.StatusOK || !strings.Contains(thai.Body.String(), "alice@nightpos.example") || !strings.Contains(thai.Body.String(), `<html lang="th">`) {
		t.Errorf("in Thai the page is %d %s", thai.Code, thai.Body)
	}
	cookies := thai.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != "__Host-outlook_gateway_language" || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Fatalf("the choice is kept as %v", cookies)
	}
	if got := show("en", cookies...).Header().Get("Content-Language"); got != "th" {
		t.Errorf("the next page is in %s, want th", got)
	}
	text, signature, _ := strings.Cut(sealed[1], ".")
	for name, refused := range map[string]*httptest.ResponseRecorder{
		"another language":   change(url.Values{"language": {"tlh"}, "page": {sealed[1]}}),
		"no page":            change(url.Values{"language": {"th"}}),
		"a page made up":     change(url.Values{"language": {"th"}, "page": {"e30." + signature}}),
		"without signature":  change(url.Values{"language": {"th"}, "page": {text}}),
		"from another site":  change(url.Values{"language": {"th"}, "page": {sealed[1]}}, "Sec-Fetch-Site", "cross-site"),
		"larger than a page": change(url.Values{"language": {"th"}, "page": {strings.Repeat("A", maxOutcome)}}),
	} {
		if refused.Code != http.StatusForbidden || strings.Contains(refused.Body.String(), "alice@") || len(refused.Result().Cookies()) > 0 {
			t.Errorf("%s: got %d", name, refused.Code)
		}
	}
}
