package traps_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traps is how many chapter 13 has. There is none that the gateway cannot meet.
const traps = 21

// tests are the names of all test functions of this repository, and the numbers in
// the literals of each.
func tests(t *testing.T) map[string][]int {
	t.Helper()
	found := map[string][]int{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range parsed.Decls {
			function, is := declared.(*ast.FuncDecl)
			if !is || function.Recv != nil || !strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			numbers := found[function.Name.Name]
			ast.Inspect(function.Body, func(node ast.Node) bool {
				if literal, is := node.(*ast.BasicLit); is && literal.Kind == token.INT {
					if number, err := strconv.Atoi(literal.Value); err == nil {
						numbers = append(numbers, number)
					}
				}
				return true
			})
			found[function.Name.Name] = numbers
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var numbered = regexp.MustCompile(`^Test(?:Trap)?13_(\d+)\D`)

func TestEveryTrapHasATest(t *testing.T) {
	met := map[int][]string{}
	for name := range tests(t) {
		if parts := numbered.FindStringSubmatch(name); parts != nil {
			number, err := strconv.Atoi(parts[1])
			if err != nil {
				t.Fatal(err)
			}
			met[number] = append(met[number], name)
		}
	}
	for number := 1; number <= traps; number++ {
		if len(met[number]) == 0 {
			t.Errorf("trap 13.%d has no test: its name must begin with TestTrap13_%d", number, number)
		}
		delete(met, number)
	}
	for number, names := range met {
		t.Errorf("there is no trap 13.%d, which %v name", number, names)
	}
}

// codes are the AADSTS numbers of table 1.12 and of the line below it.
var codes = []int{
	70000, 70008, 700082, 50173, 65001, 50076, 50079, 53003, 70043, 50057, 50034, 54005, 501481, 700005, // invalid_grant
	50074, 50078, // interaction_required, with some of those above
	7000222, 7000215, 700027, 7000218, 7000112, // invalid_client
	700016,                        // unauthorized_client
	900144, 9002313, 50011, 50147, // invalid_request
	70011, 700022, // invalid_scope
	90033, 90006, 50033, // temporarily_unavailable, server_error
	65004, 90094, 90095, // access_denied
	50105, 50196, 700084, 9001023, // others
}

// onlyAtSignIn are the numbers that no renewal of a token meets: they answer what a
// person does in the browser.
var onlyAtSignIn = []int{65004, 90094, 90095}

// TestEveryErrorCodeHasATest: each at sign-in, under its number, with the page that
// the person sees; and, but for those that only browsers meet, when a token is
// renewed.
func TestEveryErrorCodeHasATest(t *testing.T) {
	all := tests(t)
	renewals := slices.Concat(all["TestRefusedSignIns"], all["TestRefusedApplications"], all["TestBusySignIns"])
	for _, code := range codes {
		if !slices.Contains(all["TestErrorCodes"], code) {
			t.Errorf("AADSTS%d has no row in TestErrorCodes", code)
		}
		if slices.Contains(renewals, code) == slices.Contains(onlyAtSignIn, code) {
			t.Errorf("AADSTS%d when a token is renewed: got a test %t, want the opposite", code, slices.Contains(renewals, code))
		}
	}
}
