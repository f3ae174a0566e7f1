package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// batchLimit is how many requests a batch may hold.
	batchLimit = 20
	// batchRounds is how often what Graph put off within a batch is asked for
	// again, and batchPatience how long that is waited for each time; beyond it
	// the lane comes back for those alone.
	batchRounds   = 3
	batchPatience = 5 * time.Second
)

// batchRequest is one request of a batch.
type batchRequest struct {
	name, method, path string
	body               content
	ifMatch            string
	// once: a repeat would have an effect of its own.
	once bool
	// after is the number, counted from one, of an earlier request that must have
	// ended well; zero for none.
	after int
}

// batchAnswer is the answer to one of them.
type batchAnswer struct {
	status int
	body   json.RawMessage
	err    error
}

// open reads the answer into an object.
func (a batchAnswer) open(into any) error {
	if a.err != nil {
		return a.err
	}
	if into == nil || len(a.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return &reconciler.RetryError{Cause: "outlook_unreadable", Err: errors.New("an answer in a batch is not what was expected")}
	}
	return nil
}

// batch makes up to batchLimit requests in one call and answers each in its
// place. What Graph did not carry out but put off for a short while is asked for
// again, and nothing else is. The error of an item is in its answer; an error of
// the call means that nothing is known about any.
func (c *Client) batch(ctx context.Context, lane string, requests []batchRequest) ([]batchAnswer, error) {
	answers := make([]batchAnswer, len(requests))
	pending := make([]int, len(requests))
	for index := range pending {
		pending[index] = index
	}
	rejected := ""
	for round := 0; ; round++ {
		used, err := c.batchOnce(ctx, lane, requests, pending, rejected, answers)
		if err != nil && round == 0 {
			return nil, err
		}
		if err != nil {
			for _, index := range pending {
				answers[index].err = err
			}
			return answers, nil
		}
		var pause time.Duration
		pending, pause, rejected = putOff(requests, answers, used)
		if pause > 0 {
			if err := c.gates.leaveAlone(ctx, lane, pause); err != nil {
				return nil, &reconciler.RetryError{Cause: "store", Err: err}
			}
		}
		if len(pending) == 0 || round >= batchRounds || pause > batchPatience || !wait(ctx, pause) {
			for index := range answers {
				answers[index].err = settled(requests[index].method, answers[index].err)
			}
			return answers, nil
		}
	}
}

// putOff finds the requests that were not carried out and may be made again at
// once, how long Graph wants to be left alone before that, and which token it
// did not take, if that is why.
func putOff(requests []batchRequest, answers []batchAnswer, used string) (pending []int, pause time.Duration, rejected string) {
	again := map[int]bool{}
	for index, answer := range answers {
		var retry *reconciler.RetryError
		errors.As(answer.err, &retry)
		pause = max(pause, pauseOf(answer.err))
		switch {
		case answer.err == nil:
		case errors.Is(answer.err, errUnauthorized):
			again[index], rejected = true, used
		case answer.status == http.StatusTooManyRequests:
			again[index] = true
		case answer.status == http.StatusServiceUnavailable && retry != nil && retry.After > 0 && !requests[index].once:
			again[index] = true
		case answer.status == http.StatusPreconditionFailed && requests[index].method == http.MethodGet:
			again[index] = true
		case answer.status == http.StatusFailedDependency && again[requests[index].after-1]:
			again[index] = true
		}
		if again[index] {
			pending = append(pending, index)
		}
	}
	return pending, pause, rejected
}

// batchItem is a request on its way.
type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      content           `json:"body,omitempty"`
	DependsOn []string          `json:"dependsOn,omitempty"`
}

// batchOnce makes the pending requests in one call and fills in their answers.
func (c *Client) batchOnce(ctx context.Context, lane string, requests []batchRequest, pending []int, rejected string, answers []batchAnswer) (used string, err error) {
	items := make([]batchItem, 0, len(pending))
	once := false
	for _, index := range pending {
		items = append(items, itemOf(requests, index, pending))
		once = once || requests[index].once
		answers[index] = batchAnswer{err: &reconciler.RetryError{Cause: "outlook_unreadable", Err: errors.New("a batch was answered in part")}}
	}
	var answered struct {
		Responses []struct {
			ID      string            `json:"id"`
			Status  int               `json:"status"`
			Headers map[string]string `json:"headers"`
			Body    json.RawMessage   `json:"body"`
		} `json:"responses"`
	}
	began := c.config.Now()
	err = c.do(ctx, lane, call{
		name: "POST batch", method: http.MethodPost, path: "/$batch", body: content{"requests": items},
		once: once, calls: len(items), batch: true, rejected: rejected, used: &used,
	}, &answered)
	if err != nil {
		return used, err
	}
	for _, response := range answered.Responses {
		index, err := strconv.Atoi(response.ID)
		if err != nil || !slices.Contains(pending, index) {
			continue
		}
		answers[index] = batchAnswer{status: response.Status, body: response.Body}
		if response.Status < 200 || response.Status > 299 {
			header := http.Header{}
			for name, value := range response.Headers {
				header.Set(name, value)
			}
			answers[index].err = graphError(response.Status, header, response.Body, c.config.Now())
		}
		c.config.Observe(requests[index].name, c.config.Now().Sub(began), answers[index].err)
	}
	return used, nil
}

func itemOf(requests []batchRequest, index int, pending []int) batchItem {
	request := requests[index]
	headers := map[string]string{"Prefer": preferImmutable}
	if request.body != nil {
		headers["Content-Type"] = "application/json"
	}
	if request.ifMatch != "" {
		headers["If-Match"] = request.ifMatch
	}
	item := batchItem{ID: strconv.Itoa(index), Method: request.method, URL: request.path, Headers: headers, Body: request.body}
	// What a request depends on may have been carried out in an earlier round.
	if before := request.after - 1; before >= 0 && slices.Contains(pending, before) {
		item.DependsOn = []string{strconv.Itoa(before)}
	}
	return item
}
