package main

import (
	"errors"
	"fmt"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

func (p *program) initCommand() *cli.Command {
	return &cli.Command{
		Name: "init", Usage: "look at exports and propose a configuration", ArgsUsage: "FILE…",
		Description: "Prints the proposal, with the evidence for each guess as comments; redirect it to cohortline.yaml and read it.",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return &usageError{errors.New("name the exports to look at, e.g. cohortline init exports/*.csv > cohortline.yaml")}
			}
			text, err := jobs.Propose(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.out, text)
			return err
		},
	}
}
