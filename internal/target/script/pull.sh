#!/bin/sh
# Pulls the images on standard input, a line each, with the credentials that the device's own units use. Tries all of them
# before it fails. Programs: docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

if [ -e /run/pistack/current/docker ]; then
  export DOCKER_CONFIG=/run/pistack/current/docker
fi
bad=''
while IFS= read -r image; do
  docker pull "$image" </dev/null || bad="$bad $image"
done
[ -z "$bad" ] || stop_with 1 "not pulled:$bad"
