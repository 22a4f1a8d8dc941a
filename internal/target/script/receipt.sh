#!/bin/sh
# receipt.sh ID: keeps the receipt on standard input, and the last 20. They are in a folder whose name no stack can have.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=common.sh
. ./common.sh

require_lock "$1"
folder=/var/lib/pistack
history=$folder/.receipts
[ -d "$folder" ] || (umask 022 && mkdir -p "$folder")
[ -d "$history" ] || mkdir -p "$history"

new=$(mktemp "$folder/.receipt.XXXXXX")
trap 'rm -f "$new"' EXIT
cat >"$new"
sync "$new"
rm -f "$history"/????????T??????Z-"$1.json" # of an attempt whose answer was lost
ln "$new" "$history/$(date -u +%Y%m%dT%H%M%SZ)-$1.json"
mv -T "$new" "$folder/receipt.json"
trap - EXIT

set -- "$history"/*.json # in order of time
while [ $# -gt 20 ]; do
  rm -f "$1"
  shift
done
sync "$history" "$folder"
