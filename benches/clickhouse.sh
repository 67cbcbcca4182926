#!/usr/bin/env bash
# ClickHouse as the store, next to ClickHouse itself on the same server: rows per second of ipstats and of clickhouse-client, both
# into the same tables with the same views, and the median of questions through ipstats and of the same as plain SQL in one session
# of clickhouse-client. Rounds take turns; of each, the medians are compared. Needs Debian's clickhouse-server and -client.
#
#     benches/clickhouse.sh [million rows] [rounds]
set -euo pipefail
cd "$(dirname "$0")/.."
millions=${1:-10} rounds=${2:-5} questions=300
command -v clickhouse-server >/dev/null || { echo "clickhouse-server is missing: .ci/peers/clickhouse.sh" >&2; exit 1; }

# A folder with the programs, built otherwise, may be given instead.
[ -n "${IPSTATS_BUILT:-}" ] || cargo build --release -p ipstats --bin ipstats --example synthetic
target=${IPSTATS_BUILT:-${CARGO_TARGET_DIR:-target}/release}
work=$(mktemp -d)
server=
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

http_port=${IPSTATS_BENCH_PORT:-18123} tcp_port=$((${IPSTATS_BENCH_PORT:-18123} + 1))
cat >"$work/config.xml" <<XML
<yandex><logger><level>warning</level><log>$work/server.log</log><errorlog>$work/error.log</errorlog></logger>
<listen_host>127.0.0.1</listen_host><http_port>$http_port</http_port><tcp_port>$tcp_port</tcp_port>
<path>$work/data/</path><tmp_path>$work/tmp/</tmp_path><user_files_path>$work/files/</user_files_path>
<format_schema_path>$work/schemas/</format_schema_path><mark_cache_size>1073741824</mark_cache_size>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database></yandex>
XML
cat >"$work/users.xml" <<XML
<yandex><profiles><default></default></profiles><quotas><default></default></quotas><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>
XML
(cd "$work" && exec clickhouse-server --config-file="$work/config.xml" >"$work/out" 2>&1) &
server=$!
client() { clickhouse-client --host 127.0.0.1 --port "$tcp_port" "$@"; }
for _ in $(seq 100); do client --query "SELECT 1" >/dev/null 2>&1 && break || sleep 0.1; done

for database in ours bare; do
    IPSTATS_DATA_DIR="$work/folder" IPSTATS_STORE_BACKEND=clickhouse IPSTATS_STORE_URLS="http://127.0.0.1:$http_port" \
        IPSTATS_STORE_DATABASE=$database "$target/ipstats" clickhouse init
done
synthetic=("$target/examples/synthetic" --rows $((millions * 1000000)) clickhouse)
place=(--url "http://127.0.0.1:$http_port" --database ours)
settle() {
    while [ "$(client --query "SELECT count() FROM system.merges")" != 0 ]; do sleep 0.2; done
}
median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

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
