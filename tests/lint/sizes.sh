#!/bin/bash
# No C file over 900 lines, no function over 100; functions over 70 lines are listed but let pass.
# usage: sizes.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"
failed=0
files=$(find include planner scheduler conf tests -name '*.[ch]' | sort)
for file in $files; do
    n=$(wc -l <"$file")
    [ "$n" -le 900 ] || { echo "$file: $n lines, over 900"; failed=1; }
done
# A function begins with { in the first column, or with ) { at the end of a line that begins there, and ends with } in the first.
# shellcheck disable=SC2086
awk '
    FNR == 1 {start = 0}
    /^[a-z_].*\(/ {name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)}
    /^\{/ || /^[a-z_].*\) \{$/ {start = FNR}
    /^\}/ && start {
        n = FNR - start + 1
        if (n > 100) {print FILENAME ":" start ": " name ": " n " lines, over 100"; failed = 1}
        else if (n > 70) print FILENAME ":" start ": " name ": " n " lines, over 70"
        start = 0
    }
    END {exit failed}
' $files || failed=1
exit $failed
