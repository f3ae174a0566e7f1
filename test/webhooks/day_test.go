package webhooks_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// faults are the fates of NightPOS's webhooks: 30 % are lost, another 30 % sent
// twice. Its methods are called concurrently.
type faults struct {
	mutex             sync.Mutex
	random            *rand.Rand
	told, lost, twice int
}

func (f *faults) webhook(string, []byte) simnightpos.WebhookFate {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.told++
	switch drawn := f.random.IntN(10); {
	case drawn < 3:
		f.lost++
		return simnightpos.WebhookFate{Drop: true}
	case drawn < 6:
		f.twice++
		return simnightpos.WebhookFate{Duplicates: 1}
	}
	return simnightpos.WebhookFate{}
}

// never is the lag of an edit that was replaced by the next before it arrived.
const never = 1000 * time.Hour

// stopwatch knows when each title was to be written in NightPOS and when alice's Outlook
// showed it. Its methods are called concurrently.
type stopwatch struct {
	mutex         sync.Mutex
	written, seen map[string]time.Time
}

func (s *stopwatch) start(title string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.written[title] = time.Now()
}

func (s *stopwatch) stop(title string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, known := s.seen[title]; !known {
		s.seen[title] = time.Now()
	}
}

func (s *stopwatch) lags() []time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var lags []time.Duration
	for title, written := range s.written {
		seen, arrived := s.seen[title]
		if !arrived {
			lags = append(lags, never)
			continue
		}
		lags = append(lags, seen.Sub(written))
	}
	slices.Sort(lags)
	return lags
}

// TestDayOfBadWebhooks is a day of edits on both sides, most of them in NightPOS,
// which loses 30 % of its webhooks and sends another 30 % twice. What was not told
// is found by the regular looks, which nobody hurries here.
func TestDayOfBadWebhooks(t *testing.T) {
	for _, version := range world.Versions(17, 18, 19) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bad := &faults{random: rand.New(rand.NewPCG(uint64(version), 3))}
				w := world.New(t, world.Options{Version: version, Seed: uint64(version), NightPOS: func(config *simnightpos.Config) {
					config.Webhook = bad.webhook
				}})
				defer w.Close()
				w.Quiet()
				watch := &stopwatch{written: map[string]time.Time{}, seen: map[string]time.Time{}}
				w.Outlook.OnChange(func(change simoutlook.Change) {
					if change.Mailbox != world.Alice || change.Kind == "deleted" || strings.HasPrefix(change.Actor, "person:") {
						return
					}
					if shown, err := w.Outlook.Mailbox(world.Alice).Event(change.EventID); err == nil {
						watch.stop(shown["subject"].(string))
					}
				})
				live(t, w, watch, rand.New(rand.NewPCG(uint64(version), 4)))
				// Deletions leave no trace in NightPOS: the daily look finds them.
				time.Sleep(25 * time.Hour)
				w.Quiet()
				for _, login := range []string{"alice", "bob"} {
					if difference := cmp.Diff(inNightPOS(w, login), inOutlook(w, login)); difference != "" {
						t.Errorf("%s's calendars differ (-NightPOS +Outlook):\n%s\n%s", login, difference, w.Log())
					}
				}
				lags := watch.lags()
				median := lags[len(lags)/2]
				if median >= time.Second {
					t.Errorf("the median lag of %d edits in NightPOS: got %s, want under a second; all: %v", len(lags), median, lags)
				}
				if last := lags[len(lags)-1]; last < time.Minute {
					t.Errorf("the longest lag is %s, want that of an edit that was not told", last)
				}
				if bad.lost < bad.told/5 || bad.twice < bad.told/5 {
					t.Errorf("of %d webhooks %d were lost and %d sent twice, want about 30 %% each", bad.told, bad.lost, bad.twice)
				}
				t.Logf("%d webhooks, %d lost, %d twice; %d edits, median lag %s", bad.told, bad.lost, bad.twice, len(lags), median)
			})
		})
	}
}

// live is a day of alice's and bob's.
func live(t *testing.T, w *world.World, watch *stopwatch, random *rand.Rand) {
	t.Helper()
	const edits = 100
	alice, bob, box := w.NightPOS.Member("alice"), w.NightPOS.Member("bob"), w.Outlook.Mailbox(world.Alice)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	day := time.Now().UTC().AddDate(0, 0, 7).Truncate(24 * time.Hour)
	var events []int
	for number := range edits {
		title := fmt.Sprintf("Edit %d", number)
		start := day.Add(time.Duration(random.IntN(40*24)) * 15 * time.Minute)
		times := map[string]any{
			"name": title, "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
		}
		draw := random.IntN(20)
		switch {
		case len(events) < 8 || draw < 3:
			guests := []any{alice.PartnerID}
			if number%2 == 0 {
				guests = append(guests, bob.PartnerID)
			}
			times["partner_ids"] = []any{[]any{6, 0, guests}}
			watch.start(title)
			id, err := alice.Create(t.Context(), times)
			must(err)
			events = append(events, id)
		case draw < 13:
			watch.start(title)
			must(alice.Write(t.Context(), []int{events[random.IntN(len(events))]}, map[string]any{"name": title}))
		case draw < 16:
			watch.start(title)
			must(alice.Write(t.Context(), []int{events[random.IntN(len(events))]}, times))
		case draw < 18:
			chosen := random.IntN(len(events))
			must(alice.Unlink(t.Context(), events[chosen]))
			events = slices.Delete(events, chosen, chosen+1)
		default:
			shown := box.Events()
			_, err := box.Update(t.Context(), shown[random.IntN(len(shown))]["id"].(string), map[string]any{"location": map[string]any{"displayName": title}})
			must(err)
		}
		time.Sleep(time.Duration(60+random.IntN(600)) * time.Second)
	}
}

// inNightPOS are the events of a person as NightPOS shows them.
func inNightPOS(w *world.World, login string) []string {
	var events []string
	partner := w.NightPOS.Member(login).PartnerID
	for _, event := range w.NightPOS.Events() {
		if active, _ := event["active"].(bool); !active {
			continue
		}
		people, _ := event["attendees"].([]map[string]any)
		if !slices.ContainsFunc(people, func(one map[string]any) bool { return fmt.Sprint(one["partner_id"]) == fmt.Sprint(partner) }) {
			continue
		}
		place, _ := event["location"].(string)
		events = append(events, fmt.Sprintf("%s: %s at %q", event["start"], event["name"], place))
	}
	slices.Sort(events)
	return events
}

// inOutlook are the events of a person as Outlook shows them, without the notes
// that Outlook leaves to guests of what was cancelled.
func inOutlook(w *world.World, login string) []string {
	var events []string
	for _, event := range w.Outlook.Mailbox(world.Address(login)).Events() {
		if cancelled, _ := event["isCancelled"].(bool); cancelled {
			continue
		}
		start := event["start"].(map[string]any)["dateTime"].(string)
		place, _ := event["location"].(map[string]any)["displayName"].(string)
		events = append(events, fmt.Sprintf("%s: %s at %q", strings.Replace(start[:19], "T", " ", 1), event["subject"], place))
	}
	slices.Sort(events)
	return events
}
