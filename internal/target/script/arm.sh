#!/bin/sh
# arm.sh ID SECONDS NEXT: remembers what runs and what the profile names, keeps both from being collected, and starts the
# timer that brings the machine back to them after SECONDS. The script that the timer runs comes on standard input.
# Programs: systemctl, systemd-run.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# keep NAME PATH: a root of the garbage collector.
keep() { [ -z "$2" ] || ln -sfn "$2" "$roots/$1"; }

record() {
  running=$(path_of /run/current-system)
  profile=$(path_of "$profiles/system")
  say id "$1"
  say seconds "$2"
  say next "$3"
  say running "$running"
  say profile "$profile"
  say_generation
  say path "${running:+$running/sw/bin:}$PATH:/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  failed_units
}

answer() {
  begin_answer
  cat "$undo/before"
  end_answer
}

require_lock "$1"
if [ -e "$undo/armed" ]; then
  [ "$(value_of "$undo/before" id)" = "$1" ] || stop_with "$pending" 'the undo of another run is armed'
  # The answer to an earlier attempt was lost.
  restart_timer
  answer
  exit
fi
if undo_runs; then stop_with "$pending" 'the undo of another run is at work'; fi

new=$(mktemp -d "$base/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
cat >"$new/undo.sh"
record "$@" >"$new/before"
: >"$new/log"
: >"$new/armed"

mkdir -p "$roots"
keep running "$(value_of "$new/before" running)"
keep profile "$(value_of "$new/before" profile)"
keep next "$3"

# A timer that nothing belongs to any more would start this undo at its own time.
systemctl stop pistack-undo.timer 2>/dev/null || true
rm -rf "$undo"
mv -T "$new" "$undo"
start_timer || {
  rm -rf "$undo" "$roots"
  stop_with 1 'the undo timer cannot be started'
}
answer
