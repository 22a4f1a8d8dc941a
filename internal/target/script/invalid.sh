#!/bin/sh
# Which of the store paths on standard input, a line each, the machine lacks. Programs: nix-store.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# Below what a command line may hold.
ask() {
  [ $# != 0 ] || return 0
  list=$(nix-store --check-validity --print-invalid "$@")
  [ -z "$list" ] || printf '%s\n' "$list" | while IFS= read -r path; do say path "$path"; done
}

begin_answer
set --
while IFS= read -r path; do
  set -- "$@" "$path"
  [ $# -lt 500 ] || {
    ask "$@"
    set --
  }
done
ask "$@"
end_answer
