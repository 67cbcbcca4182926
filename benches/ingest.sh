#!/usr/bin/env bash
# Records per second of one client that sends Zeek's JSON over HTTP, each upload durable before the next one is begun, and
# the 99th percentile of questions meanwhile, next to that without. Needs wrk (Debian's package) and curl.
#
#     benches/ingest.sh [million records] [uploads]
set -euo pipefail
cd "$(dirname "$0")/.."
millions=${1:-4} uploads=${2:-8}
source benches/common.sh

made=$("$target/ipstats" secret --ingest-key)
key_hash=$(grep -om1 'sha256:[^" ]*' <<<"$made")
key=$(grep -om1 'ipstats_[A-Za-z0-9_-]*' <<<"$made")
{
    configuration "'1000000000 per 01:00:00'"
    echo "[[ingest_keys]]"
    echo "name = 'zeek'"
    echo "key_hash = '$key_hash'"
    echo "organization = 'organization-0'"
} >"$work/open.toml"

# A day in time order: 100,000 devices, a million addresses of which few are popular.
records=$((millions * 1000000 / uploads))
for upload in $(seq "$uploads"); do
    awk -v records="$records" -v upload="$upload" -v uploads="$uploads" -v now="$(date +%s)" 'BEGIN {
        srand(upload)
        for (record = 0; record < records; record++) {
            device = int(rand() * 100000)
            address = int(exp(rand() * log(1000000)))
            seconds = now - 86400 + 86400 * (upload - 1 + record / records) / uploads
            printf "{\"ts\":%.6f,\"uid\":\"C%08d%08d\",\"id.orig_h\":\"10.%d.%d.%d\",\"id.orig_p\":%d,\"id.resp_h\":\"93.%d.%d.%d\",\"id.resp_p\":443,", \
                seconds, record, upload, device / 65536, device / 256 % 256, device % 256, 1024 + record % 60000, \
                address / 65536, address / 256 % 256, address % 256
            printf "\"proto\":\"tcp\",\"service\":\"ssl\",\"duration\":%.6f,\"orig_bytes\":%d,\"resp_bytes\":%d,\"conn_state\":\"SF\",\"local_orig\":true,", \
                rand() * 10, rand() * 10000, rand() * 100000
            printf "\"local_resp\":false,\"missed_bytes\":0,\"history\":\"ShADadFf\",\"orig_pkts\":%d,\"orig_ip_bytes\":%d,\"resp_pkts\":%d,\"resp_ip_bytes\":%d}\n", \
                rand() * 50, rand() * 12000, rand() * 80, rand() * 110000
        }
    }' >"$work/zeek.$upload.json"
done

serve open
url=$(address "$work/open.out")
token=$(token open 0)
cat >"$work/questions.lua" <<'LUA'
function init(arguments)
    wrk.headers["Authorization"] = "Bearer " .. arguments[1]
end
function request()
    return wrk.format("GET", string.format("/api/ips/93.0.%d.%d/stats", math.random(0, 3), math.random(0, 255)))
end
function delay()
    return 2
end
LUA
# Prints the 99th percentile of questions in milliseconds, asked one after another for so many seconds.
questions() {
    wrk -t1 -c1 -d"$1s" --latency -s "$work/questions.lua" "$url" -- "$token" |
        awk '$1 == "99%" { p99 = $2 + 0; if ($2 ~ /us/) p99 /= 1000; else if ($2 ~ /[0-9]s/) p99 *= 1000; printf "%.2f", p99 }'
}
# Prints records per second.
send() {
    local begun ended uploaded=()
    for upload in $(seq "$uploads"); do
        uploaded+=(-T "$work/zeek.$upload.json" "$url/api/ingest/zeek")
    done
    begun=$(date +%s%N)
    curl -sf --http1.1 -X POST -H "Authorization: Bearer $key" -H "Expect:" "${uploaded[@]}" >"$work/answers"
    ended=$(date +%s%N)
    [ "$(grep -o '"counted":[0-9]*' "$work/answers" | awk -F: '{ sum += $2 } END { print sum }')" = $((records * uploads)) ] ||
        { echo "not all was counted:" >&2; head -c 1000 "$work/answers" >&2; exit 1; }
    echo $((records * uploads * 1000 / ((ended - begun) / 1000000)))
}

send >"$work/alone"
quiet=$(questions 3)
send >"$work/asked" &
sending=$!
seconds=$((millions * 1000000 / $(cat "$work/alone") + 1))
busy=$(questions "$seconds")
wait "$sending"
bytes=$(cat "$work"/zeek.*.json | wc -c)
echo "bytes a record                      $((bytes / (records * uploads)))"
echo "records/s                           $(cat "$work/alone") (wanted: 400000 or more)"
echo "records/s, the same again and asked $(cat "$work/asked")"
echo "99th percentile of questions        $busy ms (wanted: below 5), $quiet ms without ingest"
