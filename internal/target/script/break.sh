#!/bin/sh
# Takes the lock away from whoever has it, and says who that was.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

begin_answer
if [ -e "$lock/owner" ]; then
  say_owner ''
  release "$(value_of "$lock/owner" id)"
fi
end_answer
