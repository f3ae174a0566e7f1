package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// writeLimit is how many writes share one call and one transaction: NightPOS
// takes about 2 ms for each and holds row locks until the end.
const writeLimit = 50

// errNotInvited is for answers of people who were removed meanwhile.
var errNotInvited = errors.New("the person who answered is not invited in NightPOS")

// Write carries out writes, in one call and one transaction for each writeLimit
// of them, and reads back what became of them in the same call. When NightPOS
// refuses a call with several writes, all are undone, and each is then tried
// alone, so that a bad one fails alone.
//
// All writes may arrive twice: creates find what their key made, guarded
// updates find their own trace and answer ErrStale, the rest changes nothing.
func (c *Client) Write(ctx context.Context, writes []reconciler.RecordWrite) []reconciler.RecordResult {
	results := make([]reconciler.RecordResult, len(writes))
	var ready []*prepared
	for index := range writes {
		one, err := c.prepare(ctx, writes[index])
		if err != nil {
			results[index].Err = refusal(err)
			continue
		}
		one.index = index
		ready = append(ready, one)
	}
	for part := range slices.Chunk(ready, writeLimit) {
		answers, err := c.writePart(ctx, part)
		for position, one := range part {
			switch {
			case err == nil:
				results[one.index] = answers[position]
			case len(part) > 1 && definite(err):
				results[one.index] = c.writeAlone(ctx, one)
			default:
				results[one.index] = c.refused(ctx, one, err)
			}
		}
	}
	c.answerForAdded(ctx, ready, results)
	return results
}

// definite errors blame the content of a call, which was therefore undone.
func definite(err error) bool {
	var answered *CallError
	var retry *reconciler.RetryError
	return errors.As(err, &answered) && !errors.As(err, &retry) && !errors.Is(err, ErrNotRegistered) && !errors.Is(err, ErrDenied)
}

func (c *Client) writeAlone(ctx context.Context, one *prepared) reconciler.RecordResult {
	answers, err := c.writePart(ctx, []*prepared{one})
	if err != nil {
		return c.refused(ctx, one, err)
	}
	return answers[0]
}

// refused is the result of a write that went alone and failed. It may have named
// a contact, an alarm or a tag that is gone, as contacts are that were merged
// into another: if looking them up again makes another write of it, that one
// is tried.
func (c *Client) refused(ctx context.Context, one *prepared, err error) reconciler.RecordResult {
	if !definite(err) {
		return reconciler.RecordResult{Err: refusal(err)}
	}
	c.contacts.forgetPartners(append([]reconciler.Person{one.write.Event.Organizer}, one.write.Event.People...))
	c.catalogue.expire()
	if again, failed := c.prepare(ctx, one.write); failed == nil && !reflect.DeepEqual(again.vals, one.vals) {
		answers, failed := c.writePart(ctx, []*prepared{again})
		if failed == nil {
			return answers[0]
		}
		err = failed
	}
	return reconciler.RecordResult{Err: refusal(err)}
}

// answerForAdded gives people who were just added to an event the answers they
// came with, in one more call: NightPOS starts everybody who is added later with
// none. It costs nothing where nobody had answered yet, which is the rule.
func (c *Client) answerForAdded(ctx context.Context, ready []*prepared, results []reconciler.RecordResult) {
	var part []*prepared
	for _, one := range ready {
		record := results[one.index].Record
		if record == nil || !one.write.Fields.Has(reconciler.FieldPeople) || one.write.Action == reconciler.ActionCreate {
			continue
		}
		answered := one.write
		answered.Fields = reconciler.NewFieldSet(reconciler.FieldAnswers)
		answered.Event.People = slices.DeleteFunc(slices.Clone(answered.Event.People), func(person reconciler.Person) bool {
			return person.Answer == reconciler.AnswerNone || slices.ContainsFunc(one.before, func(row attendeeRow) bool { return sameKey(row, person) })
		})
		answered.Stamp = ""
		if states := newStates(answered, record.Raw.(rowsOfRecord)); len(states) > 0 {
			part = append(part, &prepared{index: one.index, write: answered, states: states})
		}
	}
	for chunk := range slices.Chunk(part, writeLimit) {
		answers, err := c.writePart(ctx, chunk)
		for position, one := range chunk {
			if err != nil {
				results[one.index] = reconciler.RecordResult{Err: refusal(err)}
				continue
			}
			results[one.index] = answers[position]
		}
	}
}

