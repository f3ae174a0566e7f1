package threats_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	line  = regexp.MustCompile(`^(\d+)\. `)
	named = regexp.MustCompile("`([a-z/]+)` `((?:Test|Fuzz)[A-Za-z0-9_]+)`")
)

// TestEveryThreatHasATest: each numbered line of THREATS.md, in order, names at
// least one test, and every test that it names is there.
func TestEveryThreatHasATest(t *testing.T) {
	root := filepath.Join("..", "..")
	content, err := os.ReadFile(filepath.Join(root, "THREATS.md"))
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	tests := map[string]map[string]bool{}
	for paragraph := range strings.SplitSeq(string(content), "\n") {
		found := line.FindStringSubmatch(paragraph)
		if found == nil {
			continue
		}
		if number++; found[1] != strconv.Itoa(number) {
			t.Errorf("line %s comes where %d is due", found[1], number)
		}
		names := named.FindAllStringSubmatch(paragraph, -1)
		if len(names) == 0 {
			t.Errorf("line %d names no test: %s", number, paragraph)
		}
		for _, name := range names {
			folder := name[1]
			if tests[folder] == nil {
				tests[folder] = testsIn(t, filepath.Join(root, filepath.FromSlash(folder)))
			}
			if !tests[folder][name[2]] {
				t.Errorf("line %d: %s has no %s", number, folder, name[2])
			}
		}
	}
	if number < 20 {
		t.Errorf("THREATS.md has %d numbered lines", number)
	}
}

// testsIn are the names of the tests in a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil {
				found[function.Name.Name] = true
			}
		}
	}
	return found
}
