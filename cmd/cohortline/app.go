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
	manner
}

// manner is how a verb was asked to speak.
type manner struct {
	logJSON    bool   // messages on standard error are JSON lines
	document   bool   // standard output is one JSON document
	resultFile string // which gets that document too
}

// run parses the command line, runs the verb and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	p := &program{in: in, out: out, err: errOut, env: os.LookupEnv}
	for _, v := range os.Environ() { // a variable that a template leaves empty is one that is not set
		if name, value, _ := strings.Cut(v, "="); value == "" && strings.HasPrefix(name, "COHORTLINE_") {
			_ = os.Unsetenv(name) // fails for impossible names only
		}
	}
	defer func() {
		if r := recover(); r != nil {
			code = p.reportBug(r)
		}
	}()
	app := p.app()
	if len(args) > 1 && args[1] == completeVerb {
		p.complete(app, args[2:])
		return exitDone
	}
	args = flagsFirst(app, args)
	return p.report(app.RunContext(ctx, args))
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name:                   "cohortline",
		Usage:                  "customer cohorts, retention and lifetime value from the orders you already have",
		Description:            "Reads orders from CSV, JSON Lines or Parquet, computes exact cohort tables and publishes them as Parquet.\n\nEvery flag has an environment variable, e.g. COHORTLINE_AS_OF for --as-of. NO_COLOR leaves out colours.\n\nExit codes:\n" + exitHelp(),
		Version:                version,
		Suggest:                true,
		UseShortOptionHandling: true,
		Writer:                 p.out,
		ErrWriter:              p.err,
		Reader:                 p.in,
		ExitErrHandler:         func(*cli.Context, error) {}, // report decides
		OnUsageError:           func(_ *cli.Context, err error, _ bool) error { return &usageError{err} },
		Commands: []*cli.Command{
			p.initCommand(), p.demoCommand(), p.validateCommand(), p.planCommand(), p.runCommand(), p.backfillCommand(),
			p.inspectCommand(), p.ltvCommand(), p.runsCommand(), p.diffCommand(), p.verifyCommand(), p.gcCommand(), p.quarantineCommand(), p.schemaCommand(), p.generateCommand(),
			p.completionCommand(), p.manCommand(), p.versionCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return p.noCommand(c.App.Commands, c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		p.prepare(c)
	}
	return app
}

// noCommand says which command may have been meant.
func (p *program) noCommand(known []*cli.Command, name string) error {
	hint := ""
	if near := cli.SuggestCommand(known, name); near != "" && !strings.Contains(near, `"help"`) {
		hint = "; " + lowerFirst(near)
	}
	return &usageError{fmt.Errorf("no such command: %q%s", name, hint)}
}

// flagMistake is the mistake in the flags of a verb, with the flag that may have been meant.
func flagMistake(c *cli.Context, err error, _ bool) error {
	const unknown = "flag provided but not defined: -"
	if name, ok := strings.CutPrefix(err.Error(), unknown); ok {
		err = fmt.Errorf("%s has no flag --%s", c.Command.HelpName, strings.TrimLeft(name, "-"))
		if near := cli.SuggestFlag(c.Command.Flags, strings.TrimLeft(name, "-"), false); near != "" && near != "--help" {
			err = fmt.Errorf("%w; did you mean %s?", err, near)
		}
	}
	return &usageError{err}
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// prepare gives every flag its environment variable and every verb the same manners.
func (p *program) prepare(c *cli.Command) {
	c.OnUsageError = flagMistake
	c.Before = func(c *cli.Context) error {
		p.manner = manner{logJSON: c.String("log-format") == "json", document: c.String("output") == "json", resultFile: c.String("result-file")}
		return nil
	}
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
		case *cli.DurationFlag:
			f.EnvVars = []string{name}
		case *cli.StringSliceFlag:
			f.EnvVars = []string{name}
		}
	}
	for _, s := range c.Subcommands {
		p.prepare(s)
	}
	if len(c.Subcommands) > 0 && c.Action == nil {
		c.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return p.noCommand(c.Command.Subcommands, c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		}
	}
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Flags: []cli.Flag{&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"}},
		Action: func(c *cli.Context) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			document := map[string]string{"version": version, "platform": platform, "go": runtime.Version()}
			return p.result(c, document, func() { fmt.Fprintf(p.out, "cohortline %s %s %s\n", version, platform, runtime.Version()) })
		},
	}
}