// prepared is a write whose contacts, alarms and tags are known.
type prepared struct {
	index int
	write reconciler.RecordWrite
	vals  values
	// states are the answers to give to attendees, by the attendee's id.
	states []attendeeState
	// before are the attendees as they were read.
	before []attendeeRow
}

type attendeeState struct {
	id    int64
	state string
}

// prepare translates a write. It makes calls only for people, alarms and tags
// that have not been seen lately.
func (c *Client) prepare(ctx context.Context, write reconciler.RecordWrite) (*prepared, error) {
	one := &prepared{write: write}
	var err error
	switch write.Action {
	case reconciler.ActionCreate:
		one.vals, err = c.createValues(ctx, write)
		return one, err
	case reconciler.ActionArchive:
		one.vals = values{"active": false}
		return one, nil
	case reconciler.ActionDelete:
		return one, nil
	case reconciler.ActionUpdate, reconciler.ActionUnarchive, reconciler.ActionAnswer:
	default:
		return nil, &reconciler.RefusedError{Reason: "NightPOS knows no action " + string(write.Action)}
	}
	rows, err := c.rowsOf(ctx, write)
	if err != nil {
		return nil, err
	}
	if write.Action == reconciler.ActionAnswer {
		index := slices.IndexFunc(rows.attendees, func(attendee attendeeRow) bool { return sameKey(attendee, write.Attendee) })
		if index < 0 {
			return nil, &reconciler.RefusedError{Reason: "not invited", Err: errNotInvited}
		}
		one.states = []attendeeState{{rows.attendees[index].ID, stateOf(write.Answer)}}
		return one, nil
	}
	one.vals, err = c.updateValues(ctx, write, rows)
	if write.Action == reconciler.ActionUnarchive && err == nil {
		one.vals["active"] = true
	}
	one.states, one.before = newStates(write, rows), rows.attendees
	return one, err
}

// rowsOf are the rows of the record that a write is about, as it was read.
func (c *Client) rowsOf(ctx context.Context, write reconciler.RecordWrite) (rowsOfRecord, error) {
	if write.Current != nil {
		if rows, known := write.Current.Raw.(rowsOfRecord); known {
			return rows, nil
		}
	}
	records, err := c.readPart(ctx, []int64{write.ID})
	if err != nil {
		return rowsOfRecord{}, err
	}
	if len(records) == 0 {
		return rowsOfRecord{}, reconciler.ErrGone
	}
	return records[0].Raw.(rowsOfRecord), nil
}

func sameKey(attendee attendeeRow, person reconciler.Person) bool {
	return person.Key() != "" && (reconciler.Person{Address: string(attendee.Email)}).Key() == person.Key()
}

// newStates are the answers that differ, and the organizer's own: NightPOS
// forgets that one when somebody else moves the event.
func newStates(write reconciler.RecordWrite, rows rowsOfRecord) []attendeeState {
	var states []attendeeState
	for _, attendee := range rows.attendees {
		if isOrganizer(rows.event, attendee) {
			if write.Fields.Has(reconciler.FieldWhen) && answerOf(attendee.State) != reconciler.AnswerNone {
				states = append(states, attendeeState{attendee.ID, string(attendee.State)})
			}
			continue
		}
		if !write.Fields.Has(reconciler.FieldAnswers) {
			continue
		}
		for _, person := range write.Event.People {
			if sameKey(attendee, person) && person.Answer != answerOf(attendee.State) {
				states = append(states, attendeeState{attendee.ID, stateOf(person.Answer)})
			}
		}
	}
	return states
}

