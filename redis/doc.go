// Package redis is the store: lanes of work, links between the two calendars,
// who is connected, their tokens, and the log. It speaks to one Redis, a
// Sentinel set or a Cluster, and without any of them keeps an embedded one: a
// redis-server as a supervised child, or else an engine inside the process.
//
// It remembers and coordinates; what an event means is not known here. Times
// are handed to Redis as arguments, never taken from it, so that whole weeks
// can run in virtual time.
package redis
