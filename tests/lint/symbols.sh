#!/bin/bash
# What the pure libraries call: each other in the right direction, and plain functions of the C library that neither look at the
# world nor change it. The include lines can be got round; what the linker sees cannot.
# usage: symbols.sh SOURCE BUILD
set -euo pipefail
build=${2:?BUILD}
command -v nm >/dev/null || { echo "SKIPPED: nm is not installed"; exit 77; }

allowed=" abort calloc free malloc realloc qsort bsearch
 memchr memcmp memcpy memmove memset memmem strchr strrchr strcmp strncmp strcasecmp strncasecmp strcpy strncpy strcspn strspn strdup strndup
 strlen strnlen strpbrk strstr strtok_r strtol strtoll strtoul strtoull strtod stpcpy
 snprintf vsnprintf asprintf vasprintf sprintf open_memstream fprintf fputs fputc putc fwrite fclose fflush sscanf
 __assert_fail __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc __errno_location __stack_chk_fail
 __isoc99_sscanf __isoc23_sscanf __isoc23_strtoll __isoc23_strtoull __isoc23_strtol __isoc23_strtoul
 __snprintf_chk __vsnprintf_chk __asprintf_chk __vasprintf_chk __fprintf_chk __memcpy_chk __memset_chk __memmove_chk __strcpy_chk

 __divti3 __udivti3 __umodti3 __modti3 __udivmodti4 __divmodti4 __multi3 strncat
 inet_pton inet_ntop htonl ntohl ceil floor log log2 log1p exp pow sqrt fmin fmax lround llround round fabs
 nettle_sha256_init nettle_sha256_update nettle_sha256_digest
 _GLOBAL_OFFSET_TABLE_ "
allowed=${allowed//$'\n'/ }

library() { find "$build" -name "lib$1.a" | head -n 1; }
defined() { nm --defined-only -P "$1" 2>/dev/null | awk 'NF >= 2 {print $1}' | sort -u; }
undefined() { nm --undefined-only -P "$1" 2>/dev/null | awk '$2 == "U" || $2 == "w" {print $1}' | sort -u; }

failed=0
check() { # LIBRARY MAY_USE...
    local name=$1 archive known symbol
    archive=$(library "$name")
    [ -n "$archive" ] || { echo "no lib$name.a in $build"; failed=1; return; }
    known=$(for name in "$@"; do defined "$(library "$name")"; done | sort -u)
    while read -r symbol; do
        [[ "$allowed" != *" $symbol "* ]] || continue
        echo "lib$1: $symbol is not for a pure library; used in:" \
            "$(nm -A --undefined-only "$archive" 2>/dev/null | awk -v s="$symbol" '$NF == s {print $1}' | sed 's/.*a://' | sort -u | tr '\n' ' ')"
        failed=1
    done < <(comm -23 <(undefined "$archive") <(echo "$known"))
}

# Data that can be written is global state, which pure code has none of.
check_state() { # LIBRARY
    local archive found
    archive=$(library "$1")
    [ -n "$archive" ] || return 0
    found=$(nm -P "$archive" | awk '$2 ~ /^[bBdDC]$/ && $1 !~ /^(__|\.)/ {print $1}' | sort -u | tr '\n' ' ')
    # Tables of pointers to constant text are in .data.rel.ro, which nm calls d too when it is not "r".
    for symbol in $found; do
        if objdump -t "$archive" | awk -v s="$symbol" '$NF == s && $0 !~ /\.data\.rel\.ro/ && $0 ~ /\.(data|bss)/ {found = 1} END {exit !found}'; then
            echo "lib$1: $symbol can be written: pure code has no global state"
            failed=1
        fi
    done
}

check planner
check sim planner
check core planner
for name in planner sim core; do check_state $name; done
exit $failed
