# shellcheck shell=bash
# One virtual Pi: its files in $VPI/run/PREFIX/N, its boot, its end.
: "${here:?}" "${VPI:?}"

machine_dir() { echo "$VPI/run/$VPI_PREFIX/$1"; }

# machine_numbers: of every machine that has a folder, or that lost it and left its namespace.
machine_numbers() {
  local path
  for path in "$VPI/run/$VPI_PREFIX"/*/ "/run/netns/$VPI_PREFIX"-*; do
    path=${path%/}
    path=${path##*/}
    path=${path#"$VPI_PREFIX-"}
    [[ $path =~ ^[0-9]+$ ]] && echo "$path"
  done | sort -nu
}

# machine_pid N: the pid of its systemd-nspawn; fails when it does not run. The pid in the file may be another
# process's by now.
machine_pid() {
  local pid
  pid=$(cat "$(machine_dir "$1")/pid" 2>/dev/null) || return 1
  grep -qzx -- "--machine=$(net_machine "$1")" "/proc/$pid/cmdline" 2>/dev/null || return 1
  echo "$pid"
}

machine_is_down() { ! machine_pid "$1" >/dev/null; }

machine_up() {
  local n=$1 dir
  dir=$(machine_dir "$n")
  if ! machine_is_down "$n"; then
    machine_wait "$n"
    return
  fi
  tree_build
  cgroup_kill "$(net_machine "$n")"
  machine_mount "$n"
  machine_first_boot "$n"
  net_up "$n"
  : >"$dir/log"
  setsid "$here/vpi" _supervise "$n" </dev/null >"$dir/log" 2>&1 &
  echo $! >"$dir/supervisor"
  wait_for 10 "$(net_machine "$n") to begin" machine_began "$n" $! || machine_fail "$n"
  machine_wait "$n"
}

# machine_began N SUPERVISOR: nspawn runs, or there is nobody left to wait for.
machine_began() { machine_pid "$1" >/dev/null || ! kill -0 "$2" 2>/dev/null; }

machine_wait() {
  wait_for 60 "ssh at $(net_address "$1")" machine_answers "$1" || machine_fail "$1"
  wait_for 90 "$(net_machine "$1") to finish its boot" machine_settled "$1" || machine_fail "$1"
}

machine_answers() {
  machine_is_down "$1" && machine_fail "$1"
  timeout 5 "$here/vpi" ssh "$1" true 2>/dev/null
}

# Failed units do not count: what runs there is for the caller to judge.
machine_settled() {
  case $(timeout 5 "$here/vpi" ssh "$1" systemctl is-system-running 2>/dev/null) in
    running | degraded) return 0 ;;
  esac
  return 1
}

machine_fail() {
  tail -n 20 "$(machine_dir "$1")/log" >&2
  inotify_left
  die "$(net_machine "$1") does not run; its console is in $(machine_dir "$1")/log"
}

# Every systemd needs a few inotify instances, of which a user has 128 on most systems; without one it ends and says nothing.
inotify_left() {
  local used limit
  read -r limit </proc/sys/fs/inotify/max_user_instances
  used=$(find /proc/[0-9]*/fd -lname anon_inode:inotify 2>/dev/null | wc -l)
  [ "$((used + 10))" -lt "$limit" ] || say "$used of $limit inotify instances are taken: sysctl fs.inotify.max_user_instances=1024"
}

# A run that was killed leaves its mount; a fresh one over the same files takes its place.
machine_mount() {
  local dir
  dir=$(machine_dir "$1")
  mkdir -p "$dir"/{upper,work,root,docker,containerd}
  machine_unmount "$1"
  mount -t overlay overlay -o "lowerdir=$(tree_path),upperdir=$dir/upper,workdir=$dir/work" "$dir/root" ||
    die "cannot mount an overlay in $dir: VPI must lie on a disk's file system, not on an overlay or a tmpfs"
  if [ -n "${VPI_DOCKER_SIZE:-}" ] && ! mountpoint -q "$dir/docker"; then
    mount -t tmpfs -o "size=$VPI_DOCKER_SIZE,mode=711" tmpfs "$dir/docker"
  fi
}

# The machine's own mount, and one that an nspawn that was killed leaves behind and then refuses to start over.
machine_unmount() {
  local path
  for path in "$(machine_dir "$1")/root" "/run/systemd/nspawn/unix-export/$(net_machine "$1")"; do
    while mountpoint -q "$path"; do umount "$path" 2>/dev/null || umount --lazy "$path"; done
  done
}

