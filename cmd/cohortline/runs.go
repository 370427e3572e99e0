package main

import (
	"fmt"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/urfave/cli/v2"
)

func (p *program) runsCommand() *cli.Command {
	return &cli.Command{
		Name: "runs", Usage: "list the published runs",
		Flags: append(warehouseFlags(),
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"},
		),
		Action: func(c *cli.Context) error {
			s, err := p.warehouse(c)
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := pipeline.Manifests(c.Context, s)
			if err != nil {
				return err
			}
			if list == nil {
				list = []pipeline.Manifest{}
			}
			return p.result(c, list, func() {
				if len(list) == 0 {
					fmt.Fprintf(p.out, "no run has been published in %s\n", s.Path(""))
				}
				for _, m := range list {
					fmt.Fprintf(p.out, "%s  %s  %s  %11s rows in  %9s rejected  %s\n", m.RunID, m.Partition, m.EndedAt.Format("2006-01-02 15:04:05Z"), thousands(m.RowsIn), thousands(m.RowsRejected), m.Status)
				}
			})
		},
	}
}
