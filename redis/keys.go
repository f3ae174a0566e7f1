package redis

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// keys builds every key, here and nowhere else. What is in braces is the hash
// tag: all keys of one person's calendar live in one slot of a Cluster, so that
// one script can change them together.
type keys struct{ namespace string }

func (k keys) lane(lane, name string) string { return k.namespace + ":{lane:" + lane + "}:" + name }

// due holds the items that wait, by priority: item key, scored by due time.
func (k keys) due(lane string, priority int) string {
	return k.lane(lane, "due"+strconv.Itoa(priority))
}

// items holds what is known of each item: item key to payload.
func (k keys) items(lane string) string { return k.lane(lane, "items") }

// taken holds the items of the batch that is out: item key to "", or to
// when it was added again meanwhile.
func (k keys) taken(lane string) string { return k.lane(lane, "taken") }

// state holds fence, end of the lease, and the version of the lane's alarm.
func (k keys) state(lane string) string { return k.lane(lane, "state") }

// links holds record id to link.
func (k keys) links(lane string) string { return k.lane(lane, "links") }

// copies holds digest of graph id to record id and digest of change key.
func (k keys) copies(lane string) string { return k.lane(lane, "copies") }

// pairs holds record id to the graph id of the copy that a sweep has found to be one
// with it.
func (k keys) pairs(lane string) string { return k.lane(lane, "pairs") }

// log holds the activities, newest first.
func (k keys) log(lane string) string { return k.lane(lane, "log") }

// lost holds one conflict's replaced value, encrypted, with an expiry.
func (k keys) lost(lane, id string) string { return k.lane(lane, "lost:"+id) }

// token holds the sealed Microsoft token.
func (k keys) token(lane string) string { return k.lane(lane, "token") }

// renewing holds who renews the token, and until when.
func (k keys) renewing(lane string) string { return k.lane(lane, "renewing") }

// budget holds how much of the mailbox's allowance is spent, and until when it
// is to be left alone.
func (k keys) budget(lane string) string { return k.lane(lane, "budget") }

// subscription holds the mailbox's subscription.
func (k keys) subscription(lane string) string { return k.lane(lane, "subscription") }

// content holds what a notification told of a copy, as Microsoft encrypted it, with
// an expiry.
func (k keys) content(lane, graphID string) string {
	return k.lane(lane, "content:"+shortDigest(graphID))
}

// making holds the graph id of the copy that a record with this key is about to be made
// for, with an expiry.
func (k keys) making(lane, key string) string { return k.lane(lane, "making:"+shortDigest(key)) }

// sweeps holds how far the lane's changes are known.
func (k keys) sweeps(lane string) string { return k.lane(lane, "sweeps") }

// job holds one job, sealed, with an expiry; undo what it deleted: name to
// sealed entry.
func (k keys) job(id string) string  { return k.namespace + ":{job:" + id + "}" }
func (k keys) undo(id string) string { return k.namespace + ":{job:" + id + "}:undo" }

// audit holds what administrators did, newest first.
func (k keys) audit() string { return k.namespace + ":{audit}" }

// ready holds every lane with work, scored by when it can be taken.
func (k keys) ready() string { return k.namespace + ":{wake}:ready" }

// versions holds the version of each lane's entry in ready.
func (k keys) versions() string { return k.namespace + ":{wake}:versions" }

// bell is the list on which other processes wait for lanes that became ready.
func (k keys) bell() string { return k.namespace + ":{wake}:bell" }

// members holds who is connected: lane to member.
func (k keys) members() string { return k.namespace + ":{members}" }

// membersVersion changes whenever members does.
func (k keys) membersVersion() string { return k.namespace + ":{members}:version" }

// mailboxes holds whose mailbox is which, both ways; beside the members, with
// whom it changes.
func (k keys) mailboxes() string { return k.namespace + ":{members}:mailboxes" }

// settings holds what administrators set in the console: name to sealed value.
func (k keys) settings() string { return k.namespace + ":{settings}" }

// claim holds when somebody claimed something that one replica does for all.
func (k keys) claim(name string) string { return k.namespace + ":claim:" + name }

// ticket holds one ticket, sealed, with an expiry. Names may hold anything.
func (k keys) ticket(name string) string {
	sum := sha256.Sum256([]byte(name))
	return k.namespace + ":ticket:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// meetings holds digest of iCalUId to record id, in 256 parts so that no node
// of a Cluster holds them all.
func (k keys) meetings(digest string) string {
	return k.namespace + ":{meetings:" + digest[:2] + "}"
}

// meetingClaim holds who is about to make a meeting's record, and until when.
func (k keys) meetingClaim(digest string) string { return k.meetings(digest) + ":claim:" + digest }

// shortDigest is 66 bits of SHA-256: enough to tell ids apart, in 11 bytes.
func shortDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:digestLength]
}

const digestLength = 11