# What makes it a machine of its own: its host key, its name, and who may log in.
machine_first_boot() {
  local n=$1 dir root
  dir=$(machine_dir "$n")
  root=$dir/root
  if [ ! -f "$dir/born" ]; then
    ssh-keygen -q -t ed25519 -N '' -C "root@pi$n" -f "$root/etc/ssh/ssh_host_ed25519_key" <<<y >/dev/null
    echo "pi$n" >"$root/etc/hostname"
    : >"$root/etc/machine-id"
    install -D -m 600 "$VPI/id.pub" "$root/root/.ssh/authorized_keys"
    chmod 700 "$root/root/.ssh"
    : >"$dir/born"
  fi
  cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$dir/host_key.pub"
  printf '%s %s\n' "$(net_address "$n")" "$(cut -d' ' -f1,2 "$dir/host_key.pub")" >"$dir/known_hosts"
}

# The process that owns the machine until it is powered off; nspawn ends with 133 when the machine reboots.
machine_supervise() {
  local n=$1 name dir boot=0 status
  name=$(net_machine "$n")
  dir=$(machine_dir "$n")
  if [ -z "${VPI_SCOPE:-}" ]; then
    VPI_SCOPE=1 cgroup_scope "$name" "$here/vpi" _supervise "$n"
  fi
  cgroup_enter "$name" supervisor
  cgroup_delegate "$name"
  while :; do
    boot=$((boot + 1))
    machine_nspawn "$n" "boot-$boot" &
    echo $! >"$dir/pid"
    status=0
    wait $! || status=$?
    [ "$status" = 133 ] || exit "$status"
    cgroup_leave "$name" "boot-$boot"
  done
}

machine_nspawn() {
  local n=$1 leaf=$2 name dir
  name=$(net_machine "$n")
  dir=$(machine_dir "$n")
  cgroup_enter "$name" "$leaf"
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
  # Docker inside needs the capabilities and system calls beyond nspawn's own, and file systems that are no overlay.
  exec systemd-nspawn --quiet --directory="$dir/root" --register=no --keep-unit --machine="$name" \
    --network-namespace-path="/run/netns/$name" --console=pipe --kill-signal=SIGRTMIN+3 \
    --bind="$dir/docker:/var/lib/docker" --bind="$dir/containerd:/var/lib/containerd" \
    --capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON --system-call-filter="@keyring bpf perf_event_open" \
    /usr/local/sbin/vpi-init
}

machine_ssh() {
  local n=$1 dir
  dir=$(machine_dir "$n")
  [ -f "$dir/known_hosts" ] || die "there is no virtual Pi $n of prefix $VPI_PREFIX: 'vpi up $n' first"
  shift
  net_run ssh -F /dev/null -q -i "$VPI/id" -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=5 \
    -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$dir/known_hosts" -o GlobalKnownHostsFile=/dev/null \
    "root@$(net_address "$n")" "$@"
}

machine_info() {
  local dir
  dir=$(machine_dir "$1")
  [ -f "$dir/host_key.pub" ] || die "there is no virtual Pi $1 of prefix $VPI_PREFIX: 'vpi up $1' first"
  printf '%s=%s\n' address "$(net_address "$1")" port 22 user root host_key "$(cat "$dir/host_key.pub")" \
    host_key_file "$dir/host_key.pub" identity "$VPI/id"
}

machine_reboot() {
  local n=$1 before
  before=$(machine_boot_id "$n") || die "$(net_machine "$n") does not answer"
  "$here/vpi" ssh "$n" systemctl reboot || true
  wait_for 120 "$(net_machine "$n") to come back" machine_rebooted "$n" "$before" || machine_fail "$n"
  machine_wait "$n"
}

machine_boot_id() { timeout 5 "$here/vpi" ssh "$1" cat /proc/sys/kernel/random/boot_id 2>/dev/null; }

machine_rebooted() {
  local now
  kill -0 "$(cat "$(machine_dir "$1")/supervisor")" 2>/dev/null || machine_fail "$1"
  now=$(machine_boot_id "$1") && [ "$now" != "$2" ]
}

machine_down() {
  local n=$1 pid
  pid=$(machine_pid "$n") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  wait_for 60 "$(net_machine "$n") to power off" machine_is_down "$n" || cgroup_kill "$(net_machine "$n")"
}

# One that had not yet come to its cgroup when 'vpi up' was interrupted.
machine_kill_supervisor() {
  local pid
  pid=$(cat "$(machine_dir "$1")/supervisor" 2>/dev/null) || return 0
  ! grep -qzx _supervise "/proc/$pid/cmdline" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
}

machine_rm() {
  local n=$1
  machine_down "$n"
  machine_kill_supervisor "$n"
  cgroup_kill "$(net_machine "$n")"
  machine_unmount "$n"
  ! mountpoint -q "$(machine_dir "$n")/docker" || umount --lazy "$(machine_dir "$n")/docker"
  net_down "$n"
  rm -rf --one-file-system "$(machine_dir "$n")"
}
