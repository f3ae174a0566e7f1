package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// commit records under a fresh lease.
func commit(t *testing.T, store *redis.Store, what reconciler.Commit) {
	t.Helper()
	add(t, store, reconciler.Item{Key: "sweep"})
	batch := take(t, store)
	if err := store.Commit(t.Context(), batch.Lease, what); err != nil {
		t.Fatalf("Commit: got %v, want no error", err)
	}
	finish(t, store, batch, reconciler.Outcome{Key: "sweep"})
}

func exampleLink(id int64) reconciler.Link {
	return reconciler.Link{
		RecordID: id, GraphID: fmt.Sprintf("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A%04d==", id), ICalUID: strings.Repeat("040000008200E00074C5B7101A82E008", 3),
		ChangeKey: "CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAGDUUXn", Role: reconciler.RoleOrganizer, Generation: 3,
		Outlook: reconciler.NewBase(reconciler.Event{
			Title: "x", People: []reconciler.Person{{Address: "a@b.example"}}, Categories: []string{"Red"},
		}),
		NightPOS: reconciler.NewBase(reconciler.Event{Title: "y"}),
		Updated:  time.UnixMilli(1_790_000_000_123).UTC(),
	}
}

func links(t *testing.T, o opener) {
	store := o.store(o.clock())
	one, two, intent := exampleLink(1), exampleLink(2), reconciler.Link{RecordID: 3, Role: reconciler.RoleAttendee, Updated: time.UnixMilli(0).UTC()}
	two.Ended, two.Role = true, reconciler.RoleGuest
	two.Saved, two.Preview = time.Unix(1_790_000_000, 123_456_700).UTC(), reconciler.DigestPreview("Bring numbers.")
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{one, two, intent}})
	found, err := store.Links(t.Context(), lane, []string{two.GraphID, "unknown"}, []int64{1, 3, 99})
	if err != nil {
		t.Fatalf("Links: got %v, want no error", err)
	}
	slices.SortFunc(found, func(a, b reconciler.Link) int { return int(a.RecordID - b.RecordID) })
	same(t, "links", found, []reconciler.Link{one, two, intent})
	commit(t, store, reconciler.Commit{Drop: []int64{1}})
	ids, err := store.RecordIDs(t.Context(), lane)
	slices.Sort(ids)
	if err != nil || !slices.Equal(ids, []int64{2, 3}) {
		t.Fatalf("RecordIDs: got %v, %v, want 2 and 3", ids, err)
	}
	if ids, err := store.RecordIDs(t.Context(), "nobody"); err != nil || len(ids) != 0 {
		t.Fatalf("RecordIDs of nobody: got %v, %v, want none", ids, err)
	}
	var left []int64
	err = store.AllLinks(t.Context(), lane, func(link reconciler.Link) error {
		left = append(left, link.RecordID)
		return nil
	})
	if err != nil {
		t.Fatalf("AllLinks: got %v, want no error", err)
	}
	slices.Sort(left)
	same(t, "records left", left, []int64{2, 3})
	if found, err := store.Links(t.Context(), lane, []string{one.GraphID}, nil); err != nil || len(found) != 0 {
		t.Fatalf("Links of a dropped copy: got %v, %v, want none", found, err)
	}
	stop := errors.New("enough")
	if err := store.AllLinks(t.Context(), lane, func(reconciler.Link) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("AllLinks: got %v, want the visitor's error", err)
	}
}

