#!/bin/sh
# Everything that can be said about the code without running it. Exit 1 when something is, or when a
# tool could not run: each step answers with its tool's own exit code, none through a pipe.
# Arguments: all, style (seconds) or analysis (minutes); for the analysis a build folder, for its
# compile_commands.json. A file named by FAULTS in the environment gets what failed.
set -u
what=$1
build=${2:-}
cd "$(dirname "$0")/.." || exit 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
bad=0
# The lines of the last step that tell what is wrong.
words() {
  grep -E '(error|warning):|columns$|lines$|: [a-z]+ may|belongs|lives in|at the end$|no rule' "$log" |
    head -60 | grep . || tail -40 "$log"
}
# step NAME COMMAND...: silent when the command succeeds, else its output.
step() {
  name=$1
  shift
  printf '%-16s' "$name"
  if "$@" >"$log" 2>&1; then
    echo ok
  else
    echo "FAILED"
    words
    [ -z "${FAULTS:-}" ] || { echo "lint, $name:"; words | head -20; } >>"$FAULTS"
    bad=1
  fi
}
# Nearly all of clang-tidy's time is the analyzer's. A path budget of 60,000 nodes a function, not 225,000,
# takes a third of the time and found the same faults in this code.
tidy() {
  git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 4 clang-tidy-14 --quiet --warnings-as-errors='*' -p "$build" \
    --extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=60000
}
scripts() {
  for s in tools/*.sh; do sh -n "$s" || return 1; done
  bash -n .ci/run || return 1
  python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' $(git ls-files '*.py')
}
style() {
  all=$(git ls-files '*.c' '*.h' '*.cc')
  step "include arrows" python3 tools/arrows.py
  step "sizes" python3 tools/sizes.py $all
  step "clang-format" clang-format-14 --dry-run -Werror $all
  step "scripts" scripts
}
analysis() {
  step "cppcheck" cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
    --suppressions-list=tools/cppcheck.supp -D_GNU_SOURCE -Isrc -Iinclude -j"$(nproc)" $(git ls-files 'src/*.c')
  step "clang-tidy" tidy
}
case $what in
style) style ;;
analysis) analysis ;;
all) style; analysis ;;
*) echo "usage: $0 all|style|analysis [BUILD]" >&2; exit 2 ;;
esac
[ $bad = 0 ] && echo "lint: clean"
exit $bad
