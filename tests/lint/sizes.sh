#!/bin/bash
# No C file over 900 lines, no function over 100; functions over 70 lines are listed but let pass.
# usage: sizes.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"
failed=0
files=$(find include planner scheduler conf tests -name '*.[ch]' | sort)
# A function begins with { in the first column, or with ) { at the end of a line that begins there, and ends with } in the first.
# shellcheck disable=SC2086
awk '
    function file_ends() {if (lines > 900) {print file ": " lines " lines, over 900"; failed = 1}}
    FNR == 1 {file_ends(); file = FILENAME; start = 0}
    {lines = FNR}
    /^[a-z_].*\(/ {name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)}
    /^\{/ || /^[a-z_].*\) \{$/ {start = FNR}
    /^\}/ && start {
        n = FNR - start + 1
        if (n > 100) {print FILENAME ":" start ": " name ": " n " lines, over 100"; failed = 1}
        else if (n > 70) print FILENAME ":" start ": " name ": " n " lines, over 70"
        start = 0
    }
    END {file_ends(); exit failed}
' $files || failed=1
exit $failed
