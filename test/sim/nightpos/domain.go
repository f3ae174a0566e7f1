package nightpos

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// search finds the ids of the records that a domain matches. Archived records
// are left out unless the context or the domain asks for them.
func (t *transaction) search(model string, domain []any, order string, offset, limit int) ([]int, error) {
	fields, known := t.server.schema[model]
	if !known {
		return nil, userError("Object %s doesn't exist", model)
	}
	if _, archives := fields["active"]; archives && t.context["active_test"] != false && !mentions(domain, "active") {
		domain = append([]any{[]any{"active", "=", true}}, domain...)
	}
	test, err := t.compile(model, domain)
	if err != nil {
		return nil, err
	}
	var found []*record
	for _, candidate := range t.candidates(model, domain) {
		if test(candidate) {
			found = append(found, candidate)
		}
	}
	if err := t.sort(model, found, order); err != nil {
		return nil, err
	}
	found = found[min(offset, len(found)):]
	if limit > 0 {
		found = found[:min(limit, len(found))]
	}
	ids := make([]int, len(found))
	for index, one := range found {
		ids[index] = one.id
	}
	return ids, nil
}

// candidates are the records that may match a domain: all of the model, where none
// of the terms that must hold says more.
func (t *transaction) candidates(model string, domain []any) []*record {
	var ids, term map[int]bool
	for len(domain) > 0 {
		term, domain = t.narrow(model, domain)
		ids = fewer(ids, term)
	}
	if ids == nil {
		return t.all(model)
	}
	return t.records(model, ids)
}

func mentions(domain []any, name string) bool {
	for _, item := range domain {
		if leaf, ok := item.([]any); ok && len(leaf) == 3 && leaf[0] == name {
			return true
		}
	}
	return false
}

// naturalOrder is how models are sorted unless somebody asks.
var naturalOrder = map[string]string{"calendar.event": "start desc, id desc", "calendar.attendee": "create_date ASC", "res.users": "name, login", "res.partner": "name, id desc", "calendar.event.type": "name", "ir.model.fields": "name", "res.groups": "name"}

// natural is a list of records as reading shows it: in their model's order.
func (t *transaction) natural(model string, ids []int) []int {
	var found []*record
	for _, id := range ids {
		if one := t.get(model, id); one != nil {
			found = append(found, one)
		}
	}
	if err := t.sort(model, found, ""); err != nil {
		return ids
	}
	sorted := make([]int, len(found))
	for index, one := range found {
		sorted[index] = one.id
	}
	return sorted
}

func (t *transaction) sort(model string, found []*record, order string) error {
	if order == "" {
		order = naturalOrder[model]
	}
	type term struct {
		name       string
		descending bool
	}
	var terms []term
	for _, part := range strings.Split(order, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		if _, known := t.server.schema[model][words[0]]; !known {
			return valueError("Invalid field '%s' on model '%s'", words[0], model)
		}
		terms = append(terms, term{words[0], len(words) > 1 && strings.EqualFold(words[1], "desc")})
	}
	slices.SortStableFunc(found, func(a, b *record) int {
		for _, term := range terms {
			difference := compareValues(t.value(a, term.name), t.value(b, term.name))
			if difference != 0 {
				if term.descending {
					return -difference
				}
				return difference
			}
		}
		// What is alike comes as it lies in the table: the latest written last, but
		// for attendees in 19.
		if t.nineteen() && model == "calendar.attendee" {
			return a.id - b.id
		}
		if place := cmp.Compare(t.place(a), t.place(b)); place != 0 && len(terms) > 0 {
			return place
		}
		return a.id - b.id
	})
	return nil
}

// place is where a record lies among those of its table.
func (t *transaction) place(r *record) uint64 {
	if written := t.written[key{r.model, r.id}]; written != nil {
		return math.MaxUint64
	}
	return r.version
}

