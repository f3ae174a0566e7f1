package series_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"
)

// TestMain makes usualChecks what a run of a property checks, the same each time;
// -rapid.checks and -rapid.seed ask for more and for others.
func TestMain(m *testing.M) {
	flag.Parse()
	for name, usual := range map[string]string{"rapid.checks": usualChecks, "rapid.seed": "1"} {
		if asked := flag.Lookup(name); asked.Value.String() == asked.DefValue {
			if err := asked.Value.Set(usual); err != nil {
				panic(err)
			}
		}
	}
	m.Run()
}

// TestSeriesComeTogetherAfterAnyEdit plans for a series that people edit on both sides
// at random, with the habits of the calendars and nothing else between: it wants no
// occurrence lost or doubled, no reply lost, no more mails than an edit is worth, and
// the plans to say truly how many there are.
func TestSeriesComeTogetherAfterAnyEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newSeriesPair(t)
		p.settle()
		p.wantEqual("the first look")
		if p.copyWrites+p.recordWrites != 1 {
			t.Fatalf("the first look made %d writes, want 1", p.copyWrites+p.recordWrites)
		}
		pairs := []*seriesPair{p}
		for step := range rapid.IntRange(1, 10).Draw(t, "steps") {
			name, mails, split := pairs[rapid.IntRange(0, len(pairs)-1).Draw(t, "series")].edit(step)
			if split != nil {
				pairs = append(pairs, split)
			}
			sent := 0
			for _, each := range pairs {
				unseen := each.unseen()
				each.settle()
				each.wantEqual(name)
				sent += each.mails
				if each.foretold+unseen < each.mails {
					t.Fatalf("%s caused %d mails, and %d were foretold", name, each.mails, each.foretold)
				}
			}
			if sent > mails {
				t.Fatalf("%s caused %d mails, want at most %d", name, sent, mails)
			}
		}
	})
}
