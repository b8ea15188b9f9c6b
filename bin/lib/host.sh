# shellcheck shell=bash
# What the scripts need from the machine they run on. Sourced, not run.

# say MESSAGE: tells the person at the terminal what a script is about to do.
say() { printf 'towline: %s\n' "$*" >&2; }

# die MESSAGE...: one line each for what happened, why, and what to do.
die() {
  printf 'towline: %s\n' "$@" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# on_debian_as_root: whether apt-get may be used here without asking anyone.
on_debian_as_root() { [ "$(id -u)" -eq 0 ] && have apt-get && [ -r /etc/debian_version ]; }

# apt_install PACKAGE...: installs what is missing of the packages, and says so.
apt_install() {
  local missing=() package log
  for package in "$@"; do
    # shellcheck disable=SC2016 # dpkg-query's own variable
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing Debian packages: ${missing[*]}"
  log=$(mktemp)
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    die "apt-get could not install: ${missing[*]}" "the lines above are apt-get's own" \
      "install these packages by hand and run the command again"
  fi
  rm -f "$log"
}

# locked NAME COMMAND...: runs a command while no other script of this user runs one under the same name.
locked() {
  local name=$1
  shift
  (
    exec 9>"${TMPDIR:-/tmp}/towline-$(id -u)-$name.lock"
    flock -w 600 9 || die "another script has held the lock '$name' for 10 minutes" \
      "it is probably hung while preparing docker or the test images" "end it and run the command again"
    "$@"
  )
}
