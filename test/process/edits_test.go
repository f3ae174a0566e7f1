package process_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/demo"
)

// words are what titles, places and descriptions are made of: nothing else would
// ever say one of them.
var words = []string{"Zwirbelfink", "Kaltmolch", "Pflaumenrad", "Überbügel", "日程表", "Quarzlibelle", "ประชุมลับ", "Nebelhupe"}

// outsider is somebody without a user.
const outsider = "zwickelgast@customer.example"

// ledger is what people did, meeting by meeting. Meetings are known by the first
// word of their titles.
type ledger struct {
	mutex sync.Mutex
	born  int
	made  map[string]string // by whom and where
	// edits are how often each was changed, its making and its end included.
	edits map[string]int
	gone  map[string]bool
	lines []string
}

func (l *ledger) tag(side demo.Side) string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.born++
	return fmt.Sprintf("%s%04d", map[demo.Side]string{demo.Outlook: "o", demo.NightPOS: "n"}[side], l.born)
}

// note counts an edit. One that was refused may have been carried out.
func (l *ledger) note(tag, did string, err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.edits[tag]++
	switch {
	case err == nil && strings.HasPrefix(did, "create"):
		l.made[tag] = did
	case err == nil && strings.HasPrefix(did, "delete all"):
		l.gone[tag] = true
	}
	if err != nil {
		did += fmt.Sprintf(", refused: %v", err)
	}
	l.lines = append(l.lines, time.Now().Format("15:04:05.000 ")+tag+" "+did)
}

// gives says what is to be expected of a meeting.
func (l *ledger) fate(tag string) (made, gone bool, edits int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.made[tag] != "", l.gone[tag], l.edits[tag]
}

// mails is how many mails about a meeting each person may get: one for each edit,
// and of a whole series one more for each occurrence that was changed by itself,
// which Outlook tells of separately.
func (l *ledger) mails(tag string) int {
	allowed, apart := 0, map[string]bool{}
	for line := range strings.Lines(l.history(tag)) {
		allowed++
		_, rest, _ := strings.Cut(line, " change ")
		switch {
		case strings.HasPrefix(rest, "one"):
			_, rest, _ = strings.Cut(rest, " by ")
			_, start, _ := strings.Cut(rest, " ")
			apart[start[:len(time.DateTime)]] = true
		case strings.HasPrefix(rest, "all in Outlook"):
			allowed += len(apart)
		case strings.HasPrefix(rest, "all in NightPOS"):
			// What such an occurrence shows is written to it as well.
			allowed += 2 * len(apart)
		}
	}
	return allowed
}

func (l *ledger) history(tag string) string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	var found []string
	for _, line := range l.lines {
		if strings.Contains(line, " "+tag+" ") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "\n")
}

func tagOf(title string) string {
	tag, _, _ := strings.Cut(title, " ")
	return tag
}

// people are those who edit, on both sides.
type people struct {
	t        *testing.T
	ledger   *ledger
	boxes    map[string]*mailbox // by login
	nightpos demo.Archiver
	from, to time.Time
}

// edit edits on one side until the context ends.
func (p *people) edit(ctx context.Context, side demo.Side, random *rand.Rand) {
	for ctx.Err() == nil {
		// An edit that was begun is carried through, so that its outcome is known.
		acting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		var err error
		if side == demo.Outlook {
			err = p.inOutlook(acting, random)
		} else {
			err = p.inNightPOS(acting, random)
		}
		cancel()
		if err != nil {
			p.t.Errorf("an edit in %s: %v", side, err)
			return
		}
		time.Sleep(time.Duration(20+random.IntN(300)) * time.Millisecond)
	}
}

func phrase(random *rand.Rand, count int) string {
	var chosen []string
	for range count {
		chosen = append(chosen, words[random.IntN(len(words))])
	}
	return strings.Join(chosen, " ")
}

func pointer[T any](value T) *T { return &value }

func (p *people) when(random *rand.Rand) *demo.When {
	start := p.from.AddDate(0, 0, 2+random.IntN(20)).Add(time.Duration(random.IntN(20*4)) * 15 * time.Minute)
	if random.IntN(5) == 0 {
		start = start.Truncate(24 * time.Hour)
		return &demo.When{Start: start, End: start.AddDate(0, 0, 1+random.IntN(2)), AllDay: true}
	}
	return &demo.When{Start: start, End: start.Add(time.Duration(1+random.IntN(4)) * 30 * time.Minute)}
}

func (p *people) guests(random *rand.Rand, organizer string) *[]string {
	chosen := []string{}
	for _, address := range []string{"alice@nightpos.example", "bob@nightpos.example", outsider} {
		if address != organizer && random.IntN(2) == 0 {
			chosen = append(chosen, address)
		}
	}
	return &chosen
}

// change draws what a person changes of a meeting. A series keeps its time.
func (p *people) change(random *rand.Rand, tag, organizer string, series bool) demo.Edit {
	var edit demo.Edit
	for range 1 + random.IntN(2) {
		switch random.IntN(8) {
		case 0:
			edit.Title = pointer(tag + " " + phrase(random, 2))
		case 1:
			edit.Description = pointer(phrase(random, 4))
		case 2:
			edit.Place = pointer(phrase(random, 1))
		case 3:
			edit.ShowAs = pointer([]string{"free", "busy"}[random.IntN(2)])
		case 4:
			edit.Private = pointer(random.IntN(2) == 0)
		case 5:
			if !series {
				edit.People = p.guests(random, organizer)
			}
		default:
			if !series {
				edit.When = p.when(random)
			}
		}
	}
	if edit == (demo.Edit{}) {
		edit.Place = pointer(phrase(random, 2))
	}
	return edit
}

