package console

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/languages"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// view is what a template is given: who looks, in what language and zone, and the
// page itself.
type view struct {
	console  *Console
	visitor  gateway.Visitor
	signedIn bool
	language languages.Language
	zone     *time.Location
	// zoneKnown says that the zone is the visitor's own.
	zoneKnown bool
	now       time.Time

	// Base is what stands before every address of the console.
	Base string
	// Path is where this page lies, to come back to after a choice of language.
	Path string
	Name string
	// Done is the key of what was just done.
	Done string
	Page any
}

func (c *Console) newView(r *http.Request) *view {
	name, _ := c.Visitors.CookieName("language")
	v := &view{
		console: c, language: languages.Choose(r, name), zone: time.UTC, now: c.Now(),
		Base: c.Visitors.Base() + root, Path: r.URL.EscapedPath(),
	}
	if r.Method == http.MethodGet {
		if r.URL.RawQuery != "" {
			v.Path += "?" + r.URL.RawQuery
		}
	} else {
		v.Path = "/"
	}
	if done := r.URL.Query().Get("done"); doneKeys[done] {
		v.Done = "done." + done
	}
	// A script tells the zone of browsers whose person is not known.
	zoneName, _ := c.Visitors.CookieName("zone")
	if cookie, err := r.Cookie(zoneName); err == nil {
		if zone, err := url.QueryUnescape(cookie.Value); err == nil {
			v.setZone(zone)
		}
	}
	return v
}

// doneKeys are what a form can have done.
var doneKeys = map[string]bool{
	"choices": true,
	"pause":   true, "resume": true, "sync": true, "disconnect": true, "release": true, "prefer": true, "answer": true, "settings": true, "database": true,
	"signed_out": true,
}

func (v *view) know(visitor gateway.Visitor) {
	v.visitor, v.signedIn = visitor, true
	v.setZone(visitor.Person.Zone)
}

func (v *view) setZone(name string) {
	if name == "" || name == "Local" || len(name) > 64 {
		return
	}
	if zone, err := time.LoadLocation(name); err == nil {
		v.zone, v.zoneKnown = zone, true
	}
}

// T is a text in the visitor's language. Arguments are names and values in turn;
// one named Count chooses between one and many.
func (v *view) T(key string, arguments ...any) string {
	return v.console.texts.Text(v.language, key, arguments...)
}

// Lang is the language's name for browsers.
func (v *view) Lang() string { return v.language.String() }

func (v *view) thai() bool { return v.language == languages.Thai }

// Number writes a number with the separators of the language.
func (v *view) Number(number int) string {
	return v.console.texts.Number(v.language, number)
}

// Asset is the address of a file.
func (v *view) Asset(name string) string {
	return v.Base + "/asset/" + name + "?v=" + v.console.assets.digest
}

// Form is what every form carries.
func (v *view) Form() string { return v.console.Visitors.FormToken(v.visitor) }

// Zone names the zone of the times on the page.
func (v *view) Zone() string { return v.zone.String() }

// AskZone is the name of the cookie in which a browser may tell its zone; empty
// when the zone is known.
func (v *view) AskZone() string {
	if v.zoneKnown {
		return ""
	}
	name, _ := v.console.Visitors.CookieName("zone")
	return name
}

// SignedIn says that somebody is; Administrator, that it is one; OwnCalendar, that
// the visitor has a calendar.
func (v *view) SignedIn() bool      { return v.signedIn }
func (v *view) Administrator() bool { return v.visitor.Administrator }
func (v *view) OwnCalendar() bool   { return v.visitor.Person.ID != "" }

// SignOut says that the session is the gateway's own.
func (v *view) SignOut() bool { return v.signedIn && !v.visitor.FromNightPOS }

// Who names the visitor.
func (v *view) Who() string {
	if v.visitor.Person.Name != "" {
		return v.visitor.Person.Name
	}
	return v.T("who.administrator")
}

// NightPOS is NightPOS's address.
func (v *view) NightPOS() string { return v.console.Visitors.NightPOS() }

var monthsThai = [...]string{"ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค."}

// buddhistEra is what Thai years are ahead.
const buddhistEra = 543

// Day writes a date.
func (v *view) Day(at time.Time) string {
	if v.thai() {
		return fmt.Sprintf("%d %s %d", at.Day(), monthsThai[at.Month()-1], at.Year()+buddhistEra)
	}
	return at.Format("2 Jan 2006")
}

