package nightpos

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// The code of a server action is Python in NightPOS's restricted interpreter. What
// of it an action needs is all but Starlark, which is run here: without imports,
// functions of its own, names with two underscores, or any way out.

const (
	// codeSteps bounds one run.
	codeSteps = 100_000_000
	// codeName is what the code is called in errors.
	codeName = "ir.actions.server"
)

// codeDialect allows statements outside functions, and names to be given again.
var codeDialect = &syntax.FileOptions{TopLevelControl: true, GlobalReassign: true, Set: true, While: true}

var (
	// forbiddenCode is refused as NightPOS refuses it.
	forbiddenCode = regexp.MustCompile(`\w*__\w*|\b(import|exec|eval|open|compile|globals|locals|def|lambda|class|try|with)\b`)
	codeTexts     = regexp.MustCompile(`'[^'\n]*'|"[^"\n]*"|#[^\n]*`)
	raises        = regexp.MustCompile(`(?m)^(\s*)raise (.*)$`)
	isNot, is     = regexp.MustCompile(` is not `), regexp.MustCompile(` is `)
)

// starlarkOf rewrites the little of Python that Starlark has not: raise, is, and
// load as a name.
func starlarkOf(code string) (string, error) {
	bare := codeTexts.ReplaceAllString(code, "")
	if name := forbiddenCode.FindString(bare); name != "" {
		return "", newFault("builtins.NameError", "Access to forbidden name %q", name)
	}
	lines := strings.Split(code, "\n")
	for index, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		line = strings.ReplaceAll(line, ", load=", ", load_=")
		lines[index] = is.ReplaceAllString(isNot.ReplaceAllString(line, " != "), " == ")
	}
	return raises.ReplaceAllString(strings.Join(lines, "\n"), "${1}raised($2)"), nil
}

// interpret runs an action's code and returns what it leaves in the variable
// action.
func (t *transaction) interpret(action *record) (any, error) {
	code := textOf(action.values["code"])
	program, err := t.server.program(code)
	var globals starlark.StringDict
	if err == nil {
		thread := &starlark.Thread{Name: codeName}
		thread.SetMaxExecutionSteps(codeSteps)
		globals, err = program.Init(thread, codeGlobals(&interpretation{transaction: t}))
	}
	var failed *fault
	switch {
	case errors.As(err, &failed):
		return nil, failed
	case errors.As(err, new(conflict)):
		return nil, conflict{}
	case err != nil:
		return nil, valueError("ValueError(%q) while evaluating\n%q", err.Error(), code)
	}
	if globals["action"] == nil {
		return false, nil
	}
	return goOf(globals["action"])
}

// codeGlobals are what code finds besides Starlark's own.
func codeGlobals(run *interpretation) starlark.StringDict {
	return starlark.StringDict{
		"env": environment{run}, "UserError": starlark.NewBuiltin("UserError", newUserError),
		"raised": starlark.NewBuiltin("raised", raise), "isinstance": starlark.NewBuiltin("isinstance", isInstance),
	}
}

// program is a code that is ready to run.
func (s *Server) program(code string) (*starlark.Program, error) {
	s.mutex.Lock()
	known := s.programs[code]
	s.mutex.Unlock()
	if known != nil {
		return known, nil
	}
	text, err := starlarkOf(code)
	if err != nil {
		return nil, err
	}
	_, program, err := starlark.SourceProgramOptions(codeDialect, codeName, text, codeGlobals(nil).Has)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.programs[code] = program
	return program, nil
}

func newUserError(_ *starlark.Thread, _ *starlark.Builtin, arguments starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(arguments) != 1 {
		return nil, errors.New("UserError takes one text")
	}
	text, _ := starlark.AsString(arguments[0])
	return starlark.String(text), nil
}

func raise(_ *starlark.Thread, _ *starlark.Builtin, arguments starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	text, _ := starlark.AsString(arguments[0])
	return nil, userError("%s", text)
}

func isInstance(_ *starlark.Thread, _ *starlark.Builtin, arguments starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if len(arguments) != 2 {
		return nil, errors.New("isinstance takes a value and a type")
	}
	kind, known := arguments[1].(*starlark.Builtin)
	if !known {
		return nil, errors.New("isinstance knows builtin types only")
	}
	name := strings.NewReplacer("str", "string").Replace(kind.Name())
	return starlark.Bool(arguments[0].Type() == name), nil
}

