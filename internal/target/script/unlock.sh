#!/bin/sh
# unlock.sh ID: gives the lock back when it is that of run ID.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

owner=$(cat "$lock/owner" 2>/dev/null) || exit 0
if [ "$(value_of "$lock/owner" id)" != "$1" ]; then
  begin_answer
  printf '%s\n' "$owner"
  end_answer
  exit "$held"
fi
release "$1"
