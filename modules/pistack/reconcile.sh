# shellcheck shell=sh
# usage: reconcile.sh DOCKER [PROJECT…]
#
# Takes down every Compose project that pistack started on this device and that is not one of
# PROJECT…. A container is pistack's when it carries the label io.pistack.inputs. Volumes are kept.
# Needs no program but DOCKER.
set -eu

docker=$1
shift
kept=" $* "

projects=$("$docker" ps --all --filter label=io.pistack.inputs \
	--format '{{.Label "com.docker.compose.project"}}')

failed=0
for project in $projects; do
	case $kept in
	*" $project "*) continue ;;
	esac
	kept="$kept$project " # once is enough
	echo "taking down $project: no stack of this host has this name"
	"$docker" compose --project-name "$project" down || failed=1
done
exit "$failed"
