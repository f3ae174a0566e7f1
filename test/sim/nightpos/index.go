package nightpos

import (
	"maps"
	"slices"
)

// indexed are the fields by which committed records are found without looking at
// all of their model: the gateway asks for one person's events among those of
// hundreds, and for the keys of single ones.
var indexed = map[string][]string{
	"calendar.event": {"user_id", "partner_ids"},
	"ir.model.data":  {"name", "res_id"},
}

// index holds the ids of a model's committed records by field and value.
type index map[string]map[any]map[int]bool

// indexValues are what a field's value is found under: each id of a list.
func indexValues(value any) []any {
	switch value := value.(type) {
	case int, string:
		return []any{value}
	case []int:
		list := make([]any, len(value))
		for position, id := range value {
			list[position] = id
		}
		return list
	}
	return nil
}

func (i index) add(kept *record) {
	for _, name := range indexed[kept.model] {
		if i[name] == nil {
			i[name] = map[any]map[int]bool{}
		}
		for _, value := range indexValues(kept.values[name]) {
			if i[name][value] == nil {
				i[name][value] = map[int]bool{}
			}
			i[name][value][kept.id] = true
		}
	}
}

func (i index) drop(old *record) {
	for _, name := range indexed[old.model] {
		for _, value := range indexValues(old.values[name]) {
			delete(i[name][value], old.id)
			if len(i[name][value]) == 0 {
				delete(i[name], value)
			}
		}
	}
}

// having adds to ids those of the records that may have one of the values in an
// indexed field: the committed ones that have, and whatever was written here.
func (t *transaction) having(ids map[int]bool, model, name string, values ...any) {
	t.server.mutex.Lock()
	for _, value := range values {
		maps.Copy(ids, t.server.tables[model].index[name][value])
	}
	t.server.mutex.Unlock()
	for written := range t.written {
		if written.model == model {
			ids[written.id] = true
		}
	}
}

// records are those of the ids that there are, in the order of their ids.
func (t *transaction) records(model string, ids map[int]bool) []*record {
	found := make([]*record, 0, len(ids))
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if one := t.get(model, id); one != nil {
			found = append(found, one)
		}
	}
	return found
}

// narrow reads one term of a domain from its start, and returns the ids of all
// records that may match it, nil where they are not known, and the rest of the
// domain.
func (t *transaction) narrow(model string, domain []any) (ids map[int]bool, rest []any) {
	if len(domain) == 0 {
		return nil, nil
	}
	first, rest := domain[0], domain[1:]
	var left, right map[int]bool
	switch first {
	case "!":
		_, rest = t.narrow(model, rest)
		return nil, rest
	case "&":
		left, rest = t.narrow(model, rest)
		right, rest = t.narrow(model, rest)
		return fewer(left, right), rest
	case "|":
		left, rest = t.narrow(model, rest)
		right, rest = t.narrow(model, rest)
		if left == nil || right == nil {
			return nil, rest
		}
		maps.Copy(left, right)
		return left, rest
	}
	leaf, _ := first.([]any)
	return t.narrowLeaf(model, leaf), rest
}

// fewer are the ids of the narrower one of two terms that must both hold.
func fewer(a, b map[int]bool) map[int]bool {
	if a == nil || b != nil && len(b) < len(a) {
		return b
	}
	return a
}

func (t *transaction) narrowLeaf(model string, leaf []any) map[int]bool {
	if len(leaf) != 3 || leaf[1] != "in" && leaf[1] != "=" {
		return nil
	}
	wanted, ok := intsOf(leaf[2])
	name, named := leaf[0].(string)
	if !ok || !named || slices.Contains(wanted, 0) {
		return nil // what has no value is in no index
	}
	ids := map[int]bool{}
	switch {
	case name == "id":
		for _, id := range wanted {
			ids[id] = true
		}
	case name == parents[model]:
		for _, id := range wanted {
			for _, child := range t.children(model, id) {
				ids[child.id] = true
			}
		}
	case slices.Contains(indexed[model], name):
		t.having(ids, model, name, indexValues(wanted)...)
	default:
		return nil
	}
	return ids
}
