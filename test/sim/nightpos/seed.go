package nightpos

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Groups by their recorded ids: groupSettings is Administration/Settings,
// groupUser the internal users.
const (
	groupUser     = 1
	groupSettings = 4
	groupFeatures = 7
	groupExport   = 8
	groupContacts = 9
	adminID       = 2
)

// groupsField is what the list of groups of a user or an action is called.
func groupsField(version int) string {
	if version >= 19 {
		return "group_ids"
	}
	return "groups_id"
}

// groupsOf are those given to a user or an action.
func groupsOf(r *record) []int {
	for _, version := range []int{18, 19} {
		if groups, listed := r.values[groupsField(version)].([]int); listed {
			return groups
		}
	}
	return nil
}

// populate fills a fresh database with what the recordings found there.
func (s *Server) populate() error {
	t := s.begin(adminID, map[string]any{"no_mail_to_attendees": true}).as(true, nil)
	groups := groupsField(s.config.Version)
	t.groups()
	t.insert("ir.config_parameter", map[string]any{"key": "web.base.url", "value": s.config.BaseURL})
	t.insert("res.partner", map[string]any{"name": "My Company", "active": true})
	t.insert("res.partner", map[string]any{"name": "System", "active": false})
	t.insert("res.partner", map[string]any{"name": "Administrator", "email": "admin@nightpos.example", "active": true, "tz": "Europe/Brussels"})
	t.insert("res.users", map[string]any{"login": "__system__", "name": "System", "active": false, "partner_id": 2})
	t.insert("res.users", map[string]any{
		"login": "admin", "name": "Administrator", "email": "admin@nightpos.example", "password": "admin", "active": true,
		"partner_id": 3, groups: []int{groupUser, groupSettings}, "tz": "Europe/Brussels", "notification_type": "email",
	})
	// Ids as recorded: users 6 and 7, contacts 7 to 10; in 19 one less each.
	s.tables["res.users"].last, s.tables["res.partner"].last = 5, 6
	if s.config.Version >= 19 {
		s.tables["res.users"].last, s.tables["res.partner"].last = 4, 5
	}
	people := append([]Person{
		{Name: "Alice", Login: "alice", Address: "alice@nightpos.example", Password: "alice", Zone: "Europe/Brussels"},
		{Name: "Bob", Login: "bob", Address: "bob@nightpos.example", Password: "bob", Zone: "America/New_York"},
	}, s.config.People...)
	for index, person := range people {
		if index == 2 {
			t.contacts()
		}
		if person.Login == "" || person.Name == "" {
			return errors.New("a person needs a name and a login")
		}
		_, err := t.create("res.users", map[string]any{
			"name": person.Name, "login": person.Login, "email": person.Address, "password": person.Password, "tz": person.Zone,
		})
		if err != nil {
			return err
		}
	}
	if len(people) == 2 {
		t.contacts()
	}
	t.alarms()
	t.menus()
	t.models()
	t.insert("ir.config_parameter", map[string]any{"key": "web.base.url", "value": s.config.BaseURL})
	t.insert("ir.config_parameter", map[string]any{
		"key": "database.uuid", "value": uuid.NewSHA1(uuid.NameSpaceURL, []byte(s.config.BaseURL+"/"+s.config.Database)).String(),
	})
	return t.commit()
}

// groups are those of the recordings, under their ids; what the last of each
// version is was not recorded.
func (t *transaction) groups() {
	names := []string{
		"Internal User", "Access Rights", "Bypass HTML Field Sanitize", "Settings", "Multi Companies", "Multi Currencies",
		"Technical Features", "Access to export feature", "Contact Creation", "Portal", "Public",
	}
	if t.server.config.Version >= 18 {
		names = append(names, "Canned Response Administrator")
	}
	if t.server.config.Version >= 19 {
		names = append(names, "Calendar Administrator")
	}
	for _, name := range append(names, "Mail Template Editor", "Receive notifications in Odoo", "Other") {
		t.insert("res.groups", map[string]any{"name": name})
	}
	t.server.tables["ir.model.data"].last = 4
	for _, one := range []struct {
		name  string
		group int
	}{
		{"group_user", groupUser},
		{"group_system", groupSettings},
		{"group_no_one", groupFeatures},
		{"group_allow_export", groupExport},
		{"group_partner_manager", groupContacts},
	} {
		t.insert("ir.model.data", map[string]any{"module": "base", "name": one.name, "model": "res.groups", "res_id": one.group, "noupdate": true})
	}
}

// memberGroups are those that a new user is in.
func (t *transaction) memberGroups() []int {
	if t.server.config.Version >= 19 {
		return []int{groupUser}
	}
	groups := []int{groupUser, groupFeatures, groupExport, groupContacts}
	if t.server.config.Version < 18 {
		groups = append(groups, 12)
	}
	return groups
}