// interpretation is one run of an action's code.
type interpretation struct{ transaction *transaction }

// environment is env: the models, by name.
type environment struct{ run *interpretation }

func (environment) String() string        { return "env" }
func (environment) Type() string          { return "environment" }
func (environment) Freeze()               {}
func (environment) Truth() starlark.Bool  { return true }
func (environment) Hash() (uint32, error) { return 0, errors.New("env has no hash") }
func (environment) AttrNames() []string   { return []string{"context", "uid", "user"} }

func (e environment) Get(name starlark.Value) (starlark.Value, bool, error) {
	model, _ := starlark.AsString(name)
	if _, known := e.run.transaction.server.schema[model]; !known {
		return nil, false, newFault("builtins.KeyError", "'%s'", model)
	}
	return &recordSet{run: e.run, transaction: e.run.transaction, model: model}, true, nil
}

func (e environment) Attr(name string) (starlark.Value, error) {
	t := e.run.transaction
	switch name {
	case "context":
		return starlarkValue(t.context), nil
	case "uid":
		return starlark.MakeInt(t.uid), nil
	case "user":
		return &recordSet{run: e.run, transaction: t.as(true, nil), model: "res.users", ids: []int{t.uid}}, nil
	}
	return nil, nil
}

// recordSet is a list of records of a model, as the code handles them.
type recordSet struct {
	run         *interpretation
	transaction *transaction
	model       string
	ids         []int
}

func (r *recordSet) String() string {
	texts := make([]string, len(r.ids))
	for index, id := range r.ids {
		texts[index] = itoa(id)
	}
	return r.model + "(" + strings.Join(texts, ", ") + ")"
}
func (r *recordSet) Type() string          { return r.model }
func (r *recordSet) Freeze()               {}
func (r *recordSet) Truth() starlark.Bool  { return len(r.ids) > 0 }
func (r *recordSet) Hash() (uint32, error) { return starlark.String(r.String()).Hash() }
func (r *recordSet) Len() int              { return len(r.ids) }
func (r *recordSet) Index(i int) starlark.Value {
	return r.of(r.model, r.ids[i])
}

func (r *recordSet) Iterate() starlark.Iterator {
	list := make([]starlark.Value, len(r.ids))
	for index := range r.ids {
		list[index] = r.Index(index)
	}
	return starlark.NewList(list).Iterate()
}

// Get reads a field by its name, as record['name'] does.
func (r *recordSet) Get(name starlark.Value) (starlark.Value, bool, error) {
	if index, err := starlark.AsInt32(name); err == nil {
		if index < 0 || index >= len(r.ids) {
			return nil, false, newFault("builtins.IndexError", "list index out of range")
		}
		return r.Index(index), true, nil
	}
	text, _ := starlark.AsString(name)
	found, err := r.field(text)
	return found, err == nil, err
}

func (r *recordSet) of(model string, ids ...int) *recordSet {
	return &recordSet{run: r.run, transaction: r.transaction, model: model, ids: ids}
}

// AttrNames names the methods.
func (r *recordSet) AttrNames() []string { return slices.Sorted(maps.Keys(recordMethods)) }

// Attr is a method, or a field.
func (r *recordSet) Attr(name string) (starlark.Value, error) {
	switch name {
	case "ids":
		return starlarkValue(plain(r.ids)), nil
	case "env":
		return environment{&interpretation{r.transaction}}, nil
	case "id":
		if len(r.ids) == 0 {
			return starlark.False, nil
		}
		if len(r.ids) > 1 {
			return nil, valueError("Expected singleton: %s", r)
		}
		return starlark.MakeInt(r.ids[0]), nil
	}
	if method := recordMethods[name]; method != nil {
		return starlark.NewBuiltin(name, func(_ *starlark.Thread, _ *starlark.Builtin, given starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
			call := arguments{named: map[string]any{}}
			for _, one := range given {
				value, err := goOf(one)
				if err != nil {
					return nil, err
				}
				call.list = append(call.list, value)
			}
			for _, pair := range named {
				value, err := goOf(pair[1])
				if err != nil {
					return nil, err
				}
				text, _ := starlark.AsString(pair[0])
				call.named[strings.TrimSuffix(text, "_")] = value
			}
			return method(r, call)
		}), nil
	}
	return r.field(name)
}

