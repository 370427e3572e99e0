package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/schemas"
	"github.com/urfave/cli/v2"
)

func (p *program) schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the schema of a table, or the JSON Schema of the configuration", ArgsUsage: "TABLE|config",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "markdown", Usage: "`FORMAT`: arrow, parquet, bigquery, json or markdown"},
			&cli.StringSliceFlag{Name: "dimension", Usage: "configured `DIMENSION`, for the columns of customers; may be repeated"},
		},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			switch {
			case c.NArg() > 1:
				return &usageError{errors.New("flags come before the table: cohortline schema --format json customers")}
			case name == "config":
				_, err := p.out.Write(jobs.ConfigSchema)
				return err
			case name == "":
				for _, t := range append(schemas.Outputs(nil), schemas.Inputs()...) {
					fmt.Fprintf(p.out, "%-18s %s\n", t.Name, t.Description)
				}
				return nil
			}
			t, ok := schemas.ByName(name, c.StringSlice("dimension"))
			if !ok {
				return &usageError{fmt.Errorf("there is no table %q; `cohortline schema` lists them", name)}
			}
			text, err := schemaText(t, c.String("format"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.out, strings.TrimRight(text, "\n"))
			return err
		},
	}
}

func schemaText(t schemas.Table, format string) (string, error) {
	switch format {
	case "markdown":
		return t.Markdown(), nil
	case "arrow":
		return t.Arrow().String(), nil
	case "parquet":
		return t.Parquet().String(), nil
	case "bigquery", "json":
		var document any = t
		if format == "bigquery" {
			document = t.BigQuery()
		}
		data, err := json.MarshalIndent(document, "", "  ")
		return string(data), err
	}
	return "", &usageError{fmt.Errorf("--format cannot be %q: use arrow, parquet, bigquery, json or markdown", format)}
}

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

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script", ArgsUsage: "bash|zsh|fish",
		Action: func(c *cli.Context) error {
			switch c.Args().First() {
			case "bash":
				_, err := fmt.Fprint(p.out, bashCompletion)
				return err
			case "zsh":
				_, err := fmt.Fprint(p.out, zshCompletion)
				return err
			case "fish":
				text, err := c.App.ToFishCompletion()
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(p.out, text)
				return err
			}
			return &usageError{errors.New("name your shell: bash, zsh or fish")}
		},
	}
}

const bashCompletion = `_cohortline() {
  local words=("${COMP_WORDS[@]:0:$COMP_CWORD}")
  COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cohortline cohortline
`

const zshCompletion = `#compdef cohortline
_cohortline() {
  local -a options
  options=("${(@f)$(${words[@]:0:#words[@]-1} --generate-bash-completion 2>/dev/null)}")
  _describe 'cohortline' options || _files
}
compdef _cohortline cohortline
`

func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page",
		Action: func(c *cli.Context) error {
			c.App.Setup()
			text, err := c.App.ToMan()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.out, text)
			return err
		},
	}
}
