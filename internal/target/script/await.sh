#!/bin/sh
# await.sh ID SEEN SECONDS: how far the undo of run ID is: waits for its end, or for more than SEEN lines of its log, or for
# SECONDS. Programs: systemctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_undo "$1"
[ ! -e "$undo/disarmed" ] || stop_with "$not_armed" 'the undo was disarmed'

waited=0 idle=0
while [ ! -e "$undo/result" ] && [ "$waited" -lt $((5 * $3)) ] && [ "$(wc -l <"$undo/log")" -le "$2" ]; do
  if [ -e "$undo/fired" ] && ! undo_runs; then idle=$((idle + 1)); else idle=0; fi
  [ "$idle" -lt 5 ] || break
  sleep 0.2
  waited=$((waited + 1))
done

begin_answer
if [ -e "$undo/result" ]; then
  say state over
  cat "$undo/result"
elif [ "$idle" -ge 5 ]; then
  say state died
else
  say state waiting
fi
tail -n +$(($2 + 1)) "$undo/log" | head -n 500 | tr '\t' ' ' | while IFS= read -r line; do say log "$line"; done
end_answer
