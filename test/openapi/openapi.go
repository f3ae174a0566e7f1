// Package openapi holds what the gateway's admin API answers against the document
// that describes it.
package openapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Root is where the API begins.
const Root = "/api/v1"

// Checked is a transport to the gateway. Every answer of the API that the document
// does not describe fails the test, and so does a request that the API took
// although the document does not.
func Checked(t testing.TB, next http.RoundTripper) http.RoundTripper {
	return &checked{test: t, next: next}
}

type checked struct {
	test testing.TB
	next http.RoundTripper

	mutex  sync.Mutex
	router routers.Router
}

// RoundTrip implements http.RoundTripper.
func (c *checked) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(request.URL.Path, Root+"/") {
		return c.next.RoundTrip(request)
	}
	var sent []byte
	if request.Body != nil {
		var err error
		if sent, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := c.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(content))
	if err := c.check(request, sent, answer, content); err != nil {
		c.test.Errorf("%s %s answered %d, which is not as the document says: %v\n%s", request.Method, request.URL.Path, answer.StatusCode, err, content)
	}
	return answer, nil
}

func (c *checked) check(request *http.Request, sent []byte, answer *http.Response, content []byte) error {
	router, err := c.document(request)
	if err != nil {
		return err
	}
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return err
	}
	asked := request.Clone(request.Context())
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	if len(sent) > 0 {
		asked.Header.Set("Content-Type", "application/json")
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	input := &openapi3filter.RequestValidationInput{Request: asked, PathParams: parameters, Route: route, Options: options}
	if answer.StatusCode < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(request.Context(), input); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	if described := route.Operation.Responses.Status(answer.StatusCode); described != nil && len(described.Value.Content) == 0 && len(content) > 0 {
		return fmt.Errorf("there is a body of %d bytes", len(content))
	}
	return openapi3filter.ValidateResponse(request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.StatusCode, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(content)), Options: options,
	})
}

// document reads the document from the gateway that is asked.
func (c *checked) document(request *http.Request) (routers.Router, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.router != nil {
		return c.router, nil
	}
	ask, err := http.NewRequestWithContext(request.Context(), http.MethodGet, request.URL.Scheme+"://"+request.URL.Host+Root+"/openapi.json", http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := c.next.RoundTrip(ask)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	c.router, err = Router(request.Context(), content)
	return c.router, err
}

// Router reads a document, which must be a valid one.
func Router(ctx context.Context, content []byte) (routers.Router, error) {
	document, err := openapi3.NewLoader().LoadFromData(content)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	if err := document.Validate(ctx); err != nil {
		return nil, fmt.Errorf("the document is not valid: %w", err)
	}
	return gorillamux.NewRouter(document)
}