// field is a field's value: of references the records, of an empty set nothing.
func (r *recordSet) field(name string) (starlark.Value, error) {
	t := r.transaction
	defined, known := t.server.schema[r.model][name]
	if !known {
		return nil, newFault("builtins.AttributeError", "'%s' object has no attribute '%s'", r.model, name)
	}
	if defined.admin && !t.sudo && !t.administrator() {
		return nil, t.forbiddenFields(r.model, []string{name})
	}
	if defined.relation != "" && (defined.kind == kindOne || defined.kind == kindMany || defined.kind == kindLines) {
		var ids []int
		for _, id := range r.ids {
			if found := t.get(r.model, id); found != nil {
				referred, _ := intsOf(t.value(found, name))
				for _, one := range t.natural(defined.relation, referred) {
					if !slices.Contains(ids, one) {
						ids = append(ids, one)
					}
				}
			}
		}
		if archives := t.server.schema[defined.relation]; archives != nil && defined.kind != kindOne {
			ids = t.active(defined.relation, ids)
		}
		return r.of(defined.relation, ids...), nil
	}
	if len(r.ids) == 0 {
		return starlark.False, nil
	}
	if len(r.ids) > 1 {
		return nil, valueError("Expected singleton: %s", r)
	}
	found := t.get(r.model, r.ids[0])
	if found == nil {
		return nil, missing(r.model, r.ids, t.uid)
	}
	if instant, ok := t.value(found, name).(time.Time); ok {
		return starlark.String(micro(instant)), nil
	}
	return starlarkValue(t.show(found, name, false)), nil
}

// active leaves archived records out, unless the context wants them.
func (t *transaction) active(model string, ids []int) []int {
	if _, archives := t.server.schema[model]["active"]; !archives || t.context["active_test"] == false {
		return ids
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int) bool {
		found := t.get(model, id)
		return found == nil || !truth(found.values["active"])
	})
}

// recordMethods are those that code may call.
var recordMethods map[string]func(*recordSet, arguments) (starlark.Value, error)

