# What the scripts here share; sourced by them, in the root of the project.

command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 1; }

# A folder with the programs, built otherwise, may be given instead.
[ -n "${IPSTATS_BUILT:-}" ] || cargo build --release -p ipstats --bin ipstats --example bare
target=${IPSTATS_BUILT:-${CARGO_TARGET_DIR:-target}/release}
work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

# Prints the address that a program says it listens on.
address() {
    for _ in $(seq 100); do
        grep -om1 'http://[0-9.:]*' "$1" 2>/dev/null && return
        sleep 0.1
    done
    echo "it did not start: $1" >&2
    exit 1
}

# Two organizations, and how many calls each may make.
secret=$("$target/ipstats" secret)
hash=$(grep -om1 '\$argon2id[^" ]*' <<<"$secret")
organizations=(11111111-1111-4111-8111-111111111111 22222222-2222-4222-8222-222222222222)
configuration() {
    echo "data_dir = '$work/data'"
    echo "rate_limits = [$1]"
    echo "audit_log = '$work/audit.log'"
    echo "metrics_listen = '127.0.0.1:0'"
    for number in 0 1; do
        echo "[[organizations]]"
        echo "id = '${organizations[number]}'"
        echo "name = 'organization-$number'"
        echo "[[applications]]"
        echo "name = 'application-$number'"
        echo "client_id = 'aaaaaaaa-0000-4000-8000-00000000000$number'"
        echo "organization = 'organization-$number'"
        echo "secret_hash = '$hash'"
        echo "permissions = ['Ip.Read.All']"
    done
}

# serve NAME: the service as NAME.toml says. Not in a subshell: what it starts is to be ended.
serve() {
    "$target/ipstats" serve --config "$work/$1.toml" --listen 127.0.0.1:0 >"$work/$1.out" 2>"$work/$1.err" &
    started+=($!)
}

# token NAME NUMBER: a token of an application of NAME.toml.
token() {
    "$target/ipstats" token --config "$work/$1.toml" --app "application-$2"
}
