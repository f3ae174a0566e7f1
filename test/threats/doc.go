// Package threats has the tests that lines of THREATS.md name and that stand
// nowhere else, and holds that every line has one.
package threats