func (t *transaction) contacts() {
	t.insert("res.partner", map[string]any{"name": "Carol External", "email": "carol@customer.example", "active": true})
	t.insert("res.partner", map[string]any{"name": "Dave Nomail", "active": true})
}

// alarms are those that come with the calendar.
func (t *transaction) alarms() {
	for _, alarm := range []struct {
		name, kind, unit string
		amount           int
	}{
		{"Notification - 15 Minutes", "notification", "minutes", 15},
		{"Notification - 30 Minutes", "notification", "minutes", 30},
		{"Notification - 1 Hours", "notification", "hours", 1},
		{"Notification - 2 Hours", "notification", "hours", 2},
		{"Notification - 1 Days", "notification", "days", 1},
		{"Email - 3 Hours", "email", "hours", 3},
		{"Email - 6 Hours", "email", "hours", 6},
	} {
		t.insert("calendar.alarm", map[string]any{"name": alarm.name, "alarm_type": alarm.kind, "interval": alarm.unit, "duration": alarm.amount})
	}
}

// menus are the calendar's own, and the language that everybody speaks.
func (t *transaction) menus() {
	calendar := t.insert("ir.ui.menu", map[string]any{"name": "Calendar", "active": true, "sequence": 10})
	t.insert("ir.model.data", map[string]any{
		"module": "calendar", "name": "mail_menu_calendar", "model": "ir.ui.menu", "res_id": calendar.id, "noupdate": false,
	})
	t.insert("res.lang", map[string]any{"code": "en_US", "week_start": "7", "active": true})
}

// models fills the tables that describe the models themselves, under the
// recorded ids where there are any.
func (t *transaction) models() {
	recorded := t.server.catalogue
	next := 50
	fieldID := 4000
	for _, name := range slices.Sorted(maps.Keys(t.server.schema)) {
		id, known := recorded.Models[name]
		if !known {
			id = next
			next++
		}
		t.written[key{"ir.model", id}] = &record{model: "ir.model", id: id, values: map[string]any{
			"model": name, "name": titles[name], "create_date": t.started, "write_date": t.started, "create_uid": 1, "write_uid": 1,
		}}
		for _, one := range recorded.Fields[name] {
			t.describeField(one.ID, map[string]any{
				"name": one.Name, "model": name, "model_id": id, "ttype": one.Kind, "store": one.Store, "related": one.Related,
			})
		}
		if recorded.Fields[name] != nil {
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(t.server.schema[name])) {
			fieldID++
			defined := t.server.schema[name][field]
			t.describeField(fieldID, map[string]any{
				"name": field, "model": name, "model_id": id, "ttype": string(defined.kind), "store": defined.computed == nil,
			})
		}
	}
	t.server.tables["ir.model"].last, t.server.tables["ir.model.fields"].last = 500, fieldID
}

func (t *transaction) describeField(id int, values map[string]any) {
	defined := t.server.schema[textOf(values["model"])][textOf(values["name"])]
	values["field_description"], values["groups"] = defined.label, []int{}
	values["create_date"], values["write_date"] = t.started, t.started
	t.written[key{"ir.model.fields", id}] = &record{model: "ir.model.fields", id: id, values: values}
}

// createUser makes a user and the contact that belongs to it.
func (t *transaction) createUser(given map[string]any) (int, error) {
	values, err := t.assign("res.users", given, nil)
	if err != nil {
		return 0, err
	}
	if !truth(values["name"]) {
		values["name"] = values["login"]
	}
	for _, other := range t.all("res.users") {
		if other.values["login"] == values["login"] {
			return 0, validationError("You can not have two users with the same login!")
		}
	}
	values["active"] = true
	if groups := groupsField(t.server.config.Version); values[groups] == nil {
		values[groups] = t.memberGroups()
	}
	if values["notification_type"] == nil {
		values["notification_type"] = "email"
	}
	if values["partner_id"] == nil {
		partner := t.insert("res.partner", map[string]any{"name": values["name"], "email": values["email"], "tz": values["tz"], "active": true})
		values["partner_id"] = partner.id
	}
	if err := t.checkRequired("res.users", values); err != nil {
		return 0, err
	}
	return t.insert("res.users", values).id, nil
}

// signedIn finds the user of a login and password, zero for none.
func (s *Server) signedIn(login, password string) int {
	t := s.begin(0, nil)
	for _, user := range t.all("res.users") {
		if user.values["login"] == login && truth(user.values["active"]) && truth(password) && user.values["password"] == password {
			return user.id
		}
	}
	return 0
}

// authentic checks a user id and password.
func (s *Server) authentic(uid int, password string) bool {
	user := s.begin(0, nil).get("res.users", uid)
	return user != nil && truth(user.values["active"]) && truth(password) && user.values["password"] == password
}

// age is the life of what is kept for browsers.
const age = 7 * 24 * time.Hour
