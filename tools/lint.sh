#!/bin/sh
# Everything that can be said about the code without running it. Exit 1 when something is.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 2
bad=0
files=$(git ls-files 'src/*.c' 'src/*.h' 'include/*.h')
echo "include arrows"
python3 tools/arrows.py || bad=1
echo "size: files of at most 700 lines, lines of at most 110 columns"
for f in $files; do
  awk -v f="$f" 'length($0) > 110 { print f ":" NR ": " length($0) " columns"; b = 1 }
    END { if (NR > 700) { print f ": " NR " lines"; b = 1 }; exit b }' "$f" || bad=1
done
echo "clang-format"
clang-format-14 --dry-run -Werror $(git ls-files '*.c' '*.h') 2>&1 | grep -E "error:" | head -20 | grep . && bad=1
echo "clang-tidy"
git ls-files 'src/*.c' | grep -v avx | xargs -P "$(nproc)" -n 8 clang-tidy-14 --quiet -p "$build" 2>/dev/null |
  grep -E 'warning:|error:' && bad=1
echo "cppcheck"
cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --suppressions-list=tools/cppcheck.supp \
  -D_GNU_SOURCE -Isrc -Iinclude -j2 $(git ls-files 'src/*.c') || bad=1
echo "shell scripts"
for s in tools/*.sh .ci/run; do sh -n "$s" || bad=1; done
[ $bad = 0 ] && echo "lint: clean"
exit $bad
