# shellcheck shell=bash
# Container images that hold one static binary, imported straight into a machine's Docker: no registry, no build.
: "${here:?}"

image_import() {
  local n=$1 image=$2 binary=$3 line alias stage change=()
  shift 3
  for line; do change+=(--change "$line"); done
  [ -x "$binary" ] || die "$binary: not an executable file"
  stage=$(mktemp -d)
  install -D -m 755 "$binary" "$stage/bin/app"
  for alias in sh curl wget; do ln -s app "$stage/bin/$alias"; done
  install -d -m 1777 "$stage/tmp"
  # ssh hands its arguments to a shell, so they are quoted once more.
  tar -C "$stage" --owner=0 --group=0 --numeric-owner -c . |
    "$here/vpi" ssh "$n" "docker import --change 'ENTRYPOINT [\"/bin/app\"]' ${change[*]@Q} - ${image@Q}" >/dev/null
  rm -rf "$stage"
}

# The names and tags are those that Compose itself reads from the files; secrets need no value for that.
image_import_all() {
  local n=$1 binary=$2 stack images image
  shift 2
  for stack; do
    [ -f "$stack/compose.yaml" ] || die "$stack: no compose.yaml"
    images=$(image_names "$n" "$stack") || die "$stack: Compose cannot read it"
    for image in $images; do image_described "$n" "$image" "$binary"; done
  done
}

image_names() {
  local files=(compose.yaml)
  [ ! -f "$2/.env" ] || files+=(.env)
  # shellcheck disable=SC2016 # these variables are the machine's
  tar -C "$2" -c "${files[@]}" | "$here/vpi" ssh "$1" 'dir=$(mktemp -d) && cd "$dir" && tar -x &&
    images=$(docker compose --project-name images config --images 2>error || { cat error >&2; false; })
    status=$?; rm -rf "$dir"; printf "%s\n" "$images" | sort -u; exit $status'
}

# app/images: a repository and a line of Dockerfile instructions, separated by semicolons.
image_described() {
  local n=$1 image=$2 binary=$3 line lines=()
  while read -r line; do lines+=("$line"); done < <(
    awk -v repository="${image%%[:@]*}" '$1 == repository { $1 = ""; gsub(/ *; */, "\n"); print }' "$here/app/images")
  [ ${#lines[@]} -gt 0 ] || die "$image: not described in $here/app/images"
  say "image $image"
  image_import "$n" "$image" "$binary" "${lines[@]}"
}
