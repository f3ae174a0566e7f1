// Package outlook is the gateway's client of Microsoft: sign-in, calendars and
// change notifications over Microsoft Graph v1.0. It implements
// reconciler.Outlook: what an event looks like on the wire is known here and
// nowhere else.
//
// Every request asks for immutable ids. Times come as UTC and are written as
// wall time in the event's own zone under the zone's Windows name. At most three
// calls are under way for one mailbox, and what Microsoft says about waiting
// holds for the whole mailbox.
package outlook
