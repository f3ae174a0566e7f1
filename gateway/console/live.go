package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

const (
	// liveTime is how long one stream lasts; the browser opens another one, and is
	// asked anew who it is.
	liveTime = 5 * time.Minute
	// liveStep is how often a stream looks whether something changed, and liveAge how
	// often it sends a page on which nothing did but the time.
	liveStep = time.Second
	liveAge  = 10 * time.Second
	// liveSend is how long a browser may take to read what is sent.
	liveSend = 10 * time.Second
	// streamsOpen is how many streams there are at once, and streamsEach how many of
	// them are one visitor's.
	streamsOpen = 256
	streamsEach = 6
)

// streams counts the open ones.
type streams struct {
	mutex sync.Mutex
	open  int
	each  map[string]int
}

func newStreams() *streams { return &streams{each: map[string]int{}} }

// enter returns a function that leaves again, or nil when there is no place.
func (s *streams) enter(who string) func() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.open >= streamsOpen || s.each[who] >= streamsEach {
		return nil
	}
	s.open++
	s.each[who]++
	return func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.open--
		if s.each[who]--; s.each[who] == 0 {
			delete(s.each, who)
		}
	}
}

// scene is what a stream shows: its template, and how to gather its page. Print is
// cheap and differs when there is something new.
type scene struct {
	page, fragment string
	print          func(ctx context.Context) (any, error)
	gather         func(ctx context.Context) (any, error)
}

// sceneOf finds what a stream is of, if the visitor may see it.
func (c *Console) sceneOf(ctx context.Context, v *view, of string) (scene, error) {
	names := &titles{}
	calendar := func(id string, mine bool) scene {
		return scene{
			page: "person", fragment: "state",
			print: func(ctx context.Context) (any, error) {
				user, err := c.Admin.User(ctx, id)
				if mine && errors.Is(err, gateway.ErrNobody) {
					err = nil
				}
				return []any{user, user.Moving}, err
			},
			gather: func(ctx context.Context) (any, error) { return c.personPage(ctx, v, id, mine, names) },
		}
	}
	if of == "mine" && v.visitor.Person.ID != "" {
		return calendar(v.visitor.Person.ID, true), nil
	}
	if !v.visitor.Administrator {
		return scene{}, &gateway.Refusal{Status: http.StatusForbidden, Text: "this is for administrators of NightPOS"}
	}
	if of == "gateway" {
		gather := func(ctx context.Context) (any, error) { return c.overviewPage(ctx, v) }
		return scene{page: "gateway", fragment: "state", gather: gather}, nil
	}
	if of == "doctor" {
		print := func(ctx context.Context) (any, error) { return c.Admin.Examination(ctx) }
		return scene{page: "doctor", fragment: "state", print: print, gather: func(ctx context.Context) (any, error) { return c.doctorPage(ctx, v) }}, nil
	}
	if id, job := strings.CutPrefix(of, "job-"); job {
		gather := func(ctx context.Context) (any, error) { return c.jobPage(ctx, v, id) }
		return scene{page: "job", fragment: "state", print: gather, gather: gather}, nil
	}
	id, err := c.Admin.Find(ctx, of)
	return calendar(id, false), err
}

// live sends what a page shows whenever it changes, as server-sent events.
func (c *Console) live(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	shown, err := c.sceneOf(ctx, v, r.PathValue("of"))
	if err != nil {
		return err
	}
	who := v.visitor.Name()
	if v.visitor.Person.ID == "" {
		who = v.Form() // of this sign-in
	}
	leave := c.streams.enter(who)
	if leave == nil {
		return &gateway.Refusal{Status: http.StatusServiceUnavailable, Text: "too many pages at once"}
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	ticker := time.NewTicker(liveStep)
	defer ticker.Stop()
	var printed, sent []byte
	var at time.Time
	for first := true; ; first = false {
		if !first {
			select {
			case <-ctx.Done():
				return nil
			case <-c.Visitors.Stopped():
				return nil
			case <-ticker.C:
			}
		}
		v.now = c.Now()
		step := liveAge
		if shown.print == nil {
			step = liveAge / 3
		}
		fresh := v.now.Sub(at) >= step
		if shown.print != nil {
			seen, err := shown.print(ctx)
			if err != nil {
				return nil // the browser comes again, and is told then
			}
			print, err := json.Marshal(seen)
			if err != nil || bytes.Equal(print, printed) && !fresh {
				continue
			}
			printed = print
		} else if !fresh {
			continue
		}
		at = v.now
		if v.Page, err = shown.gather(ctx); err != nil {
			return nil
		}
		var content bytes.Buffer
		if err := c.pages[shown.page].ExecuteTemplate(&content, shown.fragment, v); err != nil {
			return nil
		}
		_ = control.SetWriteDeadline(time.Now().Add(liveSend)) // without one the server's own ends the stream early
		if bytes.Equal(content.Bytes(), sent) {
			_, err = w.Write([]byte(": still here\n\n"))
		} else {
			sent = bytes.Clone(content.Bytes())
			_, err = w.Write(eventOf(sent))
		}
		if err != nil || control.Flush() != nil {
			return nil
		}
	}
}

// eventOf is a message of a stream.
func eventOf(content []byte) []byte {
	var event bytes.Buffer
	for line := range bytes.Lines(content) {
		event.WriteString("data: ")
		event.Write(bytes.TrimRight(line, "\r\n"))
		event.WriteByte('\n')
	}
	event.WriteByte('\n')
	return event.Bytes()
}
