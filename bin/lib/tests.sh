# shellcheck shell=bash
# What bin/test, bin/topology and .ci/run share. Sourced after host.sh, in the root of the repository.

# ensure_maven: Maven, and a JDK 25 for its toolchain to find. Maven itself may run on an older one.
ensure_maven() {
  have mvn || if on_debian_as_root; then apt_install maven; else
    die "mvn is not installed" "the build needs Maven 3.8.7 or newer" "install it and run the command again"
  fi
  java_25 >/dev/null
}

# java_25: prints the home of a JDK 25 or newer. No JVM is started to find it.
java_25() {
  local home version
  for home in "${TOWLINE_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    if [ -z "$home" ] || [ ! -x "$home/bin/javac" ] || [ ! -r "$home/release" ]; then continue; fi
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
    if [ "${version:-0}" -ge 25 ]; then
      printf '%s\n' "$home"
      return 0
    fi
  done
  die "no JDK 25 found" "looked at TOWLINE_JAVA_HOME, JAVA_HOME and /usr/lib/jvm/*" \
    "install one under /usr/lib/jvm or set JAVA_HOME to it"
}

# ensure_browser: a Chromium, once there is a test that drives one.
ensure_browser() {
  git grep -q --untracked 'com\.microsoft\.playwright' -- '*.java' 2>/dev/null || return 0
  export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
  have chromium && return 0
  on_debian_as_root || die "chromium is not installed" "the browser tests drive it and are never skipped" \
    "install chromium and run the command again"
  apt_install chromium
}

# ensure_dump_tools: what looks into processes and packets for things that must not be there, and a TLS that is not ours.
ensure_dump_tools() {
  have gcore && have tcpdump && have nft && have openssl && have iptables && have ip && return 0
  on_debian_as_root || die "gcore, tcpdump, nft, openssl, iptables or ip is not installed" \
    "tests look with them for plain text where none may be, count bytes, try every TLS suite and filter packets" \
    "install gdb, tcpdump, nftables, openssl, iptables and iproute2 and run the command again"
  apt_install gdb tcpdump nftables openssl iptables iproute2
}

# ensure_nginx: another server of updates than ours.
ensure_nginx() {
  have nginx && return 0
  on_debian_as_root || die "nginx is not installed" "hosts update from an export that it serves" \
    "install nginx and run the command again"
  # Not as a service of this machine.
  RUNLEVEL=1 apt_install nginx
}

# test_totals: one line per module and kind of test, read from the reports that are newer than the file $1.
test_totals() {
  local reports files
  for reports in */target/surefire-reports */target/failsafe-reports; do
    [ -d "$reports" ] || continue
    files=$(find "$reports" -maxdepth 1 -name 'TEST-*.xml' -newer "$1")
    [ -n "$files" ] || continue
    # shellcheck disable=SC2086 # report names have no spaces
    sed -n '/<testsuite /,/>/p' $files | tr '\n' ' ' | sed 's/<testsuite /\n&/g' | awk -v where="${reports%%/*} (${reports##*/})" '
      function field(name) { return match($0, " " name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : 0 }
      /<testsuite / { run += field("tests"); failed += field("failures"); broken += field("errors"); skipped += field("skipped") }
      END { printf "Tests run: %d, Failures: %d, Errors: %d, Skipped: %d - in %s\n", run, failed, broken, skipped, where }'
  done
}

# requirement_totals: which requirements the tests since the file $1 showed, and by how many of them, for example: R1 (6).
requirement_totals() {
  local files
  files=$(find . -path '*/target/requirements/*.tsv' -newer "$1")
  [ -n "$files" ] || return 0
  # shellcheck disable=SC2086 # file names have no spaces
  cut -f 1,2 $files | sort -V | awk -F '\t' '
    { if (!($1 in all)) order[++n] = $1; all[$1]++; if ($2 == "passed") passed[$1]++ }
    END {
      printf "Requirements with their tests that passed:"
      for (i = 1; i <= n; i++) {
        id = order[i]
        printf " %s (%s)", id, passed[id] == all[id] ? all[id] : sprintf("%d of %d", passed[id], all[id])
      }
      print ""
    }'
}
