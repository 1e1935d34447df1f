"""`script/nat` and `script/impair`: their tables, as Markdown on standard output."""

import sys
import traceback

import impair
import nat
import peers
import space


def nat_rows(wanted):
    if reason := space.missing():
        sys.exit(reason)
    for case in nat.CASES:
        for name in case.makers:
            if not wanted or any(word in f"{case.name}: {name}" for word in wanted):
                yield nat.try_case(case, name)


def impair_rows(wanted, seed):
    if "--filter" in wanted:
        if reason := space.missing():
            sys.exit(reason)
        for network in impair.FILTERS:
            if len(wanted) == 1 or network in wanted:
                yield impair.try_filter(network)
        return
    networks = [name for name in impair.NETWORKS if not wanted or name in wanted]
    ways = [way for way in impair.WAYS if not set(wanted) & set(impair.WAYS) or way in wanted]
    with impair.serving() as server, peers.Chromium() as chromium:
        for network in networks or impair.NETWORKS:
            for way in ways:
                yield impair.try_one(server, chromium, chromium, network, way, seed)


def main(kind, arguments):
    rows, table = [], (nat if kind == "nat" else impair).table
    seed = 1
    if "--seed" in arguments:
        at = arguments.index("--seed")
        seed = int(arguments[at + 1])
        del arguments[at:at + 2]
    for row in nat_rows(arguments) if kind == "nat" else impair_rows(arguments, seed):
        rows.append(row)
        # For whoever waits; the table is the result.
        print(table([row]).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(rows))
    return any(row["trouble"] for row in rows)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except Exception:
        traceback.print_exc()
        sys.exit(2)
