#!/bin/sh
# Copies some or all days of a running node: snapshots over HTTP, rsync of what is new, a check of the copy, and the
# snapshots are deleted again. The copy of a day is whole at any moment: what never changes comes first, then index and
# manifest, and only then what they no longer name goes.
set -eu
program=backup.sh
url=http://127.0.0.1:10428
key_file=
to=
day=
is_verified=yes

usage() {
  cat <<'END'
Backs up a running Tracelith node. Runs on the node's machine, as a user that may read its data directory.

  backup.sh --to DEST [options]

  --to DEST             directory, or host:path as rsync takes it; each day becomes DEST/YYYYMMDD,
                        archived traces DEST/archive (without --day)
  --day YYYYMMDD        only this day, or the days that begin so (202611); without it all days
  --url URL             the node, default http://127.0.0.1:10428 (with -http.pathPrefix if it has one)
  --auth-key-file FILE  holds the value of -partitionManageAuthKey; or set TRACELITH_AUTH_KEY
  --no-verify           do not read the copy to check every checksum in it
  --help                this text

A second run into the same DEST copies only what is new. Days that the node has dropped stay in DEST.
A DEST on another host is not verified from here: run `deploy/tracelith verify` there.
Exit code: 0 everything asked for is copied and checked, 1 it is not, 2 wrong usage.
END
}

. "$(dirname -- "$0")/common.sh"
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --to | --day | --url | --auth-key-file)
      needs_value "$1" $#
      case $1 in
        --to) to=${2%/} ;;
        --day) day=$2 ;;
        --url) url=${2%/} ;;
        --auth-key-file) key_file=$2 ;;
      esac
      shift 2
      ;;
    --no-verify) is_verified=no; shift ;;
    *) misuse "unknown option $1" ;;
  esac
done
[ -n "$to" ] || misuse '--to is missing'
case $day in *[!0-9]* | ?????????*) misuse "--day $day: expected YYYYMMDD or the beginning of it" ;; esac
need curl rsync

work=$(mktemp -d)
finish() {
  code=$?
  trap - EXIT
  stop_copy
  delete_snapshots || code=1
  rm -rf "$work"
  exit "$code"
}
: >"$work/snapshots"
delete_snapshots() {
  while read -r path; do
    [ -n "$path" ] || continue
    # The name has only letters that mean themselves in a URL.
    post "snapshot/delete?path=${path##*/}" </dev/null || {
      say "snapshot not deleted: $path: $(cat "$work/problem")"
      return 1
    }
  done <"$work/snapshots"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

prepare_key
post "snapshot/create?partition_prefix=$day" || die "no snapshot: $(cat "$work/problem")"
strings >"$work/snapshots"
[ -s "$work/snapshots" ] || die "the node has no day ${day:-at all}: nothing was copied"

is_remote "$to" || mkdir -p "$to"
count=0
while read -r snapshot; do
  name=${snapshot##*/}
  one=${name%%-*}
  is_day "$one" || die "$snapshot: not the name of a snapshot"
  [ -r "$snapshot/manifest" ] || die "$snapshot: cannot be read here; run this on the node's machine, as its user"
  start_count
  target=$to/$one
  # On another host rsync makes the folders.
  if is_remote "$to"; then made=--mkpath; else made=--dirs && mkdir -p "$target"; fi
  copy "$made" --include='/parts/***' --include='/log/***' --exclude='*' "$snapshot/" "$target/" </dev/null || die "$one: the copy failed"
  # Two snapshots within a second have indexes of the same size and, to rsync, of the same time.
  copy --ignore-times --delay-updates --exclude='/parts' --exclude='/log' "$snapshot/" "$target/" </dev/null || die "$one: the copy failed"
  first_files=$copied_files
  copy --delete --delete-after "$snapshot/" "$target/" </dev/null || die "$one: the copy failed"
  [ "$first_files" = "$copied_files" ] || say "$one: files changed while they were copied, copied again"
  said="$one: $copied_files files copied, $copied_bytes bytes"
  if is_remote "$to"; then
    say "$said; not verified here"
  elif [ "$is_verified" = yes ]; then
    verify "$target" || die "$one: $target is damaged; see above"
    say "$said; verified"
  else
    say "$said; not verified"
  fi
  count=$((count + 1))
done <"$work/snapshots"
[ "$count" = "$(wc -l <"$work/snapshots")" ] || die "only $count of the snapshots were copied"
# Beside the days: traces that people archived. Each file is whole or not there; those deleted on the node stay in the backup.
archive=$(head -n 1 "$work/snapshots")
archive=${archive%/*/*}/archive
if [ -z "$day" ] && [ -d "$archive" ]; then
  start_count
  if is_remote "$to"; then made=--mkpath; else made=--dirs && mkdir -p "$to/archive"; fi
  copy "$made" --exclude='*.tmp' "$archive/" "$to/archive/" || die "archive: the copy failed"
  if ! is_remote "$to" && [ "$is_verified" = yes ]; then
    verify "$to/archive" || die "archive: $to/archive is damaged; see above"
  fi
  say "archive: $copied_files files copied, $copied_bytes bytes"
fi
say "done: days in $to: $count"
