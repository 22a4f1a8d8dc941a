#!/bin/sh
# What the running system says of its stacks, and which containers there are. Follows probe.sh in one session. Programs:
# docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# One line a container. What its author can choose is quoted, as he can choose a line break, too.
# shellcheck disable=SC2016 # a template of Docker's
template='container{{"\t"}}{{printf "%q" (index .Config.Labels "com.docker.compose.project")}}{{"\t"}}{{printf "%q" (index .Config.Labels "com.docker.compose.service")}}{{"\t"}}{{printf "%q" .Name}}{{"\t"}}{{.Id}}{{"\t"}}{{printf "%q" .Config.Image}}{{"\t"}}{{.State.Status}}{{"\t"}}{{if .State.Health}}{{.State.Health.Status}}{{end}}{{"\t"}}{{.State.ExitCode}}{{"\t"}}{{.RestartCount}}{{"\t"}}{{.HostConfig.RestartPolicy.Name}}'

inspect() { timeout 10 docker inspect --type container --format "$template" "$@" 2>/dev/null; }

# One that goes away between the two commands is not there. Where Docker does not answer, nothing is known.
containers() {
  if ! ids=$(timeout 10 docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False 2>/dev/null); then
    say known no
    return
  fi
  say known yes
  [ -n "$ids" ] || return 0
  # shellcheck disable=SC2086 # one word an id
  if list=$(inspect $ids); then
    printf '%s\n' "$list"
    return
  fi
  for id in $ids; do inspect "$id" || true; done
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
stacks
images
containers
end_answer