// birth draws a new meeting.
func (p *people) birth(random *rand.Rand, tag, organizer string) demo.Edit {
	edit := demo.Edit{Title: pointer(tag + " " + phrase(random, 2)), When: p.when(random)}
	if random.IntN(2) == 0 {
		edit.People = p.guests(random, organizer)
	}
	if random.IntN(2) == 0 {
		edit.Description = pointer(phrase(random, 3))
	}
	if random.IntN(5) == 0 {
		edit.When.Start = edit.When.Start.Truncate(24 * time.Hour).Add(9 * time.Hour)
		edit.When.End, edit.When.AllDay = edit.When.Start.Add(time.Hour), false
		edit.Repeat = &demo.Repeat{Times: 3 + random.IntN(3)}
	}
	return edit
}

func (p *people) inOutlook(ctx context.Context, random *rand.Rand) error {
	login := []string{"alice", "bob"}[random.IntN(2)]
	box := p.boxes[login]
	events, err := box.events(ctx, p.from, p.to)
	if err != nil {
		return err
	}
	if len(events) < 8 || random.IntN(4) == 0 {
		tag := p.ledger.tag(demo.Outlook)
		edit := p.birth(random, tag, box.address)
		p.ledger.note(tag, describe("create in Outlook by "+login, edit), box.create(ctx, edit))
		return nil
	}
	event := events[random.IntN(len(events))]
	tag := tagOf(event.Title)
	target, scope := event.ID, "one"
	if event.master != "" && random.IntN(2) == 0 {
		target, scope = event.master, "all"
	}
	if !event.Mine {
		answer := []demo.Answer{demo.Accepted, demo.Tentative}[random.IntN(2)]
		if event.master != "" {
			target = event.master
		}
		err := box.answer(ctx, target, answer)
		p.ledger.note(tag, fmt.Sprintf("answer %s in Outlook by %s", answer, login), err)
		return nil
	}
	if random.IntN(8) == 0 {
		if event.master == "" {
			scope = "all"
		}
		err := box.remove(ctx, target)
		p.ledger.note(tag, "delete "+scope+" in Outlook by "+login+" "+event.Start.Format(time.DateTime), err)
		return nil
	}
	edit := p.change(random, tag, box.address, event.master != "")
	p.ledger.note(tag, describe("change "+scope+" in Outlook by "+login+" "+event.Start.Format(time.DateTime), edit), box.update(ctx, target, edit))
	return nil
}

func (p *people) inNightPOS(ctx context.Context, random *rand.Rand) error {
	login := []string{"alice", "bob"}[random.IntN(2)]
	address := login + "@nightpos.example"
	events, err := p.nightpos.Events(ctx, login, p.from, p.to)
	if err != nil {
		return err
	}
	if len(events) < 8 || random.IntN(4) == 0 {
		tag := p.ledger.tag(demo.NightPOS)
		edit := p.birth(random, tag, address)
		_, err := p.nightpos.Create(ctx, login, edit)
		p.ledger.note(tag, describe("create in NightPOS by "+login, edit), err)
		return nil
	}
	event := events[random.IntN(len(events))]
	tag, scope := tagOf(event.Title), demo.One
	if event.Series == "" || random.IntN(2) == 0 {
		scope = demo.All
	}
	switch {
	case !event.Mine:
		answer := []demo.Answer{demo.Accepted, demo.Tentative}[random.IntN(2)]
		if event.Series != "" {
			scope = demo.All
		}
		err := p.nightpos.Answer(ctx, login, event.ID, scope, answer)
		p.ledger.note(tag, fmt.Sprintf("answer %s in NightPOS by %s", answer, login), err)
	case random.IntN(8) == 0:
		did := fmt.Sprintf("delete %s in NightPOS by %s %s", scope, login, event.Start.Format(time.DateTime))
		if event.Series == "" && random.IntN(2) == 0 {
			p.ledger.note(tag, did+" by archiving", p.nightpos.SetArchived(ctx, login, event.ID, true))
		} else {
			p.ledger.note(tag, did, p.nightpos.Delete(ctx, login, event.ID, scope))
		}
	default:
		edit := p.change(random, tag, address, event.Series != "")
		err := p.nightpos.Update(ctx, login, event.ID, scope, edit)
		p.ledger.note(tag, describe(fmt.Sprintf("change %s in NightPOS by %s %s", scope, login, event.Start.Format(time.DateTime)), edit), err)
	}
	return nil
}

// describe says in one line what an edit is.
func describe(did string, edit demo.Edit) string {
	for name, value := range map[string]*string{"title": edit.Title, "place": edit.Place, "description": edit.Description, "show as": edit.ShowAs} {
		if value != nil {
			did += fmt.Sprintf(", %s %q", name, *value)
		}
	}
	if edit.When != nil {
		did += fmt.Sprintf(", %s to %s, all day %t", edit.When.Start.Format(time.DateTime), edit.When.End.Format(time.DateTime), edit.When.AllDay)
	}
	if edit.People != nil {
		did += fmt.Sprintf(", with %v", *edit.People)
	}
	if edit.Private != nil {
		did += fmt.Sprintf(", private %t", *edit.Private)
	}
	if edit.Repeat != nil {
		did += fmt.Sprintf(", %d times", edit.Repeat.Times)
	}
	return did
}
