package nightpos

import (
	"net/http"
	"time"
)

// apiKey signs a person in over the API in place of the password.
type apiKey struct {
	user int
	// expires is zero for never.
	expires time.Time
}

// APIKey makes a key of the person's that works over the API in every version,
// and is the only way in over JSON-2. A lifetime of zero means for ever.
func (m *Member) APIKey(lifetime time.Duration) string {
	var expires time.Time
	if lifetime > 0 {
		expires = m.server.now().Add(lifetime)
	}
	return m.server.addKey(m.ID, expires)
}

func (s *Server) addKey(user int, expires time.Time) string {
	secret := (s.token() + s.token())[:40]
	t := s.begin(user, nil).as(true, nil)
	values := map[string]any{"name": "key", "user_id": user}
	if _, known := s.schema["res.users.apikeys"]["expiration_date"]; known && !expires.IsZero() {
		values["expiration_date"] = expires.UTC().Truncate(time.Second)
	}
	t.insert("res.users.apikeys", values)
	// Nothing else can be in the way of a new record.
	_ = t.commit()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.keys[secret] = apiKey{user, expires}
	return secret
}

// keyHolder is the active user of a key, zero for none.
func (s *Server) keyHolder(secret string) int {
	s.mutex.Lock()
	key, known := s.keys[secret]
	s.mutex.Unlock()
	if !known || !key.expires.IsZero() && !s.now().Before(key.expires) {
		return 0
	}
	if user := s.begin(0, nil).get("res.users", key.user); user == nil || !truth(user.values["active"]) {
		return 0
	}
	return key.user
}

// callKW calls a method of a model for the person at a browser.
func (s *Server) callKW(r *http.Request, parameters map[string]any, _ http.Header) (any, error) {
	user := s.sessionUser(r)
	if user == nil {
		return nil, errSession()
	}
	given := arguments{named: objectOf(parameters["kwargs"]), http: true}
	given.list, _ = parameters["args"].([]any)
	return s.run(user.id, textOf(parameters["model"]), textOf(parameters["method"]), given)
}

// makeKey asks for the password before there is a key.
func (t *transaction) makeKey(ids []int, given arguments) (any, error) {
	if !given.http {
		return nil, userError("This method can only be accessed over HTTP")
	}
	if len(ids) != 1 || t.get("res.users.apikeys.description", ids[0]) == nil {
		return nil, missing("res.users.apikeys.description", ids, t.uid)
	}
	check := t.insert("res.users.identitycheck", map[string]any{"request": ids[0]})
	dialog := map[string]any{
		"type": "ir.actions.act_window", "res_model": "res.users.identitycheck", "res_id": check.id,
		"name": "Security Control", "target": "new", "views": []any{[]any{false, "form"}},
	}
	if t.nineteen() {
		dialog["name"], dialog["context"] = "Access Control", map[string]any{"dialog_size": "medium"}
	}
	return dialog, nil
}

// runCheck makes the key when the password is right, which 17 and 18 take from
// the record and 19 from the context.
func (t *transaction) runCheck(ids []int, given arguments) (any, error) {
	if !given.http {
		return nil, userError("This method can only be accessed over HTTP")
	}
	var check *record
	if len(ids) == 1 {
		check = t.get("res.users.identitycheck", ids[0])
	}
	if check == nil || intOf(check.values["create_uid"]) != t.uid {
		return nil, missing("res.users.identitycheck", ids, t.uid)
	}
	password := textOf(check.values["password"])
	if t.nineteen() {
		password = textOf(t.context["password"])
	}
	user := t.get("res.users", t.uid)
	if password == "" || user.values["password"] != password {
		return nil, userError("Incorrect Password, try again or click on Forgot Password to reset your password.")
	}
	description := t.get("res.users.apikeys.description", intOf(check.values["request"]))
	if description == nil {
		return nil, missing("res.users.apikeys.description", []int{intOf(check.values["request"])}, t.uid)
	}
	key := t.server.addKey(t.uid, t.keyEnd(description))
	t.remove(check)
	return map[string]any{
		"type": "ir.actions.act_window", "res_model": "res.users.apikeys.show", "name": "API Key Ready",
		"views": []any{[]any{false, "form"}}, "target": "new", "context": map[string]any{"default_key": key},
	}, nil
}

// keyEnd is when a key ends: on a date of one's own, or after some days, the last
// of which ends at midnight.
func (t *transaction) keyEnd(description *record) time.Time {
	days := atoi(textOf(description.values["duration"]))
	switch {
	case days < 0:
		end, _ := description.values["expiration_date"].(time.Time)
		return end
	case days == 0:
		return time.Time{}
	}
	return t.started.Truncate(24*time.Hour).AddDate(0, 0, days)
}
