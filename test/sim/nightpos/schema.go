package nightpos

import (
	"maps"
	"slices"
	"strings"
)

// kind is the type of a field.
type kind string

const (
	kindText      kind = "char"
	kindHTML      kind = "html"
	kindBool      kind = "boolean"
	kindInt       kind = "integer"
	kindFloat     kind = "float"
	kindDate      kind = "date"
	kindDatetime  kind = "datetime"
	kindSelection kind = "selection"
	kindOne       kind = "many2one"
	kindMany      kind = "many2many"
	kindLines     kind = "one2many"
)

// field is one field of a model.
type field struct {
	kind      kind
	relation  string
	selection []string
	required  bool
	// label is what messages call it.
	label string
	// admin fields may be read by administrators only.
	admin bool
	// group, if set, may see the field; then webhooks may not carry it.
	group string
	// computed fields are worked out when read.
	computed func(*transaction, *record) any
}

type model map[string]field

// log adds the fields that every model has.
func (m model) log() model {
	m["id"] = field{kind: kindInt}
	m["display_name"] = field{kind: kindText, computed: func(t *transaction, r *record) any { return t.displayName(r) }}
	m["create_date"], m["write_date"] = field{kind: kindDatetime}, field{kind: kindDatetime}
	m["create_uid"], m["write_uid"] = field{kind: kindOne, relation: "res.users"}, field{kind: kindOne, relation: "res.users"}
	return m
}

