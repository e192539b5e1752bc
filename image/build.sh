#!/bin/sh
# Fills a folder with all that the hub's image holds: one static executable, the certificates of
# public authorities, and the licence.
#   image/build.sh FOLDER
# Needs Rust, a C compiler for musl (Debian: musl-tools), cmake and ca-certificates.
set -eu
mkdir -p "${1:?usage: image/build.sh FOLDER}"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# The C library is musl: a static glibc still loads its name service modules when it runs.
target=$(uname -m)-unknown-linux-musl
[ -d "$(rustc --print target-libdir --target "$target")" ] || rustup target add "$target"
cargo build --release --locked --target "$target" --package lockflight --bin lockflight
program=${CARGO_TARGET_DIR:-target}/$target/release/lockflight

# A program that asks for a loader or a library does not start where there is none.
if readelf --wide --program-headers --dynamic "$program" | grep -E 'INTERP|NEEDED'; then
    echo "$program is not static: see the lines above" >&2
    exit 1
fi
"$program" --version

install -D -m 0755 "$program" "$folder/lockflight"
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
install -D -m 0644 LICENSE "$folder/LICENSE"
