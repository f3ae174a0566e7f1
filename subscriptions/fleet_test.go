package subscriptions_test

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/subscriptions"
)

// fleet is many people's subscriptions on a clock of its own: Microsoft's side,
// the store, and a queue that calls the manager when it wants to be called.
type fleet struct {
	t       *testing.T
	now     time.Time
	random  *rand.Rand
	manager *subscriptions.Manager
	queue   queue
	// token is how long tokens are valid at least; up to half as much again.
	token time.Duration
	// down says that Microsoft is, off that the gateway is.
	down, off bool

	lanes []lane
	// minutes counts the calls that make or renew a subscription, failed ones
	// too, by minute since the beginning; all counts every call.
	minutes []int
	minute  time.Duration
	all     int
	lapses  int
	margin  time.Duration
}

type lane struct {
	kept     subscriptions.Subscription
	live     subscriptions.Subscription
	attempts int
	// turn numbers the lane's place in the queue; older ones are void. at is when
	// it is.
	turn int
	at   time.Time
}

type place struct {
	at     time.Time
	lane   int
	turn   int
	signal string
}

type queue []place

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(place)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

var launch = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

func newFleet(t *testing.T, people int, token time.Duration) *fleet {
	f := &fleet{t: t, now: launch, random: rand.New(rand.NewPCG(3, 4)), lanes: make([]lane, people), token: token, margin: subscriptions.Life, minute: time.Minute}
	f.start()
	return f
}

