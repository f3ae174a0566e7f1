package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// stepLimit is how long the two sides may take to agree.
	stepLimit = 5 * time.Second
	// quiet is how long nothing may happen before a step counts as over: longer
	// than any notification takes that could set off another write.
	quiet = 150 * time.Millisecond
	// restless bounds the wait for quiet.
	restless = 2 * time.Second
	// tourLimit is when no further step is begun, so that a tour in which nothing
	// works ends within half a minute too.
	tourLimit = 22 * time.Second
	// look is how often the sides are compared when nothing is heard of them.
	look = 100 * time.Millisecond
)

// Step is one row of the tour's outcome.
type Step struct {
	Name string `json:"name"`
	From Side   `json:"from"`
	OK   bool   `json:"ok"`
	// Lag is in milliseconds, from the person's first edit to the gateway's last
	// write that the other side needed.
	Lag int64 `json:"lag_ms"`
	// Mails are all those that Outlook would have sent in the step.
	Mails int `json:"mails"`
	// Note says what was shown, or what went wrong.
	Note string `json:"note"`
}

// Report is the outcome of a tour; OK when every step is.
type Report struct {
	OK    bool   `json:"ok"`
	Steps []Step `json:"steps"`
}

// script is a step to be done.
type script struct {
	name string
	from Side
	// by is whose calendar the change has to reach.
	by Member
	// act is what people do, and agreed is nil once both sides show the same and
	// the right thing.
	act, agreed func(context.Context) error
	// byPeople and byGateway are the mails that Outlook sends because of each.
	byPeople, byGateway int
	// writes are the gateway's on each side.
	writes map[Side]int
	// atMost says that writes is the upper limit: which of two edits made at once
	// the gateway sees first decides how many it needs.
	atMost bool
	note   string
}

// Tour goes through what people do with meetings, on both sides, and looks at
// whether the other side follows, how fast, and what it costs in mails.
type Tour struct {
	world      *World
	alice, bob Member
	monday     time.Time

	// messages wake the tour when something changed; nil before Run.
	messages <-chan Message
	unfollow func()

	mutex   sync.Mutex
	changes []Change // of the step under way
}

// NewTour prepares a tour; the first two members of the world are its people.
func NewTour(world *World) (*Tour, error) {
	if len(world.Members) < 2 {
		return nil, errors.New("a tour needs two people")
	}
	today := world.Now().UTC().Truncate(24 * time.Hour)
	ahead := (7-int(today.Weekday())+int(time.Monday))%7 + 7
	t := &Tour{world: world, alice: world.Members[0], bob: world.Members[1], monday: today.AddDate(0, 0, ahead)}
	for _, side := range []Side{Outlook, NightPOS} {
		world.Calendar(side).Watch(func(change Change) {
			t.mutex.Lock()
			defer t.mutex.Unlock()
			t.changes = append(t.changes, change)
		})
	}
	return t, nil
}

// Run does every step, whatever became of the earlier ones, and tells each as it
// ends. It takes less than 30 s; steps for which too little of that is left fail
// without being tried. A context that ends stops it between two steps.
func (t *Tour) Run(ctx context.Context, each func(Step)) Report {
	t.messages, t.unfollow = t.world.Watch.Follow()
	defer func() { t.unfollow() }()
	report := Report{OK: true, Steps: []Step{}}
	start := time.Now()
	for _, next := range t.scripts() {
		if ctx.Err() != nil {
			report.OK = false
			break
		}
		step := Step{Name: next.name, From: next.from, Note: "not tried: earlier steps took too long"}
		if time.Since(start) < tourLimit {
			step = t.do(ctx, next)
		}
		report.OK = report.OK && step.OK
		report.Steps = append(report.Steps, step)
		if each != nil {
			each(step)
		}
	}
	return report
}

// count is what is counted before and after a step.
type count struct {
	people, gateway, nightpos int
	writes                    map[Side]int
}

func (t *Tour) count() count {
	c := count{writes: map[Side]int{Outlook: t.world.Outlook.GatewayWrites(), NightPOS: t.world.NightPOS.GatewayWrites()}}
	for _, mail := range t.world.Outlook.Mails() {
		if mail.ByGateway {
			c.gateway++
		} else {
			c.people++
		}
	}
	for _, mail := range t.world.NightPOS.Mails() {
		if mail.ByGateway {
			c.nightpos++
		}
	}
	return c
}

