#!/bin/sh
# units.sh SYSTEM: every unit of a system, drop-ins included, and the SHA-256 of its text: a file of the same text somewhere
# else is the same unit.
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
# One process for all of them. Without --zero it would mark names that hold a backslash, as those of mounts do.
[ $# = 0 ] || list=$(sha256sum --zero -- "$@" | tr '\0' '\n')
for file; do
  say unit "$file$tab${list%% *}"
  list=${list#*"$newline"}
done
end_answer
