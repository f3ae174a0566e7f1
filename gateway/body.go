package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// maxBody is far more than either side sends: Graph's largest collections are
// some hundred kilobytes, NightPOS posts one record.
const maxBody = 2 << 20

// readBody reads a webhook's body within the limit. When it fails it has
// answered already.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if r.ContentLength > maxBody {
		tooLarge(w)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded):
		tooLarge(w)
		return nil, false
	case err != nil:
		writeProblem(w, http.StatusBadRequest, "the body could not be read to its end")
		return nil, false
	}
	return body, true
}

func tooLarge(w http.ResponseWriter) {
	writeProblem(w, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(maxBody)+" bytes")
}
