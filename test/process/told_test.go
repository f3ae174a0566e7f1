package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nightpos/outlook-gateway/demo"
)

// told is what both calendars told the gateways, and whether they were heard: the
// answer was 202. It is the balancer that knows; who gave up waiting for it takes
// itself for unheard, and has been heard all the same.
type told struct {
	mutex sync.Mutex
	// last says of each event whether the last post about it was heard, and heard
	// which events were told of since it was emptied.
	last  map[string]bool
	heard map[demo.Side]map[string]bool
}

// note writes down a post and what became of it.
func (t *told) note(path string, body []byte, heard bool) {
	side, events := demo.NightPOS, []string{}
	switch {
	case path == "/webhooks/graph":
		side = demo.Outlook
		var posted struct {
			Value []struct{ ResourceData struct{ ID string } }
		}
		if json.Unmarshal(body, &posted) != nil {
			return // Graph's validation
		}
		for _, one := range posted.Value {
			events = append(events, one.ResourceData.ID)
		}
	case strings.HasPrefix(path, "/webhooks/nightpos/"):
		var posted struct {
			Model string `json:"_model"`
			ID    int    `json:"_id"`
		}
		if json.Unmarshal(body, &posted) != nil {
			return
		}
		events = append(events, fmt.Sprint(posted.Model, " ", posted.ID))
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.last == nil {
		t.last, t.heard = map[string]bool{}, map[demo.Side]map[string]bool{demo.Outlook: {}, demo.NightPOS: {}}
	}
	for _, event := range events {
		t.last[event] = heard
		if heard {
			t.heard[side][event] = true
		}
	}
}

// unheard is of how many events the last post was not heard.
func (t *told) unheard() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	count := 0
	for _, heard := range t.last {
		if !heard {
			count++
		}
	}
	return count
}

// forget empties what was heard, and hears says of how many events it was since.
func (t *told) forget() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, heard := range t.heard {
		clear(heard)
	}
}

func (t *told) hears(side demo.Side) int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.heard[side])
}

// untold is what the gateways that run count: changes made on a side that no hint
// told of and only a sweep found. A gateway that was killed counts anew.
func (w *world) untold(side demo.Side) int {
	w.t.Helper()
	total := 0
	for index := range w.gateways {
		answer, err := w.client.Get("http://" + w.addresses[index] + "/metrics")
		w.must(err)
		metrics, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		w.must(err)
		found := regexp.MustCompile(`(?m)^outlook_gateway_changes_untold_total\{[^}]*from="` + string(side) + `"[^}]*\} (\d+)$`).FindSubmatch(metrics)
		if found == nil {
			w.t.Fatalf("%s does not count what was not told", w.gateways[index].name)
		}
		count, err := strconv.Atoi(string(found[1]))
		w.must(err)
		total += count
	}
	return total
}

const (
	// burstEvents are changed at once by each person.
	burstEvents = 12
	// burstTime is how long they may take to be told.
	burstTime = 20 * time.Second
)

