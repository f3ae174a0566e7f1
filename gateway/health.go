package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// healthAge is how long the answers of dependencies are believed, so that
	// monitors cannot load them.
	healthAge = time.Second
	// healthTime bounds one check.
	healthTime = 3 * time.Second
)

// DependencyStatus is one entry of readyz: how a dependency is.
type DependencyStatus struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	// Status is ok, warning or failed.
	Status string `json:"status"`
	// LatencyMS is how long the last check took.
	LatencyMS float64 `json:"latency_ms"`
	// Since is when the present status began.
	Since time.Time `json:"since"`
	// Error is what is wrong.
	Error string `json:"error,omitempty"`
}

// health checks dependencies on demand, at most once every healthAge however
// many monitors ask.
type health struct {
	dependencies []Dependency
	now          func() time.Time
	// checking is held during a round of checks; a channel since it spans calls.
	checking chan struct{}
	// stopping says that the process is about to end.
	stopping atomic.Bool

	mutex   sync.Mutex
	checked time.Time
	known   []DependencyStatus
}

func newHealth(dependencies []Dependency, now func() time.Time) *health {
	return &health{dependencies: dependencies, now: now, checking: make(chan struct{}, 1)}
}

// live answers healthz: the process runs and answers. Nothing is asked.
func live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers readyz.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	statuses, err := h.statuses(r.Context())
	if err != nil {
		writeProblem(w, http.StatusServiceUnavailable, "the checks did not end in time")
		return
	}
	answer, status := "ok", http.StatusOK
	for _, dependency := range statuses {
		if dependency.Required && dependency.Status == statusFailed {
			answer, status = "unavailable", http.StatusServiceUnavailable
		}
	}
	if h.stopping.Load() {
		answer, status = "stopping", http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"status": answer, "dependencies": statuses})
}

const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
)

func (h *health) statuses(ctx context.Context) ([]DependencyStatus, error) {
	if known, fresh := h.recent(); fresh {
		return known, nil
	}
	select {
	case h.checking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.checking }()
	known, fresh := h.recent()
	if fresh {
		return known, nil
	}
	// A monitor that hangs up must not make a dependency look broken.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime)
	defer cancel()
	fresher := CheckAll(ctx, h.dependencies, h.now)
	for index := range fresher {
		if len(known) > index && known[index].Status == fresher[index].Status {
			fresher[index].Since = known[index].Since
		}
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.known, h.checked = fresher, h.now()
	return fresher, nil
}

func (h *health) recent() ([]DependencyStatus, bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.known, h.known != nil && h.now().Sub(h.checked).Abs() < healthAge
}

// CheckAll asks all dependencies at the same time.
func CheckAll(ctx context.Context, dependencies []Dependency, now func() time.Time) []DependencyStatus {
	statuses := make([]DependencyStatus, len(dependencies))
	var group sync.WaitGroup
	for index, dependency := range dependencies {
		group.Go(func() { statuses[index] = check(ctx, dependency, now) })
	}
	group.Wait()
	return statuses
}

func check(ctx context.Context, dependency Dependency, now func() time.Time) DependencyStatus {
	began := now()
	err := dependency.Check(ctx)
	ended := now()
	status := DependencyStatus{
		Name: dependency.Name, Required: dependency.Required, Status: statusOK,
		LatencyMS: float64(ended.Sub(began).Microseconds()) / 1000, Since: ended.UTC(),
	}
	var warning *Warning
	switch {
	case errors.As(err, &warning):
		status.Status, status.Error = statusWarning, warning.Text
	case err != nil:
		status.Status, status.Error = statusFailed, err.Error()
	}
	return status
}
