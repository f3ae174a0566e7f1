// Package service puts the parts together: from checked settings it opens the
// store, signs in to NightPOS, and runs the queue's workers and the HTTP server
// until it is told to stop. The command line and the tests of the whole system
// start gateways through it; every clock, transport and listener is handed in.
package service
