// Package process runs the gateway for real: three processes of it behind a
// small load balancer, a Redis of each kind that is supported, and both
// simulators as processes of their own. People edit at random on both sides
// while processes are killed, paused past their leases and replaced, and while
// Redis is killed or fails over. Once everything is quiet, what can be seen from
// outside is held against the invariants of the design. And one gateway is killed
// in the middle of the first sync of a large calendar, and another one finishes it.
package process
