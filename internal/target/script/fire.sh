#!/bin/sh
# fire.sh ID: starts the undo of run ID now, without waiting for its end: the very unit that the timer would start.
# Programs: systemctl, systemd-run.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_undo "$1"
[ ! -e "$undo/disarmed" ] || stop_with "$not_armed" 'the undo was disarmed'
[ -e "$undo/armed" ] || exit 0
if [ "$(property pistack-undo.service LoadState)" = loaded ]; then
  systemctl start --no-block pistack-undo.service || true
fi
wait_for_undo
# Its timer was stopped by hand, and the unit went with it.
[ ! -e "$undo/armed" ] || run_undo --no-block
