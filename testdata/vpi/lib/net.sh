# shellcheck shell=bash
# One namespace for the workstation, with a bridge, and one for each machine, plugged into that bridge. Interfaces and
# addresses live inside the namespaces, so that two prefixes may use the same ones.

net_address() { echo "$VPI_NET.$((10 + $1))"; }
net_machine() { echo "$VPI_PREFIX-$1"; }
net_workstation() { echo "$VPI_PREFIX-net"; }

net_exists() { [ -e "/run/netns/$1" ] && ip -n "$1" link show lo >/dev/null 2>&1; }

# A namespace whose mount is gone leaves an empty file, which ip refuses to reuse.
net_make() {
  net_exists "$1" && return 1
  net_delete "$1"
  ip netns add "$1"
  ip -n "$1" link set lo up
}

net_delete() {
  ip netns delete "$1" 2>/dev/null || rm -f "/run/netns/$1"
}

net_up() {
  local n=$1 net machine
  net=$(net_workstation)
  machine=$(net_machine "$n")
  if net_make "$net"; then
    ip -n "$net" link add bridge type bridge
    ip -n "$net" address add "$VPI_NET.1/24" dev bridge
    ip -n "$net" link set bridge up
  fi
  if net_make "$machine" || ! ip -n "$net" link show "pi$n" >/dev/null 2>&1; then
    ip -n "$net" link delete "pi$n" 2>/dev/null || true
    ip -n "$net" link add "pi$n" type veth peer name eth0 netns "$machine"
    ip -n "$net" link set "pi$n" master bridge up
    ip -n "$machine" address add "$(net_address "$n")/24" dev eth0
    ip -n "$machine" link set eth0 up
  fi
}

net_down() { net_delete "$(net_machine "$1")"; }

# Processes that 'vpi in' left behind keep the namespace alive, so they go first.
net_remove() {
  local net pid
  net=$(net_workstation)
  net_exists "$net" || { net_delete "$net"; return 0; }
  for pid in $(ip netns pids "$net" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  net_delete "$net"
}

# nsenter, not 'ip netns exec': that would give the command a /sys of its own, without cgroups.
net_run() {
  net_exists "$(net_workstation)" || die "no virtual Pi of prefix $VPI_PREFIX is up: 'vpi up 1' first"
  exec nsenter --net="/run/netns/$(net_workstation)" -- "$@"
}
