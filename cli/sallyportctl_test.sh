#!/bin/bash
# sallyportctl as a process: exit codes, descriptors, signals, memory.
set -uo pipefail

ctl=$1
data=$(dirname "$2")
tmp=${TEST_TMPDIR:-$(mktemp -d)}
time=2030-01-01T00:00:00Z
failures=0

# expect CODE DESCRIPTION COMMAND...: leaves its output in $tmp/out, $tmp/err.
expect() {
  local want=$1 what=$2 got
  shift 2
  "$@" > "$tmp/out" 2> "$tmp/err"
  got=$?
  if [ "$got" != "$want" ]; then
    echo "FAILED: $what: exit code $got, not $want: $*" >&2
    head -c 2000 "$tmp/out" "$tmp/err" >&2
    failures=$((failures + 1))
  fi
}

# has FILE TEXT DESCRIPTION
has() {
  if ! grep -qF -- "$2" "$tmp/$1"; then
    echo "FAILED: $3: no '$2' in std$1:" >&2
    head -c 2000 "$tmp/$1" >&2
    failures=$((failures + 1))
  fi
}

# is ACTUAL EXPECTED DESCRIPTION
is() {
  if [ "$1" != "$2" ]; then
    echo "FAILED: $3: '$1', not '$2'" >&2
    failures=$((failures + 1))
  fi
}

cat "$data/root.pem" "$data/intermediate.pem" > "$tmp/truststore.pem"

# Exit codes as a script sees them.
expect 0 'an accepted truststore' "$ctl" truststore check --time $time "$tmp/truststore.pem"
expect 0 'a truststore on standard input' "$ctl" truststore check --time $time - < "$tmp/truststore.pem"
expect 1 'a refused truststore' "$ctl" truststore check "$0"
expect 2 'a missing truststore' "$ctl" truststore check "$tmp/missing"
has err 'No such file' 'a missing truststore'
expect 2 'no arguments' "$ctl"
expect 2 'an unknown flag' "$ctl" verify --bogus
expect 0 'help' "$ctl" --help
expect 0 'a trusted client' "$ctl" verify --time $time --truststore "$tmp/truststore.pem" --chain "$data/client.pem"
expect 0 'a chain from a pipe' "$ctl" verify --time $time --truststore "$tmp/truststore.pem" --chain <(cat "$data/client.pem")
expect 1 'an untrusted client' "$ctl" verify --time $time --truststore "$tmp/truststore.pem" --chain "$data/partner.pem"
expect 0 'a self-signed partner' "$ctl" verify --time $time --truststore "$data/partner.pem" --chain "$data/partner.pem"
expect 1 'an explained refusal' "$ctl" explain --time $time --truststore "$tmp/truststore.pem" --chain "$data/partner.pem"
has out 'to mend it:' 'an explained refusal'

# Descriptors that are not what one hopes for.
expect 2 'a directory as standard input' "$ctl" truststore check - < "$tmp"
has err 'cannot read' 'a directory as standard input'
expect 2 'a directory as batch input' "$ctl" verify --batch - < "$tmp"
has err 'cannot read' 'a directory as batch input'
expect 2 'standard input closed' "$ctl" truststore check - <&-
expect 2 'standard output closed' bash -c '"$0" truststore check --time '$time' "$1" >&-' "$ctl" "$tmp/truststore.pem"
expect 2 'standard output full' bash -c '"$0" truststore check --time '$time' "$1" > /dev/full' "$ctl" "$tmp/truststore.pem"
has err 'cannot write' 'standard output full'
expect 2 'batch output full' bash -c 'yes x | head -n 3 | "$0" verify --batch - > /dev/full' "$ctl"
has err 'cannot write' 'batch output full'
if [ "$(id -u)" != 0 ]; then
  touch "$tmp/unreadable" && chmod 000 "$tmp/unreadable"
  expect 2 'an unreadable file' "$ctl" truststore check "$tmp/unreadable"
  has err 'Permission denied' 'an unreadable file'
fi

# Endless input ends, in bounded memory.
bounded() { (ulimit -v 1500000; "$@"); }
sanitized=
if ! bounded "$ctl" version > /dev/null 2>&1; then
  sanitized=yes # sanitizers reserve more than that from the start
  bounded() { "$@"; }
