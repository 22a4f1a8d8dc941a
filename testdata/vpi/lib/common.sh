# shellcheck shell=bash
# Words, waits and checks that every part of vpi uses.

say() { printf 'vpi: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# wait_for SECONDS WHAT CMD…: polls CMD until it succeeds; says what was waited for when it does not.
wait_for() {
  local limit=$1 what=$2 end
  shift 2
  end=$((SECONDS + limit))
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "waited $limit s for $what"
      return 1
    fi
    sleep 0.1
  done
}

# need COMMAND:PACKAGE…: installs the packages whose command is missing.
need() {
  local pair missing=()
  for pair; do command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "missing, and no apt-get to install them with: ${missing[*]}"
  say "installing ${missing[*]}"
  # On a fresh machine the system's own updates may hold the lock for a while.
  apt-get update -qq -o DPkg::Lock::Timeout=300
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${missing[@]}" >/dev/null
}

# The state folder is named in mount options and in ssh's, which know no quoting; the prefix becomes part of file names.
check_settings() {
  [[ $VPI =~ ^/[A-Za-z0-9/._-]+$ ]] || die "VPI=$VPI: want an absolute path of letters, digits and /._-"
  [[ $VPI_PREFIX =~ ^[a-z][a-z0-9-]{0,19}$ ]] || die "VPI_PREFIX=$VPI_PREFIX: want a letter, then at most 19 of a-z, 0-9 and -"
  [[ $VPI_NET =~ ^[0-9]{1,3}(\.[0-9]{1,3}){2}$ ]] || die "VPI_NET=$VPI_NET: want three numbers, such as 10.99.0"
}

check_number() {
  if ! [[ $1 =~ ^[1-9][0-9]{0,2}$ ]] || [ "$1" -gt 200 ]; then die "$1: want a number from 1 to 200"; fi
}
