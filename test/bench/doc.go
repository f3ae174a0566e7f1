// Package bench measures the gateway beside floors, on real sockets and a real
// redis-server: what the same machine needs, in the same run and turn by turn,
// for nothing but the one thing that cannot be left out. `make bench` prints the
// table (TestReport). Times are printed and never asserted, since they depend on
// the machine and on what else it does; ratios move less.
//
// What does not depend on time is asserted, by the package's ordinary tests at a
// small scale and by the report at its own: what a change costs each side in
// calls, that an echo costs none, and that every acknowledged hint has arrived.
package bench
