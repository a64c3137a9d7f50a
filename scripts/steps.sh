# Named, timed steps for the scripts beside this file; sourced, never run.
#
#   step "name" command…     runs it; a failure is remembered, the next step still runs
#   skip "name" "why, and how to get it"
#   need "name" "why…"       a skip, or a failure where KEYMILL_REQUIRE_<NAME>=1 was asked for
#   finish                   prints the table and exits non-zero if a step failed
#
# A script that another one runs as a step adds its rows to the outer table, so a
# single summary stands at the very end.

# Miri and the fuzzer need a nightly compiler; this one, so that no day breaks the check.
NIGHTLY=${KEYMILL_NIGHTLY:-nightly-2026-10-30}

if [ -z "${KEYMILL_STEPS:-}" ]; then
  KEYMILL_STEPS=$(mktemp "${TMPDIR:-/tmp}/keymill-steps.XXXXXX")
  export KEYMILL_STEPS
  steps_owner=yes
  trap remove_steps EXIT
else
  steps_owner=no
fi
steps_failed=0

# For a script with a trap of its own.
remove_steps() { [ "$steps_owner" = no ] || rm -f "$KEYMILL_STEPS"; }

# TLS to Kafka and Cassandra is tested with the OpenSSL of the system, which is faster to build.
tls_features() {
  if pkg-config --exists openssl 2>/dev/null; then echo keymill-cli/kafka-tls,keymill-cli/cassandra-tls; fi
}

# The features that tests of all outside systems need.
# The spans of `tracing` have a test of their own.
system_features() { echo "keymill-cli/full,keymill/tracing,$(tls_features)"; }
if pkg-config --exists openssl 2>/dev/null; then export OPENSSL_NO_VENDOR=1; fi

have() { command -v "$1" >/dev/null 2>&1; }

record() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$KEYMILL_STEPS"; }

step() {
  local name=$1 started status=0
  shift
  started=$(date +%s)
  printf '\n==> %s\n' "$name"
  "$@" || status=$?
  if [ "$status" -eq 0 ]; then
    record passed $(($(date +%s) - started)) "$name" ""
  else
    record failed $(($(date +%s) - started)) "$name" "exit $status"
    printf '==> FAILED: %s (exit %s)\n' "$name" "$status"
    steps_failed=$((steps_failed + 1))
  fi
}

# A step made of other scripts' steps: those have their own rows.
group() {
  local name=$1
  shift
  printf '\n==> %s\n' "$name"
  "$@" || steps_failed=$((steps_failed + 1))
}

skip() {
  printf '\nskipped: %s (%s)\n' "$1" "$2"
  record skipped 0 "$1" "$2"
}

need() {
  local name=$1 why=$2 required
  required=KEYMILL_REQUIRE_$(printf '%s' "${name%% *}" | tr '[:lower:]-' '[:upper:]_')
  if [ "${!required:-0}" = 1 ]; then
    printf '\nFAILED: %s (%s; %s=1 asks for it)\n' "$name" "$why" "$required"
    record failed 0 "$name" "$why"
    steps_failed=$((steps_failed + 1))
  else
    skip "$name" "$why"
  fi
}

finish() {
  if [ "$steps_owner" = yes ]; then
    printf '\n'
    awk -F '\t' '
      { printf "%-8s %5ss  %s%s\n", $1, $2, $3, $4 == "" ? "" : " (" $4 ")"; n[$1]++ }
      END { printf "\nsteps: %d passed, %d failed, %d skipped\n", n["passed"], n["failed"], n["skipped"] }
    ' "$KEYMILL_STEPS"
    printf '\nthe slowest steps:\n'
    sort -t "$(printf '\t')" -k2,2nr "$KEYMILL_STEPS" | head -8 |
      awk -F '\t' '{ printf "%5ss  %s\n", $2, $3; slow += $2 } END { printf "%5ss  together\n", slow }'
  fi
  [ "$steps_failed" -eq 0 ] || exit 1
}
