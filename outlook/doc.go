// Package outlook is the gateway's client of Microsoft: sign-in, calendars and
// change notifications over Microsoft Graph v1.0. It implements
// reconciler.Outlook: what an event looks like on the wire is known here and
// nowhere else.
//
// Every request asks for immutable ids. Times come as UTC and are written as
// wall time in the event's own zone under the zone's Windows name.
//
// A series is read with its master in one call, exceptions and deleted
// occurrences included, and changed at its master wherever that says it: every
// occurrence that is written on its own mails everybody once more.
//
// At most three calls are under way for one mailbox, a batch being one that
// stands alone, and no more than its budget, which all replicas share. What
// Microsoft says about waiting holds for the whole mailbox and every replica, also
// when it stands on one item of a batch. While Graph or the sign-in service is
// out, one call at a time finds out whether it is back.
//
// A token is renewed by one worker at a time across all replicas, and stored
// before it is used. Only the sign-in service decides that a person must connect
// again, by the words of RFC 6749; a refused application is one alarm and ends
// nobody's connection. A call whose answer was lost is repeated unseen only where
// a repeat cannot send a second mail; otherwise the event is read again first.
package outlook