// compile turns a domain, in Polish notation with "and" between terms, into a
// test.
func (t *transaction) compile(model string, domain []any) (func(*record) bool, error) {
	position := 0
	var parse func() (func(*record) bool, error)
	parse = func() (func(*record) bool, error) {
		if position >= len(domain) {
			return nil, valueError("Domain %v is incomplete", domain)
		}
		item := domain[position]
		position++
		switch item {
		case "&", "|":
			left, err := parse()
			if err != nil {
				return nil, err
			}
			right, err := parse()
			if err != nil {
				return nil, err
			}
			if item == "&" {
				return func(r *record) bool { return left(r) && right(r) }, nil
			}
			return func(r *record) bool { return left(r) || right(r) }, nil
		case "!":
			inner, err := parse()
			if err != nil {
				return nil, err
			}
			return func(r *record) bool { return !inner(r) }, nil
		}
		return t.leaf(model, item)
	}
	tests := []func(*record) bool{}
	for position < len(domain) {
		test, err := parse()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(r *record) bool {
		for _, test := range tests {
			if !test(r) {
				return false
			}
		}
		return true
	}, nil
}

func (t *transaction) leaf(model string, item any) (func(*record) bool, error) {
	parts, ok := item.([]any)
	if !ok || len(parts) != 3 {
		return nil, valueError("Invalid leaf %v", item)
	}
	operator := textOf(parts[1])
	if left, constant := parts[0].(int); constant {
		holds := left == intOf(parts[2])
		return func(*record) bool { return holds == (operator == "=") }, nil
	}
	name := textOf(parts[0])
	base, rest, nested := strings.Cut(name, ".")
	defined, known := t.server.schema[model][base]
	if !known {
		if t.nineteen() {
			return nil, valueError("Invalid field %s.%s in condition %s", model, name, python(parts))
		}
		return nil, valueError("Invalid field %s.%s in leaf %s", model, name, python(parts))
	}
	if nested {
		return t.nested(base, defined, rest, parts)
	}
	wanted := parts[2]
	whole := defined.kind == kindDatetime && t.server.config.Version >= 19
	if defined.kind == kindDatetime {
		var err error
		if wanted, err = t.domainTimes(wanted); err != nil {
			return nil, err
		}
	}
	test, known := operators[operator]
	if !known {
		return nil, valueError("Invalid operator '%s' in leaf %s", operator, python(parts))
	}
	return func(r *record) bool {
		value := t.value(r, base)
		if instant, ok := value.(time.Time); ok && whole {
			value = instant.Truncate(time.Second)
		}
		return test(value, wanted)
	}, nil
}

// domainTimes reads a datetime in a domain, or a list of them. 19 knows whole
// seconds only.
func (t *transaction) domainTimes(wanted any) (any, error) {
	switch given := wanted.(type) {
	case string:
		if t.server.config.Version < 19 {
			return parseDomainTime(given)
		}
		instant, err := t.parseTime(given)
		return instant.Truncate(time.Second), err
	case []any:
		list := make([]any, len(given))
		for index, item := range given {
			var err error
			if list[index], err = t.domainTimes(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return wanted, nil
}

// relativeTime is one that 19 counts from now.
var relativeTime = regexp.MustCompile(`^([+-]\d+)([dwHMS])$`)

// parseTime reads what 19 takes for a time in a domain.
func (t *transaction) parseTime(text string) (time.Time, error) {
	now := t.server.now().UTC()
	switch text {
	case "now":
		return now, nil
	case "today":
		year, month, day := now.In(t.zone()).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, t.zone()).UTC(), nil
	}
	if parts := relativeTime.FindStringSubmatch(text); parts != nil {
		units := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "H": time.Hour, "M": time.Minute, "S": time.Second}
		return now.Add(time.Duration(atoi(strings.TrimPrefix(parts[1], "+"))) * units[parts[2]]), nil
	}
	if day, err := time.ParseInLocation(dateFormat, text, t.zone()); err == nil {
		return day.UTC(), nil
	}
	for _, format := range []string{datetimeFormat, "2006-01-02T15:04:05"} {
		if instant, err := time.Parse(format, text); err == nil {
			return instant, nil
		}
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return time.Time{}, valueError("expecting only datetimes with no timezone: '%s'", text)
	}
	return time.Time{}, valueError("Invalid isoformat string: '%s'", text)
}

// nested follows a reference: "partner_id.email".
func (t *transaction) nested(base string, defined field, rest string, parts []any) (func(*record) bool, error) {
	if defined.relation == "" {
		return nil, valueError("Invalid field %s in leaf %s", parts[0], python(parts))
	}
	inner, err := t.leaf(defined.relation, []any{rest, parts[1], parts[2]})
	if err != nil {
		return nil, err
	}
	return func(r *record) bool {
		ids, _ := intsOf(t.value(r, base))
		return slices.ContainsFunc(ids, func(id int) bool {
			target := t.get(defined.relation, id)
			return target != nil && inner(target)
		})
	}, nil
}

// parseDomainTime reads a datetime in a domain, which may have microseconds.
func parseDomainTime(text string) (time.Time, error) {
	for _, format := range []string{datetimeFormat, dateFormat} {
		if instant, err := time.Parse(format, text); err == nil {
			return instant, nil
		}
	}
	return time.Time{}, valueError("time data '%s' does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", text)
}

var operators = map[string]func(value, wanted any) bool{
	"=":  equal,
	"!=": func(value, wanted any) bool { return !equal(value, wanted) },
	"in": contains,
	"not in": func(value, wanted any) bool {
		return !contains(value, wanted)
	},
	"<":  func(value, wanted any) bool { return value != nil && compareValues(value, wanted) < 0 },
	"<=": func(value, wanted any) bool { return value != nil && compareValues(value, wanted) <= 0 },
	">":  func(value, wanted any) bool { return value != nil && compareValues(value, wanted) > 0 },
	">=": func(value, wanted any) bool { return value != nil && compareValues(value, wanted) >= 0 },
	"like": func(value, wanted any) bool {
		return like(textOf(value), "%"+textOf(wanted)+"%")
	},
	"ilike": func(value, wanted any) bool {
		return like(strings.ToLower(textOf(value)), "%"+strings.ToLower(textOf(wanted))+"%")
	},
	"=like": func(value, wanted any) bool { return like(textOf(value), textOf(wanted)) },
	"=ilike": func(value, wanted any) bool {
		return like(strings.ToLower(textOf(value)), strings.ToLower(textOf(wanted)))
	},
}

func equal(value, wanted any) bool {
	if list, many := value.([]int); many {
		if !truth(wanted) {
			return len(list) == 0
		}
		return slices.Contains(list, intOf(wanted))
	}
	if !truth(wanted) && wanted != 0 {
		return !truth(value)
	}
	return compareValues(value, wanted) == 0
}

func contains(value, wanted any) bool {
	list, ok := wanted.([]any)
	if !ok {
		if ids, ints := wanted.([]int); ints {
			list, _ = plain(ids).([]any)
		}
	}
	if many, isMany := value.([]int); isMany {
		return slices.ContainsFunc(many, func(id int) bool { return slices.Contains(list, any(id)) })
	}
	return slices.ContainsFunc(list, func(item any) bool { return equal(value, item) })
}

// compareValues orders values of one kind; nothing comes first, and values of
// different kinds are never equal.
func compareValues(a, b any) int {
	switch left := a.(type) {
	case int:
		if right, ok := b.(int); ok {
			return left - right
		}
	case string:
		if right, ok := b.(string); ok {
			return strings.Compare(left, right)
		}
	case time.Time:
		if right, ok := b.(time.Time); ok {
			return left.Compare(right)
		}
	case bool:
		if right, ok := b.(bool); ok {
			if left == right {
				return 0
			}
			if left {
				return 1
			}
			return -1
		}
	case nil:
		if b == nil {
			return 0
		}
		return -1
	}
	if b == nil {
		return 1
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// like matches SQL's patterns.
func like(text, pattern string) bool {
	if pattern == "" {
		return text == ""
	}
	switch pattern[0] {
	case '%':
		for index := 0; index <= len(text); index++ {
			if like(text[index:], pattern[1:]) {
				return true
			}
		}
		return false
	case '\\':
		if len(pattern) > 1 {
			return text != "" && text[0] == pattern[1] && like(text[1:], pattern[2:])
		}
	case '_':
		return text != "" && like(text[1:], pattern[1:])
	}
	return text != "" && text[0] == pattern[0] && like(text[1:], pattern[1:])
}

// python writes a leaf as Python does.
func python(parts []any) string {
	words := make([]string, len(parts))
	for index, part := range parts {
		switch value := part.(type) {
		case string:
			words[index] = "'" + value + "'"
		case bool:
			words[index] = map[bool]string{true: "True", false: "False"}[value]
		default:
			words[index] = fmt.Sprint(value)
		}
	}
	return "(" + strings.Join(words, ", ") + ")"
}
