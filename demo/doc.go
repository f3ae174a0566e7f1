// Package demo shows the gateway at work on one machine with nothing installed:
// a simulated Outlook, a simulated NightPOS, the gateway between them, and a
// page with both calendars side by side.
//
// What it promises
//
//   - Everything a person does on the page is done as that person at the
//     simulator of that side. The page never talks to the gateway and the
//     gateway does not know the page, so that what is seen on the other side was
//     brought there by the gateway alone. The tour asks the gateway's admin API
//     for one thing, the reset of an account.
//   - A lag is measured at the simulators: from the moment one side accepted the
//     person's edit to the moment the gateway's change stood on the other side.
//   - Mails are counted where they would have been sent, by who caused them.
//   - Only loopback addresses are listened on, and everything that was written
//     to disk is gone afterwards.
package demo
