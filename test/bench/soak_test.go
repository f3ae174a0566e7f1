package bench_test

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var (
	soak       = flag.Duration("soak", 0, "how long TestSoak changes events, as make soak does; 0: not at all")
	soakRate   = flag.Int("rate", 200, "how many changes a second TestSoak makes")
	soakFolder = flag.String("soak-folder", ".", "where TestSoak leaves soak.csv and soak.svg")
)

const (
	soakPeople = 60
	soakEvents = 10 // of each person, on each side
	soakEvery  = 5 * time.Second
)

// TestSoak changes events on both sides, at a steady rate and for as long as is
// asked for, while the gateway runs as a process of its own, and holds that its
// memory, its goroutines and its keys in Redis stay what they were.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("a soak takes long and needs the machine for itself: run make soak, or pass -soak")
	}
	w := newWorld(t, wishes{people: soakPeople, redisURL: startRedis(t)})
	defer w.close()
	process := w.replaced()
	defer process.end()
	s := &soaking{world: w, process: process, random: rand.New(rand.NewPCG(1, 1)), redis: driver(t, w.config.Settings.RedisURL.Reveal())}
	s.prepare()
	s.catchUp()
	s.live()
	s.catchUp()
	s.sample()
	w.must(s.save(*soakFolder))
	s.check()
}

// process is a gateway outside this one.
type process struct {
	t       testing.TB
	command *exec.Cmd
	ended   chan error
}

// replaced ends the world's own gateway and starts the binary in its place.
func (w *world) replaced() *process {
	w.t.Helper()
	binary := build(w.t)
	w.stop()
	p := &process{t: w.t, command: exec.CommandContext(context.WithoutCancel(w.t.Context()), binary, "serve"), ended: make(chan error, 1)}
	p.command.Stderr = os.Stderr
	for name, value := range w.environment() {
		p.command.Env = append(p.command.Env, name+"="+value)
	}
	w.must(p.command.Start())
	go func() { p.ended <- p.command.Wait() }()
	w.ready(p.ended)
	return p
}

func (p *process) end() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	if err := <-p.ended; err != nil {
		p.t.Errorf("serving ended: %v", err)
	}
}

// point is one sample.
type point struct {
	at         time.Duration
	resident   float64 // bytes
	heap       float64 // bytes
	goroutines float64
	keys       float64
	store      float64 // bytes
	lanes      float64 // with work that is due
	changes    float64 // made so far
}

// series are the columns of the table and the panels of the picture.
var series = []struct {
	name, unit string
	scale      float64
	of         func(point) float64
	// flat says that it must not grow.
	flat bool
}{
	{"resident_memory", "MB", 1 << 20, func(p point) float64 { return p.resident }, true},
	{"heap", "MB", 1 << 20, func(p point) float64 { return p.heap }, true},
	{"goroutines", "", 1, func(p point) float64 { return p.goroutines }, true},
	{"redis_keys", "", 1, func(p point) float64 { return p.keys }, true},
	{"redis_memory", "MB", 1 << 20, func(p point) float64 { return p.store }, true},
	{"lanes_due", "", 1, func(p point) float64 { return p.lanes }, false},
	{"changes", "", 1, func(p point) float64 { return p.changes }, false},
}

// soaking is a soak under way.
type soaking struct {
	*world
	process *process
	redis   *goredis.Client
	random  *rand.Rand
	copies  [soakPeople][]string
	records [soakPeople][]int
	begun   time.Time
	changes atomic.Int64
	points  []point
}

// prepare makes every person's events, on both sides.
func (s *soaking) prepare() {
	start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 3)
	for number := range soakPeople {
		for index := range soakEvents {
			begin := start.Add(time.Duration(index) * 24 * time.Hour)
			made, err := s.outlook.Mailbox(mailbox(number)).Create(s.t.Context(), map[string]any{
				"subject": fmt.Sprint("Outlook ", index),
				"start":   map[string]any{"dateTime": begin.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
				"end":     map[string]any{"dateTime": begin.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			})
			s.must(err)
			id, _ := made["id"].(string)
			s.copies[number] = append(s.copies[number], id)
			record, err := s.nightpos.Member(login(number)).Create(s.t.Context(), map[string]any{
				"name": fmt.Sprint("NightPOS ", index), "start": begin.Format(time.DateTime), "stop": begin.Add(time.Hour).Format(time.DateTime),
			})
			s.must(err)
			s.records[number] = append(s.records[number], record)
		}
	}
}

// live makes changes at the rate that is asked for, and samples.
func (s *soaking) live() {
	s.begun = time.Now()
	tick := time.NewTicker(time.Second / time.Duration(*soakRate))
	defer tick.Stop()
	// As many at once as calls may take a while; more would be no steady rate.
	places := make(chan struct{}, 64)
	next := s.begun
	for now := s.begun; now.Sub(s.begun) < *soak; now = <-tick.C {
		if !now.Before(next) {
			s.sample()
			next = next.Add(soakEvery)
		}
		number, index, side := s.random.IntN(soakPeople), s.random.IntN(soakEvents), s.random.IntN(2)
		word := fmt.Sprint("Room ", s.random.IntN(1_000_000))
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			var err error
			if side == 0 {
				_, err = s.outlook.Mailbox(mailbox(number)).Update(s.t.Context(), s.copies[number][index], map[string]any{"location": map[string]any{"displayName": word}})
			} else {
				err = s.nightpos.Member(login(number)).Write(s.t.Context(), []int{s.records[number][index]}, map[string]any{"location": word})
			}
			if err != nil {
				s.t.Errorf("a change: %v", err)
			}
			s.changes.Add(1)
		}()
	}
	for range cap(places) {
		places <- struct{}{}
	}
}

