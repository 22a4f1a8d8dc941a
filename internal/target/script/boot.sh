#!/bin/sh
# Which boot this is, over a connection that proves that the machine can be reached.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

begin_answer
say boot_id "$(cat /proc/sys/kernel/random/boot_id)"
end_answer
