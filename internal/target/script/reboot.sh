#!/bin/sh
# Programs: systemctl.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

systemctl --no-block reboot
