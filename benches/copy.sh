#!/usr/bin/env bash
# How fast `ipstats copy` is: from a data folder into another, into ClickHouse, and from there into a folder, next to an import of the
# same synthetic connections into either. Rounds take turns; the medians are compared. Needs Debian's clickhouse-server and -client.
#
#     benches/copy.sh [million connections] [rounds]
set -euo pipefail
cd "$(dirname "$0")/.."
millions=${1:-5} rounds=${2:-3}
source benches/clickhouse_server.sh

rows=$((millions * 1000000))
"$target/examples/synthetic" --rows "$rows" --write-only "$work/conn.log" >/dev/null
newest=$(grep -v '^#' "$work/conn.log" | tail -n 1 | cut -d. -f1)
as_of=$(date -u -d "@$newest" +%Y-%m-%dT%H:%M:%SZ)
export IPSTATS_LOG_LEVEL=warn

# Prints the connections per second of a command that deals with all of them.
rate() {
    local begun ended
    begun=$(date +%s%N)
    "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
    ended=$(date +%s%N)
    echo $((rows * 1000 / ((ended - begun) / 1000000)))
}
import() {
    "$target/ipstats" import --config "$1" --as-of "$as_of" --organization bench "$work/conn.log"
}
copy() {
    "$target/ipstats" copy --as-of "$as_of" --from "$1" --to "$2"
}
# configuration NAME [KEY = VALUE of the store]…
configuration() {
    local name=$1
    shift
    {
        echo "data_dir = '$work/$name'"
        echo "[[organizations]]"
        echo "id = '11111111-1111-4111-8111-111111111111'"
        echo "name = 'bench'"
        echo "[store]"
        printf '%s\n' "$@"
    } >"$work/$name.toml"
}

for round in $(seq "$rounds"); do
    for database in imported copied; do
        configuration "$database-$round" "backend = 'clickhouse'" "urls = ['http://127.0.0.1:$http_port']" \
            "plain_http = true" "database = '$database$round'"
        "$target/ipstats" clickhouse init --config "$work/$database-$round.toml" >/dev/null 2>&1
    done
    for folder in folder again back; do configuration "$folder"; done
    rate import "$work/folder.toml" >>"$work/folder.import"
    rate copy "$work/folder.toml" "$work/again.toml" >>"$work/folder.copy"
    rate import "$work/imported-$round.toml" >>"$work/clickhouse.import"
    rate copy "$work/folder.toml" "$work/copied-$round.toml" >>"$work/clickhouse.copy"
    rate copy "$work/copied-$round.toml" "$work/back.toml" >>"$work/back.copy"
    for database in imported copied; do client --query "DROP DATABASE $database$round"; done
    rm -rf "$work/folder" "$work/again" "$work/back"
done

figure() { # figure WHAT COPY IMPORT
    local copied imported
    copied=$(median "$work/$2.copy") imported=$(median "$work/$3.import")
    echo "$1 $copied connections/s, $(awk -v a="$copied" -v b="$imported" 'BEGIN { printf "%.2f", a / b }') of an import ($imported)"
}
figure "folder into folder    " folder folder
figure "folder into ClickHouse" clickhouse clickhouse
figure "ClickHouse into folder" back folder
