// Package console drives the console in a real browser and over HTTP, against both
// simulated calendars. With SCREENSHOTS set to a folder, pictures of every page in
// both languages and at two widths are left there.
package console