// series links are found by any of their occurrences, but for those that have a
// link of their own.
func seriesLinks(t *testing.T, o opener) {
	store := o.store(o.clock())
	date := func(day int) reconciler.Date { return reconciler.Date{Year: 2027, Month: time.January, Day: day} }
	series, apart := exampleLink(1), exampleLink(12)
	series.Role = reconciler.RoleStandIn
	series.Series = &reconciler.LinkedSeries{
		RecurrenceID: 7, From: date(11), To: date(25),
		Rule:        reconciler.Rule{Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{time.Monday}, Start: date(11), Count: 3},
		First:       reconciler.When{Start: time.UnixMilli(1_800_000_000_000).UTC(), End: time.UnixMilli(1_800_003_600_000).UTC(), Zone: "Europe/Brussels"},
		Occurrences: map[reconciler.Date]int64{date(11): 1, date(18): 12, date(25): 11},
		Exceptions: map[reconciler.Date]reconciler.LinkedException{
			date(18): {Cancelled: true},
			date(25): {Outlook: reconciler.NewBase(reconciler.Event{Title: "x"}), NightPOS: reconciler.NewBase(reconciler.Event{Title: "y"})},
		},
	}
	apart.Apart = true
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{series}, Occurrences: map[int64]int64{12: 1, 11: 1}})
	find := func(want []reconciler.Link, ids ...int64) {
		t.Helper()
		found, err := store.Links(t.Context(), lane, nil, ids)
		if err != nil {
			t.Fatalf("Links: got %v, want no error", err)
		}
		slices.SortFunc(found, func(a, b reconciler.Link) int { return int(a.RecordID - b.RecordID) })
		same(t, "links", found, want)
	}
	find([]reconciler.Link{series}, 1)
	find([]reconciler.Link{series}, 11, 12)
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{apart}})
	find([]reconciler.Link{apart}, 12)
	find([]reconciler.Link{series, apart}, 11, 12)
	// What is said of an occurrence with a link of its own changes nothing.
	commit(t, store, reconciler.Commit{Occurrences: map[int64]int64{12: 1, 11: 0}})
	find([]reconciler.Link{apart}, 12)
	find(nil, 11)
	commit(t, store, reconciler.Commit{Occurrences: map[int64]int64{11: 1}})
	visited := 0
	if err := store.AllLinks(t.Context(), lane, func(reconciler.Link) error { visited++; return nil }); err != nil || visited != 2 {
		t.Fatalf("AllLinks: visited %d links, %v, want 2", visited, err)
	}
}

func moved(t *testing.T, o opener) {
	store := o.store(o.clock())
	link := exampleLink(1)
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{link}})
	former := link.GraphID
	link.GraphID = "another"
	other := exampleLink(2)
	other.GraphID = former
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{other, link}})
	for id, want := range map[string]int64{former: 2, "another": 1} {
		found, err := store.Links(t.Context(), lane, []string{id}, nil)
		if err != nil || len(found) != 1 || found[0].RecordID != want {
			t.Fatalf("Links of %q: got %v, %v, want record %d", id, found, err, want)
		}
	}
}

func logged(t *testing.T, o opener) {
	store := o.store(o.clock())
	start := time.UnixMilli(1_790_000_000_000).UTC()
	var activities []reconciler.Activity
	for index := range 3 {
		activities = append(activities, reconciler.Activity{
			Time: start.Add(time.Duration(index) * time.Second), Lane: lane, RecordID: int64(index), From: reconciler.SideOutlook,
			Action: reconciler.ActionUpdate, Fields: []reconciler.Field{reconciler.FieldTitle}, Lag: 250 * time.Millisecond, Mails: index, Reason: "because",
			Conflicts: []reconciler.Conflict{{
				Field: reconciler.FieldTitle, Loser: reconciler.SideNightPOS, Lost: fmt.Sprintf("secret %d", index),
				Value: &reconciler.Event{Title: fmt.Sprintf("secret %d", index)},
			}},
		})
	}
	commit(t, store, reconciler.Commit{Activities: activities})
	got, err := store.Activities(t.Context(), lane, time.Time{}, 2)
	if err != nil {
		t.Fatalf("Activities: got %v, want no error", err)
	}
	id := got[0].Conflicts[0].ID
	if id == "" || id == got[1].Conflicts[0].ID {
		t.Errorf("the values are named %q and %q", id, got[1].Conflicts[0].ID)
	}
	got[0].Conflicts[0].ID, got[1].Conflicts[0].ID = "", ""
	same(t, "newest", got, []reconciler.Activity{activities[2], activities[1]})
	replaceLost(t, store, id)
	got, err = store.Activities(t.Context(), lane, start.Add(time.Second), 10)
	if err != nil {
		t.Fatalf("Activities: got %v, want no error", err)
	}
	got[0].Conflicts[0].ID = ""
	same(t, "older", got, activities[:1])
	atOnce(t, store, start.Add(time.Minute))
	clocksApart(t, store, start.Add(time.Hour))
}