// schema is the part of NightPOS's models that is simulated.
func schema(version int) map[string]model {
	count := func(state string) func(*transaction, *record) any {
		return func(t *transaction, r *record) any {
			number := 0
			for _, attendee := range t.attendees(r.id) {
				if attendee.values["state"] == state {
					number++
				}
			}
			return number
		}
	}
	event := model{
		"name": {kind: kindText, required: true, label: "Meeting Subject"}, "active": {kind: kindBool},
		"start": {kind: kindDatetime, required: true, label: "Start"}, "stop": {kind: kindDatetime, required: true, label: "Stop"},
		"allday": {kind: kindBool}, "start_date": {kind: kindDate}, "stop_date": {kind: kindDate}, "duration": {kind: kindFloat},
		"description": {kind: kindHTML}, "location": {kind: kindText}, "videocall_location": {kind: kindText},
		"videocall_source": {kind: kindSelection, selection: []string{"discuss", "custom"}},
		"privacy":          {kind: kindSelection, selection: []string{"public", "private", "confidential"}},
		"show_as":          {kind: kindSelection, selection: []string{"free", "busy"}},
		"user_id":          {kind: kindOne, relation: "res.users"},
		"partner_id": {kind: kindOne, relation: "res.partner", computed: func(t *transaction, r *record) any {
			if user := t.get("res.users", intOf(r.values["user_id"])); user != nil {
				return user.values["partner_id"]
			}
			return nil
		}},
		"partner_ids": {kind: kindMany, relation: "res.partner"},
		"attendee_ids": {kind: kindLines, relation: "calendar.attendee", computed: func(t *transaction, r *record) any {
			ids := []int{}
			for _, attendee := range t.attendees(r.id) {
				ids = append(ids, attendee.id)
			}
			return ids
		}},
		"alarm_ids":  {kind: kindMany, relation: "calendar.alarm"},
		"categ_ids":  {kind: kindMany, relation: "calendar.event.type"},
		"recurrency": {kind: kindBool}, "recurrence_id": {kind: kindOne, relation: "calendar.recurrence"},
		"follow_recurrence": {kind: kindBool},
		"need_sync_m":       {kind: kindBool},
		"microsoft_id":      {kind: kindText}, "microsoft_recurrence_master_id": {kind: kindText},
		"ms_universal_event_id": {kind: kindText}, "access_token": {kind: kindText},
		"accepted_count":  {kind: kindInt, computed: count("accepted")},
		"declined_count":  {kind: kindInt, computed: count("declined")},
		"tentative_count": {kind: kindInt, computed: count("tentative")},
	}
	maps.Copy(event, eventRules())
	if version < 18 {
		half := func(index int) func(*transaction, *record) any {
			return func(_ *transaction, r *record) any {
				halves := strings.SplitN(textOf(r.values["microsoft_id"])+":", ":", 3)
				return halves[index]
			}
		}
		event["ms_organizer_event_id"] = field{kind: kindText, computed: half(0)}
		event["ms_universal_event_id"] = field{kind: kindText, computed: half(1)}
		privacy := event["privacy"]
		privacy.required, privacy.label = true, "Privacy"
		event["privacy"] = privacy
	}
	attending := func(t *transaction, r *record) *record {
		for _, attendee := range t.attendees(r.id) {
			if intOf(attendee.values["partner_id"]) == t.partner() {
				return attendee
			}
		}
		return nil
	}
	event["attendees_count"] = field{kind: kindInt, computed: func(t *transaction, r *record) any { return len(t.attendees(r.id)) }}
	event["awaiting_count"] = field{kind: kindInt, computed: count("needsAction")}
	event["current_attendee"] = field{kind: kindOne, relation: "calendar.attendee", computed: func(t *transaction, r *record) any {
		if own := attending(t, r); own != nil {
			return own.id
		}
		return nil
	}}
	event["current_status"] = field{kind: kindSelection, computed: func(t *transaction, r *record) any {
		if own := attending(t, r); own != nil {
			return own.values["state"]
		}
		return nil
	}}
	event["message_ids"] = field{kind: kindLines, relation: "mail.message", computed: func(t *transaction, r *record) any {
		ids := []int{}
		for _, message := range t.children("mail.message", r.id) {
			ids = append(ids, message.id)
		}
		slices.Reverse(ids)
		return ids
	}}
	event["has_message"] = field{kind: kindBool, computed: func(t *transaction, r *record) any { return len(t.children("mail.message", r.id)) > 0 }}
	// Who made an event and whom it invites follow it.
	event["message_is_follower"] = field{kind: kindBool, computed: func(t *transaction, r *record) any {
		return intOf(r.values["create_uid"]) == t.uid || attending(t, r) != nil
	}}
	event["should_show_status"] = field{kind: kindBool, computed: func(t *transaction, r *record) any {
		return attending(t, r) != nil && len(t.attendees(r.id)) > 1
	}}
	event["user_can_edit"] = field{kind: kindBool, computed: func(t *transaction, r *record) any {
		return intOf(r.values["user_id"]) == t.uid || attending(t, r) != nil
	}}
	event["recurrence_update"] = field{kind: kindSelection, computed: func(*transaction, *record) any { return "self_only" }}
	event["display_time"] = field{kind: kindText, computed: func(t *transaction, r *record) any { return t.displayTime(r) }}
	event["display_description"] = field{kind: kindBool, computed: func(_ *transaction, r *record) any { return truth(r.values["description"]) }}
	if version >= 19 {
		// From then on only who made an event follows it.
		event["message_partner_ids"] = field{kind: kindMany, relation: "res.partner", computed: func(t *transaction, r *record) any {
			if user := t.get("res.users", intOf(r.values["create_uid"])); user != nil {
				return []int{intOf(user.values["partner_id"])}
			}
			return []int{}
		}}
		event["message_is_follower"] = field{kind: kindBool, computed: func(t *transaction, r *record) any { return intOf(r.values["create_uid"]) == t.uid }}
		event["notes"] = field{kind: kindHTML}
		event["effective_privacy"] = field{kind: kindSelection, computed: func(t *transaction, r *record) any { return t.privacy(r) }}
		event["unavailable_partner_ids"] = field{kind: kindMany, relation: "res.partner", computed: func(t *transaction, r *record) any { return t.unavailable(r) }}
	}
	groups := groupsField(version)
	models := map[string]model{
		"calendar.event": event.log(),
		"calendar.attendee": model{
			"event_id":   {kind: kindOne, relation: "calendar.event", required: true, label: "Meeting linked"},
			"partner_id": {kind: kindOne, relation: "res.partner", required: true, label: "Attendee"},
			"email": {kind: kindText, computed: func(t *transaction, r *record) any {
				if partner := t.get("res.partner", intOf(r.values["partner_id"])); partner != nil {
					return partner.values["email"]
				}
				return nil
			}},
			"common_name": {kind: kindText, computed: func(t *transaction, r *record) any {
				if partner := t.get("res.partner", intOf(r.values["partner_id"])); partner != nil {
					return partner.values["name"]
				}
				return nil
			}},
			"state":        {kind: kindSelection, selection: []string{"needsAction", "tentative", "declined", "accepted"}},
			"availability": {kind: kindSelection, selection: []string{"free", "busy"}},
			"access_token": {kind: kindText}, "recurrence_id": {kind: kindOne, relation: "calendar.recurrence"},
		}.log(),
		"calendar.alarm": model{
			"name":       {kind: kindText, required: true, label: "Name"},
			"alarm_type": {kind: kindSelection, selection: []string{"notification", "email", "sms"}, required: true, label: "Type"},
			"interval":   {kind: kindSelection, selection: []string{"minutes", "hours", "days"}, required: true, label: "Unit"},
			"duration":   {kind: kindInt, required: true, label: "Remind Before"},
			"duration_minutes": {kind: kindInt, computed: func(_ *transaction, r *record) any {
				units := map[string]int{"minutes": 1, "hours": 60, "days": 24 * 60}
				return intOf(r.values["duration"]) * units[textOf(r.values["interval"])]
			}},
		}.log(),
		"calendar.event.type": model{"name": {kind: kindText, required: true, label: "Name"}, "color": {kind: kindInt}}.log(),
		"calendar.recurrence": recurrenceModel(version),
		"res.partner":         model{"name": {kind: kindText}, "email": {kind: kindText}, "active": {kind: kindBool}, "tz": {kind: kindText}}.log(),
		"res.users": model{
			"login": {kind: kindText, required: true, label: "Login"}, "name": {kind: kindText}, "email": {kind: kindText},
			"password": {kind: kindText, admin: true}, "partner_id": {kind: kindOne, relation: "res.partner"}, "tz": {kind: kindText},
			"lang": {kind: kindText}, "active": {kind: kindBool}, "share": {kind: kindBool}, groups: {kind: kindMany, relation: "res.groups"},
			"notification_type":         {kind: kindSelection, selection: []string{"email", "inbox"}},
			"microsoft_calendar_rtoken": {kind: kindText, admin: true}, "microsoft_calendar_token": {kind: kindText, admin: true},
			"microsoft_calendar_token_validity": {kind: kindDatetime, admin: true}, "microsoft_calendar_sync_token": {kind: kindText, admin: true},
			"microsoft_synchronization_stopped": {kind: kindBool, admin: true}, "microsoft_last_sync_date": {kind: kindDatetime, admin: true},
		}.log(),
		"res.groups": model{
			"name":             {kind: kindText, required: true, label: "Name"},
			"api_key_duration": {kind: kindFloat},
		}.log(),
		"base.automation": model{
			"name": {kind: kindText, required: true, label: "Automation Rule Name"}, "active": {kind: kindBool},
			"model_id":          {kind: kindOne, relation: "ir.model", required: true, label: "Model"},
			"trigger":           {kind: kindSelection, selection: []string{"on_create_or_write", "on_unlink", "on_create", "on_write", "on_archive", "on_unarchive"}, required: true, label: "Trigger"},
			"trigger_field_ids": {kind: kindMany, relation: "ir.model.fields"}, "filter_domain": {kind: kindText}, "filter_pre_domain": {kind: kindText},
			"action_server_ids": {kind: kindLines, relation: "ir.actions.server", computed: func(t *transaction, r *record) any {
				ids := []int{}
				for _, action := range t.all("ir.actions.server") {
					if intOf(action.values["base_automation_id"]) == r.id {
						ids = append(ids, action.id)
					}
				}
				return ids
			}},
		}.log(),
		"ir.actions.server": model{
			"name": {kind: kindText, required: true, label: "Name"}, "model_id": {kind: kindOne, relation: "ir.model", required: true, label: "Model"},
			"state": {kind: kindSelection, selection: []string{"code", "webhook", "object_write", "object_create", "multi"}},
			"code":  {kind: kindText, admin: true}, "webhook_url": {kind: kindText, admin: true},
			"webhook_field_ids": {kind: kindMany, relation: "ir.model.fields", admin: true}, groups: {kind: kindMany, relation: "res.groups"},
			"webhook_sample_payload": {kind: kindText, admin: true, computed: func(t *transaction, r *record) any { return t.samplePayload(r) }},
			"warning":                {kind: kindText, admin: true, computed: func(t *transaction, r *record) any { return t.actionWarning(r) }},
			"usage":                  {kind: kindSelection, selection: []string{"ir_actions_server", "ir_cron", "base_automation"}}, "base_automation_id": {kind: kindOne, relation: "base.automation"},
		}.log(),
		"ir.actions.act_url": model{
			"name": {kind: kindText, required: true, label: "Action Name"}, "type": {kind: kindText, required: true, label: "Action Type"},
			"url":    {kind: kindText, required: true, label: "Action URL"},
			"target": {kind: kindSelection, selection: []string{"new", "self", "download"}, required: true, label: "Action Target"},
		}.log(),
		"ir.ui.menu": model{
			"name": {kind: kindText, required: true, label: "Menu"}, "active": {kind: kindBool}, "sequence": {kind: kindInt},
			"parent_id": {kind: kindOne, relation: "ir.ui.menu"}, "action": {kind: kindText}, groups: {kind: kindMany, relation: "res.groups"},
		}.log(),
		"res.lang": model{"code": {kind: kindText}, "week_start": {kind: kindText}, "active": {kind: kindBool}}.log(),
		"ir.model": model{"model": {kind: kindText}, "name": {kind: kindText}}.log(),
		"ir.model.fields": model{
			"name": {kind: kindText}, "model": {kind: kindText}, "model_id": {kind: kindOne, relation: "ir.model"}, "field_description": {kind: kindText},
			"ttype": {kind: kindText}, "store": {kind: kindBool}, "groups": {kind: kindMany, relation: "res.groups"}, "related": {kind: kindText},
		}.log(),
		"ir.model.data": model{
			"module": {kind: kindText}, "name": {kind: kindText}, "model": {kind: kindText}, "res_id": {kind: kindInt}, "noupdate": {kind: kindBool},
		}.log(),
		"mail.message": model{
			"model": {kind: kindText}, "res_id": {kind: kindInt}, "body": {kind: kindHTML}, "author_id": {kind: kindOne, relation: "res.partner"},
		}.log(),
		// What was sent is kept apart, as Mail; here it is counted only.
		"mail.mail": model{"subject": {kind: kindText}}.log(),
		"res.users.apikeys.description": model{
			"name":     {kind: kindText, required: true, label: "Description"},
			"duration": {kind: kindText}, "expiration_date": {kind: kindDatetime},
		}.log(),
		"res.users.apikeys":       model{"name": {kind: kindText}, "user_id": {kind: kindOne, relation: "res.users"}}.log(),
		"res.users.identitycheck": model{"password": {kind: kindText}, "request": {kind: kindInt}}.log(),
		"res.users.settings":      model{"user_id": {kind: kindOne, relation: "res.users"}}.log(),
		"ir.config_parameter":     model{"key": {kind: kindText}, "value": {kind: kindText}}.log(),
	}
	if version >= 18 {
		models["res.users.apikeys"]["expiration_date"] = field{kind: kindDatetime}
		// Kept in the user's settings, and written through the user. 17 has none.
		models["res.users"]["calendar_default_privacy"] = field{
			kind: kindSelection, selection: []string{"public", "private", "confidential"},
			computed: func(_ *transaction, r *record) any {
				if chosen := r.values["calendar_default_privacy"]; truth(chosen) {
					return chosen
				}
				return "public"
			},
		}
	}
	if version >= 19 {
		models["res.groups"]["implied_ids"] = field{kind: kindMany, relation: "res.groups"}
	}
	return models
}
