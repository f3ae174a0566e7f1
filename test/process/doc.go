// Package process runs the gateway for real: three processes of it behind a
// small load balancer, a Redis of each kind that is supported, and both
// simulators as processes of their own. People edit at random on both sides
// while processes are killed, paused past their leases and replaced, and while
// Redis is killed or fails over. Once everything is quiet, what can be seen from
// outside is held against the invariants of the design, before anything is
// compared as a whole. Then all gateways are killed once more within a burst of
// changes on each side: none that they had said to have heard may be left for a
// sweep to find. And one gateway is killed in the middle of the first sync of a
// large calendar, and another one finishes it.
package process
