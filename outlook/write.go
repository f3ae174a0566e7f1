package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Write carries out writes: a single one in a call of its own, several in
// batches. All may arrive twice: creates carry a transaction id, changes and
// deletions the version they were made for. Errors follow the rules of
// reconciler.Outlook.
func (c *Client) Write(ctx context.Context, member reconciler.Member, writes []reconciler.OutlookWrite) []reconciler.OutlookResult {
	results := make([]reconciler.OutlookResult, len(writes))
	var indexes []int
	requests := make([]batchRequest, len(writes))
	for index, write := range writes {
		request, needed, err := c.requestOf(member, write)
		switch {
		case err != nil:
			results[index].Err = err
		case !needed:
			results[index].Copy = write.Current
		default:
			requests[index] = request
			indexes = append(indexes, index)
		}
	}
	if len(indexes) == 1 {
		index := indexes[0]
		var body json.RawMessage
		err := c.do(ctx, member.ID, callOf(requests[index]), &body)
		results[index] = c.resultOf(ctx, member, writes[index], batchAnswer{body: body, err: err})
		return results
	}
	for part := range slices.Chunk(indexes, batchLimit) {
		c.writePart(ctx, member, writes, requests, part, results)
	}
	return results
}

func (c *Client) writePart(ctx context.Context, member reconciler.Member, writes []reconciler.OutlookWrite, requests []batchRequest, part []int, results []reconciler.OutlookResult) {
	batch := make([]batchRequest, len(part))
	last := map[string]int{}
	for position, index := range part {
		batch[position] = requests[index]
		// Graph carries out a batch in any order unless told otherwise.
		if id := writes[index].ID; id != "" {
			batch[position].after = last[id]
			last[id] = position + 1
		}
	}
	answers, err := c.batch(ctx, member.ID, batch)
	for position, index := range part {
		if err != nil {
			results[index].Err = err
			continue
		}
		results[index] = c.resultOf(ctx, member, writes[index], answers[position])
	}
}

func callOf(request batchRequest) call {
	made := call{name: request.name, method: request.method, path: request.path, ifMatch: request.ifMatch, once: request.once, calls: 1}
	if request.body != nil {
		made.body = request.body
	}
	return made
}

// requestOf translates a write. It is not needed when Outlook has no place for
// any of its fields.
func (c *Client) requestOf(member reconciler.Member, write reconciler.OutlookWrite) (request batchRequest, needed bool, err error) {
	guard := ""
	if write.ChangeKey != "" {
		guard = etagOf(write.ChangeKey)
	}
	switch write.Action {
	case reconciler.ActionCreate:
		return batchRequest{name: "POST event", method: http.MethodPost, path: "/me/events", body: c.createContent(member, write), once: true}, true, nil
	case reconciler.ActionUpdate:
		body := c.updateContent(member, write)
		if len(body) == 0 && write.Current != nil {
			return batchRequest{}, false, nil
		}
		return batchRequest{name: "PATCH event", method: http.MethodPatch, path: eventPath(write.ID), body: body, ifMatch: guard, once: true}, true, nil
	case reconciler.ActionDelete:
		return batchRequest{name: "DELETE event", method: http.MethodDelete, path: eventPath(write.ID), ifMatch: guard}, true, nil
	case reconciler.ActionAnswer:
		return answerRequest(write, !write.Quiet), true, nil
	}
	return batchRequest{}, false, &reconciler.RefusedError{Reason: "Outlook knows no action " + string(write.Action)}
}

// responses are the calls that answer an invitation.
var responses = map[reconciler.Answer]string{
	reconciler.AnswerAccepted: "accept", reconciler.AnswerTentative: "tentativelyAccept", reconciler.AnswerDeclined: "decline",
}

func answerRequest(write reconciler.OutlookWrite, send bool) batchRequest {
	word, known := responses[write.Answer]
	if !known {
		word = "tentativelyAccept"
	}
	return batchRequest{name: "POST response", method: http.MethodPost, path: eventPath(write.ID) + "/" + word, body: content{"sendResponse": send}, once: send}
}

