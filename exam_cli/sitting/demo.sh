#!/bin/sh
# From nothing to a score, as a candidate would: bring an exam up, train, grade, take it down.
# Usage: demo.sh FOLDER-OF-THE-EXAM-COMMAND
set -eu
PATH="$1:$PATH"
here=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
export EXAM_HOME="$scratch/home"
workspace="$scratch/workspace"

finish() {
    status=$?
    exam down --workspace "$workspace" --purge --yes || status=1
    rm -rf "$scratch"
    exit $status
}

step() { printf '\n$ %s\n' "$*" && "$@"; }

exam up --workspace "$workspace" --port 0
trap finish EXIT
trap 'exit 130' INT TERM
cp "$here/sections/1-regression/reference.py" "$workspace/1-regression/"
cd "$workspace"
step exam run 1-regression/reference.py
step exam grade 1
step exam status
