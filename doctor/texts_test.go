package doctor_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/doctor"
	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/gateway/languages"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/test/catalogue"
)

// sayings are the calls that say a phrase, and the values that each gives besides
// those in the call.
var sayings = map[string][]string{
	"Say": nil, "advise": {"Setting"}, "store.go about": {"Address"}, "public.go about": {"Route"},
}

// said are the phrases of a file by their keys, each with the names of its values.
// A key that ends in a dot has a word put behind it.
func said(t *testing.T, name string) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		call, is := node.(*ast.CallExpr)
		if !is {
			return true
		}
		function := ""
		switch called := call.Fun.(type) {
		case *ast.Ident:
			function = called.Name
		case *ast.SelectorExpr:
			function = called.Sel.Name
		}
		more, says := sayings[function]
		if !says {
			more, says = sayings[filepath.Base(name)+" "+function]
		}
		if !says {
			return true
		}
		first := call.Args[0]
		if joined, is := first.(*ast.BinaryExpr); is {
			first = joined.X
		}
		key, is := literal(first)
		if !is {
			return true
		}
		values := slices.Clone(more)
		for index := 1; index < len(call.Args); index += 2 {
			value, is := literal(call.Args[index])
			if !is {
				t.Errorf("%s: the values of %s have no names", name, key)
			}
			values = append(values, value)
		}
		found[key] = values
		return true
	})
	return found
}

func literal(node ast.Expr) (string, bool) {
	text, is := node.(*ast.BasicLit)
	if !is || text.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(text.Value)
	return value, err == nil
}

var placeholder = regexp.MustCompile(`{{\.(\w+)}}`)

// TestEveryFindingHasItsTexts holds what is said in the sources against the
// catalogue: every phrase is there, with the values that it is given and no others,
// and nothing is there that nobody says.
func TestEveryFindingHasItsTexts(t *testing.T) {
	texts := catalogue.Read(t, os.DirFS("../gateway/findings"), "catalogue", "en")
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string][]string{}
	for _, name := range sources {
		if !strings.HasSuffix(name, "_test.go") {
			maps.Copy(used, said(t, name))
		}
	}
	if len(used) < 200 {
		t.Fatalf("only %d phrases were found in the sources", len(used))
	}
	// Those that end in a word.
	for _, kind := range nightpos.Kinds() {
		used["registered."+string(kind)] = used["registered."]
	}
	for _, wrong := range nightpos.Wrongs() {
		used["wrong."+string(wrong)] = nil
	}
	for _, name := range []string{"store", "nightpos", "microsoft", "application", "registration", "database"} {
		used["dependency."+name] = nil
	}
	for key, values := range used {
		if strings.HasSuffix(key, ".") {
			continue
		}
		forms, found := texts[key]
		if !found {
			t.Errorf("there is no text %s", key)
			continue
		}
		want := map[string]bool{}
		for _, match := range placeholder.FindAllStringSubmatch(strings.Join(forms, " "), -1) {
			want[match[1]] = true
		}
		slices.Sort(values)
		if !slices.Equal(slices.Compact(values), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s is given %v, and its text has %v", key, values, slices.Sorted(maps.Keys(want)))
		}
	}
	for key := range texts {
		if _, found := used[key]; !found {
			t.Errorf("the text %s is used nowhere", key)
		}
	}
}

// inBoth checks that a row says the same in every language.
func inBoth(t *testing.T, row doctor.Row) {
	t.Helper()
	for _, language := range []languages.Language{languages.English, languages.Thai} {
		for phrase, english := range map[*findings.Phrase]string{&row.Found: row.Detail, &row.Advice: row.Remedy} {
			if phrase.Key == "" && phrase == &row.Advice && row.Status == doctor.OK {
				continue
			}
			text, known := findings.Text(language, *phrase, nil)
			if !known || text == "" || strings.Contains(text, "<no value>") || language == languages.English && text != english {
				t.Errorf("%s: %+v in %s is %q", row.Check, *phrase, language, text)
			}
			if language == languages.Thai && !strings.ContainsFunc(text, func(letter rune) bool { return letter >= 'ก' && letter <= '๛' }) {
				t.Errorf("%s: %s is not translated: %q", row.Check, phrase.Key, text)
			}
		}
	}
}
