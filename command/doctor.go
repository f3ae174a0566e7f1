package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/nightpos/outlook-gateway/doctor"
)

// doctorCommand checks everything that the gateway needs.
type doctorCommand struct {
	Config   string `help:"YAML file with settings, named as the environment variables in lower case; the environment wins." placeholder:"FILE"`
	Database string `help:"Which database of the settings' list, where there are several." placeholder:"NAME"`
	JSON     bool   `name:"json" help:"Print the outcome as JSON."`
}

// Run prints a row for each check, and fails if any of them did.
func (c doctorCommand) Run(in *invocation) error {
	rows := doctor.Run(in.ctx, doctor.Config{Lookup: in.Lookup, File: c.Config, Database: c.Database})
	if err := in.ctx.Err(); err != nil {
		return err
	}
	count := map[doctor.Status]int{}
	for _, row := range rows {
		count[row.Status]++
	}
	if c.JSON {
		outcome := struct {
			OK     bool         `json:"ok"`
			Checks []doctor.Row `json:"checks"`
		}{count[doctor.Failed] == 0, rows}
		if err := printJSON(in.Out, outcome); err != nil {
			return err
		}
	} else {
		printRows(in.Out, rows)
		fmt.Fprintf(in.Out, "\n%d ok, %d warning(s), %d failed\n", count[doctor.OK], count[doctor.Warning], count[doctor.Failed])
	}
	if failed := count[doctor.Failed]; failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(rows))
	}
	return nil
}

func printRows(out io.Writer, rows []doctor.Row) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row.Check))
	}
	indent := strings.Repeat(" ", len(doctor.Warning)+2+width+2)
	for _, row := range rows {
		fmt.Fprintf(out, "%-*s  %-*s  %s\n", len(doctor.Warning), row.Status, width, row.Check, row.Detail)
		if row.Remedy != "" {
			fmt.Fprintf(out, "%sdo: %s\n", indent, row.Remedy)
		}
	}
}
