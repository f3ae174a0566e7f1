// Package drift holds the sampler to what it promises in production: what differs
// is found, counted by cause and mended, at a bounded number of calls, and what a
// person is asked about is left to the person.
package drift
