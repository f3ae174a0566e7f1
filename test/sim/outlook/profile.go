package outlook

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// getMe answers with the person's directory entry (1.21).
func (s *Server) getMe(_ context.Context, q *request) (*answer, error) {
	given, family, _ := strings.Cut(q.box.person.Name, " ")
	body := map[string]any{
		"@odata.context":    s.contextURL("users/$entity"),
		"id":                q.box.objectID,
		"userPrincipalName": q.box.person.Address,
		"mail":              q.box.person.Address,
		"displayName":       q.box.person.Name,
		"givenName":         orNull(given),
		"surname":           orNull(family),
		"businessPhones":    []string{},
		"jobTitle":          nil,
		"mobilePhone":       nil,
		"officeLocation":    nil,
		"preferredLanguage": nil,
	}
	if s.config.Switches.MailNull {
		body["mail"] = nil
	}
	return &answer{status: http.StatusOK, body: body}, nil
}

// listTimeZones names the zones of the mailbox (7.9), those of Windows unless
// the call asks for IANA names.
func (s *Server) listTimeZones(_ context.Context, q *request) (*answer, error) {
	zones := windowsZones
	if strings.Contains(strings.ToLower(q.path), "'iana'") {
		zones = listedZones
	}
	value := []any{}
	for name := range zones {
		value = append(value, map[string]any{"alias": name, "displayName": name})
	}
	slices.SortFunc(value, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["alias"].(string), b.(map[string]any)["alias"].(string))
	})
	return &answer{status: http.StatusOK, body: map[string]any{
		"@odata.context": s.contextURL("Collection(microsoft.graph.timeZoneInformation)"), "value": value,
	}}, nil
}

// translateIDs converts between default and immutable ids (7.3).
func (s *Server) translateIDs(_ context.Context, q *request) (*answer, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	inputs, err := texts(content["inputIds"])
	if err != nil {
		return nil, err
	}
	kinds := []string{"restId", "restImmutableEntryId"}
	source, err := enumeration(content["sourceIdType"], kinds, "ExchangeIdFormat")
	if err != nil {
		return nil, err
	}
	target, err := enumeration(content["targetIdType"], kinds, "ExchangeIdFormat")
	if err != nil {
		return nil, err
	}
	if len(inputs) > 1000 {
		return nil, errorInvalid("The number of ids exceeds the maximum of 1000.")
	}
	s.mutex.Lock()
	defer s.unlock()
	value := []any{}
	for _, id := range inputs {
		named, err := q.box.parseID(id, source == kinds[1])
		if err != nil {
			return nil, err
		}
		value = append(value, map[string]any{"sourceId": id, "targetId": q.box.idOf(named, target == kinds[1])})
	}
	return &answer{status: http.StatusOK, body: map[string]any{
		"@odata.context": s.contextURL("Collection(microsoft.graph.convertIdResult)"), "value": value,
	}}, nil
}
