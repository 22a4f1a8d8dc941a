#!/bin/sh
# What the machine is and runs. Changes nothing. Programs: systemctl, docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# same_boot NAME: the running system's kernel, initrd or modules are those that were booted.
same_boot() { [ "$(path_of "/run/current-system/$1")" = "$(path_of "/run/booted-system/$1")" ]; }

needs_reboot() {
  [ -e /run/booted-system ] || return 1
  ! { same_boot kernel && same_boot initrd && same_boot kernel-modules; }
}

# free_in FOLDER…: bytes free where the first of them that is there lies.
free_in() {
  for folder; do
    [ -e "$folder" ] || continue
    df --output=avail -B1 "$folder" | tail -n 1 | tr -d ' '
    return
  done
}

undo_state() {
  if [ -e "$undo/armed" ]; then
    echo armed
  elif [ -e "$undo/result" ]; then
    case $(value_of "$undo/result" status) in 0 | 4) echo 'done' ;; *) echo failed ;; esac
  elif [ -e "$undo/fired" ]; then
    if undo_runs; then echo fired; else echo failed; fi
  fi
}

# yes_if COMMAND…
yes_if() { if "$@"; then echo yes; else echo no; fi; }

has_memory_cgroup() {
  read -r controllers </sys/fs/cgroup/cgroup.controllers || return 1
  case " $controllers " in *' memory '*) return 0 ;; esac
  return 1
}

synchronised() { [ "$(timeout 5 timedatectl show --property=NTPSynchronized --value 2>/dev/null)" = yes ]; }

begin_answer
say hostname "$(uname -n)"
say arch "$(uname -m)"
say kernel "$(uname -r)"
say boot_id "$(cat /proc/sys/kernel/random/boot_id)"
say now "$(date +%s)"
read -r uptime _ </proc/uptime
say uptime "${uptime%.*}"
say running "$(path_of /run/current-system)"
say booted "$(path_of /run/booted-system)"
say booted_kernel "$(path_of /run/booted-system/kernel)"
say reboot "$(yes_if needs_reboot)"
say profile "$(path_of "$profiles/system")"
say generation "$(generation)"
say store_free "$(free_in /nix/store /nix /)"
say docker_free "$(free_in /var/lib/docker /var/lib /)"
say memory "$(yes_if has_memory_cgroup 2>/dev/null)"
say docker "$(timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null || true)"
say synchronised "$(yes_if synchronised)"
say undo "$(undo_state)"
say undo_id "$(value_of "$undo/before" id)"
failed_units
if [ -e "$lock/owner" ]; then
  while IFS= read -r line; do printf 'lock.%s\n' "$line"; done <"$lock/owner"
fi
if [ -e /var/lib/pistack/receipt.json ]; then
  say receipt "$(head -c 1000000 /var/lib/pistack/receipt.json | base64 -w 0)"
fi
end_answer