fi
expect 1 'an endless truststore' bounded "$ctl" truststore check --json /dev/zero
has out '"TOO_LARGE"' 'an endless truststore'
expect 1 'an endless truststore on standard input' bounded "$ctl" truststore check --json - < /dev/zero
has out '"TOO_LARGE"' 'an endless truststore on standard input'
expect 2 'an endless chain' bounded "$ctl" verify --truststore "$tmp/truststore.pem" --chain /dev/zero
has err 'larger than the limit' 'an endless chain'
expect 0 'a batch line over the limit' bounded bash -c 'head -c 250000000 /dev/zero | "$0" verify --batch -' "$ctl"
has out '"LINE_TOO_LONG"' 'a batch line over the limit'
expect 0 'a batch line that is one deep nest' bounded bash -c 'head -c 100000000 /dev/zero | tr "\0" "[" | "$0" verify --batch -' "$ctl"
has out '"BAD_LINE"' 'a batch line that is one deep nest'
expect 0 'a batch line with a huge unknown array' bounded bash -c '(printf "{\"x\":["; yes 0, 2> /dev/null | tr -d "\n" | head -c 100000000; printf "0]}\n") | "$0" verify --batch -' "$ctl"
has out '"BAD_LINE"' 'a batch line with a huge unknown array'
if [ -z "$sanitized" ]; then
  expect 2 'no memory to speak of' bash -c 'ulimit -v 100000; "$0" truststore check - < /dev/zero' "$ctl"
  has err 'out of memory' 'no memory to speak of'
fi

# A reader that goes away: the process ends quietly, also where the caller
# ignores the signal.
yes x | "$ctl" verify --batch - 2> "$tmp/err" | head -n 1 > "$tmp/out"
is "${PIPESTATUS[1]}" 141 'batch into head'
has out '"BAD_LINE"' 'batch into head'
is "$(cat "$tmp/err")" '' 'batch into head is quiet'
(trap '' PIPE; yes x 2> /dev/null | "$ctl" verify --batch - 2> "$tmp/err" | head -n 1 > "$tmp/out")
is "$(cat "$tmp/err")" '' 'batch into head is quiet with SIGPIPE ignored'

# An answer comes before the next question.
coproc batch { exec "$ctl" verify --batch -; }
pid=$batch_PID
for i in 1 2 3; do
  echo "{\"id\":$i}" >&"${batch[1]}"
  answer=
  read -r -t 30 answer <&"${batch[0]}"
  is "$answer" "{\"id\":$i,\"verdict\":\"error\",\"reason\":\"BAD_LINE\",\"detail\":\"truststore_pem is missing\"}" "answer $i"
done
eval "exec ${batch[1]}>&-"
wait "$pid"
is "$?" 0 'the end of a batch'

# Completion in bash: what the script offers for a command line.
complete_for() {
  bash -c 'source <("$0" completion bash) || exit 1
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyportctl
    printf "%s\n" "${COMPREPLY[@]}"' "$ctl" "$@" | sort | tr '\n' ' '
}
is "$(complete_for sallyportctl '')" '--help --version -h access-key activate apply bootstrap call completion create crl delete diff explain export-state generate get import import-state list modify proxy-cert read renew revoke rollback test-invoke token truststore update upload verify version wait watch ' 'completion of commands'
is "$(complete_for sallyportctl ver)" 'verify version ' 'completion of a prefix'
is "$(complete_for sallyportctl truststore '')" '--help -h check ' 'completion of a nested command'
is "$(complete_for sallyportctl verify --policy '')" 'any-anchor complete-chain ' 'completion of a choice'
is "$(complete_for sallyportctl verify --json --max)" '--max-chain-length ' 'completion of an option'
is "$(complete_for sallyportctl completion '')" '--help -h bash fish zsh ' 'completion of an argument'
is "$(complete_for sallyportctl truststore check "$tmp/trust")" "$tmp/truststore.pem " 'completion of a file'
is "$(complete_for sallyportctl verify --chain "$tmp/trust")" "$tmp/truststore.pem " 'completion of a file option'
is "$(complete_for sallyportctl verify --time '')" ' ' 'no completion of a time'
for shell in zsh fish; do
  if command -v $shell > /dev/null; then
    "$ctl" completion $shell > "$tmp/completion.$shell"
    expect 0 "the syntax of the $shell completion" $shell -n "$tmp/completion.$shell"
  fi
done
if command -v fish > /dev/null; then
  is "$(PATH=$(cd "$(dirname "$ctl")" && pwd):$PATH HOME=$tmp fish -c \
    'source $argv[1]; complete -C "sallyportctl truststore "; complete -C "sallyportctl verify --pin"' \
    "$tmp/completion.fish" | cut -f 1 | tr '\n' ' ')" 'check --pin-leaf ' 'completion in fish'
fi

[ "$failures" = 0 ] || { echo "$failures failures" >&2; exit 1; }
echo PASS
