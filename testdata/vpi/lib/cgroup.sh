# shellcheck shell=bash
# A cgroup for each machine, in the unified hierarchy and, where the host still has it, in systemd's own. Two machines
# in one cgroup would kill each other's units. On a host that runs systemd the cgroup is that of a delegated scope.

# cgroup_roots: the mount points of the hierarchies that a systemd inside cares for.
cgroup_roots() {
  awk '$3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /(^|,)name=systemd(,|$)/) { print $2 }' /proc/mounts
}

# cgroup_home ROOT NAME: the folder of machine NAME under ROOT.
cgroup_home() {
  if [ -d /run/systemd/system ]; then
    echo "$1/system.slice/vpi-$2.scope"
  else
    echo "$1/vpi-$2"
  fi
}

# cgroup_scope NAME CMD…: becomes CMD, in a scope where systemd has to be asked for one.
cgroup_scope() {
  local name=$1
  shift
  [ -d /run/systemd/system ] || exec "$@"
  exec systemd-run --quiet --collect --scope --unit="vpi-$name" -p Delegate=yes -- "$@"
}

# cgroup_enter NAME LEAF: moves this process to a leaf of the machine's cgroup. The supervisor and each boot have one of
# their own: in the unified hierarchy no process may sit above another one's cgroup, and nspawn makes cgroups in its own.
cgroup_enter() {
  local root home
  for root in $(cgroup_roots); do
    home=$(cgroup_home "$root" "$1")
    mkdir -p "$home/$2"
    echo "$BASHPID" >"$home/$2/cgroup.procs"
  done
}

# cgroup_leave NAME LEAF: removes the folders of a leaf whose processes have ended; the kernel may need a moment.
cgroup_leave() {
  local root
  for root in $(cgroup_roots); do
    find "$(cgroup_home "$root" "$1")/$2" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

# cgroup_delegate NAME: hands down every controller that the host lets go of, so that Docker inside can use it.
cgroup_delegate() {
  local root home controller controllers=()
  for root in $(cgroup_roots); do
    home=$(cgroup_home "$root" "$1")
    [ -f "$home/cgroup.controllers" ] || continue
    read -ra controllers <"$home/cgroup.controllers" || true
    for controller in "${controllers[@]}"; do
      echo "+$controller" 2>/dev/null >"$home/cgroup.subtree_control" || true
    done
  done
}

# cgroup_kill NAME: ends what still runs there, and removes the folders, innermost first.
cgroup_kill() {
  local root home
  for root in $(cgroup_roots); do
    home=$(cgroup_home "$root" "$1")
    [ -d "$home" ] || continue
    cgroup_processes "$home" | xargs -r kill -KILL 2>/dev/null || true
    wait_for 10 "processes of $1 to end" cgroup_is_empty "$home" || true
    find "$home" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

cgroup_processes() { find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true; }

cgroup_is_empty() { [ -z "$(cgroup_processes "$1")" ]; }
