# A server of ClickHouse with a folder of its own; sourced by the scripts here that need one, in the root of the project. It ends
# with the script.

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

# Prints the median of the numbers in a file.
median() { sort -n "$1" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
