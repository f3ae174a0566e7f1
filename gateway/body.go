package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxBody is far more than either side sends: Graph's largest collections are
	// some hundred kilobytes, NightPOS posts one record.
	maxBody = 2 << 20
	// smallBody is more than most posts are.
	smallBody = 64 << 10
	// bodyTime is how long a body may take to arrive. Graph counts an endpoint as
	// slow from three seconds on, NightPOS waits for one.
	bodyTime = 3 * time.Second
)

// intake bounds what the posts to one webhook take of the gateway. Whoever sends
// drop by drop must not keep out those who do not, so that a post has a place to be
// worked on only once its body is there.
type intake struct {
	// places are for what is worked on. Many times as many bodies may be on their way,
	// each of them small; large is how many may be more than that, which bounds what
	// all of them take of memory.
	places, bodies, large chan struct{}
}

func newIntake(places int) *intake {
	return &intake{places: make(chan struct{}, places), bodies: make(chan struct{}, 8*places), large: make(chan struct{}, (places+7)/8)}
}

// take takes a place in what is bounded; it returns false where there is none.
func take(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

func crowded(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, http.StatusServiceUnavailable, "too many webhooks at once, send it again")
}

// admit reads the body of a post within the limits and has it worked on. What it
// refuses it has answered already.
func (i *intake) admit(w http.ResponseWriter, r *http.Request, work func(body []byte)) {
	if r.ContentLength > maxBody {
		tooLarge(w)
		return
	}
	if !take(i.bodies) {
		crowded(w)
		return
	}
	// Everything is given back even if the work panics.
	defer func() { <-i.bodies }()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(limited, smallBody))
	if err == nil && len(body) == smallBody {
		if !take(i.large) {
			crowded(w)
			return
		}
		defer func() { <-i.large }()
		var rest []byte
		rest, err = io.ReadAll(limited)
		body = append(body, rest...)
	}
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded):
		tooLarge(w)
		return
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body could not be read to its end")
		return
	}
	// The server goes on reading, to know when the sender hangs up.
	_ = control.SetReadDeadline(time.Time{})
	if !take(i.places) {
		crowded(w)
		return
	}
	defer func() { <-i.places }()
	work(body)
}

func tooLarge(w http.ResponseWriter) {
	writeProblem(w, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(maxBody)+" bytes")
}
