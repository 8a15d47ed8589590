#!/usr/bin/env bash
# From a fresh machine to ten LoRA adapters behind one model name, or to a service that outgrows its data centre.
#
#   ./quickstart.sh            installs, builds, starts, sends 600 requests, shows the split, stays up until Ctrl-C
#   ./quickstart.sh --elastic  the tide walk: arena's command, load, machines of the cloud that come and go
#   ... --once                 ends after the check: 0 if all went as it should
#
# Options: --requests N (600), --data DIR (build/quickstart), --engine cpu|simulate|vllm (cpu, on the demo model; the tide
# walk is always simulated). A second run finds everything built and starts in seconds.

set -euo pipefail
cd "$(dirname "$0")"

once=no elastic=no requests=600 data= engine=()
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=yes ;;
    --elastic) elastic=yes ;;
    --requests) requests=${2:?--requests needs a number}; shift ;;
    --data) data=${2:?--data needs a folder}; shift ;;
    --engine) engine=(--engine "${2:?--engine needs cpu, simulate or vllm}"); shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "quickstart: unknown option $1; see ./quickstart.sh --help" >&2; exit 2 ;;
  esac
  shift
done

[ $elastic = no ] || exec examples/elastic/walk ${data:+--data "$data"} $([ $once = no ] || echo --once)
data=${data:-build/quickstart}

manifests=examples/lora-canary
# Where the manifests' /model/llama2 and /adapters are on this machine: a small model that a CPU serves.
paths=(--path /model/llama2=examples/models/demo-llama --path /adapters=examples/models/adapters)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}  # of each CPU engine: three share this machine
gateway=127.0.0.1:8080
tidegate=build/release/tidegate

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

say "1/4  Packages and build"
tools/install build
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build --preset release --target tidegate

say "2/4  Starting tidegate up with $manifests"
mkdir -p "$data"
log=$data/tidegate.log
rm -f "$data/ready"
: >"$log"  # the process below opens it a moment later than we look
"$tidegate" up -f "$manifests" "${paths[@]}" --data "$data" --ready-file "$data/ready" "${engine[@]}" >"$log" 2>&1 &
pid=$!
stop() {
  trap - EXIT INT TERM
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM

give_up() {
  printf '\n%s; the end of %s:\n' "$1" "$log" >&2
  tail -n 20 "$log" >&2
  exit 1
}

# On a terminal one line that shows what is being waited for; elsewhere what `up` says, as it says it.
shown=0
progress() {
  if [ -t 1 ]; then
    printf '\r\033[K%4d s  %s' "$((SECONDS - began))" "$(tail -n 1 "$log" | cut -c -100)"
  else
    local lines
    lines=$(wc -l <"$log")
    [ "$lines" -gt "$shown" ] && sed -n "$((shown + 1)),${lines}p" "$log"
    shown=$lines
  fi
}
began=$SECONDS
until [ -e "$data/ready" ]; do
  kill -0 "$pid" 2>/dev/null || give_up "tidegate up has ended"
  [ $((SECONDS - began)) -lt 180 ] || give_up "not ready after three minutes"
  progress
  sleep 0.1
done
progress
[ -t 1 ] && printf '\r\033[K'
echo "ready after $((SECONDS - began)) s"

say "3/4  $requests requests for lora-request"
status=0
"$tidegate" bench split --gateway "$gateway" -f "$manifests" --requests "$requests" --max-tokens 64 || status=$?

# What one adapter, asked by name, says.
sample() {
  local text
  text=$(curl -sS -m 60 -H 'host: test.com' -H 'Content-Type: application/json' "http://$gateway/v1/chat/completions" \
    -d "{\"model\":\"$1\",\"messages\":[{\"role\":\"user\",\"content\":\"$question\"}],\"max_tokens\":64,\"temperature\":0}" |
    sed -n 's/.*"content":"\(\([^"\\]\|\\.\)*\)".*/\1/p')
  printf '  %-14s %s\n' "$1" "${text:-no answer; see $log}"
}
question="show flights of Victor with price under 84"
say "The same question to two of the adapters: $question"
sample sql-lora
sample tweet-summary

say "4/4  Where things are"
cat <<TEXT
  completions   curl -H 'host: test.com' http://localhost:8080/v1/completions \\
                  -H 'Content-Type: application/json' -d '{"model":"lora-request","prompt":"San Francisco","max_tokens":32}'
  models        curl -H 'host: test.com' http://localhost:8080/v1/models
  metrics       http://localhost:15090/stats/prometheus
  weights       edit $manifests/*.yaml: the split follows within a second
  log           $log
TEXT

[ $once = yes ] && exit $status
[ $status = 0 ] || echo "the check did not pass (status $status); everything stays up so that you can look"
echo
echo "Running until Ctrl-C."
wait "$pid"
