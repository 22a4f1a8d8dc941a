# shellcheck shell=bash
# The Debian tree under every virtual Pi: built once, then only read (each machine writes to an overlay of its own).

# here and VPI come from the script that reads this file.
: "${here:?}" "${VPI:?}"
tree_packages=systemd-sysv,dbus,openssh-server,iproute2,iptables,nftables,ca-certificates,docker.io,docker-cli,docker-compose,nix-bin,age,curl

# tree_path: named after what it is made of, so that a change of the recipe makes a new one beside one in use.
tree_path() {
  local recipe
  recipe=$({ echo "$tree_packages"; declare -f tree_debootstrap tree_configure; } | sha256sum)
  echo "$VPI/tree-${recipe:0:12}"
}

tree_build() {
  local tree
  need flock:util-linux mmdebstrap:mmdebstrap systemd-nspawn:systemd-container ip:iproute2 ssh-keygen:openssh-client \
    nsenter:util-linux setsid:util-linux unshare:util-linux nix:nix-bin
  mkdir -p "$VPI"
  # Two runs may ask at once: the second waits for the first one's tree.
  exec 9>"$VPI/tree.lock"
  flock 9
  [ -f "$VPI/id" ] || ssh-keygen -q -t ed25519 -N '' -C vpi -f "$VPI/id"
  tree=$(tree_path)
  if [ ! -d "$tree" ]; then
    tree_remove_unused
    say "building the tree in $tree (about 2 minutes, once)"
    tree_debootstrap "$VPI/tree.part"
    tree_configure "$VPI/tree.part"
    mv "$VPI/tree.part" "$tree"
  fi
  exec 9>&-
}

tree_remove_unused() {
  local tree
  for tree in "$VPI"/tree-* "$VPI/tree.part"; do
    grep -qF "lowerdir=$tree," /proc/mounts || rm -rf --one-file-system "$tree"
  done
}

tree_debootstrap() {
  local root=$1 keyring=()
  # Ubuntu's apt does not trust Debian's keys by itself.
  if [ ! -e /etc/debian_version ] || grep -q '^ID=ubuntu' /etc/os-release; then
    apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends debian-archive-keyring >/dev/null
    keyring=(--keyring=/usr/share/keyrings/debian-archive-keyring.gpg)
  fi
  # In a mount namespace of its own, so that no mount outlives a build that is killed.
  unshare --mount --propagation=private mmdebstrap --quiet --mode=root --variant=minbase "${keyring[@]}" \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$tree_packages" trixie "$root"
}

tree_configure() {
  local root=$1
  rm -f "$root"/etc/ssh/ssh_host_*
  printf 'PermitRootLogin prohibit-password\nPasswordAuthentication no\n' >"$root/etc/ssh/sshd_config.d/vpi.conf"
  # vpi gives the interface its address; networkd must not take it away.
  printf '[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n' >"$root/etc/systemd/network/10-eth0.network"
  mkdir -p "$root/etc/nix"
  printf '%s\n' 'experimental-features = nix-command flakes' 'sandbox = false' 'build-users-group =' \
    'substitute = false' >"$root/etc/nix/nix.conf"
  # Like stage 2 of NixOS: activates the system that the profile names, then becomes systemd.
  cat >"$root/usr/local/sbin/vpi-init" <<'INIT'
#!/bin/sh
system=$(readlink -f /nix/var/nix/profiles/system)
[ ! -x "$system/activate" ] || "$system/activate" "$system"
exec /usr/lib/systemd/systemd "$@"
INIT
  chmod 755 "$root/usr/local/sbin/vpi-init"
}
