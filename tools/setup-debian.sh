#!/bin/sh
# Installs the Debian 12 packages that building and testing need and that are missing. Prints the list
# first; uses sudo only when not root. Arguments: build (default), test, bench.
set -eu
build="gcc libc6-dev make meson ninja-build pkg-config libsodium-dev libsqlite3-dev libjansson-dev
  libgumbo-dev libgmime-3.0-dev libuchardet-dev libicu-dev libstemmer-dev libedit-dev libcurl4-openssl-dev
  libjose-dev libcrypt-dev libmicrohttpd-dev libwslay-dev
  libarchive-dev libxml2-dev libseccomp-dev zlib1g-dev nettle-dev scdoc"
test="lld libcmocka-dev python3 openssl qpdf clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 cppcheck"
bench="g++ libfaiss-dev libhnswlib-dev"
want=$build
for what in "$@"; do
  case $what in
  build) ;;
  test) want="$want $test" ;;
  bench) want="$want $bench" ;;
  *) echo "usage: $0 [build] [test] [bench]" >&2; exit 2 ;;
  esac
done
command -v dpkg-query >/dev/null || {
  echo "This is not Debian: install the equivalents of: $(echo $want)" >&2
  exit 1
}
missing=
for p in $want; do
  dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "Likeness needs these Debian packages:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "Please run as root: apt-get install$missing" >&2; exit 1; }
  sudo=sudo
  echo "They are installed with sudo apt-get."
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
run() { $sudo env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }; }
run apt-get update
run apt-get install -y --no-install-recommends $missing
rm -f "$log"