func (t *Tour) do(ctx context.Context, s script) Step {
	step := Step{Name: s.name, From: s.from, Note: s.note}
	t.mutex.Lock()
	t.changes = nil
	t.mutex.Unlock()
	before := t.count()
	problem := s.act(ctx)
	if problem == nil {
		problem = t.await(ctx, s.agreed)
	} else {
		problem = fmt.Errorf("the edit itself failed: %w", problem)
	}
	if problem == nil {
		t.settle(ctx)
		step.Lag = t.lag(s)
		problem = s.agreed(ctx) // and nothing has come back
	}
	after := t.count()
	step.Mails = after.people + after.gateway - before.people - before.gateway
	if problem == nil {
		problem = s.cost(before, after)
	}
	step.OK = problem == nil
	if problem != nil {
		step.Note = problem.Error()
	}
	return step
}

// cost compares what a step did with what it may do.
func (s script) cost(before, after count) error {
	var wrong []string
	compare := func(what string, got, want int) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, expected %d", what, got, want))
		}
	}
	compare("mails by people in Outlook", after.people-before.people, s.byPeople)
	compare("mails by the gateway in Outlook", after.gateway-before.gateway, s.byGateway)
	compare("mails by the gateway in NightPOS", after.nightpos-before.nightpos, 0)
	for _, side := range []Side{Outlook, NightPOS} {
		got, want := after.writes[side]-before.writes[side], s.writes[side]
		if s.atMost && got <= want {
			continue
		}
		compare(fmt.Sprintf("writes to %s", side), got, want)
	}
	if wrong != nil {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// hear waits for the next change, for a timer or for the end; it tells whether
// there was a change.
func (t *Tour) hear(ctx context.Context, timer <-chan time.Time) bool {
	select {
	case <-ctx.Done():
	case <-timer:
	case _, open := <-t.messages:
		if !open { // too much at once to keep up with
			t.messages, t.unfollow = t.world.Watch.Follow()
		}
		return true
	}
	return false
}

// await looks at both sides whenever one changes, until they agree.
func (t *Tour) await(ctx context.Context, agreed func(context.Context) error) error {
	limit := time.Now().Add(stepLimit)
	for {
		problem := agreed(ctx)
		if problem == nil {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !time.Now().Before(limit) {
			return fmt.Errorf("no agreement within %s: %w", stepLimit, problem)
		}
		tick := time.NewTimer(look)
		t.hear(ctx, tick.C)
		tick.Stop()
	}
}

// settle waits until nothing has changed on either side for a while.
func (t *Tour) settle(ctx context.Context) {
	limit := time.Now().Add(restless)
	for ctx.Err() == nil && time.Now().Before(limit) {
		calm := time.NewTimer(quiet)
		changed := t.hear(ctx, calm.C)
		calm.Stop()
		if !changed {
			return
		}
	}
}

// lag is from the first edit of a person to the last write of the gateway where
// the change had to arrive.
func (t *Tour) lag(s script) int64 {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var edit, write time.Time
	for _, change := range t.changes {
		switch {
		case change.ByGateway && (change.Login == "" || change.Login == s.by.Login) && change.Time.After(write):
			write = change.Time
		case !change.ByGateway && change.Actor != "" && (edit.IsZero() || change.Time.Before(edit)):
			edit = change.Time
		}
	}
	if edit.IsZero() || write.Before(edit) {
		return 0
	}
	return write.Sub(edit).Milliseconds()
}

// pair is one meeting of the tour on both sides; an id is empty until it is known.
type pair struct {
	outlook, nightpos string
}

// both reads a meeting on both sides as one person and compares them, once what
// is new in it has been found by its title.
func (t *Tour) both(ctx context.Context, p *pair, title string) (Event, Event, error) {
	inOutlook, err := t.find(ctx, Outlook, &p.outlook, title)
	if err != nil {
		return Event{}, Event{}, err
	}
	inNightPOS, err := t.find(ctx, NightPOS, &p.nightpos, title)
	if err != nil {
		return Event{}, Event{}, err
	}
	if inNightPOS.Archived {
		return Event{}, Event{}, errors.New("it is archived in NightPOS")
	}
	// Reminders have different defaults on the two sides until somebody sets one.
	inOutlook.Reminder = inNightPOS.Reminder
	if fields := differences(inOutlook, inNightPOS); fields != nil {
		return Event{}, Event{}, fmt.Errorf("the two sides differ in %s", strings.Join(fields, ", "))
	}
	return inOutlook, inNightPOS, nil
}

func (t *Tour) find(ctx context.Context, side Side, id *string, title string) (Event, error) {
	calendar := t.world.Calendar(side)
	if *id != "" {
		return calendar.Event(ctx, t.alice.Login, *id)
	}
	events, err := calendar.Events(ctx, t.alice.Login, t.monday, t.monday.AddDate(0, 0, 14))
	if err != nil {
		return Event{}, err
	}
	index := slices.IndexFunc(events, func(e Event) bool { return e.Title == title })
	if index < 0 {
		return Event{}, fmt.Errorf("“%s” is not in %s", title, side)
	}
	*id = events[index].ID
	return events[index], nil
}
