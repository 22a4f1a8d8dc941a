#!/bin/sh
# units.sh SYSTEM: every unit of a system, drop-ins included, and where its file is in the end.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

begin_answer
cd "$1/etc/systemd/system"
set --
for file in * *.d/*; do
  [ -d "$file" ] || [ ! -e "$file" ] || set -- "$@" "$file"
done
newline='
'
# One process for all of them.
[ $# = 0 ] || list=$(realpath -- "$@")
for file; do
  say unit "$file$tab${list%%"$newline"*}"
  list=${list#*"$newline"}
done
end_answer
