package gateway

import (
	_ "embed"
	"net/http"
)

// openAPI describes every call of the admin API and every answer.
//
//go:embed openapi.json
var openAPI []byte

// describe answers the description. It is for everybody: it tells nothing of this
// gateway but that it is one.
func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(openAPI)
}
