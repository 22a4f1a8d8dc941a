#!/bin/sh
# The generations of the system profile.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

begin_answer
say current "$(readlink "$profiles/system" 2>/dev/null || true)"
for link in "$profiles"/system-*-link; do
  [ -L "$link" ] || continue
  name=${link##*/}
  say generation "$name$tab$(stat -c %Y "$link")$tab$(readlink -f "$link")"
done
end_answer
