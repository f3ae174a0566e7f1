package reconciler

import (
	"testing"
	"time"
)

// TestBelieves says which content of a notification stands for the copy.
func TestBelieves(t *testing.T) {
	saved := time.Date(2027, 1, 11, 9, 0, 0, 0, time.UTC)
	event := Event{Title: "Review", Body: "<p>Bring numbers.</p>", When: When{Start: saved.Add(time.Hour), End: saved.Add(2 * time.Hour)}}
	preview := DigestPreview("Bring numbers.")
	for name, row := range map[string]struct {
		link  func(*Link)
		told  func(*Copy)
		item  func(*Item)
		wants bool
	}{
		"another title":       {wants: true},
		"nothing but the key": {told: func(c *Copy) { c.Event.Title = "Review" }},
		"another text":        {told: func(c *Copy) { c.Preview = DigestPreview("Bring figures.") }},
		"a text that goes on": {told: func(c *Copy) { c.Preview = PreviewOpen }, link: func(l *Link) { l.Preview = PreviewOpen }},
		"a text now":          {link: func(l *Link) { l.Preview = emptyPreview; l.Outlook[string(FieldBody)] = digest("") }},
		"no text, and nothing else that differs: it may have been moved to another calendar": {
			link: func(l *Link) { l.Preview = emptyPreview; l.Outlook[string(FieldBody)] = digest("") },
			told: func(c *Copy) { c.Preview = emptyPreview; c.Event.Title = "Review" },
		},
		"no text, before or now": {
			link: func(l *Link) { l.Preview = emptyPreview; l.Outlook[string(FieldBody)] = digest("") },
			told: func(c *Copy) { c.Preview = emptyPreview }, wants: true,
		},
		"a picture for a text": {
			link: func(l *Link) { l.Preview = emptyPreview },
			told: func(c *Copy) { c.Preview = emptyPreview; c.Event.Title = "Review" },
		},
		"an older version":                {told: func(c *Copy) { c.Modified = saved.Add(-time.Nanosecond) }},
		"a version of the same moment":    {told: func(c *Copy) { c.Modified = saved }},
		"a version without a time":        {told: func(c *Copy) { c.Modified = time.Time{} }},
		"nothing known":                   {link: func(l *Link) { l.Saved = time.Time{} }},
		"no version known":                {link: func(l *Link) { l.ChangeKey = "" }},
		"a hint about another version":    {item: func(i *Item) { i.Version = "k9" }},
		"a hint about several versions":   {item: func(i *Item) { i.Version = "" }},
		"a hint that was tried before":    {item: func(i *Item) { i.Attempts = 1 }},
		"another copy":                    {told: func(c *Copy) { c.ID = "other" }},
		"another meeting":                 {told: func(c *Copy) { c.ICalUID = "other" }},
		"a cancelled one":                 {told: func(c *Copy) { c.Cancelled = true }},
		"one of a series":                 {told: func(c *Copy) { c.Recurring = true }},
		"a series":                        {link: func(l *Link) { l.Series = &LinkedSeries{} }},
		"an occurrence that stands apart": {link: func(l *Link) { l.Apart = true }},
		"an ended link":                   {link: func(l *Link) { l.Ended = true }},
		"a held link":                     {link: func(l *Link) { l.Held = true }},
		"one left alone":                  {link: func(l *Link) { l.Alone = true }},
		"sides that never agreed":         {link: func(l *Link) { l.Outlook = nil }},
		"somebody else organises it now":  {told: func(c *Copy) { c.IsOrganizer = false }},
		"an attendee's, with any text": {
			link: func(l *Link) { l.Role, l.Preview = RoleAttendee, PreviewOpen },
			told: func(c *Copy) { c.IsOrganizer, c.Preview = false, PreviewOpen }, wants: true,
		},
		"an attendee's who organises it now": {link: func(l *Link) { l.Role = RoleAttendee }},
		"a guest's":                          {link: func(l *Link) { l.Role = RoleGuest }, told: func(c *Copy) { c.IsOrganizer = false }},
		"a stand-in":                         {link: func(l *Link) { l.Role = RoleStandIn }},
	} {
		t.Run(name, func(t *testing.T) {
			link := &Link{RecordID: 1, GraphID: "e", ICalUID: "u", ChangeKey: "k1", Saved: saved, Preview: preview, Role: RoleOrganizer, Outlook: NewBase(event)}
			told := Copy{
				ID: "e", ICalUID: "u", ChangeKey: "k2", IsOrganizer: true, Modified: saved.Add(time.Second), Told: true, Preview: preview,
				Event: Event{Title: "Another review", When: event.When},
			}
			item := Item{Key: OutlookKey("e"), Version: "k2"}
			for _, change := range []func(){
				func() { apply(row.link, link) }, func() { apply(row.told, &told) }, func() { apply(row.item, &item) },
			} {
				change()
			}
			if got := link.believes(told, item); got != row.wants {
				t.Errorf("got %t, want %t", got, row.wants)
			}
		})
	}
}

func apply[Value any](change func(*Value), to *Value) {
	if change != nil {
		change(to)
	}
}