// start starts a gateway.
func (f *fleet) start() {
	var err error
	f.manager, err = subscriptions.NewManager(subscriptions.Config{
		Calls: f, Records: f, NotificationURL: address, LifecycleURL: address + "/lifecycle",
		ClientState: func(string) (string, error) { return "state", nil },
		Gap:         func(context.Context, string) error { return nil },
		Now:         func() time.Time { return f.now }, Random: f.random,
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// connect lets everybody connect within an hour.
func (f *fleet) connect() {
	for index := range f.lanes {
		f.add(index, f.now.Add(time.Duration(f.random.Int64N(int64(time.Hour)))), reconciler.SignalConnected)
	}
}

func (f *fleet) add(index int, at time.Time, signal string) {
	f.lanes[index].turn++
	f.lanes[index].at = at
	heap.Push(&f.queue, place{at: at, lane: index, turn: f.lanes[index].turn, signal: signal})
}

// run lives until a time. While the gateway is off nothing is taken.
func (f *fleet) run(until time.Time) {
	for !f.off && len(f.queue) > 0 && !f.queue[0].at.After(until) {
		next := heap.Pop(&f.queue).(place)
		if next.turn != f.lanes[next.lane].turn {
			continue
		}
		f.now = later(f.now, next.at)
		f.ensure(next)
	}
	f.now = later(f.now, until)
}

func (f *fleet) ensure(next place) {
	one := &f.lanes[next.lane]
	at, err := f.manager.Ensure(f.t.Context(), reconciler.Member{ID: strconv.Itoa(next.lane)},
		reconciler.Item{Version: next.signal, Attempts: one.attempts})
	var retry *reconciler.RetryError
	switch {
	case err == nil:
		one.attempts = 0
	case errors.As(err, &retry) && retry.After > 0:
		one.attempts++
		at = f.now.Add(retry.After)
	default:
		f.t.Fatal(err)
	}
	f.add(next.lane, later(at, f.now), "")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var errDown = &reconciler.RetryError{Cause: "outlook_unavailable"}

// count takes note of a call that makes or renews.
func (f *fleet) count() error {
	minute := int(f.now.Sub(launch) / f.minute)
	for len(f.minutes) <= minute {
		f.minutes = append(f.minutes, 0)
	}
	f.minutes[minute]++
	f.all++
	if f.down {
		return errDown
	}
	return nil
}

// extend gives a subscription a new end, and takes note of how much time was
// left.
func (f *fleet) extend(one *lane, id string, expires time.Time) subscriptions.Subscription {
	if one.live.ID != "" {
		ends := one.live.Expires
		if f.token > 0 {
			ends = one.live.Authorized
		}
		left := ends.Sub(f.now)
		f.margin = min(f.margin, left)
		if left < 0 {
			f.lapses++
		}
	}
	one.live = subscriptions.Subscription{ID: id, NotificationURL: address, Expires: expires}
	if f.token > 0 {
		one.live.Authorized = f.now.Add(f.token + time.Duration(f.random.Int64N(int64(f.token/2))))
	}
	return one.live
}

func (f *fleet) lane(member reconciler.Member) *lane {
	index, err := strconv.Atoi(member.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return &f.lanes[index]
}

func (f *fleet) Create(_ context.Context, member reconciler.Member, request subscriptions.Request) (subscriptions.Subscription, error) {
	if err := f.count(); err != nil {
		return subscriptions.Subscription{}, err
	}
	return f.extend(f.lane(member), fmt.Sprint(member.ID, "-", f.now.Unix()), request.Expires), nil
}

func (f *fleet) Renew(_ context.Context, member reconciler.Member, id string, expires time.Time, _ string) (subscriptions.Subscription, error) {
	if err := f.count(); err != nil {
		return subscriptions.Subscription{}, err
	}
	one := f.lane(member)
	if one.live.ID != id || !one.live.Expires.After(f.now) {
		return subscriptions.Subscription{}, reconciler.ErrGone
	}
	return f.extend(one, id, expires), nil
}

func (f *fleet) Delete(context.Context, reconciler.Member, string) error {
	f.all++
	return nil
}

func (f *fleet) List(_ context.Context, member reconciler.Member) ([]subscriptions.Subscription, error) {
	f.all++
	if f.down {
		return nil, errDown
	}
	return []subscriptions.Subscription{f.lane(member).live}, nil
}

func (f *fleet) Subscription(_ context.Context, lane string) (subscriptions.Subscription, error) {
	return f.lane(reconciler.Member{ID: lane}).kept, nil
}

func (f *fleet) SaveSubscription(_ context.Context, lane string, subscription subscriptions.Subscription) error {
	f.lane(reconciler.Member{ID: lane}).kept = subscription
	return nil
}

// busy returns the calls a day, the mean minute and the busiest one of a span.
func (f *fleet) busy(from, to time.Time) (daily, mean float64, busiest int) {
	first, last := int(from.Sub(launch)/f.minute), int(to.Sub(launch)/f.minute)
	total := 0
	for minute := first; minute < last && minute < len(f.minutes); minute++ {
		total += f.minutes[minute]
		busiest = max(busiest, f.minutes[minute])
	}
	mean = float64(total) / float64(last-first)
	return mean * float64(day) / float64(f.minute), mean, busiest
}

// check prints a span and holds its busiest minute against a mean.
func (f *fleet) check(name string, from, to time.Time, mean float64) {
	f.t.Helper()
	daily, own, busiest := f.busy(from, to)
	if mean == 0 {
		mean = own
	}
	f.t.Logf("%-34s %8.0f calls a day, %6.1f a minute, the busiest minute %5d: %.1f times the mean", name, daily, own, busiest, float64(busiest)/mean)
	if float64(busiest) > 3*mean {
		f.t.Errorf("%s: the busiest minute has %d calls, want at most 3 times the mean of %.1f", name, busiest, mean)
	}
}

// live says how many people have a subscription that delivers.
func (f *fleet) live() int {
	count := 0
	for _, one := range f.lanes {
		if one.live.Expires.After(f.now) && (f.token == 0 || one.live.Authorized.After(f.now)) {
			count++
		}
	}
	return count
}

const day = 24 * time.Hour

func TestAHundredThousandPeoplesSubscriptionsAreRenewedEvenly(t *testing.T) {
	people := fleetSize
	if testing.Short() {
		people = fleetSize / 10
	}
	f := newFleet(t, people, 0)
	// Of fewer people, as many more minutes show what one does of all.
	f.minute = time.Minute * time.Duration(100_000/people)
	f.connect()
	f.run(launch.Add(12 * day))
	f.check("after all connected in one hour", launch.Add(time.Hour), f.now, 0)
	_, mean, _ := f.busy(launch.Add(time.Hour), f.now)

	f.down = true
	f.run(launch.Add(13 * day))
	f.down = false
	f.check("Microsoft is out for 24 h", launch.Add(12*day), f.now, mean)
	f.run(launch.Add(18 * day))
	f.check("and is back", launch.Add(13*day), f.now, mean)

	f.off = true
	f.run(launch.Add(19 * day))
	f.off = false
	before := f.all
	f.start()
	var members []reconciler.Member
	for index := range f.lanes {
		members = append(members, reconciler.Member{ID: strconv.Itoa(index)})
	}
	starts := 0
	if err := f.manager.Start(t.Context(), members, func(_ context.Context, lane string, item reconciler.Item) error {
		index, err := strconv.Atoi(lane)
		// The item is folded into the one that waits.
		f.add(index, earlier(item.Due, f.lanes[index].at), item.Version)
		starts++
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if starts != people {
		t.Fatalf("%d looks at the start, want %d", starts, people)
	}
	f.run(launch.Add(20 * day))
	f.check("the gateway was off for 24 h", launch.Add(19*day), f.now, mean)
	t.Logf("all calls of that day: %d, with %d looks for strays", f.all-before, people)
	f.run(launch.Add(26 * day))
	f.check("a week later", launch.Add(20*day), f.now, mean)

	t.Logf("%d renewals and creations; the tightest margin %s", sum(f.minutes), f.margin.Round(time.Minute))
	if f.lapses > 0 || f.live() != people {
		t.Errorf("%d lapses, %d live; want none and %d: a day is far less than the life that is left", f.lapses, f.live(), people)
	}
}

func sum(counts []int) int {
	total := 0
	for _, count := range counts {
		total += count
	}
	return total
}

// Where Microsoft delivers only as long as the token lives, a subscription is
// authorized anew about every hour, and an outage makes everybody's lapse.
func TestAFleetWithHourlyTokensComesBackAtAnEvenPace(t *testing.T) {
	const people = 10_000
	f := newFleet(t, people, time.Hour)
	f.connect()
	f.run(launch.Add(day))
	f.check("hourly tokens", launch.Add(time.Hour), f.now, 0)
	_, mean, _ := f.busy(launch.Add(6*time.Hour), f.now)
	if f.lapses > 0 {
		t.Errorf("%d lapses in fair weather, want none", f.lapses)
	}
	f.down = true
	f.run(launch.Add(2 * day))
	f.down = false
	f.run(launch.Add(2*day + time.Hour))
	_, during, stormiest := f.busy(launch.Add(day), launch.Add(2*day))
	_, after, busiest := f.busy(launch.Add(2*day), f.now)
	t.Logf("out for 24 h: %.1f calls a minute, at most %d; in the hour after: %.1f, at most %d", during, stormiest, after, busiest)
	// Ten in a second is what those have together that lapsed.
	if limit := 600 + 3*mean; float64(max(stormiest, busiest)) > limit {
		t.Errorf("%d calls in a minute, want at most %.0f", max(stormiest, busiest), limit)
	}
	if got := f.live(); got != people {
		t.Errorf("an hour after the outage %d deliver, want %d", got, people)
	}
	f.run(launch.Add(3 * day))
	f.check("the day after", launch.Add(2*day+time.Hour), f.now, mean)
}

// A thousand renewals that are overdue at a start: those without life left go
// first, in turns, the others in time and spread.
func TestAThousandOverdueRenewalsAreSpreadMostUrgentFirst(t *testing.T) {
	const people = 1_000
	f := newFleet(t, people, 0)
	f.connect()
	f.run(launch.Add(8 * day))
	f.off = true
	f.run(f.now.Add(day))
	f.off = false
	f.start()
	// Everybody's is overdue, with what is left of life running from nothing to
	// six days.
	for index := range f.lanes {
		one := &f.lanes[index]
		one.kept.Due = f.now.Add(-12 * time.Hour)
		one.live.Expires = f.now.Add(time.Duration(index-100) * 10 * time.Minute)
		one.kept.Expires = one.live.Expires
		f.add(index, one.kept.Due, "")
	}
	began := f.now
	f.run(began.Add(30 * time.Second))
	renewed := func(from, to int) (count int) {
		for index := from; index < to; index++ {
			if f.lanes[index].live.Expires.After(began.Add(6*day + 23*time.Hour)) {
				count++
			}
		}
		return count
	}
	if got := renewed(0, 101); got != 101 {
		t.Errorf("%d of the 101 that had lapsed are back within 30 s, want all", got)
	}
	if got := renewed(101, people); got > 20 {
		t.Errorf("%d of the others were renewed with them, want hardly any", got)
	}
	f.run(began.Add(6 * time.Hour))
	first, last := renewed(101, 300), renewed(800, 1000)
	f.run(began.Add(4 * day))
	t.Logf("after 6 h: %d of the 200 most urgent and %d of the 200 least urgent are renewed; at last %d", first, last, renewed(0, people))
	if first <= 2*last || first < 100 {
		t.Errorf("after 6 h %d of the 200 most urgent and %d of the 200 least urgent are renewed, want far more of the former", first, last)
	}
	if got := renewed(0, people); got != people || f.lapses != 101 {
		t.Errorf("%d renewed, %d after they had lapsed; want all, and only the 101 that had at the start", got, f.lapses)
	}
	_, _, busiest := f.busy(began.Add(time.Minute), f.now)
	if busiest > 15 {
		t.Errorf("%d in the busiest minute, want at most 15", busiest)
	}
}
