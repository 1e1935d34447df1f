# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, not run.

# Says what happens, on standard error, so that standard output stays for results.
say() {
    printf '%s\n' "${0##*/}: $*" >&2
}

# One clear sentence, and the end.
die() {
    say "$*"
    exit 1
}
