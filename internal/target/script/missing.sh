#!/bin/sh
# Which of the images on standard input, a line each, the machine lacks. Programs: docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

# Without its daemon every image would be missing.
docker version --format '{{.Server.Version}}' >/dev/null

begin_answer
while IFS= read -r image; do
  docker image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1 </dev/null || say image "$image"
done
end_answer
