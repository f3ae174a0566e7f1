package reconciler

import "time"

// Phase is where a person stands with the gateway, as the admin API names it.
type Phase string

// The phases, in the order in which a person goes through them.
const (
	// PhaseConnecting: the person has agreed; the mailbox does not tell of
	// changes yet.
	PhaseConnecting Phase = "connecting"
	// PhaseSyncing: the first sync is under way.
	PhaseSyncing Phase = "syncing"
	// PhaseConnected: the first sync is done and the subscription lives.
	PhaseConnected Phase = "connected"
	// PhasePaused: nothing is read or written until somebody says so. What
	// happens meanwhile waits.
	PhasePaused Phase = "paused"
	// PhaseNeedsReconnect: only the person's own sign-in helps.
	PhaseNeedsReconnect Phase = "needs_reconnect"
)

// Standing is what decides about a person's phase. Each fact is changed by the
// turns below and by nothing else, so that no order of events leads to a state
// that is none.
type Standing struct {
	// Refused is why the sign-in is worth nothing any more; empty while it is.
	Refused string
	// Paused says that an administrator has paused the person.
	Paused bool
	// Job is the reset that is under way, empty for none.
	Job string
	// Synced says that the first sync after the last sign-in is done.
	Synced bool
	// Halted is what has stopped on its own and waits for an answer.
	Halted Halt
}

// Halt is a sweep that stopped because it would have deleted too much.
type Halt struct {
	// Missing is on which side events are gone, empty for no halt.
	Missing Side
	// Count is how many are gone, Of how many pairs there were.
	Count, Of int
	// Since is when that was found.
	Since time.Time
	// Answer is what an administrator said; empty until somebody does.
	Answer HaltAnswer
}

// HaltAnswer is what becomes of the events that a sweep stopped at.
type HaltAnswer string

// The answers.
const (
	// AnswerApply deletes them on the other side too.
	AnswerApply HaltAnswer = "apply"
	// AnswerKeep keeps what is left of them, where it is, alone.
	AnswerKeep HaltAnswer = "keep"
)

// Open says that the halt waits for an answer.
func (h Halt) Open() bool { return h.Missing != "" && h.Answer == "" }

// Turn is what happens to a person.
type Turn string

// The turns.
const (
	// TurnSignedIn: Microsoft has given a token, for the first time or again.
	TurnSignedIn Turn = "signed_in"
	// TurnRefused: Microsoft no longer takes the token, or there is none.
	TurnRefused Turn = "refused"
	TurnPaused  Turn = "paused"
	TurnResumed Turn = "resumed"
	// TurnSynced: the first sync is done.
	TurnSynced Turn = "synced"
	// TurnReset: a reset begins; it ends with TurnRefused, or with TurnKept when
	// it failed.
	TurnReset Turn = "reset"
	TurnKept  Turn = "kept"
)

// After is the standing after a turn; word is the reason of TurnRefused and the
// job of TurnReset.
func (s Standing) After(turn Turn, word string) Standing {
	switch turn {
	case TurnSignedIn:
		s.Refused, s.Synced, s.Halted = "", false, Halt{}
	case TurnRefused:
		s.Refused, s.Job = word, ""
	case TurnPaused:
		s.Paused = true
	case TurnResumed:
		s.Paused = false
	case TurnSynced:
		s.Synced = true
	case TurnReset:
		s.Job = word
	case TurnKept:
		s.Job = ""
	}
	return s
}

// Phase names the standing; subscribed says that the mailbox tells of changes.
// What only the person can mend goes before what an administrator has chosen.
func (s Standing) Phase(subscribed bool) Phase {
	switch {
	case s.Refused != "":
		return PhaseNeedsReconnect
	case s.Paused || s.Job != "":
		return PhasePaused
	case !subscribed:
		return PhaseConnecting
	case !s.Synced:
		return PhaseSyncing
	}
	return PhaseConnected
}

// Obstacle says why nothing may be done for the person now, empty when it may.
func (s Standing) Obstacle() string {
	switch {
	case s.Refused != "":
		return string(PhaseNeedsReconnect) + ": " + s.Refused
	case s.Job != "":
		return string(PhasePaused) + ": a reset is under way"
	case s.Paused:
		return string(PhasePaused)
	}
	return ""
}
