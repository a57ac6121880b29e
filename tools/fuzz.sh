#!/bin/sh
# Runs every fuzzer of a build folder for a while, starting from its seeds. New inputs stay in the build
# folder; a crash leaves its input there too and makes this fail.
set -u
build=$1
seconds=$2
cd "$(dirname "$0")/.." || exit 2
bad=0
export LSAN_OPTIONS="suppressions=$PWD/tools/lsan.supp:print_suppressions=0" G_SLICE=always-malloc
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
for f in "$build"/fuzz_*; do
  [ -x "$f" ] && [ -f "$f" ] || continue
  name=$(basename "$f" | sed 's/^fuzz_//')
  work=$build/work-$name
  mkdir -p "$work"
  dict=fuzz/dict/$name.dict
  [ -f "$dict" ] && dict="-dict=$dict" || dict=
  seeds=fuzz/corpus/$name
  [ -d "$seeds" ] || seeds=
  printf '%-12s ' "$name"
  if "$f" $dict -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work" $seeds >"$work.log" 2>&1; then
    grep -h 'stat::number_of_executed_units' "$work.log" | sed 's/.*: */runs: /'
  else
    echo "FAILED"
    tail -40 "$work.log"
    bad=1
  fi
done
exit $bad
