package gateway

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Metrics are what a monitor can see. They hold no addresses, no event text and
// no ids of people. The zero value is not usable; see NewMetrics.
type Metrics struct {
	registry     *prometheus.Registry
	history      *LagHistory
	lag          *prometheus.HistogramVec
	synced       *prometheus.CounterVec
	failures     *prometheus.CounterVec
	echoes       *prometheus.CounterVec
	conflicts    *prometheus.CounterVec
	untold       *prometheus.CounterVec
	drift        *prometheus.CounterVec
	compared     prometheus.Counter
	calls        *prometheus.HistogramVec
	acknowledged *prometheus.HistogramVec
	rejected     *prometheus.CounterVec
}

var (
	_ Observer            = (*Metrics)(nil)
	_ reconciler.Observer = (*Metrics)(nil)
)

// NewMetrics makes the metrics of one gateway, in a registry of their own.
func NewMetrics(version string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outlook_gateway_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "outlook_gateway_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		lag: histogram("sync_lag_seconds", "From the earliest hint about a change to the last write of it, by the side it was made on.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600}, "from"),
		synced:    counter("changes_synced_total", "Changes that the other side accepted, by the side they were made on and what was written.", "from", "action"),
		failures:  counter("failures_total", "Pieces of work that were put back or set aside, by cause.", "cause"),
		echoes:    counter("echoes_dropped_total", "Hints about the gateway's own writes that cost no call.", "side"),
		conflicts: counter("conflicts_total", "Fields that both sides had changed; the loser is in the activity log.", "field"),
		untold:    counter("changes_untold_total", "Changes that only a sweep found, since no notification told of them, by the side they were made on.", "from"),
		drift:     counter("drift_total", "Meetings that a comparison of samples found to differ, twice within minutes, by cause; each is brought together.", "cause"),
		compared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outlook_gateway_compared_total", Help: "Meetings that were sampled and compared on both sides.",
		}),
		calls: histogram("calls_seconds", "Calls to each side, with the time they took.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "side", "call", "outcome"),
		acknowledged: histogram("webhook_seconds", "Answers to webhooks, with the time they took.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2}, "route", "status"),
		rejected: counter("webhooks_rejected_total", "Posts, or items in them, that were not taken, by reason.", "route", "reason"),
	}
	information := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "outlook_gateway_info", Help: "The version that runs."}, []string{"version"})
	information.WithLabelValues(version).Set(1)
	m.registry.MustRegister(
		m.lag, m.synced, m.failures, m.echoes, m.conflicts, m.untold, m.drift, m.compared, m.calls, m.acknowledged, m.rejected, information,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	// A monitor must see the series before the first change, not only after it.
	for _, side := range []reconciler.Side{reconciler.SideOutlook, reconciler.SideNightPOS} {
		m.lag.WithLabelValues(string(side))
		m.echoes.WithLabelValues(string(side))
		m.untold.WithLabelValues(string(side))
	}
	for _, cause := range reconciler.DriftCauses() {
		m.drift.WithLabelValues(string(cause))
	}
	return m
}

// Drifted counts a meeting that differs.
func (m *Metrics) Drifted(cause reconciler.Cause) { m.drift.WithLabelValues(string(cause)).Inc() }

// Compared counts meetings that were compared.
func (m *Metrics) Compared(count int) { m.compared.Add(float64(count)) }

// Remember has the lag kept in a history too. It must be called before anything is
// told.
func (m *Metrics) Remember(history *LagHistory) { m.history = history }

// Queue adds the depth of the queue, which is read when a monitor asks.
func (m *Metrics) Queue(depth func(ctx context.Context) (waiting int, oldest time.Time, err error), now func() time.Time) {
	m.registry.MustRegister(&queueCollector{depth: depth, now: now})
}

// Gauge adds a value that is read when a monitor asks.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "outlook_gateway_" + name, Help: help}, value))
}

// Up adds a gauge that is 1 while the check finds nothing wrong, else 0.
func (m *Metrics) Up(name, help string, check func() error) {
	m.Gauge(name, help, func() float64 {
		if check() != nil {
			return 0
		}
		return 1
	})
}

