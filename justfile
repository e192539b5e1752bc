# Names for the commands of the project. The work is done by `cargo xtask`.

# List the commands.
default:
    @just --list

# A release on a real fleet on this machine; `just demo --hold` keeps it running.
demo *arguments:
    cargo xtask demo {{arguments}}

# Every check and every test; `just test --no-e2e` without the real fleet.
test *arguments:
    cargo xtask test {{arguments}}

# Format the code.
fmt:
    cargo fmt --all

# Lint the code as the tests do.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Write the CRDs into the chart.
crd:
    cargo xtask crd

# Known vulnerabilities in the dependencies (needs cargo-deny and a network).
audit:
    cargo deny check advisories

# Draw the plugin's approved trees anew; look at the diff before you commit it.
golden:
    UPDATE_GOLDEN=1 cargo test -p kubectl-lockflight

# Write the reference pages of the documentation from the code, and check all pages.
docs:
    cargo xtask docs

# The documentation as a book in target/book (needs mdbook: `cargo install mdbook`).
book:
    mdbook build docs

# Build the hub and the plugin for use.
build:
    cargo build --release --locked --bin lockflight --bin kubectl-lockflight
