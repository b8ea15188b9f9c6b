#!/bin/sh
# Installs towline-@PROGRAM@ @VERSION@ on this host and enrolls it. Made for install command
# @TOKEN_ID@. Holds no secret: that comes on standard input. Everything fetched is checked against
# what is pinned here, so it does not matter what carries it.
set -eu
umask 022

program=@PROGRAM@
version=@VERSION@
token=@TOKEN_ID@
# None for a host that reaches nothing: then the package lies in this directory, brought by hand.
sources=@SOURCES@
# Where the package is looked for first: an address, or a directory; its login comes after the secret.
install_source=@INSTALL_SOURCE@
# Set for a child relay: it goes online when its parent dials it, so nobody waits for that here.
dialled=@DIALLED@
# This host is an image: its clones enroll, it does not itself.
image=@IMAGE@
# Replaces the version that runs here, and goes back to it when the new one does not come up.
upgrade=@UPGRADE@
package=@PACKAGE@
package_sha256=@PACKAGE_SHA256@
# The enrollment file, before and after the secret.
enrollment_head=@ENROLLMENT_HEAD@
enrollment_tail=@ENROLLMENT_TAIL@

name=towline-$program
# For tests and images only: a directory in place of /.
root=${TOWLINE_INSTALL_ROOT-}
home=$root/opt/towline/$program
data=$root/var/lib/towline/$program
config=$root/etc/towline/$program.yaml
enrollment=$data/enrollment.json
log=$root/var/log/towline/$program.log
pidfile=$root/run/$name.pid
binary=$home/current/bin/$name
work=

say() {
  echo "$name: $*"
}

# One line that says what is wrong. Exit status 3: refused, trying again does not help.
fail() {
  echo "$name: $*" >&2
  exit 1
}

refuse() {
  echo "$name: $*" >&2
  exit 3
}

