package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestEveryFlagHasAVariable asks all verbs for the environment variables of their flags.
func TestEveryFlagHasAVariable(t *testing.T) {
	flags := 0
	var walk func(verb string, list []*cli.Command)
	walk = func(verb string, list []*cli.Command) {
		for _, c := range list {
			for _, f := range c.Flags {
				flags++
				name := "COHORTLINE_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
				if d, ok := f.(cli.DocGenerationFlag); !ok || !slices.Contains(d.GetEnvVars(), name) {
					t.Errorf("%s %s --%s has no variable %s", verb, c.Name, f.Names()[0], name)
				}
			}
			walk(verb+" "+c.Name, c.Subcommands)
		}
	}
	walk("cohortline", (&program{}).app().Commands)
	if flags < 50 {
		t.Errorf("only %d flags were looked at", flags)
	}
}
