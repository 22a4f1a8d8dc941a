#!/bin/sh
# renew.sh ID: the deadline starts anew. Programs: systemctl, systemd-run.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_undo "$1"
[ ! -e "$undo/fired" ] || stop_with "$fired" 'the undo has begun'
[ ! -e "$undo/disarmed" ] || stop_with "$not_armed" 'the undo was disarmed'
require_lock "$1"
restart_timer
