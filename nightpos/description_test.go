package nightpos

import "testing"

func TestADescriptionThatIsRepeatedIsShownOnce(t *testing.T) {
	const block = `<strong>Organized by</strong><br>Alice<br><a href="mailto:alice@nightpos.example">alice@nightpos.example</a>` +
		`<br><br><strong>Contact Details</strong><br>Bob<br><a href="mailto:bob@nightpos.example">bob@nightpos.example</a>`
	for given, want := range map[string]string{
		"<div><p>Body</p><br>" + block + "</div>":                                          "<div><p>Body</p><br>" + block + "</div>",
		"<div><div><p>Body</p><br>" + block + "</div><br>" + block + "</div>":              "<div><p>Body</p><br>" + block + "</div>",
		"<div><div>" + block + "</div><br>" + block + "</div>":                             "<div>" + block + "</div>",
		"<div><div><div>" + block + "</div><br>" + block + "</div><br>" + block + "</div>": "<div>" + block + "</div>",
		"<div><div><p>a</p></div><br><strong>b</strong></div>":                             "<div><div><p>a</p></div><br><strong>b</strong></div>",
		"<div><div>a</div></div>":                                                          "<div><div>a</div></div>",
	} {
		if got := onceDescribed(given); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
