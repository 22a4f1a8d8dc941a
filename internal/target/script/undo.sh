#!/bin/sh
# undo.sh FOLDER: brings the machine back to the systems that FOLDER/before names. The unit pistack-undo runs it, from the
# folder itself, with programs of the system that it goes back to: nothing of what is undone is needed, nor anybody's
# connection. It goes on whatever fails, for half an undo is worth more than none.
set -u
umask 077
export LC_ALL=C HOME=/root NIXOS_INSTALL_BOOTLOADER=0

folder=$1
base=${folder%/undo}
system=/nix/var/nix/profiles/system
tab=$(printf '\t')
status=1 boot_status=''

# value_of FILE KEY
value_of() {
  while IFS=$tab read -r key value; do
    if [ "$key" = "$2" ]; then
      printf '%s' "$value"
      return 0
    fi
  done <"$1"
}

path_of() { [ ! -e "$1" ] || readlink -f "$1"; }

say() { printf '%s\t%s\n' "$1" "$2"; }

# What is undone may still be at work.
stop_switch() {
  unit=nixos-rebuild-switch-to-configuration.service
  case $(systemctl show --property=ActiveState --value "$unit") in
    active | activating | reloading | deactivating)
      echo 'stopping the switch that is at work'
      systemctl stop "$unit"
      ;;
  esac
}

# configure SYSTEM ACTION: another switch may hold the lock of switch-to-configuration; it is waited for.
configure() {
  tries=0
  while :; do
    timeout 1800 "$1/bin/switch-to-configuration" "$2"
    status=$?
    if [ "$status" != 11 ] || [ "$tries" -ge 150 ]; then break; fi
    tries=$((tries + 1))
    sleep 2
  done
  echo "switch-to-configuration $2: exit status $status"
}

# restore_profile PATH GENERATION: exactly that path, by its old generation where that is still there.
restore_profile() {
  [ "$(path_of "$system")" != "$1" ] || return 0
  echo "setting the system profile back to $1"
  if [ -n "$2" ] && [ "$(path_of "$system-$2-link")" = "$1" ]; then
    nix-env -p "$system" --switch-generation "$2"
  fi
  [ "$(path_of "$system")" = "$1" ] || nix-env -p "$system" --set "$1"
  configure "$1" boot
  case $status in 0 | 4) ;; *) boot_status=$status ;; esac
}

# go_back RUNNING PROFILE GENERATION
go_back() {
  if [ -n "$2" ]; then restore_profile "$2" "$3"; fi
  if [ -z "$1" ]; then
    echo 'there was no system to go back to'
    return
  fi
  echo "going back to $1"
  configure "$1" test
  # What the next boot finds counts as much as what runs.
  case $status in 0 | 4) status=${boot_status:-$status} ;; esac
  [ "$(path_of /run/current-system)" = "$1" ] || status=1
  [ -z "$2" ] || [ "$(path_of "$system")" = "$2" ] || status=1
}

# release ID: the lock, when it is still that run's.
release() {
  [ "$(value_of "$base/lock/owner" id 2>/dev/null)" = "$1" ] || return 0
  mv -T "$base/lock" "$folder/lock" && rm -rf "$folder/lock"
}

result() {
  say status "$status"
  say running "$(path_of /run/current-system)"
  say profile "$(path_of "$system")"
  systemctl list-units --state=failed --plain --no-legend --full | while read -r unit _; do say failed "$unit"; done
}

# Whoever moves this file has won: this script, or the run that takes the new system for good.
mv "$folder/armed" "$folder/fired" 2>/dev/null || exit 0
exec >>"$folder/log" 2>&1
# It is still there when somebody asked for the undo.
systemctl stop pistack-undo.timer 2>/dev/null
stop_switch
go_back "$(value_of "$folder/before" running)" "$(value_of "$folder/before" profile)" "$(value_of "$folder/before" generation)"
release "$(value_of "$folder/before" id)"
rm -rf /nix/var/nix/gcroots/pistack-deploy
result >"$folder/result.new"
mv "$folder/result.new" "$folder/result"
case $status in 0 | 4) exit 0 ;; esac
exit "$status"
