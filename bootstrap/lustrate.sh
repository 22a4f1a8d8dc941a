#!/usr/bin/env bash
# lustrate.sh ROOT
#
# Moves everything in ROOT to ROOT/old-root, except nix and boot. The files that ROOT/etc/NIXOS_LUSTRATE lists, by their
# paths from ROOT, all below etc, are copied back. When it was interrupted, by a power failure say, running it again does
# the rest: the old etc moves last, after what stays of it lies ready in etc.nixos.
set -euo pipefail
shopt -s dotglob nullglob

cd "$1"
mkdir -p old-root

if [ -e etc/NIXOS_LUSTRATE ]; then
  rm -rf etc.nixos etc.part
  for path in *; do
    case $path in
      nix | boot | lost+found | old-root | etc) ;;
      *) mv -T "$path" "old-root/$path" ;;
    esac
  done
  mkdir etc.part
  while read -r keeper; do
    case $keeper in etc/*) ;; *) continue ;; esac
    folder=${keeper%/*}
    mkdir -p "etc.part${folder#etc}"
    cp -a "$keeper" "etc.part/${keeper#etc/}"
  done <etc/NIXOS_LUSTRATE
  : >etc.part/NIXOS
  sync
  mv -T etc.part etc.nixos
  sync
  mv -T etc old-root/etc
fi
mv -T etc.nixos etc
sync
