package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/gateway/languages"
)

// doctorPage is what the last examination found, or how far the present one is.
type doctorPage struct {
	gateway.Examination
	// Running says that it is under way.
	Running bool
	// Tone and Headline are the outcome in one sentence.
	Tone, Headline string
	Areas          []area
	Live           string
}

// area is a part of an examination with its findings.
type area struct {
	Name     string
	Findings []finding
}

// finding is how one check ended, in the visitor's language.
type finding struct {
	Check, Status  string
	Detail, Remedy saying
}

// saying is a sentence, and the language of it where that is not the visitor's.
type saying struct{ Text, Lang string }

// say puts a phrase into the visitor's language. One that only another version of
// the gateway knows stays English.
func (v *view) say(phrase findings.Phrase, english string) saying {
	text, known := findings.Text(v.language, phrase, v.shown)
	switch {
	case english == "":
		return saying{}
	case known:
		return saying{Text: sentence(text)}
	case v.thai():
		return saying{sentence(english), languages.English.String()}
	}
	return saying{Text: sentence(english)}
}

// sentence begins a text with a capital letter: findings are parts of a line on the
// command line.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// shown writes a value of a finding's for the visitor.
func (v *view) shown(name, value string) string {
	switch name {
	case "Day":
		return v.Date(value)
	case "Sentence":
		why := v.explain(value)
		return strings.TrimSpace(why.Text + " " + why.Raw)
	}
	return value
}

// finding is a finding in the visitor's language.
func (v *view) finding(found gateway.Finding) finding {
	return finding{found.Check, found.Status, v.say(found.Found, found.Detail), v.say(found.Advice, found.Remedy)}
}

// doctor shows them.
func (c *Console) doctor(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	page, err := c.doctorPage(ctx, v)
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "doctor", page)
	return nil
}

// severity orders what a check can end with.
var severity = map[string]int{"warning": 1, "failed": 2}

func (c *Console) doctorPage(ctx context.Context, v *view) (*doctorPage, error) {
	found, err := c.Admin.Examination(ctx)
	if err != nil {
		return nil, err
	}
	page := &doctorPage{Examination: found, Running: !found.Began.IsZero() && found.Ended.IsZero(), Live: v.Base + "/live/doctor"}
	for _, row := range found.Rows {
		name, _, _ := strings.Cut(row.Check, ".")
		index := slices.IndexFunc(page.Areas, func(known area) bool { return known.Name == name })
		if index < 0 {
			index = len(page.Areas)
			page.Areas = append(page.Areas, area{Name: name})
		}
		page.Areas[index].Findings = append(page.Areas[index].Findings, v.finding(row))
	}
	// What there is to do comes first.
	for _, part := range page.Areas {
		slices.SortStableFunc(part.Findings, func(a, b finding) int { return severity[b.Status] - severity[a.Status] })
	}
	page.Tone, page.Headline = v.outcome(found)
	return page, nil
}

// outcome is an examination in one sentence.
func (v *view) outcome(found gateway.Examination) (tone, headline string) {
	count := map[string]int{}
	for _, row := range found.Rows {
		count[row.Status]++
	}
	switch {
	case found.Began.IsZero():
		return "off", v.T("doctor.never")
	case found.Ended.IsZero():
		return "busy", v.T("doctor.running")
	case found.Done < found.Total || found.Total == 0:
		return "bad", v.T("doctor.given_up")
	case count["failed"] > 0:
		return "bad", v.T("doctor.failed", "Count", count["failed"])
	case count["warning"] > 0:
		return "busy", v.T("doctor.warning", "Count", count["warning"])
	}
	return "good", v.T("doctor.ok", "Count", count["ok"])
}

// examine begins an examination.
func (c *Console) examine(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	if err := c.Admin.Examine(ctx); err != nil {
		return err
	}
	c.note(ctx, v, "examine", 0, "")
	next := "/doctor"
	if r.PostForm.Get("next") == "guide" {
		next = "/guide"
	}
	c.turn(v, w, r, next, "")
	return nil
}
