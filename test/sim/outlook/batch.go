package outlook

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// maximumBatch is the number of requests in a batch (10.3).
const maximumBatch = 20

type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// postBatch carries out a batch: each item on its own, at most four at a time,
// those that depend on others after them (10.3, 10.4).
func (s *Server) postBatch(ctx context.Context, q *request) (*answer, error) {
	if q.batch {
		return nil, badRequest("BadRequest", "A batch cannot hold a batch.")
	}
	var content struct {
		Requests []batchItem `json:"requests"`
	}
	if err := json.Unmarshal(q.body, &content); err != nil || content.Requests == nil {
		return nil, badRequest("BadRequest", "Invalid batch payload format.")
	}
	if err := checkBatch(content.Requests); err != nil {
		return nil, err
	}
	results := make([]*answer, len(content.Requests))
	finished := make([]chan struct{}, len(content.Requests))
	position := map[string]int{}
	for i, item := range content.Requests {
		finished[i] = make(chan struct{})
		position[strings.ToLower(item.ID)] = i
	}
	slots := make(chan struct{}, maximumConcurrent)
	var group sync.WaitGroup
	for i, item := range content.Requests {
		group.Go(func() {
			defer close(finished[i])
			for _, name := range item.DependsOn {
				before := position[strings.ToLower(name)]
				<-finished[before]
				if results[before].status >= http.StatusBadRequest {
					results[i] = refusal(failure(http.StatusFailedDependency, "FailedDependency", "The request was not carried out, because one that it depends on failed."))
					return
				}
			}
			slots <- struct{}{}
			results[i] = s.performItem(ctx, q, item)
			<-slots
		})
	}
	group.Wait()
	responses := []any{}
	for i, result := range results {
		headers := map[string]string{}
		for name := range result.header {
			headers[name] = result.header.Get(name)
		}
		response := map[string]any{"id": content.Requests[i].ID, "status": result.status, "headers": headers}
		if result.body != nil {
			headers["Content-Type"] = "application/json"
			s.complete(result, content.Requests[i].ID, content.Requests[i].ID)
			response["body"] = result.body
		}
		responses = append(responses, response)
	}
	s.mutex.Lock()
	s.random.Shuffle(len(responses), func(i, j int) { responses[i], responses[j] = responses[j], responses[i] })
	s.mutex.Unlock()
	return &answer{status: http.StatusOK, body: map[string]any{"responses": responses}}, nil
}

// checkBatch refuses a batch as a whole. A dependency must stand before the
// request that depends on it, which also rules out circles.
func checkBatch(items []batchItem) error {
	if len(items) > maximumBatch {
		return badRequest("BadRequest", "Number of batch request steps exceeds the maximum value of %d.", maximumBatch)
	}
	known := map[string]bool{}
	for _, item := range items {
		folded := strings.ToLower(item.ID)
		switch {
		case item.ID == "" || item.Method == "" || item.URL == "":
			return badRequest("BadRequest", "Each request of a batch needs an id, a method and a url.")
		case known[folded]:
			return badRequest("BadRequest", "Request Id '%s' is used more than once in the batch.", item.ID)
		}
		for _, name := range item.DependsOn {
			if !known[strings.ToLower(name)] {
				return badRequest("BadRequest", "Request '%s' depends on '%s', which does not stand before it.", item.ID, name)
			}
		}
		known[folded] = true
	}
	return nil
}

func (s *Server) performItem(ctx context.Context, outer *request, item batchItem) *answer {
	header := http.Header{}
	for name, value := range item.Headers {
		header.Set(name, value)
	}
	header.Set("Authorization", outer.header.Get("Authorization"))
	body := []byte(item.Body)
	if string(body) == "null" {
		body = nil
	}
	if len(body) > 0 && header.Get("Content-Type") == "" {
		return refusal(badRequest("BadRequest", "Write request id : %s does not contain Content-Type header or body.", item.ID))
	}
	q, err := newRequest(strings.ToUpper(item.Method), item.URL, header, body)
	if err != nil {
		return refusal(err)
	}
	q.batch = true
	return s.perform(ctx, q)
}
