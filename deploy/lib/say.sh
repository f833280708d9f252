# shellcheck shell=bash
# Shared by the scripts of deploy/ and .ci/: messages, and how many compilers to run at once.

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# One compiler for each core, but no more than memory carries (about 1.5 GB each).
build_jobs() {
    local cores memory_kb jobs
    cores=$(nproc)
    memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
    jobs=$((memory_kb / 1500000))
    ((jobs < 1)) && jobs=1
    ((jobs > cores)) && jobs=$cores
    echo "$jobs"
}
