#!/usr/bin/env bash
# Builds the container image: ./dev image. docs/image.md describes image and options.
# Exit codes: 0 built, 1 failed, 2 wrong usage, 3 there is no builder on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
./dev image [OPTION...]: builds the container image esc-agent

  --tag NAME:TAG      default esc-agent:VERSION
  --output FILE.tar   also write an archive, for kind, k3s, ctr, docker load, podman load
  --builder NAME      docker, podman or buildah; default the first one that works
  --base IMAGE        of the build stages, default docker.io/library/debian:12; give a digest to pin it
  --snapshot TIME     take Debian's packages as snapshot.debian.org had them, 20251101T000000Z
  --from-build        without a builder and a registry: compile here (./dev build), and pack the archive
  --programs FOLDER   the same from the programs in this folder, as they are

SOURCE_DATE_EPOCH is the time in image and archive; default that of the last commit.
Exit codes: 0 built, 1 failed, 2 wrong usage, 3 there is no builder that works.
USAGE
}

fail() {
  echo "./dev image: $1" >&2
  exit "${2:-1}"
}

version=$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
tag=esc-agent:$version
output='' builder='' base='' snapshot='' programs=''
while [ $# -gt 0 ]; do
  case "$1" in
    --from-build) programs=build/release/bin ;;
    --tag | --output | --builder | --base | --snapshot | --programs)
      [ -n "${2:-}" ] || { usage >&2; fail "$1 needs a value" 2; }
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2; fail "unknown option '$1'" 2 ;;
  esac
  shift
done
[[ "${tag##*/}" == *:* ]] || fail "--tag $tag: expected NAME:TAG, such as esc-agent:$version" 2
if [ -n "$programs" ] && [ -n "$builder$base$snapshot" ]; then
  fail "--builder, --base and --snapshot have no meaning without a builder" 2
fi

# git_says DEFAULT ARGUMENT...: in a folder that is no clone, or is another user's, DEFAULT.
git_says() {
  local default=$1
  shift
  git "$@" 2>/dev/null || echo "$default"
}
revision=$(git_says unknown rev-parse HEAD)
[ -z "$(git_says '' status --porcelain)" ] || revision+=-dirty
source=$(git_says '' remote get-url origin)
# A folder or an address with a password is nobody's business.
[[ "$source" == https://* && "$source" != *@* ]] || source=''
epoch=${SOURCE_DATE_EPOCH:-$(git_says 0 log -1 --format=%ct)}
created=$(date --utc --date "@$epoch" +%Y-%m-%dT%H:%M:%SZ)

# works BUILDER: it is installed and, for docker, its daemon answers.
works() {
  case "$1" in
    docker) docker info >/dev/null 2>&1 ;;
    podman | buildah) "$1" info >/dev/null 2>&1 ;;
    *) fail "--builder $1: expected docker, podman or buildah" 2 ;;
  esac
}

find_builder() {
  local name
  if [ -n "$builder" ]; then
    works "$builder" || fail "$builder is not installed, or does not work: try \`$builder info\`" 3
    return
  fi
  for name in docker podman buildah; do
    if works "$name"; then
      builder=$name
      return
    fi
  done
  fail "neither docker (with its daemon) nor podman nor buildah works on this machine.
  Install one (on Debian: apt-get install buildah), or let ./dev image --from-build make the image
  from a build on this machine, without a builder." 3
}

build_with_builder() {
  local arguments=(--tag "$tag" --file Dockerfile
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source"
    --build-arg "CREATED=$created" --build-arg "SOURCE_DATE_EPOCH=$epoch")
  [ -z "$base" ] || arguments+=(--build-arg "BASE_IMAGE=$base")
  [ -z "$snapshot" ] || arguments+=(--build-arg "DEBIAN_SNAPSHOT=$snapshot")
  # BuildKit takes the times of the image from SOURCE_DATE_EPOCH.
  [ "$builder" = docker ] || arguments+=(--timestamp "$epoch")
  echo "building $tag with $builder"
  DOCKER_BUILDKIT=1 "$builder" build "${arguments[@]}" . ||
    fail "$builder could not build it, see above. Where no registry can be reached, --base names a
  Debian 12 image that is there already, and --from-build does without."
  [ -n "$output" ] || return 0
  rm -f "$output"
  if [ "$builder" = docker ]; then
    docker save --output "$output" "$tag"
  else
    # Not their own name of it, localhost/...
    local name=$tag
    [[ "$name" == */* ]] || name=docker.io/library/$name
    "$builder" push "$tag" "docker-archive:$output:$name"
  fi
  echo "the archive is $output"
}

pack_programs() {
  local work
  [ -n "$output" ] || output=build/esc-agent-$version-$(dpkg --print-architecture).tar
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$work'" EXIT
  python3 -B image/collect.py --programs "$programs" --out "$work/root" --version "$version" \
    --epoch "$epoch"
  mkdir -p "$(dirname "$output")"
  digest=$(python3 -B image/archive.py --root "$work/root" --out "$output" --tag "$tag" \
    --version "$version" --revision "$revision" --source "$source" --epoch "$epoch")
  echo "$tag ($digest) is in $output, $(du --apparent-size -m "$output" | cut -f1) MiB"
}

if [ -n "$programs" ]; then
  pack_programs
else
  find_builder
  build_with_builder
fi