// burst has people change events on one side, each once, and every gateway killed
// when a part of what was told is answered: what they had said to have heard is not
// lost with them. The gateways that come after sweep everybody, which would hide a
// loss; that they count what a sweep alone found shows it. They may count no more
// than the events that nobody said to have heard of before the killing.
func (w *world) burst(side demo.Side, random *rand.Rand) {
	w.t.Helper()
	ids := w.seedBurst(side)
	total := len(w.logins) * burstEvents
	w.told.forget()
	enough := total/4 + random.IntN(total/2)
	editing, stop := context.WithCancel(w.t.Context())
	var changed atomic.Int32
	var group sync.WaitGroup
	for login, events := range ids {
		group.Go(func() {
			for tag, id := range events {
				if editing.Err() != nil {
					return
				}
				changed.Add(1)
				edit := demo.Edit{Place: pointer(phrase(rand.New(rand.NewPCG(uint64(len(tag)), 1)), 2) + " " + tag)}
				var err error
				if side == demo.Outlook {
					err = w.people.boxes[login].update(context.WithoutCancel(editing), id, edit)
				} else {
					err = w.people.nightpos.Update(context.WithoutCancel(editing), login, id, demo.All, edit)
				}
				w.people.ledger.note(tag, describe(fmt.Sprintf("change one in %s by %s %s", side, login, time.Now().UTC().Format(time.DateTime)), edit), err)
			}
		})
	}
	for deadline := time.Now().Add(burstTime); w.told.hears(side) < enough && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	stop()
	for _, gateway := range w.gateways {
		gateway.mutex.Lock()
		gateway.end(syscall.SIGKILL)
		gateway.mutex.Unlock()
	}
	heard := w.told.hears(side)
	w.note(fmt.Sprintf("all are killed, %d changes in %s are heard", heard, side))
	group.Wait()
	unheard := int(changed.Load()) - heard
	for _, gateway := range w.gateways {
		gateway.run()
	}
	w.ready()
	w.quiet()
	untold := w.untold(side)
	w.t.Logf("of %d changes in %s %d were heard before all gateways were killed; sweeps alone found %d", changed.Load(), side, heard, untold)
	if heard < enough {
		w.t.Errorf("%d changes in %s were told within %s, want at least %d", heard, side, burstTime, enough)
	}
	if untold > unheard {
		w.t.Errorf("%d changes in %s were lost that a gateway had said to have heard", untold-unheard, side)
	}
	w.checkEqual()
}

// seedBurst makes events without guests, has them brought to the other side, and
// returns their ids by person and tag.
func (w *world) seedBurst(side demo.Side) map[string]map[string]string {
	w.t.Helper()
	ids := map[string]map[string]string{}
	for _, login := range w.logins {
		ids[login] = map[string]string{}
		for number := range burstEvents {
			tag := w.people.ledger.tag(side)
			start := w.people.from.AddDate(0, 0, 40).Add(time.Duration(number) * time.Hour)
			edit := demo.Edit{Title: pointer(tag + " " + words[0]), When: &demo.When{Start: start, End: start.Add(30 * time.Minute)}}
			var err error
			if side == demo.Outlook {
				err = w.people.boxes[login].create(w.t.Context(), edit)
			} else {
				_, err = w.people.nightpos.Create(w.t.Context(), login, edit)
			}
			w.must(err)
			w.people.ledger.note(tag, describe(fmt.Sprintf("create in %s by %s", side, login), edit), nil)
			ids[login][tag] = ""
		}
	}
	w.quiet()
	for _, login := range w.logins {
		var events []demo.Event
		var err error
		if side == demo.NightPOS {
			events, err = w.people.nightpos.Events(w.t.Context(), login, w.people.from, w.people.to)
		} else {
			var found []shown
			found, err = w.people.boxes[login].events(w.t.Context(), w.people.from, w.people.to)
			for _, one := range found {
				events = append(events, one.Event)
			}
		}
		w.must(err)
		for _, event := range events {
			if _, wanted := ids[login][tagOf(event.Title)]; wanted {
				ids[login][tagOf(event.Title)] = event.ID
			}
		}
	}
	return ids
}

// subscribed looks until the context ends whether everybody has a subscription that
// lives. One outlives every gateway, and none is taken away before there is another,
// so nobody may be without one at any time.
func (w *world) subscribed(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	looks := 0
	defer func() {
		if looks == 0 {
			w.t.Error("nobody looked whether people are subscribed")
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for login, box := range w.people.boxes {
			live, err := box.subscriptions(w.t.Context())
			if ctx.Err() != nil {
				return
			}
			if looks++; err != nil || live == 0 {
				w.t.Errorf("%s %s has %d live subscriptions, %v", time.Now().Format("15:04:05.000"), login, live, err)
			}
		}
	}
}
