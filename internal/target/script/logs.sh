#!/bin/sh
# logs.sh PROGRAM ARGUMENT…: runs a program that may write for ever, and ends it when nobody listens any more. A session
# without a terminal does not end its programs when the connection does; what is written then is the only thing to fail.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# The line with which listen finds out; who listens drops it.
beat='pistack: still there'

listen() {
  trap '' PIPE
  while sleep 10 >/dev/null 2>&1 && printf '%s\n' "$beat"; do :; done
  kill "$1" 2>/dev/null
}

"$@" &
child=$!
listen "$child" &
listener=$!
trap 'kill "$child" "$listener" 2>/dev/null' TERM HUP INT
code=0
wait "$child" || code=$?
kill "$listener" 2>/dev/null || true
exit "$code"