// Members adds how many people are in which state, which is read when a monitor
// asks.
func (m *Metrics) Members(count func(ctx context.Context) (map[string]int, error)) {
	m.registry.MustRegister(&memberCollector{count: count})
}

// Questions adds how many sweeps wait for an administrator's answer.
func (m *Metrics) Questions(count func(ctx context.Context) (int, error)) {
	m.Gauge("questions", "Calendars of which so much is gone that an administrator has to say what becomes of it; NaN while that is not known.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), healthTime)
		defer cancel()
		open, err := count(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(open)
	})
}

// memberCollector counts people once for each scrape.
type memberCollector struct {
	count func(ctx context.Context) (map[string]int, error)
}

var membersByState = prometheus.NewDesc("outlook_gateway_members", "Connected people by state.", []string{"state"}, nil)

func (c *memberCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- membersByState
}

func (c *memberCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTime)
	defer cancel()
	count, err := c.count(ctx)
	if err != nil {
		return // absent, as above
	}
	for state, number := range count {
		metrics <- prometheus.MustNewConstMetric(membersByState, prometheus.GaugeValue, float64(number), state)
	}
}

// queueCollector reads the queue once for each scrape.
type queueCollector struct {
	depth func(ctx context.Context) (int, time.Time, error)
	now   func() time.Time
}

var (
	queueLanes  = prometheus.NewDesc("outlook_gateway_queue_lanes", "Calendars with work that is due.", nil, nil)
	queueOldest = prometheus.NewDesc("outlook_gateway_queue_oldest_seconds", "How long the oldest work that is due has been waiting.", nil, nil)
)

func (q *queueCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- queueLanes
	descriptions <- queueOldest
}

func (q *queueCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), healthTime)
	defer cancel()
	waiting, oldest, err := q.depth(ctx)
	if err != nil {
		// Absent, rather than zero, is how Prometheus says "not known".
		return
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(q.now().Sub(oldest).Seconds(), 0)
	}
	metrics <- prometheus.MustNewConstMetric(queueLanes, prometheus.GaugeValue, float64(waiting))
	metrics <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, age)
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Synced implements reconciler.Observer.
func (m *Metrics) Synced(from reconciler.Side, action reconciler.Action, lag time.Duration) {
	m.synced.WithLabelValues(string(from), string(action)).Inc()
	if lag > 0 {
		if m.history != nil {
			m.history.Add(from, lag)
		}
		m.lag.WithLabelValues(string(from)).Observe(lag.Seconds())
	}
}

// Failed implements reconciler.Observer.
func (m *Metrics) Failed(cause string) { m.failures.WithLabelValues(cause).Inc() }

// Echo implements Observer and reconciler.Observer.
func (m *Metrics) Echo(side reconciler.Side, count int) {
	m.echoes.WithLabelValues(string(side)).Add(float64(count))
}

// Conflict implements reconciler.Observer.
func (m *Metrics) Conflict(field reconciler.Field) { m.conflicts.WithLabelValues(string(field)).Inc() }

// Untold implements reconciler.Observer.
func (m *Metrics) Untold(from reconciler.Side) { m.untold.WithLabelValues(string(from)).Inc() }

// Acknowledged implements Observer.
func (m *Metrics) Acknowledged(route string, status int, took time.Duration) {
	m.acknowledged.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Rejected implements Observer.
func (m *Metrics) Rejected(route, reason string, count int) {
	m.rejected.WithLabelValues(route, reason).Add(float64(count))
}

// Called counts a call to a side: a stable name, how long it took, and how it
// ended.
func (m *Metrics) Called(side reconciler.Side, call string, took time.Duration, err error) {
	outcome := "ok"
	var retry *reconciler.RetryError
	switch {
	case errors.As(err, &retry):
		outcome = retry.Cause
	case err != nil:
		outcome = "error"
	}
	m.calls.WithLabelValues(string(side), call, outcome).Observe(took.Seconds())
}
