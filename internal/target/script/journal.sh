#!/bin/sh
# journal.sh UNIT LINES. Programs: journalctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

journalctl --unit "$1" --lines "$2" --no-pager --output cat
