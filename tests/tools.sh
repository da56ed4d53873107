#!/bin/sh
# Give this machine what the tests work with: a browser, an SSH client and Compose as a candidate
# would, a registry and GnuPG as an examiner. As root on Debian or Ubuntu they are installed;
# otherwise the command to run is said.
set -eu

missing=
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v ssh >/dev/null 2>&1 && command -v sftp >/dev/null 2>&1 || missing="$missing openssh-client"
command -v docker-compose >/dev/null 2>&1 || docker compose version >/dev/null 2>&1 ||
    missing="$missing docker-compose"
command -v docker-registry >/dev/null 2>&1 || missing="$missing docker-registry"
command -v gpg >/dev/null 2>&1 || missing="$missing gnupg"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
    echo "tests: not here:$missing: run 'sudo apt-get install -y$missing', or what your system has." >&2
    exit 1
fi
echo "tests: installing$missing" >&2
log=$(mktemp)
# shellcheck disable=SC2086  # a list of names
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    echo "tests: could not be installed: run 'apt-get install -y$missing' and see why." >&2
    exit 1
fi
rm -f "$log"
