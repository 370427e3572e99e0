package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/urfave/cli/v2"
)

// documentFlags say where the document of a verb goes, and how much it tells on the way.
func documentFlags(document, quiet string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Usage: "`FORMAT` of standard output: text or json", Value: "text"},
		&cli.StringFlag{Name: "result-file", Usage: "write the " + document + " as JSON to `PATH`"},
		&cli.StringFlag{Name: "log-format", Usage: "`FORMAT` of messages on standard error: text or json", Value: "text"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: quiet},
	}
}

// memoryFlag limits the memory of whoever uses it.
func memoryFlag(user string) cli.Flag {
	return &cli.StringFlag{Name: "memory", Usage: "`SIZE` that " + user + " may use, e.g. 256MiB; by default a quarter of the machine's or control group's"}
}

// memoryLimit is --memory in bytes, 0 where it is not given.
func memoryLimit(c *cli.Context) (int64, error) {
	v := c.String("memory")
	if v == "" {
		return 0, nil
	}
	n, err := jobs.ParseBytes(v)
	if err != nil {
		return 0, &usageError{fmt.Errorf("--memory: %w", err)}
	}
	return n, nil
}

// publishFlags are what verbs that publish have in common.
func publishFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "allow-shrink", Usage: "publish even if far fewer customers or orders are left than in the last result"},
		&cli.DurationFlag{Name: "lease", Value: pipeline.DefaultLease, Usage: "`TIME` for which a run that has died keeps others away where nobody can see that it has"},
	}
}

// publishing reads publishFlags.
func publishing(c *cli.Context, o *jobs.Options) error {
	if o.AllowShrink, o.Lease = c.Bool("allow-shrink"), c.Duration("lease"); o.Lease < time.Second {
		return &usageError{fmt.Errorf("--lease %s is too short: a second is the least", o.Lease)}
	}
	return nil
}

// checkFolder says when there is no folder for a file that a flag names.
func checkFolder(flag, path string) error {
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return &usageError{fmt.Errorf("%s: there is no folder for %s", flag, path)}
	}
	return nil
}

// configFolder is where the configuration lies now, which may be elsewhere than when a run
// has recorded its inputs: relative paths of inputs may begin there.
func configFolder(c *cli.Context) []string {
	path, err := filepath.Abs(c.String("config"))
	if err != nil {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return []string{filepath.Dir(path)}
}
