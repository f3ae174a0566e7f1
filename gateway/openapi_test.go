package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"
)

// TestTheDocumentKnowsEveryCall: what is routed is described, and the other way
// round.
func TestTheDocumentKnowsEveryCall(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var described, routed []string
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" /api/v1"+path)
		}
	}
	router := mux.NewRouter()
	(&api{}).routes(router)
	err = router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		for _, method := range methods {
			if method != http.MethodHead {
				routed = append(routed, method+" "+path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described are\n%s\nrouted are\n%s", strings.Join(described, "\n"), strings.Join(routed, "\n"))
	}
}
