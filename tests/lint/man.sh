#!/bin/bash
# The manual pages name every command, option, key and code, are right roff, and no hint names a command that does not exist.
# usage: man.sh SOURCE BUILD
set -euo pipefail
cd "${1:?SOURCE}"
build=${2:?BUILD}
export PATH="$build/bin:$PATH"
page=$build/man/drover.1
conf=$build/man/drover.conf.5
failed=0
complain() {
    echo "$1"
    failed=1
}

plain() { sed -e 's/\\-/-/g' -e 's/\\f[BIR]//g' "$1"; }
has() { grep -qxF -- "$2" <<<"$1" || grep -qE -- "^(-., )?$2( |\$)" <<<"$1"; }
text=$(plain "$page")
commands=$(drover help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' | grep -vx drover)
for command in $commands; do
    has "$text" "$command" || complain "drover.1 does not tell of the command $command"
    while read -r option; do
        has "$text" "$option" || complain "drover.1 does not tell of $option of $command"
    done < <(drover help "$command" | grep -o '^ .*--[a-z-]*' | grep -o -- '--[a-z-]*$')
done
while read -r code; do
    has "$text" "$code" || complain "drover.1 does not tell of the code $code"
done < <(sed -n 's/^ERROR_CODE([A-Z_]*, "\([a-z-]*\)".*/\1/p' include/drover/errors.def | grep -vx none)
while read -r check; do
    has "$text" "$check" || complain "drover.1 does not tell of the check $check"
done < <(sed -n 's/^CHECK([A-Z_]*, "\([a-z-]*\)".*/\1/p' include/drover/checks.def)
text=$(plain "$conf")
while read -r key; do
    has "$text" "$key" || complain "drover.conf.5 does not tell of $key"
done < <(sed -n 's/^#\?\([a-z_]*\) = .*/\1/p' conf/drover.conf)

if command -v groff >/dev/null; then
    for file in "$page" "$conf"; do
        said=$(groff -man -ww -Tutf8 "$file" 2>&1 >/dev/null)
        [ -z "$said" ] || complain "$file: $said"
    done
fi

# "drover WORD" in hints and messages: WORD is a command, or a placeholder in capitals.
while read -r word; do
    grep -qx -- "$word" <<<"$commands" || complain "a hint names drover $word, which does not exist"
done < <({ sed -n 's/^ERROR_CODE(.*, "\([^"]*\)")$/\1/p' include/drover/errors.def
    grep -hoE '(error_hint|say_note|printf|puts)\(.*' -r scheduler planner conf --include='*.c'; } |
    grep -oE 'drover (drain|[a-z]+) ?(HOST|GUEST|BATCH|[%]|lists|shows|goes|ends|for|show|check)' | awk '{print $2}' | sort -u)
exit $failed
