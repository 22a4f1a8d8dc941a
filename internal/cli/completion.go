package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The scripts ask the command itself, with what has been typed so far, and so
// offer real commands, hosts and secrets.
const bashScript = `_%[1]s() {
  local words lead= at=$COMP_CWORD word=${COMP_WORDS[COMP_CWORD]}
  # "@" is a word of its own here, and bash replaces it with what follows it.
  if [[ $word == @ ]]; then
    lead=@ word=
  elif ((at > 1)) && [[ ${COMP_WORDS[at - 1]} == @ ]]; then
    lead=@ at=$((at - 1))
  fi
  words=$("${COMP_WORDS[@]:0:at}" --generate-bash-completion 2>/dev/null | cut -d: -f1)
  COMPREPLY=($(compgen -W "$words" -- "$lead$word"))
}
complete -o bashdefault -o default -F _%[1]s %[1]s
`

const zshScript = `#compdef %[1]s
_%[1]s() {
  local -a words_
  words_=(${(f)"$(${words[1,CURRENT-1]} --generate-bash-completion 2>/dev/null | cut -d: -f1)"})
  compadd -a words_
}
compdef _%[1]s %[1]s
`

const fishScript = `complete -c %[1]s -f -a '(eval (commandline -opc) --generate-bash-completion 2>/dev/null | string replace -r ":.*" "")'
`

// Completing is the flag whose value is to be completed, such as "--board", or
// empty. args are the process's arguments.
func Completing(args []string) string {
	n := len(args)
	if n < 2 || args[n-1] != completionFlag || !strings.HasPrefix(args[n-2], "-") {
		return ""
	}
	return args[n-2]
}

func completionCommand(name string) *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print a script that completes commands, hosts and secrets",
		ArgsUsage:   "bash|zsh|fish",
		Description: fmt.Sprintf("Examples:\n  source <(%[1]s completion bash)\n  %[1]s completion fish > ~/.config/fish/completions/%[1]s.fish", name),
		BashComplete: func(c *cli.Context) {
			if c.NArg() == 0 {
				fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish")
			}
		},
		Action: func(c *cli.Context) error {
			if err := Arguments(c, 1, 1); err != nil {
				return err
			}
			scripts := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}
			script, ok := scripts[c.Args().First()]
			if !ok {
				return Usage("no completion for %q: bash, zsh and fish are known", c.Args().First())
			}
			_, err := fmt.Fprintf(c.App.Writer, script, name)
			return err
		},
	}
}
