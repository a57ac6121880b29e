#!/bin/sh
# Runs every fuzzer of a build folder for a while, starting from its seeds (fuzz/corpus/NAME) and with
# its words (fuzz/dict/NAME.dict), as many at a time as there are cores. New inputs stay in the build
# folder; a crash leaves its input there too and makes this fail, as does a fuzzer without seeds.
set -u
cd "$(dirname "$0")/.." || exit 2

# $1 name, $2 why, for the file named by FAULTS in the environment; in one write.
failed() {
  [ -z "${FAULTS:-}" ] || printf 'fuzzer %s:\n%s\n' "$1" "$2" >>"$FAULTS"
}

# One fuzzer: $1 build folder, $2 seconds, $3 name.
one() {
  work=$1/work-$3
  mkdir -p "$work"
  dict=fuzz/dict/$3.dict
  [ -f "$dict" ] && dict="-dict=$dict" || dict=
  seeds=fuzz/corpus/$3
  if [ ! -d "$seeds" ]; then
    printf '%-12s FAILED: no seeds in %s\n' "$3" "$seeds"
    failed "$3" "no seeds in $seeds"
    return 1
  fi
  if "$1/fuzz_$3" $dict -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work" "$seeds" >"$work.log" 2>&1; then
    printf '%-12s %8s runs, %6s edges\n' "$3" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log")" \
      "$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$work.log")"
  else
    printf '%-12s FAILED\n' "$3"
    failed "$3" "$(grep -E 'ERROR|SUMMARY|runtime error|^    #[0-9] |Test unit written|^Base64' "$work.log" | head -16)"
    tail -40 "$work.log"
    return 1
  fi
}

if [ $# = 3 ]; then
  one "$@"
  exit
fi
build=$1
seconds=$2
names=$(for f in fuzz/fuzz_*.c; do basename "$f" .c | sed 's/^fuzz_//'; done)
export LSAN_OPTIONS="suppressions=$PWD/tools/lsan.supp:print_suppressions=0" G_SLICE=always-malloc
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
echo "$names" | xargs -P "$(nproc)" -I '{}' "$0" "$build" "$seconds" '{}'
