def pad($n): tostring | if length < $n then . + (" " * ($n - length)) else . end;
def row: (.[0] | pad(16)) + (.[1] | pad(9)) + (.[2] | pad(8)) + (.[3] | pad(9)) + (.[4] | pad(12)) + (.[5] | pad(6)) + (.[6] | pad(9)) + .[7];
(["guest", "runs on", "beats", "gap ms", "blackout ms", "lost", "doubled", "disks: on disk >= acknowledged, writes proven"] | row),
(.guests[] | ([.name, (.running_on | join(",")), .beats, .gap_ms, .blackout_ms, .beats_lost, .beats_doubled,
   ([.disks[] | "\(.target) " + if .message then .message else "\(.number_on_disk)>=\(.number_acknowledged) \(.writes_proven)"
       + (if .writes_lost > 0 then " LOST \(.writes_lost)" else "" end) + (if .sectors_foreign > 0 then " FOREIGN \(.sectors_foreign)" else "" end) end] | join("; "))] | row),
   (.problems[] | "    BAD: " + .)),
(.leftovers[] | "left over on \(.host): \(.what)"),
(.unreachable[] | "no answer: " + .),
(if .good then "all good" else "NOT GOOD" end)
