#!/bin/sh
# health.sh OLD NEXT: failed units, the containers of all Compose projects, and the stacks whose unit is not the same in
# both systems. Programs: systemctl, docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# One line a container, ten values with tabs between them. With names of Go's fields, such as ID: for others Docker falls back
# to its JSON, where a container without a health check has no Health, and the template fails.
# shellcheck disable=SC2016 # a template of Docker's
template='container{{"\t"}}{{index .Config.Labels "com.docker.compose.project"}}{{"\t"}}{{index .Config.Labels "com.docker.compose.service"}}{{"\t"}}{{.Name}}{{"\t"}}{{.ID}}{{"\t"}}{{.Config.Image}}{{"\t"}}{{.State.Status}}{{"\t"}}{{if .State.Health}}{{.State.Health.Status}}{{end}}{{"\t"}}{{.State.ExitCode}}{{"\t"}}{{.RestartCount}}'

# One that goes away between the two commands is not there.
containers() {
  ids=$(docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False)
  [ -n "$ids" ] || return 0
  # shellcheck disable=SC2086 # one word an id
  if list=$(docker inspect --type container --format "$template" $ids 2>/dev/null); then
    printf '%s\n' "$list"
    return
  fi
  for id in $ids; do docker inspect --type container --format "$template" "$id" 2>/dev/null || true; done
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
