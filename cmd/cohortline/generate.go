package main

import (
	"fmt"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

func (p *program) generateCommand() *cli.Command {
	return &cli.Command{
		Name: "generate", Usage: "write synthetic orders with known truth",
		Flags: []cli.Flag{
			&cli.Int64Flag{Name: "orders", Value: 100_000, Usage: "at least `N` orders"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the same `SEED` gives the same files"},
			&cli.IntFlag{Name: "files", Value: 1, Usage: "spread over `N` files"},
			&cli.StringFlag{Name: "dir", Value: "generated", Usage: "`FOLDER` to write to"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"},
		},
		Action: func(c *cli.Context) error {
			t, err := jobs.Generate(jobs.GenerateOptions{Orders: c.Int64("orders"), Seed: c.Uint64("seed"), Files: c.Int("files"), Dir: c.String("dir")})
			if err != nil {
				return err
			}
			return p.result(c, t, func() {
				fmt.Fprintf(p.err, "%s orders of %s customers in %s; truth.csv and truth.json say what they were drawn from\n", thousands(t.Orders), thousands(t.Customers), c.String("dir"))
			})
		},
	}
}
