#!/bin/sh
# profile.sh ID set PATH | profile.sh ID switch NUMBER. Programs: nix-env.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_lock "$1"
case $2 in
  set) [ "$(path_of "$profiles/system")" = "$3" ] || nix-env -p "$profiles/system" --set "$3" ;;
  switch) nix-env -p "$profiles/system" --switch-generation "$3" ;;
esac
