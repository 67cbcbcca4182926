#!/usr/bin/env bash
# ClickHouse as the store, next to ClickHouse itself on the same server: rows per second of ipstats and of clickhouse-client, both
# into the same tables with the same views, and the median of questions through ipstats and of the same as plain SQL in one session
# of clickhouse-client. Rounds take turns; of each, the medians are compared. Needs Debian's clickhouse-server and -client.
#
#     benches/clickhouse.sh [million rows] [rounds]
set -euo pipefail
cd "$(dirname "$0")/.."
millions=${1:-10} rounds=${2:-5} questions=300
source benches/clickhouse_server.sh

for database in ours bare; do
    IPSTATS_DATA_DIR="$work/folder" IPSTATS_STORE_BACKEND=clickhouse IPSTATS_STORE_URLS="http://127.0.0.1:$http_port" \
        IPSTATS_STORE_DATABASE=$database "$target/ipstats" clickhouse init
done
synthetic=("$target/examples/synthetic" --rows $((millions * 1000000)) clickhouse)
place=(--url "http://127.0.0.1:$http_port" --database ours)
settle() {
    while [ "$(client --query "SELECT count() FROM system.merges")" != 0 ]; do sleep 0.2; done
}

for round in $(seq 0 $((rounds - 1))); do
    "${synthetic[@]}" rows "$round" "$rounds" >"$work/rows"
    rows=$((millions * 1000000 / rounds))
    settle
    begun=$(date +%s%N)
    client --database bare --query "INSERT INTO connections (organization, ip, device, time) FORMAT RowBinary" <"$work/rows"
    echo $((rows * 1000000 / (($(date +%s%N) - begun) / 1000))) >>"$work/bare.inserts"
    settle
    "${synthetic[@]}" insert "$round" "$rounds" "${place[@]}" >>"$work/ours.inserts"
done
settle
"${synthetic[@]}" questions "$questions" >"$work/questions.sql"
for _ in $(seq "$rounds"); do
    client --database ours --multiquery --time <"$work/questions.sql" 2>"$work/times" >/dev/null
    awk '{ print $1 * 1000000 }' "$work/times" >"$work/micros"
    median "$work/micros" >>"$work/bare.answers"
    "${synthetic[@]}" ask "$questions" "${place[@]}" >>"$work/ours.answers"
done

figure() { # figure WHAT FILE WANTED
    local ours bare
    ours=$(median "$work/ours.$2") bare=$(median "$work/bare.$2")
    echo "$1 $ours of ipstats, $bare of ClickHouse: $(awk -v a="$ours" -v b="$bare" 'BEGIN { printf "%.2f", a / b }') (wanted: $3)"
}
for database in ours bare; do
    contacts=$(client --query "SELECT count() FROM $database.contacts FINAL")
    echo "$database: $contacts devices of an IP on a day"
done
figure "rows/s            " inserts "0.7 or more"
figure "median answer, µs " answers "1.5 or less"
echo "each round, ours: $(paste -sd' ' "$work/ours.inserts") rows/s; $(paste -sd' ' "$work/ours.answers") µs"
echo "each round, bare: $(paste -sd' ' "$work/bare.inserts") rows/s; $(paste -sd' ' "$work/bare.answers") µs"
