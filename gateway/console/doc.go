// Package console is what people and administrators see of the gateway: HTML that
// works without scripts, in English and Thai, with live updates where a browser
// runs them. It asks gateway.Admin for everything it shows and does.
//
// A person sees their own calendar and nothing of anybody else; administrators see
// everybody, but what is private is named to the people of an event alone.
package console
