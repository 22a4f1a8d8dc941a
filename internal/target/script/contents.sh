#!/bin/sh
# contents.sh SYSTEM: what a system in the machine's store would run.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

[ -e "$1/bin/switch-to-configuration" ] || stop_with 1 "$1 is not a system, or was deleted"
begin_answer
say kernel "$(path_of "$1/kernel")"
if [ -e "$1/etc/pistack/images" ]; then
  head -c 1000000 "$1/etc/pistack/images" | while IFS= read -r line; do say image "$line"; done
fi
end_answer
