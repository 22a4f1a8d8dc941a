#!/bin/sh
# lock.sh ID USER FROM REVISION DIRTY SINCE: takes the lock, or says who has it. The lock appears with its owner in it, by
# one rename, so that it never is there without.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

[ -d "$base" ] || mkdir -p "$base"
new=$(mktemp -d "$base/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
{
  say id "$1"
  say user "$2"
  say from "$3"
  say revision "$4"
  say dirty "$5"
  say since "$6"
} >"$new/owner"

tries=0
while ! mv -T "$new" "$lock" 2>/dev/null; do
  [ "$(value_of "$lock/owner" id)" != "$1" ] || exit 0
  if [ -e "$lock/owner" ] || [ "$tries" -ge 10 ]; then
    begin_answer
    say_owner ''
    end_answer
    exit "$held"
  fi
  tries=$((tries + 1)) # it was given back in between
done
trap - EXIT
