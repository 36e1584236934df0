# Puts the built drover into PATH: from $DROVER_BIN, from a build folder of this tree, or as installed. Sourced.
# shellcheck shell=bash

find_drover() {
    local top folder
    top=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
    for folder in "${DROVER_BIN:-}" "$top"/build/bin "$top"/build/*/bin; do
        [ -n "$folder" ] && [ -x "$folder/drover" ] || continue
        PATH=$folder:$PATH
        return 0
    done
    command -v drover >/dev/null || { echo "drover is not built: cmake -S . -B build -G Ninja && cmake --build build" >&2; return 1; }
}
find_drover || exit 1