// clocksApart logs what replicas do whose clocks are five minutes apart, one after the
// other: page by page it is in the order of time, and whole.
func clocksApart(t *testing.T, store *redis.Store, instant time.Time) {
	missing := map[int64]bool{}
	for replica, ahead := range []time.Duration{5 * time.Minute, 4 * time.Minute} {
		var lines []reconciler.Activity
		for index := range 30 {
			record := int64(1000 + 100*replica + index)
			missing[record] = true
			lines = append(lines, reconciler.Activity{
				Time: instant.Add(ahead + time.Duration(index)*10*time.Second), Lane: lane, RecordID: record, Action: reconciler.ActionUpdate,
			})
		}
		commit(t, store, reconciler.Commit{Activities: lines})
	}
	last := time.Time{}
	for range 100 {
		page, err := store.Activities(t.Context(), lane, last, 7)
		if err != nil {
			t.Fatalf("Activities: got %v, want no error", err)
		}
		for _, one := range page {
			if !last.IsZero() && one.Time.After(last) {
				t.Errorf("Activities: %s comes after %s", one.Time, last)
			}
			last = one.Time
			delete(missing, one.RecordID)
		}
		if len(page) == 0 || last.Before(instant) {
			break
		}
	}
	if len(missing) > 0 {
		t.Errorf("Activities: %d lines are on no page: %v", len(missing), slices.Sorted(maps.Keys(missing)))
	}
}

// atOnce logs several lines of one instant, which stay together on a page, whether
// newer lines are asked for as well or not.
func atOnce(t *testing.T, store *redis.Store, instant time.Time) {
	var lines []reconciler.Activity
	for index, after := range []time.Duration{0, time.Second, time.Second, time.Second, 2 * time.Second} {
		lines = append(lines, reconciler.Activity{Time: instant.Add(after), Lane: lane, RecordID: int64(100 + index), Action: reconciler.ActionUpdate})
	}
	commit(t, store, reconciler.Commit{Activities: lines})
	for name, page := range map[string]struct {
		before time.Time
		limit  int
		want   []int64
	}{
		"of all":               {limit: 2, want: []int64{104, 103, 102, 101}},
		"of all, whole":        {limit: 4, want: []int64{104, 103, 102, 101}},
		"of older":             {before: instant.Add(2 * time.Second), limit: 1, want: []int64{103, 102, 101}},
		"of older, and fewer":  {before: instant.Add(time.Second), limit: 1, want: []int64{100}},
		"within a millisecond": {before: instant.Add(time.Second + time.Microsecond), limit: 1, want: []int64{103, 102, 101}},
		"of the newest":        {limit: 1, want: []int64{104}},
		"of none":              {before: time.UnixMilli(1), limit: 1},
	} {
		got, err := store.Activities(t.Context(), lane, page.before, page.limit)
		if err != nil {
			t.Fatalf("Activities %s: got %v, want no error", name, err)
		}
		var records []int64
		for _, one := range got {
			records = append(records, one.RecordID)
		}
		if !slices.Equal(records, page.want) {
			t.Errorf("Activities %s: got lines of %d, want %d", name, records, page.want)
		}
	}
}

// replaceLost has the other version of a conflict take the place of the one kept.
func replaceLost(t *testing.T, store *redis.Store, id string) {
	kept, err := store.Lost(t.Context(), lane, id)
	if err != nil || kept.Text != "secret 2" || kept.Value == nil || kept.Value.Title != "secret 2" {
		t.Fatalf("Lost: got %+v, %v, want secret 2", kept, err)
	}
	if err := store.SaveLost(t.Context(), lane, id, redis.LostValue{Text: "winner", Value: &reconciler.Event{Title: "winner"}, Restored: true}); err != nil {
		t.Fatalf("SaveLost: got %v, want no error", err)
	}
	lines, err := store.Activities(t.Context(), lane, time.Time{}, 1)
	if err != nil || len(lines) != 1 {
		t.Fatalf("Activities: got %v, %v, want a line", lines, err)
	}
	same(t, "restored", lines[0].Conflicts, []reconciler.Conflict{{
		Field: reconciler.FieldTitle, Loser: reconciler.SideNightPOS, Lost: "winner", Value: &reconciler.Event{Title: "winner"}, ID: id, Restored: true,
	}})
	if _, err := store.Lost(t.Context(), lane, "unknown"); !errors.Is(err, redis.ErrNotFound) {
		t.Errorf("Lost of an unknown id: got %v, want %v", err, redis.ErrNotFound)
	}
	if err := store.SaveLost(t.Context(), lane, "unknown", kept); !errors.Is(err, redis.ErrNotFound) {
		t.Errorf("SaveLost of an unknown id: got %v, want %v", err, redis.ErrNotFound)
	}
}

