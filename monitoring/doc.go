// Package monitoring holds a dashboard for Grafana and alert rules for Prometheus,
// about the gateway's metrics. It has no code but its tests.
package monitoring
