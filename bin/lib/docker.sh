# shellcheck shell=bash
# A docker engine for the container tests. Sourced after host.sh.

# What Testcontainers must know on a machine that reaches no registry: nothing may be pulled (the reaper and
# the probe for a gateway would be), and the containers are on this host.
export TESTCONTAINERS_RYUK_DISABLED=true
export TESTCONTAINERS_HOST_OVERRIDE=localhost
export TESTCONTAINERS_CHECKS_DISABLE=true

readonly DOCKERD_LOG=/var/log/towline-dockerd.log
readonly DOCKERD_WAIT_SECONDS=60

# ensure_docker: returns when `docker info` answers; installs and starts an engine where that is possible.
ensure_docker() {
  docker_answers && return 0
  locked docker start_docker || exit 1
}

docker_answers() { have docker && timeout 10 docker info >/dev/null 2>&1; }

start_docker() {
  docker_answers && return 0 # another script was faster
  if [ -n "${DOCKER_HOST:-}" ]; then
    die "no docker engine answers at DOCKER_HOST=$DOCKER_HOST" "the container tests are never skipped" \
      "start that engine, or unset DOCKER_HOST"
  fi
  if ! have dockerd && ! on_debian_as_root; then
    die "no docker engine answers, and none can be installed here" \
      "the container tests are never skipped; installing one by itself needs root on Debian (this is uid $(id -u))" \
      "install and start Docker 20.10 or newer, or give this user access to its socket, and run the command again"
  fi
  if [ "$(id -u)" -ne 0 ]; then
    die "no docker engine answers to uid $(id -u)" "docker info said: $(docker info 2>&1 | tail -n 1)" \
      "start the engine (systemctl start docker) and add this user to the group docker"
  fi
  have dockerd || apt_install docker.io iptables
  have iptables || apt_install iptables
  if [ -d /run/systemd/system ] && systemctl start docker; then
    wait_for_docker "" && return 0
  fi
  forget_dead_engine
  say "starting dockerd by hand, its log is $DOCKERD_LOG; it is left running"
  # Its own session and no inherited descriptor: neither a pipe behind this script nor the lock may outlive it.
  setsid dockerd --log-level=warn >"$DOCKERD_LOG" 2>&1 </dev/null 9>&- &
  wait_for_docker $!
}

# forget_dead_engine: removes process id files of an engine that was killed. dockerd believes them when
# another process has the number by now, and then refuses to start.
forget_dead_engine() {
  local file pid
  for file in /var/run/docker.pid:dockerd /var/run/docker/containerd/containerd.pid:containerd; do
    pid=$(cat "${file%%:*}" 2>/dev/null) || continue
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${file##*:}" ] || rm -f "${file%%:*}"
  done
}

# wait_for_docker PID: waits until the engine answers, or fails early once the process with that id is gone.
wait_for_docker() {
  local deadline=$((SECONDS + DOCKERD_WAIT_SECONDS))
  until docker_answers; do
    if [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null; then
      tail -n 20 "$DOCKERD_LOG" >&2
      die "dockerd ended at once" "the lines above are the last of $DOCKERD_LOG" \
        "the container tests need an engine and are never skipped; start one by hand and run the command again"
    fi
    if [ $SECONDS -ge $deadline ]; then
      [ -r "$DOCKERD_LOG" ] && tail -n 20 "$DOCKERD_LOG" >&2
      die "no docker engine answered within $DOCKERD_WAIT_SECONDS s" "the last lines of $DOCKERD_LOG, if any, are above" \
        "start one by hand and run the command again"
    fi
    sleep 0.3
  done
}
