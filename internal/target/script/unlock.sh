#!/bin/sh
# unlock.sh ID: gives the lock back when it is that of run ID.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

read_value "$lock/owner" id
if [ "$value" = "$1" ]; then
  release "$1"
  exit
fi
owner=$(cat "$lock/owner" 2>/dev/null) || exit 0
begin_answer
printf '%s\n' "$owner"
end_answer
exit "$held"
