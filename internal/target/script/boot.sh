#!/bin/sh
# Which boot this is, and whether units are still being started. Programs: systemctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

state=$(systemctl is-system-running 2>/dev/null) || true
case $state in initializing | starting) starting=yes ;; *) starting=no ;; esac

begin_answer
say boot_id "$(cat /proc/sys/kernel/random/boot_id)"
say starting "$starting"
end_answer