// Date writes a date such as 2028-11-22; other text stays as it is.
func (v *view) Date(text string) string {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return v.Day(day)
}

// Time writes an instant in the visitor's zone.
func (v *view) Time(at time.Time) string {
	at = at.In(v.zone)
	clock := at.Format("15:04")
	if v.thai() {
		clock += " น."
	}
	if now := v.now.In(v.zone); at.Year() == now.Year() && at.YearDay() == now.YearDay() {
		return v.T("time.today", "Clock", clock)
	}
	return v.Day(at) + " " + clock
}

// Span writes from when until when something takes place.
func (v *view) Span(when reconciler.When) string {
	if when.AllDay {
		last := when.End.AddDate(0, 0, -1)
		if !last.After(when.Start) {
			return v.Day(when.Start)
		}
		return v.Day(when.Start) + " – " + v.Day(last)
	}
	start, end := when.Start.In(v.zone), when.End.In(v.zone)
	if start.Year() == end.Year() && start.YearDay() == end.YearDay() {
		return v.Day(start) + " " + start.Format("15:04") + "–" + end.Format("15:04")
	}
	return v.Day(start) + " " + start.Format("15:04") + " – " + v.Day(end) + " " + end.Format("15:04")
}

// Ago writes how long ago an instant is, as an element that tells the exact one.
func (v *view) Ago(at time.Time) template.HTML {
	return v.element(at, v.ago(at))
}

func (v *view) ago(at time.Time) string {
	since := v.now.Sub(at)
	switch {
	case since < time.Second:
		return v.T("time.now")
	case since < time.Minute:
		return v.T("time.seconds_ago", "Count", int(since/time.Second))
	case since < time.Hour:
		return v.T("time.minutes_ago", "Count", int(since/time.Minute))
	case since < 24*time.Hour:
		return v.T("time.hours_ago", "Count", int(since/time.Hour))
	}
	return v.Time(at)
}

// At writes an instant as an element.
func (v *view) At(at time.Time) template.HTML { return v.element(at, v.Time(at)) }

func (v *view) element(at time.Time, text string) template.HTML {
	exact := v.Day(at.In(v.zone)) + at.In(v.zone).Format(" 15:04:05 MST")
	return template.HTML(`<time datetime="` + at.UTC().Format(time.RFC3339) + `" title="` + template.HTMLEscapeString(exact) + `">` + //nolint:gosec // every part is escaped or made here
		template.HTMLEscapeString(text) + `</time>`)
}

// Left writes how long something still takes.
func (v *view) Left(seconds float64) string {
	left := time.Duration(seconds) * time.Second
	switch {
	case left < time.Minute:
		return v.T("time.seconds", "Count", max(int(left/time.Second), 1))
	case left < time.Hour:
		return v.T("time.minutes", "Count", int((left+30*time.Second)/time.Minute))
	case left < 48*time.Hour:
		return v.T("time.hours", "Count", int((left+30*time.Minute)/time.Hour))
	}
	return v.T("time.days", "Count", int((left+12*time.Hour)/(24*time.Hour)))
}

// LeftUntil writes how long it is until an instant.
func (v *view) LeftUntil(at time.Time) string { return v.Left(max(at.Sub(v.now).Seconds(), 0)) }

// Took writes milliseconds.
func (v *view) Took(milliseconds int64) string {
	if milliseconds < 1000 {
		return v.T("time.milliseconds", "Time", strconv.FormatInt(milliseconds, 10))
	}
	return v.Left(float64(milliseconds) / 1000)
}

// TookFloat writes milliseconds.
func (v *view) TookFloat(milliseconds float64) string { return v.Took(int64(milliseconds)) }

// SideName names a side.
func (v *view) SideName(side any) string {
	switch fmt.Sprint(side) {
	case "outlook":
		return "Outlook"
	case "nightpos":
		return "NightPOS"
	}
	return ""
}

// key makes the last part of a message's key of a word of the gateway's.
func key(word string) string { return strings.NewReplacer(" ", "_", "-", "_", ",", "").Replace(word) }

// Word is the text of a word of the gateway's: State, Field, Action and the like.
func (v *view) Word(kind string, word any) string {
	full := kind + "." + key(fmt.Sprint(word))
	if text := v.T(full); text != full {
		return text
	}
	return fmt.Sprint(word)
}

// Joined is a list of names as one is typed.
func (v *view) Joined(names []string) string { return strings.Join(names, ", ") }
