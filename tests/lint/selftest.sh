#!/bin/bash
# A rule that cannot fail proves nothing: each is shown a small tree that breaks it, and the same tree mended.
# usage: selftest.sh SOURCE
set -euo pipefail
lint=$(readlink -f "${1:?SOURCE}")/tests/lint
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

fresh() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{include/drover,planner/sim,scheduler/{core,io,cli,daemon},conf,tests/support,examples,.ci,build}
    printf '#ifndef A_H\n#define A_H\nint a(void);\n#endif\n' >"$tree/include/drover/a.h"
    printf '#include "drover/a.h"\n#include <string.h>\nint a(void)\n{\n\treturn (int)strlen("x");\n}\n' >"$tree/planner/a.c"
    for layer in planner sim core; do archive $layer 'int LAYER_f(char *s); int LAYER_f(char *s) { return s[0]; }'; done
}
archive() { # LAYER C-CODE
    sed "s/LAYER/$1/g" <<<"$2" | gcc -O1 -c -x c -o "$tree/build/$1.o" -
    rm -f "$tree/build/lib$1.a"
    ar rc "$tree/build/lib$1.a" "$tree/build/$1.o"
}
holds() { # RULE
    "$lint/$1.sh" "$tree" "$tree/build" >"$tree/build/out" 2>&1 || { echo "$1 refuses a good tree:"; cat "$tree/build/out"; failed=1; }
}
breaks() { # RULE PATTERN
    if "$lint/$1.sh" "$tree" "$tree/build" >"$tree/build/out" 2>&1; then
        echo "$1 lets this pass: $2"
        failed=1
    elif ! grep -qE "$2" "$tree/build/out"; then
        echo "$1 fails, but does not say $2:"
        cat "$tree/build/out"
        failed=1
    fi
    fresh
}
lines() { for ((i = 0; i < $1; i++)); do echo "	a();"; done; }

fresh
for rule in layers symbols sizes text; do holds $rule; done

echo '#include <time.h>' >>"$tree/planner/a.c" && breaks layers 'planner/a.c:7.*<time.h>'
echo '#include <uv.h>' >"$tree/scheduler/core/b.c" && breaks layers 'core/b.c:1.*<uv.h>'
touch "$tree/scheduler/core/engine_impl.h"
echo '#include "engine_impl.h"' >"$tree/planner/b.c" && breaks layers 'planner/b.c:1.*engine_impl.h'
touch "$tree/planner/sim/sim.h"
echo '#include "sim.h"' >"$tree/scheduler/core/b.c" && breaks layers 'core/b.c:1.*sim.h'
touch "$tree/planner/ledger.h"
echo '#include "ledger.h"' >"$tree/conf/b.c" && breaks layers 'conf/b.c:1.*ledger.h'
echo '#include <sqlite3.h>' >"$tree/scheduler/cli/b.c" && breaks layers 'cli/b.c:1.*sqlite3.h'

archive planner '#include <time.h>
long f(void); long f(void) { return time(0); }' && breaks symbols 'libplanner: time '
archive core 'int sim_f(char *); int f(char *s); int f(char *s) { return sim_f(s); }' && breaks symbols 'libcore: sim_f '
archive planner '#include <stdio.h>
void f(int a); void f(int a) { printf("%d", a); }' && breaks symbols 'libplanner: printf '
archive sim 'int n; int f(void); int f(void) { return n++; }' && breaks symbols 'libsim: n can be written'

{ echo 'void f(void)'; echo '{'; lines 99; echo '}'; } >"$tree/planner/b.c" && breaks sizes 'f: 101 lines, over 100'
lines 901 >"$tree/planner/b.c" && breaks sizes 'b.c: 901 lines'
{ echo 'void f(void)'; echo '{'; lines 98; echo '}'; } >"$tree/planner/b.c" && holds sizes

fresh
printf 'int a; // %s: later\n' TO''DO >"$tree/planner/b.c" && breaks text 'planner/b.c:1:'
printf 'int a; \n' >"$tree/planner/b.c" && breaks text 'blank at the end'
printf 'int a;\r\n' >"$tree/planner/b.c" && breaks text 'b.c.*(carriage return|blank)'
printf 'int a;' >"$tree/planner/b.c" && breaks text 'no newline'

echo 'struct x { uint8_t a; };' >"$tree/planner/b.h" && breaks headers 'b.h: does not stand alone'
if command -v shellcheck >/dev/null; then
    printf '#!/bin/bash\nx=1\ncd $y\n' >"$tree/tests/run" && breaks shell 'SC2164|SC2086|SC2034'
fi
exit $failed
