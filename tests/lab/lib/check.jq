# Rows of check_all to one document. The verdicts stand here and nowhere else.
def words: split(" ") | map(select(. != ""));
[inputs | split("\t")] as $rows
| ($rows | map(select(.[0] == "disk") | {guest: .[1]} + (.[2] | words as $w | {target: $w[1], good: ($w[0] == "ok")}
    + if ($w | length) == 7 then ($w[2:] | map(tonumber) | {number_on_disk: .[0], number_acknowledged: .[1], writes_proven: .[2],
        writes_lost: .[3], sectors_foreign: .[4]}) else {message: ($w[2:] | join(" "))} end))) as $disks
| {schema: "drover/lab-check/1", max_gap_ms: $max_gap,
   guests: [$rows[] | select(.[0] == "guest")
     | .[1] as $name | (.[2] | words) as $running | (.[3] | words) as $paused
     | (.[4:] | map(tonumber? // 0) | . + [range(length; 11) | 0]) as $b
     | {name: $name, running_on: $running, paused_on: $paused, beats: $b[0], gap_ms: $b[1],
        blackout_ms: ([0, $b[1] - 100] | max), gap_after_beat: $b[2], beats_lost: $b[3], beats_doubled: $b[4],
        lines_garbled: $b[5], restarts: $b[6], complaints: $b[7], last_beat: $b[8], last_acknowledged: $b[9], silent_ms: $b[10],
        disks: [$disks[] | select(.guest == $name) | del(.guest)]}
     | .problems = ([
         if ($running | length) == 0 then "not running" elif ($running | length) > 1 then "runs on \($running | join(", "))" else empty end,
         if ($paused | length) > 0 then "paused on \($paused | join(", "))" else empty end,
         if .beats == 0 then "no beats" else empty end,
         if .gap_ms > $max_gap then "gap \(.gap_ms) ms" else empty end,
         if .beats_lost > 0 then "\(.beats_lost) beats lost" else empty end,
         if .beats_doubled > 0 then "\(.beats_doubled) beats doubled or backwards" else empty end,
         if .lines_garbled > 0 then "\(.lines_garbled) garbled lines" else empty end,
         if .restarts > 0 then "started again \(.restarts) times" else empty end,
         if .complaints > 0 then "\(.complaints) complaints of its own memory or disk" else empty end,
         (.disks[] | select(.good | not) | "disk \(.target) wrong")])],
   leftovers: [$rows[] | select(.[0] == "leftover") | {host: .[1], what: .[2]}],
   unreachable: [$rows[] | select(.[0] == "unreachable") | .[1]]}
| .leftovers_allowed = ($leftovers_ok != "")
| .good = ((.guests | all(.problems == [])) and (.unreachable == []) and (.leftovers_allowed or .leftovers == []))
