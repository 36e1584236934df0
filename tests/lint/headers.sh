#!/bin/bash
# Every header compiles when it is the only one included, and twice, and has a guard.
# usage: headers.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"
read -r -a flags < <(pkg-config --cflags libvirt sqlite3 libuv libxml-2.0 jansson smartcols nettle cmocka)
failed=0
while read -r header; do
    for compiler in gcc clang; do
        command -v $compiler >/dev/null || continue
        printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
            $compiler -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -Iinclude -Iplanner -Iplanner/sim -Ischeduler/core \
                -Ischeduler/io -Ischeduler/cli -Iconf -Itests/support "${flags[@]}" -x c - || { echo "$header: does not stand alone"; failed=1; }
    done
done < <(find include planner scheduler conf tests/support -name '*.h' | sort)
exit $failed
