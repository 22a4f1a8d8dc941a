#!/bin/sh
# What nothing but a doctor wants to know. Follows probe.sh in one session; changes nothing. Programs: docker, timedatectl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# Who logged in, before sudo.
login=${SUDO_USER:-root}

# trusted: the one who logs in may add paths to the store that nobody signed.
trusted() {
  [ "$login" != root ] || return 0
  settings=$(timeout 20 nix --extra-experimental-features nix-command config show 2>/dev/null || timeout 20 nix --extra-experimental-features nix-command show-config 2>/dev/null) || return 1
  users=$(printf '%s\n' "$settings" | sed -n 's/^trusted-users = //p')
  groups=$(id -Gn "$login") || return 1
  set -f # "*" is everybody, and not the files here
  for user in $users; do
    case $user in
      '*' | "$login") return 0 ;;
      @*) case " $groups " in *" ${user#@} "*) return 0 ;; esac ;;
    esac
  done
  return 1
}

has_memory_cgroup() {
  read -r controllers </sys/fs/cgroup/cgroup.controllers || return 1
  case " $controllers " in *' memory '*) return 0 ;; esac
  return 1
}

synchronised() { [ "$(timeout 5 timedatectl show --property=NTPSynchronized --value 2>/dev/null)" = yes ]; }

answers() { if "$@"; then echo yes; else echo no; fi; }

begin_answer
docker_version
say memory "$(answers has_memory_cgroup 2>/dev/null)"
say synchronised "$(answers synchronised)"
say login "$login"
say trusted "$(answers trusted)"
# A file system that was mounted read-only, because it is broken, refuses this.
say writable "$(answers test -w /nix/var/nix/db)"
if [ -d /run/pistack/current/ ]; then say secrets "$(stat -f -c %T /run/pistack/current/)"; else say secrets ''; fi
say store_total "$(df --output=size -B1 /nix/store 2>/dev/null | tail -n 1 | tr -d ' ')"
end_answer
