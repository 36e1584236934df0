#!/bin/bash
# Runs shellcheck over every script, found by its first line.
# usage: shell.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"
command -v shellcheck >/dev/null || { echo "SKIPPED: shellcheck is not installed"; exit 77; }
mapfile -t scripts < <(find .ci tests examples conf scheduler -type f -not -path '*/build/*' -print0 2>/dev/null |
    xargs -0 awk '(FNR == 1 && /^#!.*[\/ ](ba)?sh([ ]|$)/) || FILENAME ~ /\.sh$/ {print FILENAME} {nextfile}' | sort)
# SC2317: functions that are called through a variable or a trap look unreachable to it.
shellcheck -x -P SCRIPTDIR -e SC2317 -S warning "${scripts[@]}"