func meetings(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	want := map[string]int64{}
	for index := range 20 {
		want[fmt.Sprintf("uid-%d", index)] = int64(index + 1)
	}
	if err := one.SetMeetings(t.Context(), want); err != nil {
		t.Fatalf("SetMeetings: got %v, want no error", err)
	}
	asked := []string{"unknown"}
	for uid := range want {
		asked = append(asked, uid)
	}
	got, err := two.Meetings(t.Context(), asked)
	if err != nil {
		t.Fatalf("Meetings: got %v, want no error", err)
	}
	same(t, "meetings", got, want)
}

func pairs(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	set := func(lane string, copies map[int64]string) {
		t.Helper()
		if err := one.SetPairs(t.Context(), lane, copies); err != nil {
			t.Fatalf("SetPairs: got %v, want no error", err)
		}
	}
	known := func(lane string, want map[int64]string, recordIDs ...int64) {
		t.Helper()
		got, err := two.Pairs(t.Context(), lane, recordIDs)
		if err != nil {
			t.Fatalf("Pairs: got %v, want no error", err)
		}
		same(t, "pairs", got, want)
	}
	many := map[int64]string{}
	for record := range int64(1200) {
		many[record+1] = fmt.Sprintf("copy %d", record+1)
	}
	set("6", many)
	set("7", map[int64]string{1: "another"})
	known("6", map[int64]string{})
	known("6", map[int64]string{1: "copy 1", 1200: "copy 1200"}, 1, 1200, 1201)
	known("7", map[int64]string{1: "another"}, 1, 2)
	set("6", map[int64]string{2: "copy 2"})
	known("6", map[int64]string{2: "copy 2"}, 1, 2)
	for _, forget := range []func(context.Context, string) error{one.EmptyLinks, one.ForgetLinks, one.RemoveMember} {
		set("6", map[int64]string{2: "copy 2"})
		if err := forget(t.Context(), "6"); err != nil {
			t.Fatalf("forgetting pairs: got %v, want no error", err)
		}
		known("6", map[int64]string{}, 2)
	}
	set("7", nil)
	known("7", map[int64]string{}, 1)
}

func claimed(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	claim := func(store *redis.Store, lane string, others ...string) {
		t.Helper()
		got, err := store.ClaimMeetings(t.Context(), lane, []string{"uid-1", "uid-2"}, time.Second)
		if err != nil {
			t.Fatalf("ClaimMeetings: got %v, want no error", err)
		}
		same(t, "what others have claimed", slices.Sorted(maps.Keys(got)), others)
	}
	unclaim := func(store *redis.Store, lane string, iCalUIDs ...string) {
		t.Helper()
		if err := store.UnclaimMeetings(t.Context(), lane, iCalUIDs); err != nil {
			t.Fatalf("UnclaimMeetings: got %v, want no error", err)
		}
	}
	claim(one, "6")
	claim(one, "6")
	claim(two, "7", "uid-1", "uid-2")
	unclaim(two, "7", "uid-1", "uid-2")
	claim(two, "7", "uid-1", "uid-2")
	unclaim(one, "6", "uid-2")
	claim(two, "7", "uid-1")
	clock.forward(1100 * time.Millisecond)
	claim(two, "7")
	claim(one, "6", "uid-1", "uid-2")
}

func making(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	known := func(lane string, want map[string]string) {
		t.Helper()
		got, err := store.Making(t.Context(), lane, []string{"event_1", "event_2", "event_3"})
		if err != nil {
			t.Fatalf("Making: got %v, want no error", err)
		}
		same(t, "what is about to be made", got, want)
	}
	known("6", map[string]string{})
	for _, copies := range []map[string]string{{"event_1": "one", "event_2": "two"}, {"event_2": "other"}, nil} {
		if err := store.SetMaking(t.Context(), "6", copies, time.Hour); err != nil {
			t.Fatalf("SetMaking: got %v, want no error", err)
		}
	}
	known("6", map[string]string{"event_1": "one", "event_2": "other"})
	known("7", map[string]string{})
	if err := store.SetMaking(t.Context(), "6", map[string]string{"event_1": ""}, time.Second); err != nil {
		t.Fatalf("SetMaking: got %v, want no error", err)
	}
	known("6", map[string]string{"event_2": "other"})
	if got, err := store.Making(t.Context(), "6", nil); err != nil || len(got) > 0 {
		t.Errorf("Making of nothing: got %v, %v", got, err)
	}
}

