#!/bin/bash
# What the module shows to the process that loads it, and what it asks of it.
#
# Arguments: libsallyport.so, the golden list of exports, the Envoy program.
# With UPDATE_GOLDEN=1 the list is written anew instead of compared (run it
# outside Bazel for that).
set -euo pipefail

readonly module="$1" golden="$2" envoy="$3"
failures=0

fail() {
  echo "FAIL: $1" >&2
  failures=$((failures + 1))
}

# 1. It exports the hooks, and nothing else.
exports="$(nm -D --defined-only --extern-only "$module" | awk '{print $3}' | LC_ALL=C sort)"
if [[ "${UPDATE_GOLDEN:-}" == 1 ]]; then
  echo "$exports" > "$golden"
elif ! diff <(LC_ALL=C sort "$golden") <(echo "$exports"); then
  fail "exported symbols differ from $golden (< golden, > module)"
fi

# 2. It is linked against libc and libm only (in this glibc, libpthread and
#    libdl are part of libc).
while read -r library; do
  case "$library" in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | ld-linux-x86-64.so.2) ;;
    *) fail "it needs $library" ;;
  esac
done < <(readelf -d "$module" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')

# 3. What it leaves undefined comes from glibc, or is a callback that this
#    Envoy has. Weak symbols may stay undefined.
callbacks="$(nm -D --defined-only "$envoy" | awk '{print $3}' | grep '^envoy_dynamic_module_callback_')"
while read -r kind symbol; do
  case "$symbol" in
    *@GLIBC_*) continue ;;
    envoy_dynamic_module_callback_*)
      grep -qxF "$symbol" <<< "$callbacks" || fail "this Envoy has no $symbol"
      continue
      ;;
  esac
  [[ "$kind" == w ]] || fail "undefined: $symbol"
done < <(nm -D --undefined-only "$module" | awk '{print $(NF-1), $NF}')

# 4. Relocations are resolved and write-protected at load.
readelf -d "$module" | grep -q 'BIND_NOW' || fail "not linked with -z now"
readelf -lW "$module" | grep -q 'GNU_RELRO' || fail "not linked with -z relro"
if readelf -lW "$module" | grep 'GNU_STACK' | grep -q 'RWE'; then
  fail "its stack is executable"
fi

if ((failures > 0)); then
  exit 1
fi
echo "all symbols as expected: $(wc -l <<< "$exports") exports"
