# shellcheck shell=bash disable=SC2154
# What the tests of doctor on real hosts share: its configuration, and findings compared whole. After lib/suite.sh, which sets lab and work.

# With a shell on each host.
configure_doctor() {
    configure
    sed -i "s|^\[host \(.*\)\]|&\nshell = $lab exec \1|" "$work/conf"
}
found() { jq -r '.findings[] | select((.result == "error" or .result == "warning") and .check != "own-clock") | "\(.result) \(.check) \(.object)"' "$1" | sort; }
finds() { # FINDING...: doctor's findings are exactly these; its exit code is 4 when one is an error
    local code=0 wanted=0
    ! printf '%s\n' "$@" | grep -q ^error || wanted=4
    drover doctor -o json >"$work/doctor" || code=$?
    found "$work/doctor" >"$work/found"
    printf '%s\n' "$@" | grep . | sort >"$work/wanted" || true
    [ "$code" = "$wanted" ] && diff "$work/wanted" "$work/found" && return
    echo "exit $code, wanted $wanted"
    jq -c '.findings[] | select(.result == "error" or .result == "warning")' "$work/doctor"
    return 1
}

on() { "$lab" exec "$@"; }
