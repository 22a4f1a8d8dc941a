#!/bin/sh
# disarm.sh ID: the machine stays as it is. A rename decides between this and the timer: whoever moves the file "armed" has
# won. Programs: systemctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_undo "$1"
[ ! -e "$undo/fired" ] || stop_with "$fired" 'the undo has begun'
if [ ! -e "$undo/disarmed" ]; then
  require_lock "$1"
  mv "$undo/armed" "$undo/disarmed" 2>/dev/null || [ -e "$undo/disarmed" ] || stop_with "$fired" 'the undo has begun'
fi
systemctl stop pistack-undo.timer 2>/dev/null || true
rm -rf "$roots"
