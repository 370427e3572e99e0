package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a verb before its other arguments, so that
// `inspect cohorts --output csv` means the same as `inspect --output csv cohorts`; the
// parser stops at the first argument that is no flag. What stands behind -- stays.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	at, flags := 1, app.Flags
	for commands := app.Commands; at < len(args); at++ {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		flags, commands = commands[i].Flags, commands[i].Subcommands
	}
	var first, rest []string
	for i := at; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		first = append(first, a)
		if !strings.Contains(a, "=") && takesValue(flags, strings.TrimLeft(a, "-")) && i+1 < len(args) {
			i++
			first = append(first, args[i])
		}
	}
	return slices.Concat(args[:at], first, rest)
}

// takesValue says whether a flag of that name is followed by its value.
func takesValue(flags []cli.Flag, name string) bool {
	for _, f := range flags {
		if _, is := f.(*cli.BoolFlag); !is && slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}
