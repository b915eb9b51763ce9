#!/bin/bash
# Makes the certificates beside it, anew, with openssl 3. Their keys are thrown
# away. The tests look at them as of 2030, so all but short_root.pem are valid
# for a hundred years.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# key NAME
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"; }

# self_signed NAME SUBJECT DAYS EXTENSION...
self_signed() {
  local name=$1 subject=$2 days=$3 arguments=() extension
  shift 3
  for extension in "$@"; do arguments+=(-addext "$extension"); done
  key "$name"
  openssl req -x509 -new -sha256 -key "$work/$name.key" -subj "$subject" \
    -days "$days" "${arguments[@]}" -out "$name.pem"
}

# issued NAME SUBJECT ISSUER EXTENSION...
issued() {
  local name=$1 subject=$2 issuer=$3
  shift 3
  key "$name"
  openssl req -new -sha256 -key "$work/$name.key" -subj "$subject" -out "$work/$name.csr"
  printf '%s\n' "$@" > "$work/$name.ext"
  openssl x509 -req -sha256 -in "$work/$name.csr" -days 36500 \
    -CA "$issuer.pem" -CAkey "$work/$issuer.key" -extfile "$work/$name.ext" \
    -out "$name.pem" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
}

# Self-signed certificates get basicConstraints CA:TRUE from openssl's own
# configuration, so the others say what they want.
cat > "$work/openssl.cnf" <<'EOF'
[req]
distinguished_name = name
string_mask = utf8only
[name]
EOF
export OPENSSL_CONF=$work/openssl.cnf

ca=(basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign)
self_signed root '/O=Example/CN=Example Root' 36500 "${ca[@]}"
self_signed short_root '/O=Example/CN=Short-lived Root' 1 "${ca[@]}"
self_signed stranger_root '/O=Stranger/CN=Stranger Root' 36500 "${ca[@]}"
self_signed partner '/O=Partner/CN=partner.example' 36500 basicConstraints=CA:FALSE
issued intermediate '/O=Example/CN=Example Intermediate' root "${ca[@]}"
issued client '/O=Example/CN=client.example' intermediate extendedKeyUsage=clientAuth
issued server '/O=Example/CN=server.example' intermediate extendedKeyUsage=serverAuth
# A name that would colour a terminal and forge a line.
issued deceiver "/O=Example/CN=$(printf 'x\033[31m\ntrusted')" intermediate extendedKeyUsage=clientAuth
