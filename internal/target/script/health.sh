#!/bin/sh
# health.sh OLD NEXT: failed units, the containers of all Compose projects, and the stacks whose unit is not the same in
# both systems. Programs: systemctl, docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

containers() {
  ids=$(timeout 20 docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False)
  # shellcheck disable=SC2086 # one word an id
  inspect_containers $ids
}

# changed OLD NEXT
changed() {
  for unit in "$2"/etc/systemd/system/pistack-*.service; do
    [ -e "$unit" ] || continue
    name=${unit##*/pistack-}
    name=${name%.service}
    case $name in firewall | images | reconcile | secrets | shutdown | undo) continue ;; esac
    cmp -s "$1/etc/systemd/system/${unit##*/}" "$unit" || say changed "$name"
  done
}

begin_answer
failed_units
containers
[ -z "$2" ] || changed "$1" "$2"
end_answer
