#!/bin/bash
# Who may include what: include <- planner <- sim; core <- planner; conf knows include/ only; io knows all but sim and conf; the commands
# know everything. The pure layers get no header of the system that does I/O, time, threads or randomness either.
# usage: layers.sh SOURCE
set -euo pipefail
cd "${1:?SOURCE}"

# FOLDERS whose headers a file in LAYER may name; its own comes first.
declare -A may=(
    [include/drover]="include/drover"
    [planner]="planner include/drover"
    [planner/sim]="planner/sim planner include/drover"
    [scheduler/core]="scheduler/core planner include/drover"
    [conf]="conf include/drover"
    [scheduler/io]="scheduler/io scheduler/core planner include/drover"
    [scheduler/cli]="scheduler/cli scheduler/daemon scheduler/io scheduler/core planner/sim planner conf include/drover"
    [scheduler/daemon]="scheduler/daemon scheduler/io scheduler/core planner/sim planner conf include/drover"
)
# Helpers without an opinion, which no layer should have to write again: allocation, a table of names, text for a size.
everywhere="xalloc.h name_index.h size_text.h"
pure=" include/drover planner planner/sim scheduler/core "
pure_system=" assert.h ctype.h errno.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h
 nettle/sha2.h arpa/inet.h " # the last for inet_pton, which only reads text
pure_system=${pure_system//$'\n'/ }
conf_system=" iniparser.h dictionary.h "
failed=0

complain() { # FILE LINE HEADER TEXT
    echo "$1:$2: #include $3: $4"
    failed=1
}

check_own() { # LAYER FILE LINE HEADER
    local folder path=${4#drover/}
    [[ " $everywhere " != *" $4 "* ]] || return 0
    for folder in ${may[$1]}; do
        if [ "$folder" = include/drover ]; then
            [ "$4" = "$path" ] || [ ! -e "include/$4" ] || return 0
            [ "$1" != include/drover ] || [ ! -e "include/drover/$4" ] || return 0
        elif [ -e "$folder/$4" ]; then
            return 0
        fi
    done
    complain "$2" "$3" "\"$4\"" "not a header that $1 may know (${may[$1]})"
}

check_system() { # LAYER FILE LINE HEADER
    if [[ "$pure" == *" $1 "* ]] && [[ "$pure_system" != *" $4 "* ]]; then
        complain "$2" "$3" "<$4>" "$1 is pure: no I/O, time, threads, randomness"
    elif [ "$1" != conf ] && [[ "$conf_system" == *" $4 "* ]]; then
        complain "$2" "$3" "<$4>" "configuration is read in conf/ only"
    elif [[ "$4" == libvirt/* || "$4" == sqlite3.h ]] && [ "$1" != scheduler/io ]; then
        complain "$2" "$3" "<$4>" "only scheduler/io holds handles"
    fi
}

for layer in "${!may[@]}"; do
    while IFS=: read -r file line text; do
        header=$(sed -E 's/^[^<"]*[<"]([^>"]+)[>"].*$/\1/' <<<"$text")
        case $text in
        *\"*) check_own "$layer" "$file" "$line" "$header" ;;
        *\<*) check_system "$layer" "$file" "$line" "$header" ;;
        esac
    done < <(grep -nHE '^[[:space:]]*#[[:space:]]*include' "$layer"/*.[ch] 2>/dev/null || true)
done
exit $failed
