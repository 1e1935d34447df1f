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

# Replaces the table behind the line <!-- NAME --> of a page, up to the next empty line.
put_table() {
    local page=$1 name=$2 table=$3
    {
        sed "/^<!-- $name -->\$/q" "$page"
        printf '%s\n' "$table"
        sed "1,/^<!-- $name -->\$/d" "$page" | sed '1,/^$/{/^$/!d}'
    } >"$page.new"
    mv "$page.new" "$page"
}
