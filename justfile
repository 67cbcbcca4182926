# What developers run. `just` lists it.

default:
    @just --list

# sample data, a server and a curl line
demo:
    cargo run --release -- demo

# everything that CI checks
ci:
    .ci/run

test:
    cargo test --workspace

lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# figures of docs/performance.md
measure rows="10000000":
    cargo run --release -p ipstats --example synthetic -- --rows {{rows}}

# memory under a scan of the IPv6 space
scan connections="50000000" memory="512":
    cargo run --release -p ipstats-engine --example scan -- {{connections}} {{memory}}

# the service next to a bare handler, and under a flood (needs wrk)
http rounds="5" seconds="5":
    benches/http.sh {{rounds}} {{seconds}}

bench:
    cargo bench --workspace

# one fuzz target (docs/fuzzing.md; needs cargo-fuzz)
fuzz target="zeek" seconds="60":
    mkdir -p fuzz/corpus/{{target}}
    cargo fuzz run --sanitizer none {{target}} fuzz/corpus/{{target}} fuzz/kept/{{target}} -- -max_len=4096 -max_total_time={{seconds}}

# keep what fuzzing found that reaches new code
fuzz-keep target:
    cargo fuzz run --sanitizer none {{target}} fuzz/kept/{{target}} fuzz/corpus/{{target}} -- -merge=1 -max_len=4096

# licences and advisories of dependencies (needs cargo-deny)
deny:
    cargo deny check
