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
checked=()
for file in "${files[@]}"; do
    # What a program must print or read byte for byte is not ours to tidy.
    case $file in tests/golden/* | tests/*/data/* | tests/fuzz/* | LICENSE | *.svg) continue ;; esac
    if [ -f "$file" ] && [ -s "$file" ]; then checked+=("$file"); fi
done
failed=0
# One grep over all files, since a process each would be most of the time. -I passes over what is no text.
none_has() { # WHAT GREP-OPTIONS...: prints FILE:LINE:TEXT with what it is
    local what=$1 found
    shift
    found=$(printf '%s\0' "${checked[@]}" | xargs -0 grep -IH "$@" --) || true
    [ -z "$found" ] || { sed "s|\$| <- $what|" <<<"$found"; failed=1; }
}
# The pattern is written so that it does not find itself.
none_has "mark of unfinished work" -nE '\b(TO[D]O|FIX[M]E|XX[X])\b'
none_has "blank at the end of the line" -nE '[[:blank:]]+$'
none_has "carriage return" -n $'\r'
none_has "no newline at the end" -LPz '\n\z'
exit $failed
