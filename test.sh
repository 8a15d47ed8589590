#!/usr/bin/env bash
# Installs, builds and tests everything that needs no rare tool. The last line is `N passed, N failed`.
#
#   ./test.sh              release build, unit tests, house rules, wire tests with real clients
#   ./test.sh --quick      the same without the wire tests that take more than a few seconds
#   ./test.sh --sanitize   also the builds with ASan + UBSan and with TSan, and their runs
#   ./test.sh --peers      tests that can skip for want of a peer must not (6 GB), and the benchmark rig is tried
#
# Single GoogleTest cases and single wire tests are counted. Ends with status 1 if one failed or nothing ran.

set -uo pipefail
cd "$(dirname "$0")"

quick=no sanitize=no peers=no
for option in "$@"; do
  case $option in
    --quick) quick=yes ;;
    --sanitize) sanitize=yes ;;
    --peers) peers=yes ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option $option; see ./test.sh --help" >&2; exit 2 ;;
  esac
done

results=build/test-results
rm -rf "$results"
mkdir -p "$results"

step() { printf '\n== %s\n' "$*"; }

# A failed step that is no test itself (a build that breaks) counts as one failed test.
broken() { printf '{"name": "%s", "failed": 1}\n' "$1" >>"$results/steps.jsonl"; }
held() { printf '{"name": "%s", "passed": 1}\n' "$1" >>"$results/steps.jsonl"; }

build() {  # build PRESET
  step "build $1"
  cmake --preset "$1" >"$results/configure-$1.log" 2>&1 && cmake --build --preset "$1" -- --quiet && return
  [ -s "build/$1/build.ninja" ] || tail -20 "$results/configure-$1.log"
  broken "build $1"
  return 1
}

unit() {  # unit PRESET: every test that ctest knows
  step "unit tests, $1"
  local folder=$PWD/$results/gtest-$1
  mkdir -p "$folder"
  ctest --test-dir "build/$1" --show-only=json-v1 >"$results/ctest-$1.json"
  GTEST_OUTPUT="json:$folder/" ctest --test-dir "build/$1" -j "$(nproc)" --output-on-failure --no-tests=error \
    --output-junit "$PWD/$results/ctest-$1.xml" || true
}

wire() {  # wire PRESET: the real binary and real clients
  step "wire tests, $1"
  local options=()
  [ $quick = yes ] && options+=(--quick)
  [ $peers = yes ] && options+=(--no-skip)
  /usr/bin/python3 tests/wire/run.py --binary "build/$1/tidegate" --json "$results/wire-$1.json" "${options[@]}" ||
    [ -s "$results/wire-$1.json" ] || broken "wire tests, $1"
}

summary() {
  /usr/bin/python3 tools/count_tests "$results"
  exit
}

step "install"
tools/install build || { broken "install build"; summary; }
optional=(test)
[ $quick = yes ] || optional+=(peers)
[ $peers = yes ] && optional+=(engine-peers)
tools/install "${optional[@]}" || echo "test.sh: some clients are missing; their tests are skipped"

step "house rules"
if tools/tidy; then held tidy; else broken tidy; fi

if build release; then
  unit release
  wire release
fi

if [ $sanitize = yes ]; then
  tools/install sanitize || broken "install sanitize"
  # A report of a sanitizer ends the process with a status of its own, so no test can pass over it.
  export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export TSAN_OPTIONS=halt_on_error=1:exitcode=99:second_deadlock_stack=1:ignore_noninstrumented_modules=1
  for preset in asan tsan; do
    build $preset && unit $preset && wire $preset
  done
fi

if [ $peers = yes ]; then
  step "benchmark rig"
  if bench/gateway/run --rounds 1 --seconds 1; then held "benchmark rig"; else broken "benchmark rig"; fi
fi

summary
