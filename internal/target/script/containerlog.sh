#!/bin/sh
# containerlog.sh ID LINES. Programs: docker.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

docker logs --tail "$2" "$1" 2>&1
