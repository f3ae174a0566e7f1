package outlook

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// condition is a parsed $filter.
type condition interface {
	holds(*mailbox, *event) bool
	// propertyIDs lists the ids that the condition allows, if it is only about
	// the ids of extended properties.
	propertyIDs() ([]string, bool)
}

type both struct{ left, right condition }

type either struct{ left, right condition }

type negated struct{ inner condition }

// comparison holds a property against a literal.
type comparison struct {
	path     string
	operator string
	literal  any
}

// startsWith is the function of the same name, contains likewise.
type startsWith struct{ path, text string }

type contains struct{ path, text string }

// extendedIs is a comparison inside singleValueExtendedProperties/Any.
type extendedIs struct{ member, operator, text string }

// anyExtended holds if one extended property fulfils the inner condition.
type anyExtended struct{ inner condition }

func (c both) holds(m *mailbox, e *event) bool { return c.left.holds(m, e) && c.right.holds(m, e) }

func (c either) holds(m *mailbox, e *event) bool { return c.left.holds(m, e) || c.right.holds(m, e) }

func (c negated) holds(m *mailbox, e *event) bool {
	return !c.inner.holds(m, e)
}

func (c comparison) holds(m *mailbox, e *event) bool {
	var value any
	if read := comparableBy[c.path]; read != nil {
		value = read(e)
	} else {
		value = e.organized(m)
	}
	direction := compareValues(value, c.literal)
	switch c.operator {
	case "eq":
		return direction == 0
	case "ne":
		return direction != 0
	case "gt":
		return direction > 0
	case "ge":
		return direction >= 0
	case "lt":
		return direction < 0
	default:
		return direction <= 0
	}
}

func (c startsWith) holds(_ *mailbox, e *event) bool {
	text, _ := comparableBy[c.path](e).(string)
	return strings.HasPrefix(strings.ToLower(text), strings.ToLower(c.text))
}

func (c contains) holds(_ *mailbox, e *event) bool {
	text, _ := comparableBy[c.path](e).(string)
	return strings.Contains(strings.ToLower(text), strings.ToLower(c.text))
}

// holds is asked with an event that has one extended property only.
func (c extendedIs) holds(_ *mailbox, e *event) bool {
	for id, value := range e.extended {
		equal := id == c.text
		if c.member == "value" {
			equal = strings.EqualFold(value, c.text) // 7.18
		}
		return equal == (c.operator == "eq")
	}
	return false
}

func (c anyExtended) holds(m *mailbox, e *event) bool {
	for id, value := range e.extended {
		if c.inner.holds(m, &event{extended: map[string]string{id: value}}) {
			return true
		}
	}
	return false
}

func (c both) propertyIDs() ([]string, bool)        { return nil, false }
func (c negated) propertyIDs() ([]string, bool)     { return nil, false }
func (c comparison) propertyIDs() ([]string, bool)  { return nil, false }
func (c startsWith) propertyIDs() ([]string, bool)  { return nil, false }
func (c contains) propertyIDs() ([]string, bool)    { return nil, false }
func (c anyExtended) propertyIDs() ([]string, bool) { return nil, false }

func (c extendedIs) propertyIDs() ([]string, bool) {
	return []string{c.text}, c.member == "id" && c.operator == "eq"
}

func (c either) propertyIDs() ([]string, bool) {
	left, ok := c.left.propertyIDs()
	right, also := c.right.propertyIDs()
	return append(left, right...), ok && also
}

// comparableBy reads the properties that can be filtered and ordered by.
var comparableBy = map[string]func(*event) any{
	"iCalUId":              func(e *event) any { return e.iCalUID },
	"subject":              func(e *event) any { return e.subject },
	"start/dateTime":       func(e *event) any { return e.start },
	"end/dateTime":         func(e *event) any { return e.end },
	"createdDateTime":      func(e *event) any { return e.created },
	"lastModifiedDateTime": func(e *event) any { return e.modified },
	"isCancelled":          func(e *event) any { return e.cancelled },
	"isAllDay":             func(e *event) any { return e.allDay },
	"showAs":               func(e *event) any { return e.showAs },
	"sensitivity":          func(e *event) any { return e.sensitivity },
	"importance":           func(e *event) any { return e.importance },
	"type":                 func(e *event) any { return e.kind() },
	"isOrganizer":          nil, // depends on the mailbox
}

func compareValues(value, literal any) int {
	switch value := value.(type) {
	case string:
		literal, _ := literal.(string)
		return cmp.Compare(strings.ToLower(value), strings.ToLower(literal))
	case time.Time:
		literal, _ := literal.(time.Time)
		return value.Compare(literal)
	case bool:
		literal, _ := literal.(bool)
		if value == literal {
			return 0
		}
		return 1
	}
	return 1
}

func errorFilter(text string) *graphError {
	return badRequest("ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes: '%s'.", text)
}

// filterParser is a recursive descent over the tokens of a $filter.
type filterParser struct {
	text     string
	tokens   []string
	variable string // of the lambda around, "" outside
	inside   bool   // below extended properties
}

func parseFilter(text string) (condition, error) {
	p := &filterParser{text: text, tokens: filterTokens(text)}
	return p.whole()
}

