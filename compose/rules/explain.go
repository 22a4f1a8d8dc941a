package rules

import (
	"fmt"
	"strings"
)

// Explain is what there is to know about a rule, as text of 80 columns or so.
func (r Rule) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n\n%s\n\n%s\n", r.Code, r.Severity, r.Summary, wrap(r.Why, 80), wrap("What to do: "+r.Fix, 80))
	if r.Example != "" {
		fmt.Fprintf(&b, "\n%s\n", indent(r.Example))
	}
	fmt.Fprintf(&b, "\n%s\n", wrap(r.accepting(), 80))
	return b.String()
}

func (r Rule) accepting() string {
	if r.Fixed {
		return "It cannot be accepted."
	}
	if r.ofHost() {
		return fmt.Sprintf(`To accept it: [accept] in host.toml, with %s = "the reason".`, r.Code)
	}
	return fmt.Sprintf("To accept it: x-pistack: {accept: {%s: the reason}} at the service or at the top of the file.", r.Code)
}

// ofHost tells whether findings of a rule are about the host, not about a stack.
func (r Rule) ofHost() bool { return r.Code == memorySum().Code || r.Code == unusedSecret().Code }

// Markdown is the page of all rules, docs/checks.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(preface)
	b.WriteString("\n| code | severity | what it says |\n| --- | --- | --- |\n")
	for _, r := range All() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.Code, r.Code, r.Severity, r.Summary)
	}
	for _, r := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s: %s.\n\n%s\n\n%s\n", r.Code, capital(string(r.Severity)), r.Summary, wrap(r.Why, 120), wrap(r.Fix, 120))
		if r.Example != "" {
			fmt.Fprintf(&b, "\n%s\n", indent(r.Example))
		}
		fmt.Fprintf(&b, "\n%s\n", wrap(r.accepting(), 120))
	}
	return b.String()
}

const preface = `# Checks

Generated from compose/rules; ` + "`pistack check --explain CODE`" + ` prints the same. Do not edit.

` + "`pistack check`" + ` loads every stack of a host as Docker Compose does, and looks at them together and against the host. It needs no
network and no key. Errors keep ` + "`generate` and `deploy`" + ` from doing anything; warnings are worth mending; notes say what the device
does. ` + "`--fail-on warning`" + ` makes warnings count in CI, ` + "`--format github` and `--format sarif`" + ` annotate a pull request.

## Accepting a finding

A service, or the file's top level for the whole stack, says which finding is meant, and why:

    services:
      frigate:
        privileged: true
        x-pistack:
          accept:
            privileged: it needs the GPU

A list does as well: ` + "`accept: [{code: privileged, reason: it needs the GPU}]`" + `. What is about the host itself is accepted in its
host.toml, under ` + "`[accept]`" + `. Compose ignores keys that begin with x-. An accepted finding is counted apart, and listed with
--json and --format sarif. An acceptance without a reason, with an unknown code, or of a finding that is not there is a finding itself.

## What host.toml says for this

    open = ["any"]            # interfaces on which published ports may be reached; nothing by default
    memory = "4GiB"           # RAM, where boards of one name differ

    [reserved_ports]          # ports that NixOS services listen on, besides sshd's; all addresses
    "9100/tcp" = "node exporter"
    53 = "dnsmasq"            # tcp and udp

    [registries]              # private ones, and the secrets of the host, user:token, that they let in
    "ghcr.io" = "GHCR_LOGIN"

    [accept]
    memory-sum = "the nightly jobs never run at the same time"

## All of them
`

// wrap breaks a paragraph into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func indent(text string) string {
	return strings.ReplaceAll("    "+strings.ReplaceAll(text, "\n", "\n    "), "    \n", "\n")
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
