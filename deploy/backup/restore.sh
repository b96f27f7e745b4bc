#!/bin/sh
# Brings days of a backup into a running node: copies a day beside the partitions, checks it, puts it in place with one
# rename, attaches it. A day that is replaced is kept until the new one is attached, and comes back if that fails.
set -eu
program=restore.sh
url=http://127.0.0.1:10428
key_file=
from=
data=
days=
is_all=no
is_replacing=no
is_verified=yes

usage() {
  cat <<'END'
Restores days into a running Tracelith node. Runs on the node's machine, as the user the node runs as.

  restore.sh --from SRC --data DIR (--day YYYYMMDD … | --all) [options]

  --from SRC            a backup made by backup.sh: directory, or host:path as rsync takes it
  --data DIR            -storageDataPath of the node
  --day YYYYMMDD        this day; may be given several times
  --all                 every day of the backup, and the archived traces that the node does not have
  --replace             also a day that the node has now: it is detached and replaced. Without it that is refused.
  --url URL             the node, default http://127.0.0.1:10428 (with -http.pathPrefix if it has one)
  --auth-key-file FILE  holds the value of -partitionManageAuthKey; or set TRACELITH_AUTH_KEY
  --no-verify           do not read the copy to check every checksum in it
  --help                this text

Exit code: 0 every day asked for is attached, 1 it is not (days before the failure stay restored), 2 wrong usage.
END
}

. "$(dirname -- "$0")/common.sh"
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --from | --data | --day | --url | --auth-key-file)
      needs_value "$1" $#
      case $1 in
        --from) from=${2%/} ;;
        --data) data=${2%/} ;;
        --day) is_day "$2" || misuse "--day $2: expected YYYYMMDD"; days="$days $2" ;;
        --url) url=${2%/} ;;
        --auth-key-file) key_file=$2 ;;
      esac
      shift 2
      ;;
    --all) is_all=yes; shift ;;
    --replace) is_replacing=yes; shift ;;
    --no-verify) is_verified=no; shift ;;
    *) misuse "unknown option $1" ;;
  esac
done
[ -n "$from" ] || misuse '--from is missing'
[ -n "$data" ] || misuse '--data is missing'
[ "$is_all" = yes ] || [ -n "$days" ] || misuse 'neither --day nor --all'
[ "$is_all" = no ] || [ -z "$days" ] || misuse '--day and --all do not go together'
[ -d "$data/partitions" ] || die "$data: not the data directory of a node (no partitions/ in it)"
need curl rsync

work=$(mktemp -d)
trap 'stop_copy; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
prepare_key

list_attached() {
  post list || die "cannot ask the node: $(cat "$work/problem")"
  strings >"$work/attached"
}
is_attached() { grep -qx "$1" "$work/attached"; }

if [ "$is_all" = yes ]; then
  rsync --list-only "$from/" >"$work/listed" 2>"$work/problem" || die "$from: $(cat "$work/problem")"
  days=$(sed -n 's/^d.* \([0-9]\{8\}\)$/\1/p' "$work/listed")
  [ -n "$days" ] || die "$from: no days in it"
fi

list_attached
for day in $days; do
  [ "$is_replacing" = yes ] && continue
  if is_attached "$day"; then die "$day is attached now; --replace detaches and replaces it. Nothing was changed."; fi
  [ ! -e "$data/partitions/$day" ] || die "$data/partitions/$day is there, detached; --replace replaces it. Nothing was changed."
done

# Copies and checks day $1 in $staged.
stage() {
  staged=$data/restore/$1
  mkdir -p "$staged"
  start_count
  copy --delete "$from/$1/" "$staged/" || die "$1: the copy failed; nothing was changed"
  [ -s "$staged/manifest" ] || die "$1: $from/$1 has no manifest, it is no snapshot; nothing was changed"
  if [ "$is_verified" = yes ]; then
    verify "$staged" || die "$1: the backup is damaged, see above; nothing was changed. It is in $staged"
  fi
}

# Puts the day back as it was before put_in_place, and says so.
give_up() {
  say "$1: $(cat "$work/problem")"
  [ ! -d "$staged" ] && [ -d "$place" ] && mv -T "$place" "$staged"
  [ ! -d "$aside" ] || mv -T "$aside" "$place"
  if [ "$was_attached" = yes ]; then
    post "attach?name=$1" || die "$1: the day of before is in $place, but not attached: $(cat "$work/problem")"
    die "$1: not restored; the day of before is attached again. The copy is in $staged"
  fi
  die "$1: not restored. The copy is in $staged"
}

put_in_place() {
  place=$data/partitions/$1
  aside=$data/restore/$1.replaced
  was_attached=no
  [ ! -e "$aside" ] || die "$aside is there: left by an interrupted restore. Look at it, then move it away. Nothing was changed."
  list_attached
  if is_attached "$1"; then
    [ "$is_replacing" = yes ] || die "$1 has been attached meanwhile; --replace detaches and replaces it. Nothing was changed."
    post "detach?name=$1" || die "$1: cannot detach it: $(cat "$work/problem")"
    was_attached=yes
  fi
  : >"$work/problem"
  if [ -e "$place" ]; then mv -T "$place" "$aside" 2>"$work/problem" || give_up "$1"; fi
  mv -T "$staged" "$place" 2>"$work/problem" || give_up "$1"
  if ! post "attach?name=$1"; then
    cp "$work/problem" "$work/refusal"
    post list || die "$1: $(cat "$work/refusal"). The node does not answer: the restored day is in $place and is attached
  when the node starts; what was there before, if anything, is in $aside"
    # A span of that day may have come just now: the node has then opened the folder by itself.
    strings >"$work/attached"
    cp "$work/refusal" "$work/problem"
    is_attached "$1" || give_up "$1"
  fi
  rm -rf "$aside"
}

count=0
for day in $days; do
  stage "$day"
  put_in_place "$day"
  checked=verified
  [ "$is_verified" = yes ] || checked='not verified'
  say "$day: $copied_files files copied, $copied_bytes bytes; $checked, attached"
  count=$((count + 1))
done
# Archived traces that the node has stay as they are. The node finds the restored ones at once.
if [ "$is_all" = yes ] && rsync --list-only "$from/archive/" >/dev/null 2>&1; then
  start_count
  mkdir -p "$data/archive"
  copy --ignore-existing --exclude='*.tmp' "$from/archive/" "$data/archive/" || die "archive: the copy failed"
  if [ "$is_verified" = yes ]; then verify "$data/archive" || die "archive: some restored files are damaged; see above"; fi
  say "archive: $copied_files files copied, $copied_bytes bytes"
fi
rmdir "$data/restore" 2>/dev/null || true
say "done: days restored: $count"