// createValues are all fields of a new record.
func (c *Client) createValues(ctx context.Context, write reconciler.RecordWrite) (values, error) {
	event := write.Event
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	vals := values{
		"name": title(event), "description": optional(projectBody(event.Body)), "location": optional(oneLine(event.Place)),
		"videocall_location": optional(oneLine(event.MeetingLink)), "show_as": showAs(event.ShowAs), "user_id": false,
	}
	timeValues(event.When, vals)
	// Without a word on privacy NightPOS takes its own default, which is the
	// owner's wish in 18.
	if event.Privacy == reconciler.PrivacyPrivate || event.Privacy == reconciler.PrivacyConfidential {
		vals["privacy"] = privacy(event.Privacy, signed.major)
	}
	if err := c.provide(ctx, projectReminders(event.Reminders), projectCategories(event.Categories)); err != nil {
		return nil, err
	}
	vals["alarm_ids"] = []any{[]any{6, 0, c.alarmsFor(event)}}
	vals["categ_ids"] = []any{[]any{6, 0, c.tagsFor(event)}}

	partners, states := []int64{}, []any{}
	invite := func(partner int64, answer reconciler.Answer) {
		if !slices.Contains(partners, partner) {
			partners = append(partners, partner)
			states = append(states, []any{0, 0, values{"partner_id": partner, "state": stateOf(answer)}})
		}
	}
	people := event.People
	if write.OrganizerUserID != 0 {
		vals["user_id"] = write.OrganizerUserID
		members, err := c.organizers(ctx, []int64{write.OrganizerUserID})
		if err != nil {
			return nil, err
		}
		if member, known := members[write.OrganizerUserID]; known {
			invite(member.PartnerID, reconciler.AnswerAccepted)
		}
	} else if event.Organizer.Key() != "" {
		// Nobody's user organises it: the contact shows who does.
		organizer := event.Organizer
		organizer.Answer = reconciler.AnswerAccepted
		people = append([]reconciler.Person{organizer}, people...)
	}
	known, err := c.partners(ctx, people)
	if err != nil {
		return nil, err
	}
	for _, person := range people {
		if partner, there := known[person.Key()]; there {
			invite(partner, person.Answer)
		}
	}
	// Both lists are given: without partner_ids the gateway's own account would
	// be invited, without attendee_ids everybody would have to answer anew.
	vals["partner_ids"] = []any{[]any{6, 0, partners}}
	vals["attendee_ids"] = states
	return vals, nil
}

// updateValues are the fields of a write, and nothing else.
func (c *Client) updateValues(ctx context.Context, write reconciler.RecordWrite, rows rowsOfRecord) (values, error) {
	event, vals := write.Event, values{}
	if write.OrganizerUserID != 0 {
		vals["user_id"] = write.OrganizerUserID
	}
	for field := range write.Fields {
		switch field {
		case reconciler.FieldTitle:
			vals["name"] = title(event)
		case reconciler.FieldBody:
			vals["description"] = optional(projectBody(event.Body))
		case reconciler.FieldWhen:
			timeValues(event.When, vals)
		case reconciler.FieldPlace:
			vals["location"] = optional(oneLine(event.Place))
		case reconciler.FieldMeetingLink:
			vals["videocall_location"] = optional(oneLine(event.MeetingLink))
		case reconciler.FieldShowAs:
			vals["show_as"] = showAs(event.ShowAs)
		case reconciler.FieldPrivacy:
			if rows.event.Privacy == "" && projectPrivacy(event.Privacy) == projectPrivacy(privacyOf(rows.event)) {
				// It goes on following its owner's default, which nobody changed here.
				continue
			}
			signed, err := c.signIn(ctx)
			if err != nil {
				return nil, err
			}
			vals["privacy"] = privacy(event.Privacy, signed.major)
		case reconciler.FieldReminders:
			if err := c.provide(ctx, projectReminders(event.Reminders), nil); err != nil {
				return nil, err
			}
			vals["alarm_ids"] = c.alarmCommands(rows.event.AlarmIDs, c.alarmsFor(event))
		case reconciler.FieldCategories:
			if err := c.provide(ctx, nil, projectCategories(event.Categories)); err != nil {
				return nil, err
			}
			vals["categ_ids"] = []any{[]any{6, 0, c.tagsFor(event)}}
		case reconciler.FieldPeople:
			commands, err := c.peopleCommands(ctx, event.People, rows)
			if err != nil {
				return nil, err
			}
			if len(commands) > 0 {
				vals["partner_ids"] = commands
			}
		}
	}
	return vals, nil
}

