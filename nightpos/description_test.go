package nightpos

import "testing"

func TestContactsAreNoPartOfADescription(t *testing.T) {
	const organizer = `<strong>Organized by</strong><br>Alice<br><a href="mailto:alice@nightpos.example">alice@nightpos.example</a>`
	const block = organizer + `<br><br><strong>Contact Details</strong><br>Bob<br><a href="mailto:bob@nightpos.example">bob@nightpos.example</a>`
	for given, want := range map[string]string{
		"<div><p>Body</p><br>" + block + "</div>":                                   "<p>Body</p>",
		"<div><div><p>Body</p><br>" + block + "</div><br>" + block + "</div>":       "<p>Body</p>",
		"<div>" + block + "</div>":                                                  "",
		"<div>" + organizer + "</div>":                                              "",
		"<div><div>" + block + "</div><br>" + block + "</div>":                      "",
		"<div><div><p>Body</p></div><br><strong>Organisé par</strong><br>Zoé</div>": "<div><p>Body</p></div>",
		"<div><p>Body</p><strong>b</strong></div>":                                  "<div><p>Body</p><strong>b</strong></div>",
		"<p>Body</p>": "<p>Body</p>",
		"":            "",
	} {
		if got := withoutContacts(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
