#!/bin/sh
# Fills a folder with all that the hub's image holds: one static executable, the certificates of
# public authorities, and the licence.
#   image/build.sh FOLDER
# LOCKFLIGHT_PROFILE names another profile of cargo than `release`.
set -eu
mkdir -p "${1:?usage: image/build.sh FOLDER}"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# The C library is musl: a static glibc still loads its name service modules when it runs.
machine=$(uname -m)
target=$machine-unknown-linux-musl
authorities=/etc/ssl/certs/ca-certificates.crt
missing=0
need() {
    echo "missing: $1" >&2
    missing=1
}
has() { command -v "$1" >/dev/null 2>&1; }
has cargo || need "cargo - install Rust with rustup"
# The TLS library is C and assembly.
has "$machine-linux-musl-gcc" || has musl-gcc ||
    need "a C compiler for musl - Debian, Ubuntu: apt-get install musl-tools"
has readelf || need "readelf - Debian, Ubuntu: apt-get install binutils"
[ -r "$authorities" ] || need "$authorities - Debian, Ubuntu: apt-get install ca-certificates"
if has rustc && ! [ -d "$(rustc --print target-libdir --target "$target")" ]; then
    has rustup && rustup target add "$target" || need "the target $target of Rust"
fi
[ "$missing" -eq 0 ] || exit 1

profile=${LOCKFLIGHT_PROFILE:-release}
cargo build --profile "$profile" --locked --target "$target" --package lockflight --bin lockflight
[ "$profile" != dev ] || profile=debug
program=${CARGO_TARGET_DIR:-target}/$target/$profile/lockflight

# A program that asks for a loader or a library does not start where there is none.
if readelf --wide --program-headers --dynamic "$program" | grep -E 'INTERP|NEEDED'; then
    echo "$program is not static: see the lines above" >&2
    exit 1
fi
"$program" --version

install -D -m 0755 "$program" "$folder/lockflight"
install -D -m 0644 "$authorities" "$folder/etc/ssl/certs/ca-certificates.crt"
install -D -m 0644 LICENSE "$folder/LICENSE"
