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
				return &usageError{errors.New("name one table, e.g. cohortline schema cohorts --format json")}
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

var schemaFormats = []string{"arrow", "parquet", "bigquery", "json", "markdown"}

func schemaText(t schemas.Table, format string) (string, error) {
	switch format {
	case "markdown":
		return t.Markdown(), nil
	case "arrow":
		return t.Arrow().String(), nil
	case "parquet":
		text := t.Parquet().String() + "\n\nkey-value metadata:\n"
		for _, kv := range t.ParquetMetadata() {
			text += kv[0] + " = " + kv[1] + "\n"
		}
		return text, nil
	case "bigquery", "json":
		var document any = t
		if format == "bigquery" {
			document = t.BigQuery()
		}
		data, err := json.MarshalIndent(document, "", "  ")
		return string(data), err
	}
	return "", &usageError{fmt.Errorf("--format cannot be %q: use %s", format, strings.Join(schemaFormats, ", "))}
}
