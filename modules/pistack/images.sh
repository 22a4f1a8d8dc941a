# shellcheck shell=sh
# usage: images.sh DOCKER SYSTEMCTL KEEP [ROOT]
#
# Removes every image that no container has, stopped ones included, and that is not named by the
# list /etc/pistack/images of a system that may still run: the running one, the one that was booted,
# the one that the profile names, and the KEEP newest others of the profile. Volumes, containers and
# networks are left alone.
#
# Nothing is removed while a stack's `docker compose up` or a deploy is at work, nor when anything
# that says what to keep could not be read: it is all read before the first removal. ROOT stands
# before the paths that are read, for tests. Needs no program but DOCKER and SYSTEMCTL.
set -eu

docker=$1
systemctl=$2
keep=$3
root=${4:-}
profile=$root/nix/var/nix/profiles/system
lock=$root/run/pistack-deploy/lock
newline='
'
tab=$(printf '\t')

die() {
	echo "$*; nothing is removed" >&2
	exit 1
}

# whoever is at work with images; empty for nobody
at_work() {
	if [ -e "$lock" ]; then
		echo "a deploy ($lock)"
		return
	fi
	busy=$("$systemctl" list-units --plain --no-legend --full --state=activating,deactivating,reloading 'pistack-*.service') ||
		die "systemd does not say which units are at work"
	while read -r unit _; do
		case $unit in
		'' | pistack-images.service) ;;
		*)
			echo "$unit"
			return
			;;
		esac
	done <<-LIST
		$busy
	LIST
}

# the folder that a link to a system leads to. In bash `set -e` does not hold inside $(…): whoever calls
# this there says || exit.
system_of() {
	(cd -P "$1" 2>/dev/null && pwd -P) || die "$1 leads nowhere"
}

# generations of the profile, the newest first: a number each
generations() {
	sorted=
	for link in "$profile"-*-link; do
		n=${link#"$profile-"}
		n=${n%-link}
		case $n in '' | *[!0-9]*) continue ;; esac
		before=
		after=
		for other in $sorted; do
			if [ "$other" -gt "$n" ]; then before="$before $other"; else after="$after $other"; fi
		done
		sorted="$before $n $after"
	done
	echo "$sorted"
}

# systems whose images are kept: a folder a line
systems() {
	running=$(system_of "$root/run/current-system") || exit 1
	booted=$running
	if [ -e "$root/run/booted-system" ] || [ -L "$root/run/booted-system" ]; then
		booted=$(system_of "$root/run/booted-system") || exit 1
	fi
	current=$running
	if [ -e "$profile" ] || [ -L "$profile" ]; then
		current=$(system_of "$profile") || exit 1
	fi
	printf '%s\n' "$running" "$booted" "$current"
	left=$keep
	for n in $(generations); do
		[ "$left" -gt 0 ] || break
		system=$(system_of "$profile-$n-link") || exit 1
		[ "$system" != "$current" ] || continue
		echo "$system"
		left=$((left - 1))
	done
}

# a system with stacks of a pistack that wrote no list; empty for none
without_list() {
	for system in $1; do
		list=$system/etc/pistack/images
		if [ -e "$system/etc/pistack" ] && [ ! -e "$list" ] && [ ! -L "$list" ]; then
			echo "$system"
			return
		fi
	done
}

# references in the list of a system, one a line; none where it has no stacks
references() {
	list=$1/etc/pistack/images
	[ -e "$1/etc/pistack" ] || return 0
	if [ ! -f "$list" ] || [ ! -r "$list" ]; then
		die "$list cannot be read"
	fi
	while IFS=$tab read -r stack reference rest || [ -n "$stack" ]; do
		if [ -z "$stack" ] || [ -z "$reference" ] || [ -n "$rest" ]; then
			die "$list has a line that is not STACK, tab, REFERENCE"
		fi
		echo "$reference"
	done <"$list"
}

# the image that a reference names here; empty when it is not here
id_of() {
	"$docker" image inspect --format '{{.Id}}' "$1" 2>/dev/null && return
	said=$("$docker" image inspect --format '{{.Id}}' "$1" 2>&1) && die "Docker is not sure what $1 is"
	case $said in
	*[Nn]'o such image'*) ;;
	*) die "Docker does not say what $1 is: $said" ;;
	esac
}

# remove REFERENCE: fails with 2 where something came to use it meanwhile, which keeps it
remove() {
	if said=$("$docker" image rm "$1" 2>&1); then
		return
	fi
	case $said in
	*[Nn]'o such image'*) ;; # it went away with another name of it
	*'dependent child images'*) return 2 ;; # a step on the way to an image that stays, and goes with it
	*conflict*)
		echo "kept $1, which is in use by now"
		return 2
		;;
	*)
		echo "$1 cannot be removed: $said" >&2
		return 1
		;;
	esac
}

busy=$(at_work)
if [ -n "$busy" ]; then
	echo "skipped: $busy is at work"
	exit 0
fi

# Images first: one that arrives later is no candidate. Without --all, Docker since 29 hides those that
# have a digest and no tag.
all=$("$docker" image ls --all --quiet --no-trunc) || die "Docker does not list its images"
containers=$("$docker" container ls --all --quiet --no-trunc) || die "Docker does not list its containers"
kept=$newline
if [ -n "$containers" ]; then
	# shellcheck disable=SC2086 # one word a container
	used=$("$docker" container inspect --format '{{.Image}}' $containers) || die "a container went away meanwhile"
	kept=$kept$used$newline
fi
wanted=$(systems)
old=$(without_list "$wanted")
if [ -n "$old" ]; then
	echo "skipped: $old has no list of its images; nothing is removed while one may go back to it"
	exit 0
fi
names=$(for system in $wanted; do references "$system" || exit 1; done)
ids=$(
	seen=$newline
	for reference in $names; do
		case $seen in *"$newline$reference$newline"*) continue ;; esac
		seen=$seen$reference$newline
		id_of "$reference" || exit 1
	done
)
kept=$kept$ids$newline

removed=0
failed=0
for id in $all; do
	case $kept in *"$newline$id$newline"*) continue ;; esac
	kept=$kept$id$newline # an image with two names is listed twice
	busy=$(at_work)
	if [ -n "$busy" ]; then
		echo "stopped: $busy is at work"
		break
	fi
	names=$("$docker" image inspect --format '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}' "$id" 2>/dev/null) || continue
	# One without a name goes by its own.
	result=0
	for name in ${names:-$id}; do
		status=0
		remove "$name" || status=$?
		[ "$status" = 0 ] || [ "$result" = 1 ] || result=$status
	done
	case $result in
	0)
		removed=$((removed + 1))
		# shellcheck disable=SC2086 # on one line
		echo removed ${names:-$id}
		;;
	1) failed=1 ;;
	esac
done
if [ "$removed" = 1 ]; then echo "1 image removed"; else echo "$removed images removed"; fi
exit "$failed"
