package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/urfave/cli/v2"
)

var quarantineFormats = []string{"text", "csv", "json", "markdown"}

func (p *program) quarantineCommand() *cli.Command {
	flags := append(warehouseFlags(),
		&cli.StringFlag{Name: "as-of", Usage: "`DATE` of the result; the latest unless given"},
		&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text, csv, json or markdown"},
	)
	return &cli.Command{
		Name: "quarantine", Usage: "look at the rows that were rejected, and run their dates again",
		Description: "Values are masked, letters as x and digits as 9: the published tables do not hold them otherwise. The file and the row number say where to look.",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "count the rejected rows by reason and column", Flags: flags, Action: func(c *cli.Context) error {
				s, err := p.quarantined(c)
				if err != nil {
					return err
				}
				defer s.Close()
				counts, order := map[string]int{}, []string{}
				_, err = pipeline.ReadTable(c.Context, s, "rejects", c.String("as-of"), func(value func(string) string) bool {
					k := value("table") + "\x00" + value("reason") + "\x00" + value("column") + "\x00" + value("source")
					if counts[k] == 0 {
						order = append(order, k)
					}
					counts[k]++
					return false
				})
				if err != nil {
					return err
				}
				t := sink.Rows{Columns: []string{"table", "reason", "column", "source", "rows"}, Numeric: []bool{false, false, false, false, true}}
				for _, k := range order {
					parts := append(strings.Split(k, "\x00"), fmt.Sprint(counts[k]))
					row := make([]*string, len(parts))
					for i := range parts {
						row[i] = &parts[i]
					}
					t.Rows = append(t.Rows, row)
				}
				return p.show(c.String("output"), t)
			}},
			{Name: "show", Usage: "list the rejected rows of a reason", ArgsUsage: "[REASON]", Flags: flags,
				Action: func(c *cli.Context) error {
					s, err := p.quarantined(c)
					if err != nil {
						return err
					}
					defer s.Close()
					f, seen := filters{"reason": c.Args().First()}, map[string]map[string]bool{}
					t, err := pipeline.ReadTable(c.Context, s, "rejects", c.String("as-of"), func(value func(string) string) bool {
						return f.match(value, seen)
					})
					if err == nil && len(t.Rows) == 0 {
						err = f.nothing("rejects", seen)
					}
					if err != nil {
						return err
					}
					return p.show(c.String("output"), t)
				}},
			p.replayCommand(),
		},
	}
}

// quarantined checks the format and opens where the results are.
func (p *program) quarantined(c *cli.Context) (store.Store, error) {
	if f := c.String("output"); !slices.Contains(quarantineFormats, f) {
		return nil, &usageError{fmt.Errorf("--output cannot be %q: use %s", f, strings.Join(quarantineFormats, ", "))}
	}
	return p.warehouse(c)
}