// catchUp waits until nothing is due in any lane.
func (s *soaking) catchUp() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Minute)
	defer cancel()
	store := openStore(s.t, s.config.Settings.RedisURL.Reveal(), "")
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		calm++
		for _, member := range s.members {
			count, err := store.Pending(ctx, member.ID, 10*time.Second)
			s.must(err)
			if count > 0 {
				calm = 0
			}
		}
	}
}

// sample reads everything once.
func (s *soaking) sample() {
	s.t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.command.Process.Pid), "status"))
	s.must(err)
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.config.Settings.PublicURL+"/metrics", nil)
	s.must(err)
	answer, err := http.DefaultClient.Do(request)
	s.must(err)
	metrics, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	s.must(err)
	keys, err := s.redis.DBSize(s.t.Context()).Result()
	s.must(err)
	memory, err := s.redis.Info(s.t.Context(), "memory").Result()
	s.must(err)
	s.points = append(s.points, point{
		at: time.Since(s.begun), resident: float64(field(s.t, status, "VmRSS")), keys: float64(keys), changes: float64(s.changes.Load()),
		heap: s.number(metrics, `(?m)^go_memstats_heap_inuse_bytes (\S+)$`), goroutines: s.number(metrics, `(?m)^go_goroutines (\S+)$`),
		lanes: s.number(metrics, `(?m)^outlook_gateway_queue_lanes (\S+)$`), store: s.number([]byte(memory), `(?m)^used_memory:(\d+)`),
	})
}

func (s *soaking) number(text []byte, pattern string) float64 {
	s.t.Helper()
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("nothing looks like %s", pattern)
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	s.must(err)
	return value
}

// check compares the last third with the one before it: the first one is the
// gateway's finding its size.
func (s *soaking) check() {
	s.t.Helper()
	last := s.points[len(s.points)-1]
	if want := float64(*soakRate) * soak.Seconds() * 0.95; last.changes < want {
		s.t.Errorf("%.0f changes were made, want %.0f", last.changes, want)
	}
	third := len(s.points) / 3
	mean := func(points []point, of func(point) float64) float64 {
		sum := 0.0
		for _, one := range points {
			sum += of(one)
		}
		return sum / float64(max(len(points), 1))
	}
	for _, one := range series {
		before, after := mean(s.points[third:2*third], one.of), mean(s.points[2*third:], one.of)
		s.t.Logf("%s: %.1f, then %.1f %s; %.1f in the end", one.name, before/one.scale, after/one.scale, one.unit, one.of(last)/one.scale)
		if one.flat && after > before*1.2 {
			s.t.Errorf("%s grew from %.1f to %.1f %s", one.name, before/one.scale, after/one.scale, one.unit)
		}
	}
}

// save leaves the table and the picture.
func (s *soaking) save(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	var text strings.Builder
	table := csv.NewWriter(&text)
	head := []string{"seconds"}
	for _, one := range series {
		head = append(head, one.name)
	}
	rows := [][]string{head}
	for _, sampled := range s.points {
		row := []string{strconv.FormatFloat(sampled.at.Seconds(), 'f', 1, 64)}
		for _, one := range series {
			row = append(row, strconv.FormatFloat(one.of(sampled), 'f', 0, 64))
		}
		rows = append(rows, row)
	}
	if err := table.WriteAll(rows); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "soak.csv"), []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "soak.svg"), []byte(drawn(s.points)), 0o600)
}

// drawn is the picture: a panel for each series, from zero up.
func drawn(points []point) string {
	const width, height, left, gap = 900, 110, 70, 30
	var picture strings.Builder
	fmt.Fprintf(&picture, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="white"/>`,
		width+left+20, len(series)*(height+gap)+20)
	end := points[len(points)-1].at.Seconds()
	for index, one := range series {
		top := index*(height+gap) + 20
		most := 1.0
		for _, sampled := range points {
			most = max(most, one.of(sampled)/one.scale)
		}
		fmt.Fprintf(&picture, `<text x="%d" y="%d">%s %s</text><text x="4" y="%d">%.0f</text><text x="4" y="%d">0</text><rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#bbb"/>`,
			left, top-5, one.name, one.unit, top+10, most, top+height, left, top, width, height)
		picture.WriteString(`<polyline fill="none" stroke="#0b5cad" stroke-width="1.5" points="`)
		for _, sampled := range points {
			fmt.Fprintf(&picture, "%.1f,%.1f ", left+sampled.at.Seconds()/end*width, float64(top)+height-one.of(sampled)/one.scale/most*height)
		}
		picture.WriteString(`"/>`)
	}
	fmt.Fprintf(&picture, `<text x="%d" y="%d">%.0f s</text></svg>`, left+width-40, len(series)*(height+gap)+15, end)
	return picture.String()
}
