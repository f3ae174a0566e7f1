package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// row is the layout of the printed tour: step, from, outcome, lag, mails, note.
const row = "%-20s %-9s %-6s %9s %6s  %s\n"

func printHeading(out io.Writer) {
	fmt.Fprintf(out, row, "STEP", "FROM", "", "LAG", "MAILS", "NOTE")
}

func printStep(out io.Writer, step Step) {
	outcome := "ok"
	if !step.OK {
		outcome = "FAILED"
	}
	lag := "-"
	if step.OK {
		lag = fmt.Sprintf("%d ms", step.Lag)
	}
	line := fmt.Sprintf(row, step.Name, step.From, outcome, lag, fmt.Sprint(step.Mails), step.Note)
	fmt.Fprintln(out, strings.TrimRight(line, " \n"))
}

// printSummary tells how many steps came out right and how fast they were.
func printSummary(out io.Writer, report Report) {
	var lags []int64
	mails := 0
	for _, step := range report.Steps {
		mails += step.Mails
		if step.OK {
			lags = append(lags, step.Lag)
		}
	}
	fmt.Fprintf(out, "\n%d of %d steps ok", len(lags), len(report.Steps))
	if len(lags) > 0 {
		slices.Sort(lags)
		fmt.Fprintf(out, ", lag %d ms in the middle and %d ms at most", lags[len(lags)/2], lags[len(lags)-1])
	}
	fmt.Fprintf(out, "; Outlook would have sent %d mails.\n", mails)
}

func printJSON(out io.Writer, report Report) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("printing the outcome: %w", err)
	}
	return nil
}
