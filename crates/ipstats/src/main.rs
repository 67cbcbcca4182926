//! The `ipstats` command.

fn main() -> std::process::ExitCode {
    ipstats::cli::main()
}
