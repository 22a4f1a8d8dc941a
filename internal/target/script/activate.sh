#!/bin/sh
# activate.sh ID SYSTEM ACTION: runs a system's switch-to-configuration as nixos-rebuild does: in a unit of its own, which
# goes on when this session ends. Programs: systemd-run.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_lock "$1"
export LOCALE_ARCHIVE="${LOCALE_ARCHIVE-}" NIXOS_NO_CHECK="${NIXOS_NO_CHECK-}" NIXOS_INSTALL_BOOTLOADER=0
exec systemd-run -E LOCALE_ARCHIVE -E NIXOS_INSTALL_BOOTLOADER -E NIXOS_NO_CHECK --collect --no-ask-password --pipe --quiet \
  --service-type=exec --unit=nixos-rebuild-switch-to-configuration "$2/bin/switch-to-configuration" "$3"
