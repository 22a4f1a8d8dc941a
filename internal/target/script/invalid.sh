#!/bin/sh
# invalid.sh PATH…: which of the store paths the machine lacks. Programs: nix-store, xargs.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

list=$(printf '%s\n' "$@" | xargs nix-store --check-validity --print-invalid)
begin_answer
set -f # a store path may hold "?"
for path in $list; do say path "$path"; done
end_answer
