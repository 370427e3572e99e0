package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/urfave/cli/v2"
)

// completeVerb is the hidden verb that the completion scripts call with the words typed
// so far, the last one unfinished. It prints candidates, each with its description
// behind a tab; none where the shell should offer files.
const completeVerb = "__complete"

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a completion script", ArgsUsage: "bash|zsh|fish",
		Description: "bash: source <(cohortline completion bash), in ~/.bashrc\nzsh: source <(cohortline completion zsh), in ~/.zshrc behind compinit\nfish: cohortline completion fish > ~/.config/fish/completions/cohortline.fish",
		Action: func(c *cli.Context) error {
			script, ok := completions[c.Args().First()]
			if !ok {
				return &usageError{errors.New("name your shell: bash, zsh or fish")}
			}
			_, err := fmt.Fprint(p.out, script)
			return err
		},
	}
}

var completions = map[string]string{
	"bash": `_cohortline() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:$COMP_CWORD}" 2>/dev/null | cut -f1)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cohortline cohortline
`,
	"zsh": `#compdef cohortline
_cohortline() {
  local -a found
  found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -z "${found[1]}" ]]; then
    _files
    return
  fi
  found=("${found[@]//:/\\:}")
  found=("${found[@]/$'\t'/:}")
  _describe cohortline found
}
if [[ "${funcstack[1]}" = _cohortline ]]; then
  _cohortline "$@"
else
  compdef _cohortline cohortline
fi
`,
	"fish": `function __cohortline_complete
  set -l words (commandline -opc)
  set -l found ($words[1] __complete $words[2..] (commandline -ct) 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c cohortline -f -a '(__cohortline_complete)'
`,
}

// complete prints the candidates for the last of the words.
func (p *program) complete(app *cli.App, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	typed, last := words[:len(words)-1], words[len(words)-1]
	commands, flags, verb := app.Commands, app.Flags, ""
	arguments := 0
	for i := 0; i < len(typed); i++ {
		w := typed[i]
		if strings.HasPrefix(w, "-") {
			if takesValue(flags, strings.TrimLeft(w, "-")) && !strings.Contains(w, "=") {
				if i++; i == len(typed) { // the last word is its value
					p.candidates(last, values(verb, strings.TrimLeft(w, "-")))
					return
				}
			}
			continue
		}
		if k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) }); k >= 0 {
			verb = strings.TrimSpace(verb + " " + commands[k].Name)
			commands, flags = commands[k].Subcommands, commands[k].Flags
			continue
		}
		arguments++
	}
	switch {
	case strings.HasPrefix(last, "-"):
		var found []string
		for _, f := range flags {
			usage := ""
			if d, ok := f.(cli.DocGenerationFlag); ok {
				usage = strings.ReplaceAll(d.GetUsage(), "`", "")
			}
			found = append(found, "--"+f.Names()[0]+"\t"+usage)
		}
		p.candidates(last, found)
	case len(commands) > 0:
		var found []string
		for _, c := range commands {
			found = append(found, c.Name+"\t"+c.Usage)
		}
		p.candidates(last, found)
	case arguments == 0:
		p.candidates(last, values(verb, ""))
	}
}

func (p *program) candidates(start string, all []string) {
	for _, c := range all {
		if strings.HasPrefix(c, start) {
			fmt.Fprintln(p.out, c)
		}
	}
}

// values are the words that a flag of a verb takes, or its argument where the flag is empty.
func values(verb, flag string) []string {
	switch verb + " " + flag {
	case "inspect ":
		return tableNames()
	case "schema ":
		return append(append(tableNames(), inputNames()...), "config")
	case "completion ":
		return []string{"bash", "zsh", "fish"}
	case "inspect output":
		return inspectFormats
	case "quarantine list output", "quarantine show output":
		return quarantineFormats
	case "schema format":
		return schemaFormats
	case "ltv fit model", "ltv compare model", "ltv explain model":
		return modelNames()
	case "ltv fit unit", "ltv explain unit":
		return []string{"days", "weeks"}
	case "ltv compare by":
		return schemas.DimensionColumns
	case "inspect index-kind":
		return []string{"calendar", "age"}
	case "inspect grain":
		return []string{"day", "week", "month", "quarter", "year"}
	}
	if flag == "output" || flag == "log-format" {
		return []string{"text", "json"}
	}
	return nil
}

func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page",
		Description: "cohortline man > /usr/local/share/man/man1/cohortline.1",
		Action: func(c *cli.Context) error {
			c.App.Setup()
			text, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.out, text)
			return err
		},
	}
}
