package reconciler

import (
	"crypto/sha1" //nolint:gosec // a name-based identifier, not a signature
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// State is everything a plan looks at: one meeting, as it stands in one
// member's mailbox and in NightPOS.
type State struct {
	Member Member
	// Database identifies the NightPOS database; it is part of create keys.
	Database string
	// Link is what was agreed last; nil when the pair is new.
	Link *Link
	// Copy is the meeting in the mailbox; nil when it is certainly not there.
	Copy *Copy
	// Record is the meeting in NightPOS; nil when it certainly does not exist.
	Record *Record
	// ByAddress and ByUser return the connected member with this address or
	// user id.
	ByAddress func(Person) (Member, bool)
	ByUser    func(userID int64) (Member, bool)
	// Waited says that waiting for the other half is over; see Plan.Wait.
	Waited bool
	// Told says that somebody told of the meeting a moment ago, so that the organizer's
	// lane may be about to look at it too.
	Told bool
	// Replaced says that an invitation to one occurrence is gone since the invitation
	// to the whole series has come.
	Replaced bool
	// Late says that the meeting was looked at often enough for one that is not new:
	// after an outage the organizer's lane may only just be getting to it.
	Late bool
	// OrganizerTime is how long the organizer's lane needs at most to bring a meeting;
	// zero for no end of it.
	OrganizerTime time.Duration
	// Outlook and NightPOS tell what each side can show.
	Outlook, NightPOS Projector
	Policy            Policy
	// Choices are the member's, with the gateway's settings where there are none.
	Choices Choices
	Online  OnlineMeetings
	// Now decides what is past.
	Now time.Time
	// holders are people, by their keys, whom Outlook has invited without naming them.
	holders map[string]bool
	// hidden is the content of a copy that shows its time alone; see veil.
	hidden *Event
}

// Plan is the smallest set of writes that brings a meeting together, at most
// one per side, and what is to be remembered once they are done.
type Plan struct {
	Role     Role
	Outlook  *OutlookWrite
	NightPOS *RecordWrite
	// From is the side whose change started the writes, for the log.
	From Side
	// Conflicts are fields that both sides changed.
	Conflicts []Conflict
	// Mails is how many mails Outlook will send for the write.
	Mails int
	// Wait asks to look again later: the other half is expected soon.
	Wait bool
	// late says that what is waited for should have come by now.
	late bool
	// Reason says in words why nothing is done about a difference.
	Reason string
	// keep is what becomes of the link; see Settle.
	keep linkFate
	// held says that the link is to be a Held one, alone an Alone one.
	held, alone bool
	// listed says that the link is to be a Listed one.
	listed bool
}

// Idle says that the plan writes nothing.
func (p Plan) Idle() bool { return p.Outlook == nil && p.NightPOS == nil }

type linkFate int

const (
	fateNone  linkFate = iota // no link is made or changed
	fateLive                  // linked, bases as settled
	fateEnd                   // remembered as gone
	fateDrop                  // forgotten
	fateAside                 // linked, bases as they were
)

// Plan decides. It is a pure function: the same state gives the same plan, and
// a plan that was carried out in full leaves a state whose plan is idle. Series are
// decided by SeriesState.Plan.
func (s State) Plan() Plan {
	role, reason := s.role()
	if reason != "" {
		return Plan{Role: role, Reason: reason}
	}
	if s.Record != nil && s.Record.Masked {
		return Plan{Role: role, Reason: "NightPOS showed this private event as busy only; the gateway's access to NightPOS must be repaired with the register command"}
	}
	handsOver := role == RoleOrganizer && s.Record != nil && s.Record.OrganizerUserID != s.Member.UserID && s.formerOrganizer()
	if handsOver && s.elsewhere() && s.setAside(role) == asideElsewhere {
		// The other person's calendar makes the meeting anew: this one is called off
		// wherever it is.
		return s.planHandOver()
	}
	if why := s.setAside(role); why != "" {
		return s.planAside(role, why)
	}
	switch role {
	case RoleOrganizer:
		if handsOver {
			return s.planHandOver()
		}
		if s.claims() {
			return s.planClaim()
		}
		return s.takenOver().planOrganizer()
	case RoleGuest:
		return s.planGuest()
	case RoleStandIn:
		return s.planStandIn()
	default:
		return s.planAttendee()
	}
}

// role says what the mailbox's copy may speak for, or why it may not.
func (s State) role() (Role, string) {
	if s.Record == nil {
		switch {
		case s.Link != nil:
			return s.Link.Role, ""
		case s.Copy == nil || s.Copy.IsOrganizer:
			return RoleOrganizer, ""
		}
		if _, connected := s.ByAddress(s.Copy.Event.Organizer); connected {
			return RoleAttendee, ""
		}
		return RoleGuest, ""
	}
	switch {
	case s.Record.OrganizerUserID == s.Member.UserID:
		if s.Copy != nil && !s.Copy.IsOrganizer && (s.Link == nil || s.Link.Role != RoleAttendee) {
			return RoleOrganizer, "NightPOS and Outlook name different organizers"
		}
		return RoleOrganizer, ""
	case s.claims():
		return RoleOrganizer, ""
	case s.Link != nil && s.Link.Role == RoleGuest && !s.organizerConnected():
		return RoleGuest, ""
	case s.formerOrganizer():
		return RoleOrganizer, ""
	case s.standIn():
		return RoleStandIn, ""
	}
	if s.organizerConnected() {
		if s.Copy != nil && s.Copy.IsOrganizer {
			return RoleAttendee, "NightPOS and Outlook name different organizers"
		}
		return RoleAttendee, ""
	}
	if s.Copy != nil && !s.Copy.IsOrganizer {
		return RoleGuest, ""
	}
	return RoleAttendee, "the organizer of this meeting has not connected Outlook"
}

// ended says that the pair was gone when the sides last agreed.
func (s State) ended() bool { return s.Link != nil && s.Link.Ended }

// there says whether the meeting is to be seen in the mailbox.
func (s State) there() bool { return s.Copy != nil && !s.Copy.Cancelled }

// active says whether the meeting is to be seen in NightPOS.
func (s State) active() bool { return s.Record != nil && !s.Record.Archived }

func (s State) planOrganizer() Plan {
	plan := Plan{Role: RoleOrganizer}
	switch {
	case s.there() && s.active():
		return s.planContent(RoleOrganizer)
	case s.there() && s.Record == nil && s.Link == nil:
		return s.planCreateRecord(RoleOrganizer)
	case s.active() && s.Copy == nil && (s.Link == nil || s.ended() || s.Link.GraphID == ""):
		return s.planCreateCopy()
	case s.there() && s.ended() && s.Record != nil && s.Link.GraphID == s.Copy.ID:
		// It was put back in Outlook after a deletion.
		plan.NightPOS = &RecordWrite{
			Action: ActionUnarchive, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record,
			Event: s.Record.Event, Fields: FieldSet{},
		}
		plan.From, plan.keep = SideOutlook, fateLive
	case s.there() && (s.Link != nil || s.Record != nil):
		plan.Outlook = &OutlookWrite{Action: ActionDelete, ID: s.Copy.ID, ChangeKey: s.Copy.ChangeKey, Current: s.Copy}
		plan.From, plan.keep = SideNightPOS, fateEnd
		plan.Mails = s.mails(s.inOutlook())
		plan.Conflicts = s.editLost(SideOutlook)
		if s.Record == nil {
			plan.keep = fateDrop
		}
	case s.active() && s.Link != nil:
		plan.NightPOS = &RecordWrite{Action: ActionArchive, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record}
		plan.From, plan.keep = SideOutlook, fateEnd
		plan.Conflicts = s.editLost(SideNightPOS)
	case s.Link == nil:
	case s.Record == nil && s.Link.GraphID != "":
		plan.keep = fateDrop
	case !s.ended():
		plan.keep = fateEnd
	}
	return plan
}

// editLost notes the fields that were edited on the side that a deletion on the
// other now overrules. The edit itself stays in the archived record, where
// there is one.
func (s State) editLost(loser Side) []Conflict {
	side := s.shown(loser)
	if len(side.agreed) == 0 {
		return nil
	}
	var conflicts []Conflict
	for _, scalar := range scalars {
		if side.changed(string(scalar.field)) {
			conflicts = append(conflicts, Conflict{Field: scalar.field, Loser: loser, Lost: scalar.text(side.event)})
		}
	}
	return conflicts
}

func (s State) shown(side Side) *shown {
	var outlook, nightpos Base
	if s.Link != nil {
		outlook, nightpos = s.Link.Outlook, s.Link.NightPOS
	}
	if side == SideOutlook {
		shown := newShown(s.Copy.Event, outlook, s.Copy.Modified, s.Outlook)
		if s.Copy.Told {
			shown.now[string(FieldBody)] = outlook[string(FieldBody)]
		}
		return shown
	}
	return newShown(s.Record.Event, nightpos, s.Record.Modified, s.NightPOS)
}

// planContent merges a meeting that both sides show.
func (s State) planContent(role Role) Plan {
	plan := Plan{Role: role, keep: fateLive}
	merged := newMerge(s.shown(SideOutlook), s.shown(SideNightPOS), s.Policy)
	merged.holders = s.holders
	if s.hidden != nil {
		merged.veiledFields()
	} else {
		merged.scalarFields()
	}
	merged.people()
	merged.categories()
	merged.answers(func(person Person) bool {
		_, connected := s.ByAddress(person)
		return !connected
	})
	plan.Conflicts = merged.conflicts
	if change := merged.deltas[SideNightPOS]; len(change.fields) > 0 {
		plan.NightPOS = &RecordWrite{
			Action: ActionUpdate, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record,
			Event: change.event, Fields: change.fields,
		}
		plan.From = SideOutlook
	}
	change, stays := s.openly(merged.deltas[SideOutlook], s.Copy.Event)
	s.linkable(change, true)
	if len(change.fields) == 0 {
		if stays && plan.NightPOS == nil {
			plan.Reason = "it is private in Outlook and NightPOS holds its time alone: another change made in NightPOS stays there"
		}
		return plan
	}
	plan.Outlook = &OutlookWrite{
		Action: ActionUpdate, ID: s.Copy.ID, ChangeKey: s.Copy.ChangeKey, Current: s.Copy,
		Event: change.event, Fields: change.fields,
	}
	plan.Mails = s.mailsOfUpdate(s.Copy.Event, change)
	if plan.From == "" {
		plan.From = SideNightPOS
	}
	return plan
}

// planCreateRecord brings a meeting from Outlook into NightPOS.
func (s State) planCreateRecord(role Role) Plan {
	write := &RecordWrite{Action: ActionCreate, Event: s.Copy.Event, Fields: NewFieldSet(Fields()...), Key: RecordKey(s.Member, *s.Copy)}
	if role == RoleOrganizer {
		write.OrganizerUserID = s.Member.UserID
		write.Event.Organizer = Person{Address: s.Member.Address, Name: s.Member.Name, Answer: AnswerAccepted}
	} else {
		write.Event = s.withOwnAnswer(write.Event)
	}
	if s.hidden != nil && role != RoleOrganizer {
		// Who it is with is nobody's business either.
		write.Event.Organizer = Person{}
	}
	return Plan{Role: role, NightPOS: write, From: SideOutlook, keep: fateLive}
}

// planCreateCopy brings a meeting from NightPOS into Outlook. A meeting that is
// over is brought without its people: nobody wants to be invited to the past.
//
// A record that the gateway itself made from a copy has a copy already, whose
// link is only not recorded yet: the worker that made it died in between and
// its item comes back. Making a second copy now would double the meeting.
func (s State) planCreateCopy() Plan {
	if s.Link == nil && s.Record.ExternalKey != "" && !s.Waited {
		return Plan{Role: RoleOrganizer, Wait: true, Reason: "waiting for the copy that this record was made from"}
	}
	event := s.online(s.Record.Event)
	fields := NewFieldSet(Fields()...)
	if s.past(event) {
		event.People = nil
	}
	return Plan{
		Role: RoleOrganizer, From: SideNightPOS, keep: fateLive, Mails: s.mails(event),
		Outlook: &OutlookWrite{
			Action: ActionCreate, Event: event, Fields: fields, RecordID: s.Record.ID,
			Key: CopyKey(s.Database, s.Member, s.Record.ID, s.generation()),
		},
	}
}

// generation numbers the copies made for a record: a link without a copy is an
// attempt under way, whose number a repeat must use again.
func (s State) generation() int {
	switch {
	case s.Link == nil && s.Member.First.Began.IsZero():
		return 1
	case s.Link == nil:
		// What a former connection made and lost must not be taken for its repeat.
		return int(s.Member.First.Began.Unix())
	case s.Link.GraphID == "" && s.Link.Generation > 0:
		return s.Link.Generation
	}
	return s.Link.Generation + 1
}

// Intent is the link to be saved before a plan that makes a copy, or tells NightPOS
// of an invitation through a list, is carried out, nil for other plans. If the worker dies between making the copy and
// recording it, the copy is recognised by it, whatever became of the record in
// the meantime.
func (s State) Intent(plan Plan) *Link {
	if plan.listed {
		return s.listedIntent()
	}
	if plan.Outlook == nil || plan.Outlook.Action != ActionCreate {
		return nil
	}
	return &Link{RecordID: s.Record.ID, Role: plan.Role, Generation: s.generation()}
}

// planGuest keeps NightPOS in step with a meeting that somebody outside
// organises: the content flows to NightPOS only.
func (s State) planGuest() Plan {
	switch {
	case s.there() && s.Record == nil && s.Link == nil && s.Copy.Aliased && !s.Waited:
		return Plan{Role: RoleGuest, Wait: true, Reason: "waiting whether a colleague's calendar brings this meeting, whose organizer Outlook shows under an alias"}
	case s.there() && s.Record == nil && s.Link == nil:
		return s.planCreateRecord(RoleGuest)
	case s.there() && s.active():
		guest := s
		local := *s.Copy
		local.Event = s.withOwnAnswer(local.Event)
		guest.Copy = &local
		merged := newMerge(guest.shown(SideOutlook), guest.shown(SideNightPOS), PolicyOutlook)
		merged.scalarFields()
		merged.people()
		// An answer that the gateway gave is no news once Outlook shows it.
		row, _ := s.ownRow()
		byOutlook, _ := s.answerChanged(row)
		merged.answers(func(person Person) bool { return byOutlook && s.Member.Is(person) })
		plan := Plan{Role: RoleGuest, From: SideOutlook, keep: fateLive}
		if change := merged.deltas[SideNightPOS]; len(change.fields) > 0 {
			plan.NightPOS = &RecordWrite{
				Action: ActionUpdate, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record,
				Event: change.event, Fields: change.fields,
			}
		}
		if answer, ok := s.answerForOutlook(); ok && !change(plan.NightPOS).Has(FieldAnswers) {
			plan.Outlook, plan.From = answer, SideNightPOS
			if !answer.Quiet {
				plan.Mails = 1
			}
		} else if len(merged.deltas[SideOutlook].fields) > 0 {
			plan.Reason = "the organizer is outside NightPOS: a change made in NightPOS stays there"
		}
		return plan
	case s.Record == nil && s.Link != nil && s.there():
		// Forgetting it would have the next sweep bring it again.
		return Plan{Role: RoleGuest, keep: fateEnd, Reason: "it was deleted in NightPOS; the invitation stays, since its organizer is outside NightPOS"}
	case s.Link != nil && !s.ended() && s.Record != nil && s.there():
		return Plan{Role: RoleGuest, keep: fateEnd, Reason: "it was archived in NightPOS; the invitation stays, since its organizer is outside NightPOS"}
	case s.Link != nil && !s.ended() && s.active() && s.Copy != nil:
		return Plan{
			Role: RoleGuest, From: SideOutlook, keep: fateEnd,
			NightPOS: &RecordWrite{Action: ActionArchive, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record},
		}
	}
	return s.planAttendee()
}

func change(write *RecordWrite) FieldSet {
	if write == nil {
		return nil
	}
	return write.Fields
}

// withOwnAnswer puts the member's own reply where NightPOS keeps it: an
// attendee's copy shows everybody else's reply as open, and sometimes its own.
func (s State) withOwnAnswer(event Event) Event {
	people := make([]Person, 0, len(event.People)+1)
	found := false
	for _, person := range event.People {
		if s.Member.Is(person) {
			person.Answer, found = s.Copy.OwnAnswer, true
		}
		people = append(people, person)
	}
	if !found {
		people = append(people, Person{Address: s.Member.Address, Name: s.Member.Name, Answer: s.Copy.OwnAnswer})
	}
	event.People = people
	return event
}

// mails is how many people Outlook writes to when a meeting is created, changed
// as a whole or called off.
func (s State) mails(event Event) int {
	count := 0
	for _, person := range event.People {
		if person.Key() != "" && !s.Member.Is(person) {
			count++
		}
	}
	return count
}

// mailsOfUpdate is how many people Outlook writes to for an update: those who
// come and go when nothing but the people changes, otherwise everybody.
func (s State) mailsOfUpdate(shown Event, change *delta) int {
	if s.hidden != nil {
		return s.mails(*s.hidden)
	}
	before := map[string]bool{}
	for _, person := range shown.People {
		before[person.Key()] = true
	}
	after := map[string]bool{}
	for _, person := range change.event.People {
		after[person.Key()] = true
	}
	count := 0
	for key := range before {
		if !after[key] {
			count++
		}
	}
	onlyPeople := len(change.fields) == 1 && change.fields.Has(FieldPeople)
	for key := range after {
		if !onlyPeople || !before[key] {
			count++
		}
	}
	return count
}

// past says that the meeting is over.
func (s State) past(event Event) bool { return !event.When.End.After(s.Now) }

// CopyKey names the copy made for a record, for the generation-th time. It is a
// UUID, so that Graph takes it as a transaction id: a repeated create returns
// the copy that the first one made.
func CopyKey(database string, member Member, recordID int64, generation int) string {
	name := database + "/" + member.ID + "/" + strconv.FormatInt(recordID, 10) + "/" + strconv.Itoa(generation)
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("nightpos-outlook-gateway/"+name)).String()
}

// RecordKey names the record made for a meeting in Outlook: by what all its
// copies share, so that two mailboxes never make two records, else by the copy.
func RecordKey(member Member, copied Copy) string {
	name := "uid/" + copied.ICalUID
	if copied.ICalUID == "" {
		name = "copy/" + member.ID + "/" + copied.ID
	}
	sum := sha1.Sum([]byte(name)) //nolint:gosec // a name, not a signature
	return "event_" + hex.EncodeToString(sum[:])
}
