# What backup.sh and restore.sh share: messages, the node's endpoints, checks. Sourced, not run.
# The caller sets program, url, key_file and work (a folder of its own that it removes).

say() { printf '%s: %s\n' "$program" "$*" >&2; }
die() { say "$*"; exit 1; }
misuse() { say "$*; see $program --help"; exit 2; }

need() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is not installed; install the package $tool"
  done
}

# The value that must follow option $1, of which $2 arguments are left.
needs_value() { [ "$2" -ge 2 ] || misuse "$1 needs a value"; }

is_day() { case $1 in [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) ;; *) return 1 ;; esac }

# host:path or host::module, as rsync tells them from a local path.
is_remote() { case ${1%%/*} in *:*) ;; *) return 1 ;; esac }

# The key goes to curl in a file, so that no list of processes shows it.
prepare_key() {
  : >"$work/header" && chmod 600 "$work/header"
  if [ -n "$key_file" ]; then
    [ -r "$key_file" ] || die "$key_file: cannot read the key"
    printf 'authKey: %s\n' "$(cat "$key_file")" >"$work/header"
  elif [ -n "${TRACELITH_AUTH_KEY:-}" ]; then
    printf 'authKey: %s\n' "$TRACELITH_AUTH_KEY" >"$work/header"
  fi
}

# POST /internal/partition/$1; the answer is in $work/reply. Fails, with the node's words in $work/problem.
post() {
  if ! status=$(curl -sS --connect-timeout 10 -X POST -H "@$work/header" -o "$work/reply" -w '%{http_code}' \
    "$url/internal/partition/$1" 2>"$work/problem"); then
    return 1
  fi
  [ "$status" = 200 ] && return 0
  printf '%s says %s: %s\n' "$url" "$status" "$(cat "$work/reply")" >"$work/problem"
  return 1
}

# One string a line from the JSON array in $work/reply. The strings are paths and days: none has a quote in it.
strings() {
  grep -q '\\' "$work/reply" && die "a path with characters that this script cannot read: $(cat "$work/reply")"
  # The line break at the end is for `read`, which otherwise leaves out the last line.
  { cat "$work/reply"; echo; } | sed -e 's/^\[//' -e 's/\]$//' -e 's/","/"\n"/g' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

copier=

# A shell in the background does not see Ctrl-C: an rsync under way is ended here.
stop_copy() {
  [ -n "$copier" ] || return 0
  kill "$copier" 2>/dev/null || true
  wait "$copier" 2>/dev/null || true
  copier=
}

# rsync "$@", with a progress line on a terminal; its summary is in $work/stats.
copy() {
  progress=
  [ -t 2 ] && progress=--info=progress2
  # shellcheck disable=SC2086 # nothing when it is empty
  LC_ALL=C rsync -a --stats --no-human-readable $progress "$@" >"$work/out" 2>"$work/problem" &
  copier=$!
  if [ -n "$progress" ]; then show_progress "$copier"; fi
  if ! wait "$copier"; then
    copier=
    tail -n 5 "$work/problem" >&2
    return 1
  fi
  copier=
  copied_files=$((copied_files + $(stat_of 'Number of regular files transferred')))
  copied_bytes=$((copied_bytes + $(stat_of 'Total transferred file size')))
  total_files=$((total_files + $(sed -n 's/^Number of files:.*reg: \([0-9]*\).*/\1/p' "$work/out" | grep . || echo 0)))
}

show_progress() {
  while kill -0 "$1" 2>/dev/null; do
    printf '\r%s: %s ' "$program" "$(tr '\r' '\n' <"$work/out" | tail -n 1)" >&2
    sleep 0.2
  done
  printf '\r' >&2
}

stat_of() { sed -n "s/^$1: \([0-9]*\).*/\1/p" "$work/out" | grep . || echo 0; }

start_count() {
  copied_files=0
  copied_bytes=0
  total_files=0
}

verify() {
  "$(dirname -- "$0")/../tracelith" verify "$1" >"$work/verified" 2>&1 && return 0
  cat "$work/verified" >&2
  return 1
}
