# A menu: what is here is one command each, and works without `just`.

# What there is to choose from
menu:
    @just --list --unsorted

# The walk on this machine: stream, lake, trends, alerts
demo:
    cargo run --release -- demo --once

# All tests
test:
    cargo test --workspace

# The rules of the house: edges, files, SQL, dependencies, licences
house:
    cargo test -p guardlake-tests --test it house

# What must pass before a change goes in
ci:
    .ci/run

# Format all code
format:
    cargo fmt --all

# Lints, as strict as .ci/run
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Write what comes out into the expected rows of tests/sql; read the diff
expect:
    UPDATE_SLT=1 cargo test -p guardlake-tests --test it sql_logic

# Fuzz the decoder
fuzz seconds="600":
    fuzz/run {{seconds}}

# Licences, sources and advisories (cargo install cargo-deny)
deny:
    cargo deny check

# Ask a clone of the RustSec advisory-db about Cargo.lock
advisories database="../advisory-db":
    deny/advisories.py {{database}}

# What the command is made of, as CycloneDX 1.5
sbom:
    deny/sbom.py
