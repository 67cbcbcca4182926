#!/usr/bin/env bash
# Requests per second and 99th percentiles of the service, with everything on, next to those of a bare axum handler that
# answers a constant of the same size; and what a flood of one organization does to another. Needs wrk (Debian's package).
#
#     benches/http.sh [rounds] [seconds]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} seconds=${2:-5}
source benches/common.sh

# The second organization's quota, where it has one, is that of Defender.
configuration "'1000000000 per 01:00:00'" >"$work/open.toml"
configuration "'3000 per 00:01:00'" >"$work/limited.toml"

# A thousand addresses, some contacted by many devices.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
for address in $(seq 0 999); do
    for device in $(seq 0 $((1000 / (address + 1)))); do
        echo "{\"device\":\"device-$device\",\"ip\":\"10.0.$((address / 250)).$((address % 250))\",\"time\":\"$now\"}"
    done
done >"$work/log.ndjson"
for organization in "${organizations[@]}"; do
    "$target/ipstats" import --config "$work/open.toml" --organization "$organization" --format ndjson "$work/log.ndjson" >/dev/null 2>&1
done

# The requests of wrk: the same for both, so that both pay for them.
cat >"$work/questions.lua" <<'LUA'
local requests, next_one = {}, 0
function init(arguments)
    wrk.headers["Authorization"] = "Bearer " .. arguments[1]
    for address = 0, 999 do
        requests[address] = wrk.format("GET", string.format("/api/ips/10.0.%d.%d/stats", address / 250, address % 250))
    end
end
function request()
    next_one = (next_one + 1) % 1000
    return requests[next_one]
end
LUA

# measure NAME URL TOKEN CONNECTIONS: appends requests per second and the 99th percentile in microseconds.
measure() {
    wrk -t1 -c"$4" -d"${seconds}s" --latency -s "$work/questions.lua" "$2" -- "$3" >"$work/wrk.out"
    awk -v name="$1" '
        /^Requests\/sec/ { rate = $2 }
        $1 == "99%" { p99 = $2 + 0; if ($2 ~ /ms/) p99 *= 1000; else if ($2 ~ /[0-9]s/) p99 *= 1000000 }
        /Non-2xx/ { other = $5 }
        END { printf "%s %.0f %.0f %d\n", name, rate, p99, other }' "$work/wrk.out" >>"$work/figures"
}
# median NAME COLUMN
median() {
    awk -v name="$1" -v column="$2" '$1 == name { print $column }' "$work/figures" | sort -n |
        awk '{ values[NR] = $1 } END { print values[int((NR + 1) / 2)] }'
}

serve open
open=$(address "$work/open.out")
tokens=("$(token open 0)" "$(token open 1)")
curl -sf -H "Authorization: Bearer ${tokens[0]}" "$open/api/ips/10.0.0.0/stats" >"$work/answer.json"
"$target/examples/bare" "$(cat "$work/answer.json")" >"$work/bare.out" &
started+=($!)
bare=$(address "$work/bare.out")
measure warm "$open" "${tokens[0]}" 32
: >"$work/figures"
for _ in $(seq "$rounds"); do
    measure bare "$bare" "${tokens[0]}" 32
    measure ipstats "$open" "${tokens[0]}" 32
done
kill "${started[0]}"
wait "${started[0]}" || true

# Fair: one connection of the second organization, alone and while the first one floods with 32 beyond its quota.
serve limited
limited=$(address "$work/limited.out")
{
    cat "$work/questions.lua"
    printf 'function delay()\n    return 50\nend\n'
} >"$work/pace.lua"
quiet() {
    wrk -t1 -c1 -d"${seconds}s" --latency -s "$work/pace.lua" "$limited" -- "${tokens[1]}" >"$work/wrk.out"
    awk -v name="$1" '$1 == "99%" { p99 = $2 + 0; if ($2 ~ /ms/) p99 *= 1000 } /Non-2xx/ { other = $5 } /^Requests\/sec/ { rate = $2 }
        END { printf "%s %.0f %.0f %d\n", name, rate, p99, other }' "$work/wrk.out" >>"$work/figures"
}
for _ in $(seq "$rounds"); do
    quiet alone
    wrk -t1 -c32 -d"$((seconds + 2))s" -s "$work/questions.lua" "$limited" -- "${tokens[0]}" >/dev/null &
    flood=$!
    sleep 1
    quiet flooded
    wait "$flood"
done

cat "$work/figures"
echo
awk -v a="$(median ipstats 2)" -v b="$(median bare 2)" -v c="$(median ipstats 3)" -v d="$(median bare 3)" \
    -v e="$(median flooded 3)" -v f="$(median alone 3)" 'BEGIN {
    printf "requests/s       %d of %d: %.2f (wanted: 0.80 or more)\n", a, b, a / b
    printf "99th percentile  %d us, bare %d us: %.2f (wanted: below 3)\n", c, d, c / d
    printf "99th percentile of another organization  %d us alone, %d us under a flood: %.2f (wanted: 2 or less)\n", f, e, e / f
}'
