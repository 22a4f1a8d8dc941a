#!/bin/sh
# exec.sh PROGRAM ARGUMENT…: runs a program, which reads nothing.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

umask 022
unset LC_ALL
exec "$@" </dev/null
