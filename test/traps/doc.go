// Package traps holds the gateway against what goes wrong for others with
// Microsoft Graph: each test is named after the number that the trap has in our
// list of them, whose chapter is 13. Those that live with the part they concern
// are elsewhere; TestEveryTrapHasATest knows all numbers and looks for them.
package traps