func members(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	state := redis.MemberState{Member: reconciler.Member{ID: "7", UserID: 7, PartnerID: 8, Login: "bob", Mailbox: "bob@nightpos.example"}, Standing: reconciler.Standing{Synced: true}}
	if err := one.SaveMember(t.Context(), state); err != nil {
		t.Fatalf("SaveMember: got %v, want no error", err)
	}
	if err := one.SaveToken(t.Context(), "7", []byte("token")); err != nil {
		t.Fatalf("SaveToken: got %v, want no error", err)
	}
	if err := one.SaveSubscription(t.Context(), "7", []byte("subscription")); err != nil {
		t.Fatalf("SaveSubscription: got %v, want no error", err)
	}
	if err := one.SaveSetting(t.Context(), "client_secret", []byte("hush")); err != nil {
		t.Fatalf("SaveSetting: got %v, want no error", err)
	}
	day := time.Date(2027, 1, 11, 0, 0, 0, 0, time.UTC)
	sweeps := reconciler.Sweeps{
		Mailbox: "bob@nightpos.example", Since: day, Rebased: day.AddDate(0, 0, 1), Heard: day.AddDate(0, 0, 2),
		Cursor: reconciler.Cursor{Token: "https://graph.example/delta?$deltatoken=x", Window: reconciler.Window{Start: day, End: day.AddDate(2, 0, 0)}},
	}
	if known, err := two.Sweeps(t.Context(), "7"); err != nil || known != (reconciler.Sweeps{}) {
		t.Fatalf("Sweeps: got %+v, %v, want nothing", known, err)
	}
	if err := one.SaveSweeps(t.Context(), "7", sweeps); err != nil {
		t.Fatalf("SaveSweeps: got %v, want no error", err)
	}
	if known, err := two.Sweeps(t.Context(), "7"); err != nil || known != sweeps {
		t.Fatalf("Sweeps: got %+v, %v, want %+v", known, err, sweeps)
	}
	got, err := two.Members(t.Context())
	if err != nil {
		t.Fatalf("Members: got %v, want no error", err)
	}
	same(t, "members", got, []reconciler.Member{state.Member})
	clock.forward(redis.MemberLife + time.Second)
	if again, err := two.Members(t.Context()); err != nil || len(again) != 1 || &again[0] != &got[0] {
		t.Fatalf("Members: got %v, %v, want the same list while nobody changes", again, err)
	}
	state.Name = "Alice of the night"
	if err := one.SaveMember(t.Context(), state); err != nil {
		t.Fatalf("SaveMember: got %v, want no error", err)
	}
	if again, err := two.MembersNow(t.Context()); err != nil || len(again) != 1 || again[0].Name != state.Name {
		t.Fatalf("MembersNow: got %v, %v, want the new name", again, err)
	}
	if err := one.UpdateMember(t.Context(), "7", func(member *redis.MemberState) (bool, error) {
		member.Name = "Alice of the day"
		return true, nil
	}); err != nil {
		t.Fatalf("UpdateMember: got %v, want no error", err)
	}
	if again, err := two.MembersNow(t.Context()); err != nil || len(again) != 1 || again[0].Name != "Alice of the day" {
		t.Fatalf("MembersNow: got %v, %v, want the newest name", again, err)
	}
	for what, read := range map[string]func() ([]byte, error){
		"token": func() ([]byte, error) {
			token, _, err := two.Token(t.Context(), "7")
			return token, err
		},
		"subscription": func() ([]byte, error) { return two.Subscription(t.Context(), "7") },
		"hush":         func() ([]byte, error) { return two.Setting(t.Context(), "client_secret") },
	} {
		if got, err := read(); err != nil || string(got) != what {
			t.Fatalf("%s: got %q, %v, want it back", what, got, err)
		}
	}
	if err := one.RemoveMember(t.Context(), "7"); err != nil {
		t.Fatalf("RemoveMember: got %v, want no error", err)
	}
	if got, err := two.MembersNow(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("MembersNow: got %v, %v, want none", got, err)
	}
	clock.forward(redis.MemberLife + time.Second)
	if got, err := two.Members(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("Members: got %v, %v, want none", got, err)
	}
	if known, err := two.Sweeps(t.Context(), "7"); err != nil || known != (reconciler.Sweeps{}) {
		t.Fatalf("Sweeps: got %+v, %v, want nothing", known, err)
	}
	if _, _, err := two.Token(t.Context(), "7"); !errors.Is(err, redis.ErrNotFound) {
		t.Fatalf("Token: got %v, want %v", err, redis.ErrNotFound)
	}
}

