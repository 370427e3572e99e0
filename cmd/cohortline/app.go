package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"
)

// version is the released version; release builds set it with -ldflags "-X main.version=…".
var version = "0.1.0-dev"

// program is one invocation: what a verb may read from and write to.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
}

// run parses the command line, runs the verb and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	p := &program{in: in, out: out, err: errOut, env: os.LookupEnv}
	defer func() {
		if r := recover(); r != nil {
			code = p.reportBug(r)
		}
	}()
	app := p.app()
	return p.report(app.RunContext(ctx, args))
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name:                   "cohortline",
		Usage:                  "customer cohorts, retention and lifetime value from the orders you already have",
		Description:            "Reads orders from CSV, JSON Lines or Parquet, computes exact cohort tables and publishes them as Parquet.\n\nExit codes:\n" + exitHelp(),
		Version:                version,
		HideVersion:            true,
		Suggest:                true,
		EnableBashCompletion:   true,
		UseShortOptionHandling: true,
		Writer:                 p.out,
		ErrWriter:              p.err,
		Reader:                 p.in,
		ExitErrHandler:         func(*cli.Context, error) {}, // report decides
		OnUsageError:           func(_ *cli.Context, err error, _ bool) error { return &usageError{err} },
		Commands: []*cli.Command{
			p.initCommand(), p.demoCommand(), p.validateCommand(), p.planCommand(), p.runCommand(),
			p.inspectCommand(), p.runsCommand(), p.quarantineCommand(), p.schemaCommand(), p.generateCommand(),
			p.completionCommand(), p.manCommand(), p.versionCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{fmt.Errorf("no such command: %q", c.Args().First())}
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives every flag its environment variable and every verb the same manners.
func prepare(c *cli.Command) {
	c.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return &usageError{err} }
	for _, f := range c.Flags {
		name := "COHORTLINE_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = []string{name}
		case *cli.BoolFlag:
			f.EnvVars = []string{name}
		case *cli.IntFlag:
			f.EnvVars = []string{name}
		case *cli.Int64Flag:
			f.EnvVars = []string{name}
		case *cli.Uint64Flag:
			f.EnvVars = []string{name}
		case *cli.StringSliceFlag:
			f.EnvVars = []string{name}
		}
	}
	for _, s := range c.Subcommands {
		prepare(s)
	}
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprintf(p.out, "cohortline %s %s/%s %s\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}
