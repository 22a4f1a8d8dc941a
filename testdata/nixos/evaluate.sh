#!/bin/bash
# Sourced by the scripts beside it: evaluates the flake of the folder $fleet with the nixpkgs tree NIXPKGS.
# Nothing is built, fetched or written to a store, and no daemon is asked.

read -ra instantiate <<<"${NIX_INSTANTIATE:-nix-instantiate}"

fail() {
	echo "${0##*/}: $*" >&2
	exit "${code:-1}"
}

need_nixpkgs() {
	[ -n "${NIXPKGS:-}" ] || code=2 fail "no nixpkgs: set NIXPKGS to a tree of it"
	[ -f "$NIXPKGS/nixos/lib/eval-config.nix" ] || fail "$NIXPKGS is no nixpkgs tree"
	[ "$("${instantiate[@]}" --eval --expr 'builtins ? readFileType' 2>/dev/null)" = true ] ||
		fail "${instantiate[0]} is missing or older than Nix 2.18, which nixpkgs wants: name another with NIX_INSTANTIATE"
}

# A string of the Nix language.
quote() {
	local s=${1//\\/\\\\}
	s=${s//\"/\\\"}
	printf '"%s"' "${s//\$\{/\\\$\{}"
}

# evaluate EXPRESSION: its value as JSON, where flake and lib are the fleet's and nixpkgs'.
# rev is the commit that the flake believes to be.
evaluate() {
	local hardware=${NIXOS_HARDWARE:-/var/empty/no-NIXOS_HARDWARE-is-set}
	NIX_REMOTE=dummy:// NIX_CONFIG='experimental-features = nix-command flakes' \
		"${instantiate[@]}" --eval --strict --json --readonly-mode --expr "
		let
		  flake = import (/. + $(quote "${here:?}/fleet.nix")) {
		    fleet = /. + $(quote "${fleet:?}");
		    nixpkgs = /. + $(quote "$(realpath "$NIXPKGS")");
		    nixosHardware = $(quote "$hardware");
		    rev = $(quote "${rev:-0000000000000000000000000000000000000000}");
		  };
		  inherit (flake.inputs.nixpkgs) lib;
		in $1"
}