func crowd(t *testing.T, o opener) {
	const lanes, perLane, workers = 20, 30, 4
	clock := o.clock()
	stores := []*redis.Store{o.store(clock), o.store(clock)}
	var mutex sync.Mutex
	seen := map[string]bool{}
	complete := make(chan struct{})
	var once sync.Once
	var group sync.WaitGroup
	working, stop := context.WithCancel(t.Context())
	defer group.Wait()
	defer stop()
	for index := range workers {
		store := stores[index%len(stores)]
		group.Go(func() {
			for {
				batch, err := store.Take(working, 7)
				if errors.Is(err, context.Canceled) {
					return
				}
				if err != nil {
					t.Errorf("Take: got %v, want a batch", err)
					return
				}
				var outcomes []reconciler.Outcome
				mutex.Lock()
				for _, item := range batch.Items {
					seen[batch.Lane+" "+item.Key] = true
					outcomes = append(outcomes, reconciler.Outcome{Key: item.Key})
				}
				done := len(seen) == lanes*perLane
				mutex.Unlock()
				if err := store.Finish(t.Context(), batch.Lease, outcomes); err != nil {
					t.Errorf("Finish: got %v, want no error", err)
				}
				if done {
					once.Do(func() { close(complete) })
				}
			}
		})
	}
	for index := range perLane {
		var hints []reconciler.Hint
		for lane := range lanes {
			hints = append(hints, reconciler.Hint{Lane: fmt.Sprint(lane), Item: reconciler.Item{Key: fmt.Sprintf("outlook:%d", index)}})
		}
		if _, err := stores[index%2].AddHints(t.Context(), hints); err != nil {
			t.Fatalf("AddHints: got %v, want no error", err)
		}
	}
	select {
	case <-complete:
	case <-time.After(patient):
		mutex.Lock()
		defer mutex.Unlock()
		t.Fatalf("taken: got %d items, want %d", len(seen), lanes*perLane)
	}
}

// claims: of many who claim something one gets it, and after a while another.
func claims(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	claim := func(store *redis.Store, name string, want bool) {
		t.Helper()
		if got, err := store.Claim(t.Context(), name, time.Minute); err != nil || got != want {
			t.Fatalf("Claim: got %t, %v, want %t", got, err, want)
		}
	}
	claim(one, "a", true)
	claim(two, "a", false)
	claim(one, "a", false)
	claim(two, "b", true)
	clock.forward(59 * time.Second)
	claim(two, "a", false)
	clock.forward(2 * time.Second)
	claim(two, "a", true)
	claim(one, "a", false)
}

// tickets: of many who use a ticket at once, one gets it; after its life nobody.
func tickets(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	if _, err := one.TakeTicket(t.Context(), "never made"); !errors.Is(err, redis.ErrNotFound) {
		t.Fatalf("TakeTicket: got %v, want ErrNotFound", err)
	}
	if err := one.SaveTicket(t.Context(), "a", []byte("content"), time.Hour); err != nil {
		t.Fatalf("SaveTicket: got %v, want no error", err)
	}
	if content, err := two.Ticket(t.Context(), "a"); err != nil || string(content) != "content" {
		t.Fatalf("Ticket: got %q, %v, want the content, unused", content, err)
	}
	var group sync.WaitGroup
	var mutex sync.Mutex
	got := 0
	for range 8 {
		for _, store := range []*redis.Store{one, two} {
			group.Go(func() {
				content, err := store.TakeTicket(t.Context(), "a")
				mutex.Lock()
				defer mutex.Unlock()
				switch {
				case err == nil && string(content) == "content":
					got++
				case !errors.Is(err, redis.ErrNotFound):
					t.Errorf("TakeTicket: got %q, %v, want the content or ErrNotFound", content, err)
				}
			})
		}
	}
	group.Wait()
	same(t, "how often the ticket was used", got, 1)
}