// peopleCommands adds and removes single people. The organizer stays, and so do
// people without an address, who cannot be shown in Outlook.
func (c *Client) peopleCommands(ctx context.Context, people []reconciler.Person, rows rowsOfRecord) ([]any, error) {
	var commands []any
	var added []reconciler.Person
	for _, person := range people {
		invited := slices.ContainsFunc(rows.attendees, func(attendee attendeeRow) bool { return sameKey(attendee, person) })
		if !invited {
			added = append(added, person)
		}
	}
	partners, err := c.partners(ctx, added)
	if err != nil {
		return nil, err
	}
	for _, person := range added {
		if partner, known := partners[person.Key()]; known {
			commands = append(commands, []any{4, partner})
		}
	}
	for _, attendee := range rows.attendees {
		key := (reconciler.Person{Address: string(attendee.Email)}).Key()
		stays := key == "" || isOrganizer(rows.event, attendee) ||
			slices.ContainsFunc(people, func(person reconciler.Person) bool { return person.Key() == key })
		if !stays && attendee.PartnerID != 0 {
			commands = append(commands, []any{3, int64(attendee.PartnerID)})
		}
	}
	return commands, nil
}

func (c *Client) alarmsFor(event reconciler.Event) []int64 {
	ids := []int64{}
	for _, before := range projectReminders(event.Reminders) {
		if id, known := c.catalogue.alarmFor(before); known {
			ids = append(ids, id)
		}
	}
	return ids
}

// alarmCommands replaces the reminders and leaves alarms that mail or text
// somebody as they are.
func (c *Client) alarmCommands(current, wanted []int64) []any {
	commands := []any{}
	for _, id := range current {
		if len(c.catalogue.reminders([]int64{id})) > 0 && !slices.Contains(wanted, id) {
			commands = append(commands, []any{3, id})
		}
	}
	for _, id := range wanted {
		if !slices.Contains(current, id) {
			commands = append(commands, []any{4, id})
		}
	}
	return commands
}

func (c *Client) tagsFor(event reconciler.Event) []int64 {
	ids := []int64{}
	for _, name := range projectCategories(event.Categories) {
		if id, known := c.catalogue.tagFor(name); known {
			ids = append(ids, id)
		}
	}
	return ids
}

// title must not be empty in NightPOS.
func title(event reconciler.Event) string {
	if line := oneLine(event.Title); line != "" {
		return line
	}
	return "(no title)"
}

func showAs(value reconciler.ShowAs) string {
	if value == reconciler.ShowAsFree {
		return "free"
	}
	return "busy"
}

// privacy has no empty value in version 17, where the field is required.
func privacy(value reconciler.Privacy, major int) any {
	switch {
	case value == reconciler.PrivacyDefault && major >= 18:
		return false
	case value == reconciler.PrivacyPrivate || value == reconciler.PrivacyConfidential:
		return string(value)
	}
	return string(reconciler.PrivacyPublic)
}

// keysOf are the keys of all creates. The first operation asks which of them are
// taken already.
func keysOf(part []*prepared) []string {
	var keys []string
	for _, one := range part {
		if one.write.Action == reconciler.ActionCreate && one.write.Key != "" {
			keys = append(keys, one.write.Key)
		}
	}
	return keys
}

