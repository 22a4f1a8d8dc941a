#!/bin/sh
# What the machine is and runs. Changes nothing, and starts few processes: it is all that is asked of a machine that is as it
# should be. Programs: systemctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# say_paths KEY LINK …: where each link leads in the end; nothing where there is none. "/" stands in for that.
say_paths() {
  keys=''
  count=$#
  while [ "$count" -gt 0 ]; do
    keys="$keys $1"
    if [ -e "$2" ]; then set -- "$@" "$2"; else set -- "$@" /; fi
    shift 2
    count=$((count - 2))
  done
  list=$(readlink -f -- "$@")
  for key in $keys; do
    path=${list%%"$newline"*}
    list=${list#*"$newline"}
    [ "$path" != / ] || path=''
    say "$key" "$path"
  done
}

# same_boot NAME: the running system's kernel, initrd or modules are those that were booted, or both have none.
same_boot() {
  set -- "/run/current-system/$1" "/run/booted-system/$1"
  # shellcheck disable=SC3013 # dash and bash know -ef
  [ "$1" -ef "$2" ] || { [ ! -e "$1" ] && [ ! -e "$2" ]; }
}

needs_reboot() {
  [ -e /run/booted-system ] || return 1
  ! { same_boot kernel && same_boot initrd && same_boot kernel-modules; }
}

# first_of FOLDER…: sets folder to the first of them that is there.
first_of() {
  for folder; do
    [ ! -e "$folder" ] || return 0
  done
}

# say_free: bytes free for the store, and for images.
say_free() {
  first_of /nix/store /nix /
  set -- "$folder"
  first_of /var/lib/docker /var/lib /
  # shellcheck disable=SC2046 # a heading, and a number for each
  set -- $(df --output=avail -B1 "$1" "$folder")
  say store_free "${2-}"
  say docker_free "${3-}"
}

say_undo() {
  state=''
  if [ -e "$undo/armed" ]; then
    state=armed
  elif [ -e "$undo/result" ]; then
    read_value "$undo/result" status
    case $value in 0 | 4) state='done' ;; *) state=failed ;; esac
  elif [ -e "$undo/fired" ]; then
    if undo_runs; then state=fired; else state=failed; fi
  fi
  say undo "$state"
  read_value "$undo/before" id
  say undo_id "$value"
}

read -r hostname </proc/sys/kernel/hostname
read -r kernel </proc/sys/kernel/osrelease
read -r boot_id </proc/sys/kernel/random/boot_id
read -r uptime _ </proc/uptime

begin_answer
say hostname "$hostname"
say arch "$(uname -m)"
say kernel "$kernel"
say boot_id "$boot_id"
say now "$(date +%s)"
say uptime "${uptime%.*}"
say_paths running /run/current-system booted /run/booted-system booted_kernel /run/booted-system/kernel profile "$profiles/system"
say_generation
if needs_reboot; then say reboot yes; else say reboot no; fi
say_free
say_undo
failed_units
if [ -e "$lock/owner" ]; then
  say_owner lock.
fi
if [ -e /var/lib/pistack/receipt.json ]; then
  printf 'receipt\t'
  head -c 1000000 /var/lib/pistack/receipt.json | base64 -w 0
  echo
fi
end_answer