cleanup() {
  [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# Fetches a path from the first source that answers; what comes is pinned by hash, hence -k.
fetch() {
  for source in $sources; do
    if command -v curl >/dev/null 2>&1; then
      curl -fsSk --noproxy '*' --connect-timeout 10 --speed-limit 1 --speed-time 60 \
        -o "$2" "$source/$1" 2>"$2.error" && return 0
    elif command -v wget >/dev/null 2>&1; then
      wget -q --no-proxy --no-check-certificate --timeout=30 --tries=2 \
        -O "$2" "$source/$1" 2>"$2.error" && return 0
    else
      fail "neither curl nor wget is on this host; install one of them and try again"
    fi
  done
  return 1
}

# The package from the first place that has it as it shall be.
fetch_package() {
  for place in "packages/$package" "$package"; do
    case $install_source in
      '') break ;;
      /*) cp "$install_source/$place" "$work/$package" 2>/dev/null || continue ;;
      *) fetch_with_login "$install_source/$place" || continue ;;
    esac
    if is_package; then
      say "$package comes from $install_source"
      return 0
    fi
  done
  fetch "packages/$package" "$work/$package" ||
    fail "$package can't be fetched: $(head -c 200 "$work/$package.error" | tr '\n' ' ')"
}

# The password is in a directory of root's own, and on no argument list; whoever gets it shows a certificate.
fetch_with_login() {
  : >"$work/login"
  unchecked=yes
  [ -z "$login" ] || unchecked=
  if command -v curl >/dev/null 2>&1; then
    [ -z "$login" ] || printf 'user = "%s"\n' "$(printf %s "$login" | sed 's/[\\"]/\\&/g')" >"$work/login"
    curl -fsS ${unchecked:+-k} --noproxy '*' -K "$work/login" --connect-timeout 10 --speed-limit 1 --speed-time 60 \
      -o "$work/$package" "$1" 2>"$work/$package.error"
  else
    [ -z "$login" ] || printf 'http_user=%s\nhttp_password=%s\n' "${login%%:*}" "${login#*:}" >"$work/login"
    WGETRC=$work/login wget -q --no-proxy ${unchecked:+--no-check-certificate} --timeout=30 --tries=1 \
      -O "$work/$package" "$1" 2>"$work/$package.error"
  fi
}

is_package() {
  printf '%s  %s\n' "$package_sha256" "$work/$package" | sha256sum -c - >/dev/null 2>&1
}

check_host() {
  [ "$(id -u)" = 0 ] || fail "not root; run the command as root"
  architecture=$(uname -m)
  os=$(uname -s | tr '[:upper:]' '[:lower:]')
  work=$(mktemp -d)
}

# Asks whether the install command is still good for a host like this one.
check_command() {
  fetch "install/$token/state/$os/$architecture" "$work/state" ||
    fail "none of $sources answers: $(head -c 200 "$work/state.error" | tr '\n' ' ')"
  answer=
  IFS= read -r answer <"$work/state" || true
  case $answer in
    ok) ;;
    "refused "*) refuse "the install command was refused: ${answer#refused }" ;;
    *) fail "$sources answers something else than a Towline manager" ;;
  esac
}

# The package for a host that reaches nothing: from this directory. False when it is not needed.
take_package() {
  if [ -n "$package" ] && [ -e "$package" ]; then
    cp "$package" "$work/$package"
  elif [ -x "$binary" ]; then
    say "already installed: $(readlink "$home/current")"
    return 1
  else
    fail "this host reaches nothing, so copy ${package:-the package of $name} into $(pwd) first, then run the command again"
  fi
}

unpack() {
  if [ -n "$version" ] && [ -x "$home/versions/$version/bin/$name" ]; then
    say "version $version is already unpacked"
  elif [ -z "$sources" ] && ! take_package; then
    return 0
  else
    if [ -n "$sources" ]; then
      say "fetching $package"
      fetch_package
    fi
    is_package ||
      fail "$package is not the file that the install command was made for; create a new one"
    mkdir -p "$home/versions"
    incoming=$home/versions/.incoming
    rm -rf "$incoming"
    mkdir "$incoming"
    tar --no-same-owner -xzf "$work/$package" -C "$incoming"
    mv "$incoming/$name-$version" "$home/versions/$version"
    rm -rf "$incoming"
  fi
  sync
  ln -sfn "versions/$version" "$home/current.new"
  mv -T "$home/current.new" "$home/current"
}

configure() {
  mkdir -p "${config%/*}" "${log%/*}" "$root/var/lib/towline"
  [ -d "$data" ] || mkdir -m 0700 "$data"
  if [ ! -e "$config" ]; then
    echo "# Settings of $name; empty means all defaults." >"$config"
  fi
  if ! is_enrolled; then
    (
      umask 077
      printf '%s%s%s\n' "$enrollment_head" "$secret" "$enrollment_tail" >"$enrollment.new"
    )
    mv "$enrollment.new" "$enrollment"
    sync
  fi
}

is_enrolled() {
  [ -e "$data/identity/identity.pem" ]
}

# Takes everything off this host again and tells the manager.
write_uninstall() {
  cat >"$home/uninstall.new" <<'END'
#!/bin/sh
# Takes this program off the host, with its state, service and logs, and tells the manager.
set -u
home=$(cd "$(dirname "$0")" && pwd -P)
program=${home##*/}
root=${home%/opt/towline/*}
name=towline-$program
data=$root/var/lib/towline/$program
pidfile=$root/run/$name.pid
binary=$home/current/bin/$name

say() {
  echo "$name: $*"
}

[ "$(id -u)" = 0 ] || {
  echo "$name: not root; run it as root" >&2
  exit 1
}
known=
"$binary" status --data "$data" >/dev/null 2>&1 && known=yes
# Whoever stops now says goodbye for good.
[ ! -d "$data" ] || : >"$data/uninstall"
if [ -z "$root" ] && [ -d /run/systemd/system ] && [ -e "/etc/systemd/system/$name.service" ]; then
  systemctl disable --quiet --now "$name.service" 2>/dev/null || true
  rm -f "/etc/systemd/system/$name.service"
  systemctl daemon-reload
  systemctl reset-failed "$name.service" 2>/dev/null || true
fi
if [ -e "$pidfile" ]; then
  pid=$(cat "$pidfile")
  kill -TERM "$pid" 2>/dev/null || true
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 60 ]; do
    sleep 0.5
    tries=$((tries + 1))
  done
  kill -KILL "$pid" 2>/dev/null || true
fi
unit=$(sed -n 's/^User=//p' "$home/current/systemd/$name.service" 2>/dev/null || true)
# Rules outlive the agent, so they are taken away before what knows them is gone.
if [ -z "$root" ] && [ -e "$data/firewall/guard.sh" ]; then
  sh "$data/firewall/guard.sh" "$data/firewall" off
fi
rm -rf "$data" "$root/etc/towline/$program.yaml" "$root/var/log/towline/$program.log" "$pidfile" "$home"
for directory in "$root/var/lib/towline" "$root/etc/towline" "$root/var/log/towline" "$root/opt/towline"; do
  rmdir "$directory" 2>/dev/null || true
done
# Other programs of the fleet may have the same user.
if [ -n "$unit" ] && [ -z "$root" ] && [ ! -d /opt/towline ] && id "$unit" >/dev/null 2>&1; then
  userdel "$unit" 2>/dev/null || true
fi
if [ -n "$known" ]; then
  say "uninstalled; the manager knows"
else
  say "uninstalled; there was no session, so the manager could not be told: revoke this node there"
fi
END
  chmod 0755 "$home/uninstall.new"
  mv "$home/uninstall.new" "$home/uninstall"
}

start_with_systemd() {
  # All but the agent run as a user of their own, which the unit names.
  user=$(sed -n 's/^User=//p' "$home/current/systemd/$name.service")
  if [ -n "$user" ] && ! id "$user" >/dev/null 2>&1; then
    useradd --system --user-group --home-dir /var/lib/towline --no-create-home --shell /usr/sbin/nologin "$user" ||
      fail "the user $user can't be created"
  fi
  cp "$home/current/systemd/$name.service" "/etc/systemd/system/$name.service"
  systemctl daemon-reload
  systemctl enable --quiet "$name.service"
  if [ -n "$image" ]; then
    return 0
  fi
  if [ -n "$fresh" ]; then
    systemctl restart "$name.service"
  else
    systemctl start "$name.service"
  fi
}

# Without systemd a small shell keeps the program running: again after a crash, never after it was
# refused or told to stop.
start_supervised() {
  cat >"$home/supervise.new" <<'END'
#!/bin/sh
# Keeps a program running: supervise PIDFILE LOG COMMAND...
pidfile=$1
log=$2
shift 2
child=
stop=
trap 'stop=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
trap '' HUP
echo $$ >"$pidfile"
delay=1
while [ -z "$stop" ]; do
  began=$(date +%s)
  "$@" </dev/null >>"$log" 2>&1 &
  child=$!
  status=0
  wait "$child" || status=$?
  # A signal ends the wait before the program has ended.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child" || status=$?
  done
  child=
  # 3 refused, 4 at rest: started by hand only.
  [ -z "$stop" ] && [ "$status" != 3 ] && [ "$status" != 4 ] || break
  if [ $(($(date +%s) - began)) -ge 60 ]; then
    delay=1
  fi
  echo "supervise: ended with status $status, started again in $delay s" >>"$log"
  sleep "$delay" &
  child=$!
  wait "$child" || true
  child=
  delay=$((delay * 2))
  [ "$delay" -le 30 ] || delay=30
done
rm -f "$pidfile"
END
  chmod 0755 "$home/supervise.new"
  mv "$home/supervise.new" "$home/supervise"
  if is_supervised; then
    [ -n "$fresh" ] || return 0
    kill -TERM "$(cat "$pidfile")"
    tries=0
    while is_supervised && [ "$tries" -lt 30 ]; do
      sleep 1
      tries=$((tries + 1))
    done
  fi
  mkdir -p "${pidfile%/*}"
  touch "$log"
  started=$(wc -c <"$log")
  set -- "$home/supervise" "$pidfile" "$log" \
    "$binary" run --data "$data" --enrollment "$enrollment"
  if [ -n "$image" ]; then
    # Nothing starts programs at boot here, so whoever boots a clone has to.
    {
      echo '#!/bin/sh'
      echo "mkdir -p '${pidfile%/*}'"
      echo "exec '$1' '$2' '$3' '$4' run --data '$data' --enrollment '$enrollment'"
    } >"$home/start.new"
    chmod 0755 "$home/start.new"
    mv "$home/start.new" "$home/start"
    return 0
  fi
  if command -v setsid >/dev/null 2>&1; then
    setsid "$@" </dev/null >/dev/null 2>&1 &
  else
    nohup "$@" </dev/null >/dev/null 2>&1 &
  fi
  supervisor=$!
}

is_supervised() {
  [ -e "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null
}

is_running() {
  if [ -n "$systemd" ]; then
    case $(systemctl is-active "$name.service" || true) in
      active | activating | reloading) return 0 ;;
      *) return 1 ;;
    esac
  fi
  is_supervised || { [ -n "${supervisor-}" ] && kill -0 "$supervisor" 2>/dev/null; }
}

# What the program said last.
last_words() {
  if [ -n "$systemd" ]; then
    journalctl -u "$name.service" -n 20 -o cat --no-pager 2>/dev/null
  else
    tail -c "+$((${started:-0} + 1))" "$log" 2>/dev/null
  fi | grep -v -e '^supervise:' -e 'systemd\[' -e "^$name.service:" -e '^\(Started\|Stopped\|Stopping\) ' |
    tail -n 1 | sed "s/^$name: //"
}

wait_until_online() {
  tries=0
  patience=120
  [ -z "$dialled" ] || patience=10
  while [ "$tries" -lt "$patience" ]; do
    # A look at the file first, because the question itself starts a program.
    if grep -q -e '"state" *: *"ONLINE"' -e '"session" *: *true' "$data/status.json" 2>/dev/null &&
      "$binary" status --data "$data" >/dev/null 2>&1; then
      say "online"
      return 0
    fi
    if ! is_running; then
      is_enrolled || refuse "$(last_words)"
      fail "does not stay up: $(last_words)"
    fi
    sleep 0.5
    tries=$((tries + 1))
  done
  if [ -n "$dialled" ]; then
    say "runs, and goes online as soon as its parent relay dials it"
    return 0
  fi
  fail "installed, but not online after a minute, it goes on trying: $(last_words)"
}

# Another version in place of the one that runs; whoever enrolled stays enrolled.
upgrade() {
  is_enrolled && [ -x "$binary" ] || refuse "not installed and enrolled here, so there is nothing to upgrade"
  before=$(readlink "$home/current")
  if [ "$before" = "versions/$version" ]; then
    say "$before is installed already"
    return 0
  fi
  fresh=yes
  unpack
  start
  if (wait_until_online); then
    write_uninstall
    return 0
  fi
  failed=$(last_words)
  ln -sfn "$before" "$home/current.new"
  mv -T "$home/current.new" "$home/current"
  start
  fail "version $version did not come up: $failed; $before runs again"
}

start() {
  if [ -n "$systemd" ]; then
    start_with_systemd
  else
    start_supervised
  fi
}

main() {
  secret=
  IFS= read -r secret || true
  login=
  IFS= read -r login || true
  check_host
  systemd=
  [ -n "$root" ] || [ ! -d /run/systemd/system ] || systemd=yes
  if [ -n "$upgrade" ]; then
    upgrade
    return 0
  fi
  fresh=
  if is_enrolled && [ -x "$binary" ]; then
    say "already installed and enrolled, $(readlink "$home/current")"
  else
    fresh=yes
    case $secret in
      '' | *[!A-Za-z0-9_-]*) fail "no secret on standard input; paste the whole install command" ;;
    esac
    is_enrolled || [ -z "$sources" ] || check_command
    unpack
    configure
    write_uninstall
  fi
  if [ -n "$image" ]; then
    # Remembers this machine, so that its own boots are told from those of its clones.
    "$binary" image --data "$data" || fail "this machine can't be told from its clones"
  fi
  start
  if [ -n "$image" ]; then
    if [ -n "$systemd" ]; then
      say "ready to be cloned: each clone enrolls when it first boots, this host never does"
    else
      say "ready to be cloned: in each clone, let $home/start run at boot"
    fi
    return 0
  fi
  wait_until_online
}

main
