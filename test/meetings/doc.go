// Package meetings tests what becomes of meetings between people: every kind of
// organizer with every action on either side, the complaints that users have about
// other syncs, and five people who do as they like.
package meetings