func init() {
	recordMethods = map[string]func(*recordSet, arguments) (starlark.Value, error){
		"sudo": func(r *recordSet, _ arguments) (starlark.Value, error) {
			other := *r
			other.transaction = r.transaction.as(true, nil)
			return &other, nil
		},
		"with_context": func(r *recordSet, given arguments) (starlark.Value, error) {
			context := maps.Clone(r.transaction.context)
			if len(given.list) > 0 {
				context = maps.Clone(objectOf(given.list[0]))
			}
			if context == nil {
				context = map[string]any{}
			}
			maps.Copy(context, given.named)
			other := *r
			other.transaction = r.transaction.as(r.transaction.sudo, context)
			return &other, nil
		},
		"browse": func(r *recordSet, given arguments) (starlark.Value, error) {
			ids, _ := intsOf(given.at(0, "ids"))
			return r.of(r.model, slices.Clone(ids)...), nil
		},
		"exists": func(r *recordSet, _ arguments) (starlark.Value, error) {
			var there []int
			for _, id := range r.ids {
				if r.transaction.get(r.model, id) != nil && !slices.Contains(there, id) {
					there = append(there, id)
				}
			}
			return r.of(r.model, there...), nil
		},
		"search": func(r *recordSet, given arguments) (starlark.Value, error) {
			domain, _ := given.at(0, "domain").([]any)
			if err := r.transaction.checkModelAccess(r.model, "read"); err != nil {
				return nil, err
			}
			ids, err := r.transaction.search(r.model, domain, textOf(given.at(3, "order")), intOf(given.at(1, "offset")), intOf(given.at(2, "limit")))
			return r.of(r.model, ids...), err
		},
		"read": func(r *recordSet, given arguments) (starlark.Value, error) {
			rows, err := r.transaction.read(r.model, r.ids, stringsOf(given.at(0, "fields")), given.names())
			return starlarkValue(rows), err
		},
		"fields_get": func(r *recordSet, given arguments) (starlark.Value, error) {
			described := map[string]any{}
			for _, name := range stringsOf(given.at(0, "allfields")) {
				if _, there := r.transaction.server.schema[r.model][name]; there {
					described[name] = map[string]any{}
				}
			}
			return starlarkValue(described), nil
		},
		"create": func(r *recordSet, given arguments) (starlark.Value, error) {
			list, many := given.at(0, "vals_list").([]any)
			if !many {
				list = []any{given.at(0, "vals_list")}
			}
			var ids []int
			for _, one := range list {
				id, err := r.transaction.create(r.model, objectOf(one))
				if err != nil {
					return nil, err
				}
				ids = append(ids, id)
			}
			return r.of(r.model, ids...), nil
		},
		"write": func(r *recordSet, given arguments) (starlark.Value, error) {
			return starlark.True, r.transaction.write(r.model, r.ids, objectOf(given.at(0, "vals")))
		},
		"unlink": func(r *recordSet, _ arguments) (starlark.Value, error) {
			return starlark.True, r.transaction.unlink(r.model, r.ids)
		},
		"sorted": func(r *recordSet, given arguments) (starlark.Value, error) {
			records := make([]*record, len(r.ids))
			for index, id := range r.ids {
				if records[index] = r.transaction.get(r.model, id); records[index] == nil {
					return nil, missing(r.model, []int{id}, r.transaction.uid)
				}
			}
			err := r.transaction.sort(r.model, records, textOf(given.at(0, "key")))
			ids := make([]int, len(records))
			for index, one := range records {
				ids[index] = one.id
			}
			return r.of(r.model, ids...), err
		},
		"get_param": func(r *recordSet, given arguments) (starlark.Value, error) {
			found, err := r.transaction.parameter(textOf(given.at(0, "key")))
			return starlarkValue(found), err
		},
		"stop_microsoft_synchronization": func(r *recordSet, _ arguments) (starlark.Value, error) {
			return starlark.None, r.transaction.stopBuiltInSync(r.ids)
		},
	}
}

// starlarkValue turns what the simulator holds into what code sees.
func starlarkValue(value any) starlark.Value {
	switch given := value.(type) {
	case nil:
		return starlark.None
	case bool:
		return starlark.Bool(given)
	case int:
		return starlark.MakeInt(given)
	case float64:
		return starlark.Float(given)
	case string:
		return starlark.String(given)
	case time.Time:
		return starlark.String(micro(given))
	case []any:
		list := make([]starlark.Value, len(given))
		for index, one := range given {
			list[index] = starlarkValue(one)
		}
		return starlark.NewList(list)
	case []int:
		return starlarkValue(plain(given))
	case []map[string]any:
		list := make([]starlark.Value, len(given))
		for index, one := range given {
			list[index] = starlarkValue(one)
		}
		return starlark.NewList(list)
	case map[string]any:
		object := starlark.NewDict(len(given))
		for _, name := range slices.Sorted(maps.Keys(given)) {
			_ = object.SetKey(starlark.String(name), starlarkValue(given[name])) // a new object takes every text
		}
		return object
	}
	return starlark.String(fmt.Sprint(value))
}

// goOf is the reverse of starlarkValue.
func goOf(value starlark.Value) (any, error) {
	switch given := value.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(given), nil
	case starlark.Int:
		number, ok := given.Int64()
		if !ok {
			return nil, valueError("int too large: %s", given)
		}
		return int(number), nil
	case starlark.Float:
		return float64(given), nil
	case starlark.String:
		return string(given), nil
	case *starlark.Dict:
		object := map[string]any{}
		for _, item := range given.Items() {
			name, ok := starlark.AsString(item[0])
			if !ok {
				name = item[0].String()
			}
			converted, err := goOf(item[1])
			if err != nil {
				return nil, err
			}
			object[name] = converted
		}
		return object, nil
	case *recordSet:
		return plain(given.ids), nil
	case starlark.Iterable:
		list := []any{}
		for one := range starlark.Elements(given) {
			converted, err := goOf(one)
			if err != nil {
				return nil, err
			}
			list = append(list, converted)
		}
		return list, nil
	}
	return nil, valueError("%s is nothing that an answer can hold", value.Type())
}