// parseFilterWith reads a filter on the members of extended properties, whose
// names follow the lambda variable, if there is one.
func parseFilterWith(text, variable string) (condition, error) {
	p := &filterParser{text: text, tokens: filterTokens(text), variable: variable, inside: true}
	return p.whole()
}

func (p *filterParser) whole() (condition, error) {
	parsed, err := p.disjunction()
	if err == nil && len(p.tokens) > 0 {
		err = errorFilter(p.text)
	}
	return parsed, err
}

// filterTokens splits into words, quoted literals and parentheses.
func filterTokens(text string) []string {
	var tokens []string
	for at := 0; at < len(text); {
		switch c := text[at]; { //nolint:staticcheck // one of the cases is a range
		case c == ' ' || c == '\t':
			at++
		case c == '(' || c == ')' || c == ',':
			tokens = append(tokens, string(c))
			at++
		case c == '\'':
			end := at + 1
			for end < len(text) {
				if text[end] == '\'' {
					if end+1 >= len(text) || text[end+1] != '\'' {
						break
					}
					end++ // a doubled quote is a quote
				}
				end++
			}
			end = min(end+1, len(text))
			tokens = append(tokens, text[at:end])
			at = end
		default:
			end := at
			for end < len(text) && !strings.ContainsRune(" \t(),'", rune(text[end])) {
				end++
			}
			tokens = append(tokens, text[at:end])
			at = end
		}
	}
	return tokens
}

func (p *filterParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *filterParser) take() string {
	token := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return token
}

func (p *filterParser) disjunction() (condition, error) {
	left, err := p.conjunction()
	for err == nil && p.peek() == "or" {
		p.take()
		var right condition
		right, err = p.conjunction()
		left = either{left, right}
	}
	return left, err
}

func (p *filterParser) conjunction() (condition, error) {
	left, err := p.primary()
	for err == nil && p.peek() == "and" {
		p.take()
		var right condition
		right, err = p.primary()
		left = both{left, right}
	}
	return left, err
}

func (p *filterParser) primary() (condition, error) {
	word := p.take()
	switch {
	case word == "(":
		inner, err := p.disjunction()
		if err == nil && p.take() != ")" {
			err = errorFilter(p.text)
		}
		return inner, err
	case word == "not":
		inner, err := p.primary()
		return negated{inner}, err
	case (word == "startswith" || word == "contains") && !p.inside:
		return p.function(word)
	case strings.EqualFold(word, "singleValueExtendedProperties/any") && !p.inside:
		return p.lambda()
	case p.inside:
		return p.extended(word)
	}
	return p.comparison(word)
}

func (p *filterParser) function(name string) (condition, error) {
	open, path, comma, literal, end := p.take(), p.take(), p.take(), p.take(), p.take()
	text, ok := unquote(literal)
	if open != "(" || comma != "," || end != ")" || !ok || path != "subject" {
		return nil, errorFilter(p.text)
	}
	if name == "contains" {
		return contains{path, text}, nil
	}
	return startsWith{path, text}, nil
}

func (p *filterParser) lambda() (condition, error) {
	if p.take() != "(" {
		return nil, errorFilter(p.text)
	}
	variable, ok := strings.CutSuffix(p.take(), ":")
	if !ok {
		return nil, errorFilter(p.text)
	}
	inside := &filterParser{text: p.text, tokens: p.tokens, variable: variable, inside: true}
	inner, err := inside.disjunction()
	p.tokens = inside.tokens
	if err == nil && p.take() != ")" {
		err = errorFilter(p.text)
	}
	return anyExtended{inner}, err
}

func (p *filterParser) extended(word string) (condition, error) {
	member := word
	if p.variable != "" {
		var ok bool
		if member, ok = strings.CutPrefix(word, p.variable+"/"); !ok {
			return nil, errorFilter(p.text)
		}
	}
	operator := p.take()
	text, ok := unquote(p.take())
	if !ok || member != "id" && member != "value" || operator != "eq" && operator != "ne" {
		return nil, errorFilter(p.text)
	}
	if member == "id" {
		key, err := extendedKey(text)
		if err != nil {
			return nil, err
		}
		text = key
	}
	return extendedIs{member, operator, text}, nil
}

func (p *filterParser) comparison(path string) (condition, error) {
	read, known := comparableBy[path]
	operator, token := p.take(), p.take()
	switch operator {
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		return nil, errorFilter(p.text)
	}
	if !known {
		return nil, errorFilter(p.text)
	}
	text, quoted := unquote(token)
	if !quoted {
		text = token
	}
	var kind any = false
	if read != nil {
		kind = read(&event{})
	}
	switch kind.(type) {
	case time.Time:
		instant, err := parseLocal(text, utc)
		if err != nil {
			return nil, errorFilter(p.text)
		}
		return comparison{path, operator, instant}, nil
	case bool:
		given, err := strconv.ParseBool(text)
		if err != nil || quoted || operator != "eq" && operator != "ne" {
			return nil, errorFilter(p.text)
		}
		return comparison{path, operator, given}, nil
	}
	if !quoted {
		return nil, errorFilter(p.text)
	}
	return comparison{path, operator, text}, nil
}

// unquote reads a quoted literal; a doubled quote stands for one.
func unquote(token string) (string, bool) {
	if len(token) < 2 || token[0] != '\'' || token[len(token)-1] != '\'' {
		return "", false
	}
	return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), true
}
