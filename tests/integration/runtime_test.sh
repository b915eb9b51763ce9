#!/bin/bash
# Where a program's Abseil, Protocol Buffers and cryptography come from
# (tools/build/defs.bzl: runtime).
#
# Arguments: a program with runtime "system" that uses gRPC and pki/, and one
# with runtime "bundled".
set -euo pipefail

readonly system="$1" bundled="$2"
failures=0

fail() {
  echo "FAIL: $1" >&2
  failures=$((failures + 1))
}

needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }
# Symbols that the program itself defines; not weak ones (inline functions and
# templates, which every object has).
defined() { nm --defined-only "$1" | awk '$2 ~ /^[TtDdBbRr]$/ {print $3}'; }
undefined() { nm -D --undefined-only "$1" | awk '{print $NF}' | sed 's/@.*//'; }

# Functions and data that lie in exactly one object of each library.
readonly abseil=(
  _ZN4absl7debian35Mutex4LockEv
  _ZN4absl7debian33NowEv
)
readonly protobuf=(
  _ZN6google8protobuf14DescriptorPool14generated_poolEv
)

defined "$system" > "$TEST_TMPDIR/system"
defined "$bundled" > "$TEST_TMPDIR/bundled"
undefined "$system" > "$TEST_TMPDIR/system.undefined"
has() { grep -qxF "$2" "$TEST_TMPDIR/$1"; }

# 1. With gRPC: the shared ones, and nothing of the bundled ones.
for library in libgrpc++ libprotobuf libabsl_synchronization libabsl_time; do
  needed "$system" | grep -q "^$library\.so" || fail "$system does not need $library"
done
for symbol in "${abseil[@]}" "${protobuf[@]}"; do
  ! has system "$symbol" || fail "$system has a copy of $symbol"
  has system.undefined "$symbol" || fail "$system does not take $symbol from a library"
done

# 2. Without: all inside, so that it runs where no package is installed.
while read -r library; do
  case "$library" in
    libc.so.6 | libm.so.6 | libstdc++.so.6 | libgcc_s.so.1 | ld-linux-x86-64.so.2) ;;
    libpthread.so.0 | libdl.so.2) ;;
    *) fail "$bundled needs $library" ;;
  esac
done < <(needed "$bundled")
# What part 1 did not find is findable.
for symbol in "${abseil[@]}"; do
  has bundled "$symbol" || fail "$bundled has no $symbol"
done

# 3. No symbol of BoringSSL has a name of OpenSSL's, and none is visible to the
#    libraries, so that neither can be taken for the other.
has system sallyport_boringssl_EVP_sha256 || fail "$system has no BoringSSL: this test tests nothing"
openssl="$(ldd "$system" | awk '$1 ~ /^lib(crypto|ssl)\.so/ {print $3}')"
[[ "$(wc -w <<< "$openssl")" == 2 ]] || fail "$system does not load OpenSSL's two libraries: $openssl"
for library in $openssl; do
  nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//'
done | LC_ALL=C sort -u > "$TEST_TMPDIR/openssl"
[[ "$(wc -l < "$TEST_TMPDIR/openssl")" -gt 5000 ]] || fail "OpenSSL's symbols were not read"
both="$(LC_ALL=C sort -u "$TEST_TMPDIR/system" | LC_ALL=C comm -12 - "$TEST_TMPDIR/openssl")"
[[ -z "$both" ]] || fail "defined by $system and by OpenSSL: $both"
visible="$(nm -D --defined-only "$system" | awk '{print $3}' | grep boringssl || true)"
[[ -z "$visible" ]] || fail "BoringSSL is visible: $visible"

if ((failures > 0)); then
  exit 1
fi
echo "one Abseil, one Protocol Buffers, two cryptographic libraries that do not meet"