// placed says which results of a call belong to a write; -1 for none.
type placed struct{ create, update int }

// writePart carries out writes in one call.
func (c *Client) writePart(ctx context.Context, part []*prepared) ([]reconciler.RecordResult, error) {
	var operations []operation
	places := make([]placed, len(part))
	var ids []int64
	var of []int
	if keys := keysOf(part); len(keys) > 0 {
		operations = append(operations, operation{Do: "keys_of", Model: "calendar.event", Keys: keys})
	}
	for index, one := range part {
		places[index] = placed{create: -1, update: -1}
		write := one.write
		if write.Action == reconciler.ActionCreate {
			places[index].create = len(operations)
			of = append(of, len(operations))
			create := operation{Do: "create", Model: "calendar.event", Vals: []values{one.vals}}
			if write.Key != "" {
				create.Keys = []string{write.Key}
			}
			operations = append(operations, create)
			continue
		}
		if write.Action == reconciler.ActionDelete {
			operations = append(operations, operation{Do: "unlink", Model: "calendar.event", IDs: []int64{write.ID}})
			continue
		}
		ids = append(ids, write.ID)
		var after *int
		if len(one.vals) > 0 {
			place := len(operations)
			places[index].update, after = place, &place
			update := operation{Do: "write", Model: "calendar.event", IDs: []int64{write.ID}, Vals: one.vals}
			if write.Stamp != "" {
				update.Guard = map[string]string{"write_date": write.Stamp}
			}
			operations = append(operations, update)
		}
		for _, state := range one.states {
			operations = append(operations, operation{
				Do: "write", Model: "calendar.attendee", IDs: []int64{state.id}, Vals: values{"state": state.state}, After: after,
			})
		}
	}
	first := len(operations)
	operations = append(operations, readOperations(ids, of)...)
	results, err := c.run(ctx, "write", true, operations)
	if err != nil {
		return nil, err
	}
	return c.outcomes(ctx, part, places, results, first)
}

// outcomes opens the answer to a call with writes.
func (c *Client) outcomes(ctx context.Context, part []*prepared, places []placed, results []json.RawMessage, first int) ([]reconciler.RecordResult, error) {
	records, err := c.records(ctx, results[first:])
	if err != nil {
		return nil, err
	}
	byID := map[int64]*reconciler.Record{}
	for index := range records {
		byID[records[index].ID] = &records[index]
	}
	existing := map[string]bool{}
	if len(keysOf(part)) > 0 {
		var known []keyPair
		if err := json.Unmarshal(results[0], &known); err != nil {
			return nil, fmt.Errorf("reading which records existed: %w", err)
		}
		for _, pair := range known {
			existing[pair.Name] = true
		}
	}
	answers := make([]reconciler.RecordResult, len(part))
	for index, one := range part {
		id := one.write.ID
		if one.write.Action == reconciler.ActionDelete {
			continue // no error: it is gone, whoever did it
		}
		if place := places[index].create; place >= 0 {
			var made []int64
			if err := json.Unmarshal(results[place], &made); err != nil || len(made) != 1 {
				return nil, fmt.Errorf("the door answered a create with something else: %w", errors.Join(err, ErrInvalid))
			}
			id, answers[index].Existed = made[0], existing[one.write.Key]
		}
		if place := places[index].update; place >= 0 {
			switch string(results[place]) {
			case "true":
			case `"stale"`:
				answers[index].Err = reconciler.ErrStale
			case `"missing"`:
				answers[index].Err = reconciler.ErrGone
			default:
				return nil, fmt.Errorf("the door answered a write with something else: %w", ErrInvalid)
			}
		}
		record := byID[id]
		if record == nil && answers[index].Err == nil {
			answers[index].Err = reconciler.ErrGone
		}
		if answers[index].Err == nil {
			answers[index].Record = record
		}
	}
	return answers, nil
}
