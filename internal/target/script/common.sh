#!/bin/sh
# What every script begins with: where things are, how answers are written, and whose the lock is. Programs that are
# needed: those of coreutils, and systemctl, systemd-run, nix-store, nix-env and docker where a script says so.
# shellcheck disable=SC2034 # each script uses some of these
set -eu
umask 077
export LC_ALL=C

base=/run/pistack-deploy
lock=$base/lock
undo=$base/undo
profiles=/nix/var/nix/profiles
roots=/nix/var/nix/gcroots/pistack-deploy
tab='	'
newline='
'

# Exit statuses that the caller knows.
lock_lost=71 held=72 fired=73 not_armed=74 pending=75

# say KEY VALUE: a line of the answer.
say() { printf '%s\t%s\n' "$1" "$2"; }

# An answer without its last line was cut off.
begin_answer() { say pistack 1; }
end_answer() { say end ''; }

# stop_with STATUS WORDS
stop_with() {
  printf '%s\n' "$2" >&2
  exit "$1"
}

# read_value FILE KEY: sets value to that of the first such line; to nothing when there is none, or no file. Setting it, and
# not printing it, needs no process: starting one costs a small machine milliseconds.
read_value() {
  value=''
  [ -e "$1" ] || return 0
  while IFS=$tab read -r key value; do
    [ "$key" != "$2" ] || return 0
  done <"$1" || : # it has gone meanwhile
  value=''
}

value_of() {
  read_value "$1" "$2"
  printf '%s' "$value"
}

# path_of LINK: where it leads in the end; nothing when there is none.
path_of() { [ ! -e "$1" ] || readlink -f "$1"; }

# say_generation: the number in the name that the profile's link has: system-12-link.
say_generation() {
  number=$(readlink "$profiles/system" 2>/dev/null) || number=''
  number=${number##*/}
  number=${number#system-}
  say generation "${number%-link}"
}

# failed_units: a line "failed<TAB>UNIT" each.
failed_units() {
  list=$(systemctl list-units --state=failed --plain --no-legend --full)
  [ -z "$list" ] || printf '%s\n' "$list" | while read -r unit _; do say failed "$unit"; done
}

# say_owner PREFIX: who has the lock. A file that says so in no way of ours, made by hand or cut off, has an owner, too.
# Nothing when it was given back meanwhile.
say_owner() {
  id='' user='' from='' revision='' dirty='' since=''
  while IFS=$tab read -r key value; do
    case $key in
      id) id=$value ;;
      user) user=$value ;;
      from) from=$value ;;
      revision) revision=$value ;;
      dirty) dirty=$value ;;
      since) since=$value ;;
    esac
  done 2>/dev/null <"$lock/owner" || return 0
  case $since in '' | *[!0-9]*) since=$(stat -c %Y "$lock/owner" 2>/dev/null || echo 0) ;; esac
  say "$1id" "$id"
  say "$1user" "$user"
  say "$1from" "$from"
  say "$1revision" "$revision"
  say "$1dirty" "$dirty"
  say "$1since" "$since"
}

require_lock() {
  read_value "$lock/owner" id
  [ "$value" = "$1" ] || stop_with "$lock_lost" "the lock is not that of run $1"
}

# release ID: gives the lock back. Whoever broke it and took it meanwhile keeps it.
release() {
  gone=$(mktemp -d "$base/gone.XXXXXX")
  if mv -T "$lock" "$gone" 2>/dev/null && [ "$(value_of "$gone/owner" id)" != "$1" ]; then
    mv -T "$gone" "$lock" 2>/dev/null || true # unless somebody has taken it again by now
  fi
  rm -rf "$gone"
}

# property UNIT NAME
property() { systemctl show --property="$2" --value "$1" 2>/dev/null || true; }

# undo_runs: the undo's unit is at work, or about to be.
undo_runs() {
  case $(property pistack-undo.service ActiveState) in activating | active | deactivating) return 0 ;; esac
  case $(property pistack-undo.service Job) in '' | 0) return 1 ;; esac
}

# require_undo ID: the undo that is there is that of run ID.
require_undo() {
  read_value "$undo/before" id
  [ "$value" = "$1" ] || stop_with "$not_armed" "there is no undo of run $1"
}

# run_undo OPTION…: the unit that brings the machine back. It needs nothing of the new system: its programs are those of the
# system that runs now, which a link keeps from being collected.
run_undo() {
  systemd-run --quiet --collect --unit=pistack-undo --description='Return to the system before the deploy' \
    --property=Type=oneshot --property=OOMScoreAdjust=-900 "$@" \
    --setenv=PATH="$(value_of "$undo/before" path)" /bin/sh "$undo/undo.sh" "$undo"
}

# systemd counts OnActiveSec anew after every daemon-reload, of which a switch has one.
start_timer() {
  run_undo --on-active="$(value_of "$undo/before" seconds)" --timer-property=AccuracySec=200ms
}

# restart_timer: the deadline starts anew. systemd does that as one job, within itself: a session that ends here leaves
# the timer either as it was or restarted, never stopped.
restart_timer() {
  systemctl restart pistack-undo.timer 2>/dev/null || true
  # It had run out before the restart reached it.
  if undo_runs; then
    wait_for_undo
    stop_with "$fired" 'the undo has begun'
  fi
  [ -e "$undo/armed" ] || stop_with "$fired" 'the undo has begun'
  # Somebody stopped it by hand.
  systemctl is-active --quiet pistack-undo.timer || start_timer
}

# wait_for_undo: until the unit that has been started has taken its turn.
wait_for_undo() {
  tries=0
  while [ -e "$undo/armed" ] && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
}

# docker_version: that of the daemon; nothing when it does not answer. Programs: docker.
docker_version() { say docker "$(timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null || true)"; }

# inspect_containers ID…: a line each. What its author can choose is quoted, as he can choose a line break, too. The names
# are those of Go's fields, such as ID: for others Docker falls back to its JSON, where a container without a health check
# has no Health, and the template fails. One that goes away meanwhile is not there. Programs: docker.
inspect_containers() {
  [ $# != 0 ] || return 0
  # shellcheck disable=SC2016 # a template of Docker's
  template='container{{"\t"}}{{printf "%q" (index .Config.Labels "com.docker.compose.project")}}{{"\t"}}{{printf "%q" (index .Config.Labels "com.docker.compose.service")}}{{"\t"}}{{printf "%q" .Name}}{{"\t"}}{{.ID}}{{"\t"}}{{printf "%q" .Config.Image}}{{"\t"}}{{.State.Status}}{{"\t"}}{{if .State.Health}}{{.State.Health.Status}}{{end}}{{"\t"}}{{.State.ExitCode}}{{"\t"}}{{.RestartCount}}{{"\t"}}{{.HostConfig.RestartPolicy.Name}}'
  if list=$(timeout 20 docker inspect --type container --format "$template" "$@" 2>/dev/null); then
    printf '%s\n' "$list"
    return
  fi
  for id; do timeout 20 docker inspect --type container --format "$template" "$id" 2>/dev/null || true; done
}
