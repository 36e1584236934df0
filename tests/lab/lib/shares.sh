# shellcheck shell=bash disable=SC2154 # lab, work, log: of suite.sh
# What the tests of the throttle share: a drain in the background, looks at its links and shares from another terminal. After suite.sh.

configure_auto() { "$lab" conf >"$work/conf"; } # rate = auto: what links carry is measured

now_ms() { date +%s%3N; }

# One look: time, flow and capacity of the link out of h1, its heads, and the grants of the moves that copy ("all" = no bound).
look() {
    drover status -o json 2>/dev/null | jq -c --argjson at "$(now_ms)" '{at: $at, link: ([.links[]? | select(.name == "link of h1 (out)")][0] // {}),
        done: ([.batches[]?.moves_done] | add // 0), moving: [.batches[]?.moves[]? | select(.state | startswith("copying_"))
        | {guest, rate: .rate_bytes_per_second, granted: (if .granted_bytes_per_second == 0 then "all" else .granted_bytes_per_second end), has_link}]}' 2>/dev/null
}

# Looks until one satisfies the jq condition, or SECONDS are over; all of them are kept in $work/looks.
look_until() { # SECONDS CONDITION
    local deadline=$((SECONDS + $1)) seen
    while [ "$SECONDS" -lt "$deadline" ]; do
        seen=$(look) || seen=
        if [ -n "$seen" ]; then
            echo "$seen" >>"$work/looks"
            ! jq -e "$2" <<<"$seen" >/dev/null || return 0
        fi
        sleep 0.1
    done
    return 1
}

# Milliseconds from BEGUN_MS until the running drover tells that the link out of h1 carries less than BELOW bytes a second; 99999 when it
# does not within SECONDS. Only lines of its log behind the first LINES count.
told_after() { # SECONDS LINES BEGUN_MS BELOW
    local deadline=$((SECONDS + $1))
    while [ "$SECONDS" -lt "$deadline" ]; do
        ! tail -n +$(($2 + 1)) "$log" | told_below "$4" || { echo $(($(now_ms) - $3)); return; }
        sleep 0.05
    done
    echo 99999
}
told_below() { # "[ 41.6 s] link of h1 (out): 3.5 MiB/s of 3.6 MiB/s, ..."
    awk -v below="$1" '/link of h1 \(out\)/ && match($0, / of [0-9.]+ [kMG]?i?B\/s/) {
            split(substr($0, RSTART, RLENGTH), part, " ")
            unit["B/s"] = 1; unit["KiB/s"] = unit["kiB/s"] = 1024; unit["MiB/s"] = 1048576; unit["GiB/s"] = 1073741824
            if (part[2] * unit[part[3]] < below) found = 1
        }
        END { exit !found }'
}
lines_of_log() { wc -l <"$log"; }

mb() { awk -v b="$1" 'BEGIN { printf "%.1f", b / 1e6 }'; }
h1_sent() { "$lab" traffic | jq '[.[] | select(.host == "h1" and .network == "migration") | .sent_bytes][0]'; }

# Three seconds on a machine that has time; on a busy one every answer of drover takes longer, and so may this.
allowed_ms() {
    local began_ms
    began_ms=$(now_ms)
    drover status >/dev/null 2>&1 || true
    echo $((3000 + 6 * ($(now_ms) - began_ms)))
}

# A second stream, not ours, from h1 to h2 over the network that the moves use. Set a trap that ends it.
stream=
end_stream() { # the sender by its id; the receiver ends with it
    [ -z "$stream" ] || kill "$stream" 2>/dev/null || true
    stream=
}
# shellcheck disable=SC2016,SC2034  # perl's; read by the scripts that source this
begin_stream() { # sets began, when it flows
    : >"$work/sender"
    "$lab" exec h2 perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(LocalAddr => "10.83.2.2", LocalPort => 5999, Listen => 1, ReuseAddr => 1) or die; $c = $l->accept; 1 while sysread $c, $_, 65536' &
    "$lab" exec h1 perl -MIO::Socket::INET -e '$b = "x" x 65536; for (1 .. 50) { last if $s = IO::Socket::INET->new("10.83.2.2:5999"); select undef, undef, undef, 0.1 } $s or die; $| = 1; print "$$\n"; 1 while syswrite $s, $b' >"$work/sender" &
    until [ -s "$work/sender" ]; do sleep 0.05; done
    began=$(now_ms)
    stream=$(cat "$work/sender")
}
