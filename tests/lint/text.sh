#!/bin/bash
# Marks of unfinished work, blanks at line ends, carriage returns, a missing last newline: in no text file of the project.
# usage: text.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"
if [ -e .git ] && command -v git >/dev/null && git rev-parse >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files -co --exclude-standard)
else
    mapfile -t files < <(find . -name build -prune -o -name .git -prune -o -type f -printf '%P\n')
fi
failed=0
for file in "${files[@]}"; do
    [ -f "$file" ] && [ -s "$file" ] && grep -qI '' "$file" || continue
    # What a program must print or read byte for byte is not ours to tidy.
    case $file in tests/golden/* | tests/*/data/* | tests/fuzz/* | LICENSE | *.svg) continue ;; esac
    # The pattern is written so that it does not find itself.
    if grep -nE '\b(TO[D]O|FIX[M]E|XX[X])\b' "$file" | sed "s|^|$file:|"; [ "${PIPESTATUS[0]}" = 0 ]; then failed=1; fi
    if grep -nE '[[:blank:]]+$' "$file" | sed "s|^|$file: blank at the end of line |"; [ "${PIPESTATUS[0]}" = 0 ]; then failed=1; fi
    if grep -q $'\r' "$file"; then echo "$file: carriage return"; failed=1; fi
    [ -z "$(tail -c 1 "$file")" ] || { echo "$file: no newline at the end"; failed=1; }
done
exit $failed
