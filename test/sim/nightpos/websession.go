package nightpos

import (
	"net/http"
)

// errSession is what a browser without a session gets.
func errSession() error {
	return &fault{name: "odoo.http.SessionExpiredException", message: "Session expired", code: 100}
}

func (s *Server) sessionUser(r *http.Request) *record {
	cookie, err := r.Cookie("session_id")
	if err != nil {
		return nil
	}
	s.mutex.Lock()
	uid := s.sessions[cookie.Value]
	s.mutex.Unlock()
	return s.begin(0, nil).get("res.users", uid)
}

// sessionAuthenticate signs a browser in with a password.
func (s *Server) sessionAuthenticate(_ *http.Request, parameters map[string]any, header http.Header) (any, error) {
	if textOf(parameters["db"]) != s.config.Database {
		return nil, s.noDatabase(textOf(parameters["db"]))
	}
	uid := s.signedIn(textOf(parameters["login"]), textOf(parameters["password"]))
	if uid == 0 {
		return nil, accessDenied()
	}
	id := s.token()
	s.mutex.Lock()
	s.sessions[id] = uid
	s.mutex.Unlock()
	cookie := http.Cookie{Name: "session_id", Value: id, Path: "/", HttpOnly: true, MaxAge: int(age.Seconds())}
	header.Add("Set-Cookie", cookie.String())
	return s.describe(s.begin(0, nil).get("res.users", uid)), nil
}

// sessionInfo tells who is at the browser.
func (s *Server) sessionInfo(r *http.Request, _ map[string]any, _ http.Header) (any, error) {
	user := s.sessionUser(r)
	if user == nil {
		return nil, errSession()
	}
	return s.describe(user), nil
}

func (s *Server) sessionDestroy(r *http.Request, _ map[string]any, _ http.Header) (any, error) {
	if s.sessionUser(r) == nil {
		return nil, errSession()
	}
	cookie, err := r.Cookie("session_id")
	if err == nil {
		s.mutex.Lock()
		delete(s.sessions, cookie.Value)
		s.mutex.Unlock()
	}
	return nothing{}, nil
}

func (s *Server) describe(user *record) map[string]any {
	version := s.versionInfo()
	t := s.begin(user.id, nil)
	system := t.inGroup(user, groupSettings)
	partner := t.get("res.partner", intOf(user.values["partner_id"]))
	return map[string]any{
		"is_public": false, "is_internal_user": t.inGroup(user, groupUser), "partner_display_name": partner.values["name"],
		"partner_write_date": t.show(partner, "write_date", false),
		"uid":                user.id, "username": user.values["login"], "name": user.values["name"], "is_admin": system, "is_system": system,
		"partner_id": user.values["partner_id"], "db": s.config.Database, "server_version": version["server_version"],
		"server_version_info": version["server_version_info"], "web.base.url": t.baseURL(),
		"user_context": t.userContext(),
	}
}

// baseURL is web.base.url as it stands.
func (t *transaction) baseURL() any {
	for _, parameter := range t.all("ir.config_parameter") {
		if parameter.values["key"] == "web.base.url" {
			return t.show(parameter, "value", false)
		}
	}
	return false
}

// userContext is what a person's client sends along.
func (t *transaction) userContext() map[string]any {
	zone := any(false)
	if user := t.get("res.users", t.uid); user != nil {
		zone = t.show(user, "tz", false)
	}
	return map[string]any{"lang": "en_US", "tz": zone, "uid": t.uid}
}
