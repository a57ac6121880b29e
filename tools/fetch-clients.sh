#!/bin/sh
# Gets the public programs that the service is tested with, into ~/.cache/likeness-test: the openai packages of the
# Python and of the npm registry, an OAuth2 client library, and a linter of OpenAPI documents. A development tool:
# without pip, npm or network it says so, the tests that need them skip, and that is no failure.
set -u
OPENAI_PY=3.54.0
OAUTH_PY=2.0.0
OPENAI_NPM=7.57.0
REDOCLY_NPM=2.77.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/likeness-test
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 0
mkdir -p "$cache" || exit 0

# Whole or not at all: made beside its place, then renamed.
place() { # DIR COMMAND...
  to=$1
  shift
  [ ! -d "$to" ] || return 0
  tmp=$(mktemp -d "$cache/new.XXXXXX") || return 1
  if "$@" "$tmp" >"$tmp.log" 2>&1 && mv -T "$tmp" "$to" 2>/dev/null; then
    rm -f "$tmp.log"
    return 0
  fi
  tail -3 "$tmp.log"
  rm -rf "$tmp" "$tmp.log"
  [ -d "$to" ]
}
python_packages() {
  timeout 300 python3 -m pip install -q --only-binary :all: --target "$1" "openai==$OPENAI_PY" \
    "requests-oauthlib==$OAUTH_PY"
}
npm_package() { # NAME@VERSION DIR
  timeout 300 npm install --no-audit --no-fund --ignore-scripts --prefix "$2" "$1"
}
place "$cache/python-$version-$OPENAI_PY" python_packages ||
  echo "the Python clients could not be fetched; tests that need them are skipped"
place "$cache/npm-$OPENAI_NPM" npm_package "openai@$OPENAI_NPM" ||
  echo "the npm client could not be fetched; tests that need it are skipped"
place "$cache/redocly-$REDOCLY_NPM" npm_package "@redocly/cli@$REDOCLY_NPM" ||
  echo "the OpenAPI linter could not be fetched; the test that needs it is skipped"
exit 0
