#!/bin/sh
# Give this machine a container engine: use the one that answers; otherwise, as root on Debian or
# Ubuntu, install docker.io and start it; otherwise stop with the command to run.
set -eu

say() { echo "engine: $*" >&2; }

answers() {
    for client in docker /usr/bin/docker; do
        if command -v "$client" >/dev/null 2>&1 &&
            "$client" version --format '{{.Server.Version}}' >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

stop_with() {
    say "$1"
    exit 1
}

await() {
    for _ in $(seq 60); do
        answers && return 0
        sleep 0.5
    done
    return 1
}

answers && exit 0
[ -z "${DOCKER_HOST:-}" ] ||
    stop_with "DOCKER_HOST is $DOCKER_HOST and nothing answers there: start that engine or unset DOCKER_HOST."

socket=/var/run/docker.sock
if [ -S $socket ] && [ ! -w $socket ]; then
    stop_with "an engine runs but you may not use it: run 'sudo usermod -aG docker $(id -un)', log in again."
fi

daemon=$(command -v dockerd || command -v /usr/sbin/dockerd || true)
if [ -z "$daemon" ]; then
    command -v apt-get >/dev/null 2>&1 ||
        stop_with "no container engine here: install Docker (on a Mac: Docker Desktop or Colima) and start it."
    [ "$(id -u)" = 0 ] ||
        stop_with "no container engine here: run 'sudo apt-get install -y docker.io && sudo usermod -aG docker $(id -un)', log in again."
    say "none answers; installing docker.io and starting it"
    log=$(mktemp)
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends docker.io iptables ca-certificates; } >"$log" 2>&1; then
        tail -n 3 "$log" >&2
        stop_with "docker.io could not be installed: run 'apt-get install -y docker.io' and see why."
    fi
    rm -f "$log"
    daemon=$(command -v dockerd || echo /usr/sbin/dockerd)
    answers && exit 0
fi
[ "$(id -u)" = 0 ] || stop_with "the engine is installed but does not answer: run 'sudo service docker start'."
if [ -d /run/systemd/system ]; then
    systemctl start docker || true
else
    say "starting dockerd"
    log=/var/log/dockerd.log
    # Away from our terminal and our open pipes, so that it outlives this script.
    setsid nohup "$daemon" </dev/null >"$log" 2>&1 &
fi
await || stop_with "dockerd does not answer after 30 s: its last words are in ${log:-'journalctl -u docker'}."
