#!/bin/sh
# missing.sh IMAGE…: which of the images the machine lacks. Programs: docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

has() { docker image inspect --format '{{.Id}}' "$@" >/dev/null 2>&1 </dev/null; }

begin_answer
# Where all are there, as most often, one question will do.
if ! has "$@"; then
  # Without its daemon every image would be missing.
  docker version --format '{{.Server.Version}}' >/dev/null
  for image; do has "$image" || say image "$image"; done
fi
end_answer