// resultOf opens the answer to a write.
func (c *Client) resultOf(ctx context.Context, member reconciler.Member, write reconciler.OutlookWrite, answer batchAnswer) reconciler.OutlookResult {
	if answer.err != nil {
		return c.failureOf(ctx, member, write, answer.err)
	}
	if write.Action == reconciler.ActionDelete || write.Action == reconciler.ActionAnswer {
		return reconciler.OutlookResult{}
	}
	var event graphEvent
	if err := answer.open(&event); err != nil {
		return reconciler.OutlookResult{Err: err}
	}
	if event.ID == "" {
		return reconciler.OutlookResult{Err: &reconciler.RetryError{Cause: "outlook_unreadable", Err: errors.New("the answer to a write names no event")}}
	}
	// The mark is not echoed, but known.
	recordID := write.RecordID
	if recordID == 0 && write.Current != nil {
		recordID = write.Current.RecordID
	}
	made := c.copyOf(event, recordID)
	return reconciler.OutlookResult{Copy: &made}
}

// failureOf sorts what went wrong with a write.
func (c *Client) failureOf(ctx context.Context, member reconciler.Member, write reconciler.OutlookWrite, err error) reconciler.OutlookResult {
	var answered *GraphError
	if !errors.As(err, &answered) {
		return reconciler.OutlookResult{Err: err}
	}
	switch {
	case write.Action == reconciler.ActionDelete && errors.Is(err, reconciler.ErrGone):
		return reconciler.OutlookResult{Err: c.confirmGone(ctx, member, write.ID)}
	case write.Action == reconciler.ActionCreate && answered.is("DuplicateTransactionId") && answered.Existing != "":
		return reconciler.OutlookResult{Existed: true, Copy: &reconciler.Copy{ID: answered.Existing, RecordID: write.RecordID}}
	case write.Action == reconciler.ActionCreate && (answered.is("DuplicateTransactionId") || answered.Status == http.StatusConflict):
		if id, found, err := c.madeBefore(ctx, member, write); err != nil {
			return reconciler.OutlookResult{Err: err}
		} else if found {
			return reconciler.OutlookResult{Existed: true, Copy: &reconciler.Copy{ID: id, RecordID: write.RecordID}}
		}
	case write.Action == reconciler.ActionAnswer && answered.Status == http.StatusBadRequest && strings.Contains(answered.message, "requested a response"):
		// The organizer wants no answers: it is kept in this mailbox alone.
		if err := c.do(ctx, member.ID, callOf(answerRequest(write, false)), nil); err != nil {
			return reconciler.OutlookResult{Err: refusal(err)}
		}
		return reconciler.OutlookResult{}
	}
	return reconciler.OutlookResult{Err: refusal(err)}
}

// confirmGone sees whether an event that could not be deleted, since it was not
// found, is really gone: what is believed to be deleted and is not would come back
// with the next sweep. Nil means that it is gone.
func (c *Client) confirmGone(ctx context.Context, member reconciler.Member, id string) error {
	err := c.do(ctx, member.ID, call{name: "GET event", method: http.MethodGet, path: eventPath(id) + "?$select=id", calls: 1}, nil)
	switch {
	case err == nil:
		return &reconciler.RetryError{Cause: "outlook_contradicts", Err: errors.New("the event that is to be deleted was not found by Outlook, which shows it all the same")}
	case absent(err):
		return nil
	}
	return refusal(err)
}

// madeBefore looks for the event of an earlier create with the same key, by the
// mark that it left: not every answer names the event.
func (c *Client) madeBefore(ctx context.Context, member reconciler.Member, write reconciler.OutlookWrite) (id string, found bool, err error) {
	if write.Key == "" || write.RecordID == 0 {
		return "", false, nil
	}
	filter := "singleValueExtendedProperties/Any(ep: ep/id eq '" + markProperty + "' and ep/value eq '" + c.mark(write.RecordID) + "')"
	type made struct {
		ID            string `json:"id"`
		TransactionID string `json:"transactionId"`
	}
	events, err := pages[made](ctx, c, member.ID, "GET events", "/me/events?$select=id,transactionId&$filter="+url.PathEscape(filter))
	if err != nil {
		return "", false, fmt.Errorf("looking for an event that was made before: %w", err)
	}
	for _, event := range events {
		// The mark comes along when a person duplicates an event, the key does not.
		if strings.EqualFold(event.TransactionID, write.Key) {
			return event.ID, true, nil
		}
	}
	return "", false, nil
}
