#!/bin/sh
# What the running system says of its stacks, and which containers there are. Follows probe.sh in one session. Programs:
# docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# Where Docker does not answer, nothing is known.
containers() {
  if ! ids=$(timeout 10 docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False 2>/dev/null); then
    say known no
    return
  fi
  say known yes
  # shellcheck disable=SC2086 # one word an id
  inspect_containers $ids
}

stacks() {
  for unit in /run/current-system/etc/systemd/system/pistack-*.service; do
    [ -e "$unit" ] || continue
    name=${unit##*/pistack-}
    name=${name%.service}
    case $name in firewall | images | reconcile | secrets | shutdown | undo) ;; *) say stack "$name" ;; esac
  done
}

images() {
  [ -e /run/current-system/etc/pistack/images ] || return 0
  head -c 1000000 /run/current-system/etc/pistack/images | while IFS= read -r line; do say image "$line"; done
}

begin_answer
docker_version
stacks
images
containers
end_answer
