"""`script/interop`: the whole matrix, printed as Markdown."""

import contextlib
import sys

import peers
import matrix
from live import Server

wanted = [made for made in peers.ALL if len(sys.argv) < 2 or made.name in sys.argv[1].split(",")]
codecs = sys.argv[2].split(",") if len(sys.argv) > 2 else None
directions = sys.argv[3].split(",") if len(sys.argv) > 3 else matrix.DIRECTIONS
pairs = [pair for pair in zip(peers.VIDEO, peers.AUDIO) if not codecs or pair[0] in codecs or pair[1] in codecs]
results = {}
with contextlib.ExitStack() as stack:
    server = stack.enter_context(Server("Tests/Browser/documents/loops.json"))
    reference = stack.enter_context(peers.Aiortc())
    for made in wanted:
        with made() as one:
            # What is said on the way is for whoever waits; the table is the result.
            with contextlib.redirect_stdout(sys.stderr):
                results[made.name] = matrix.run(server, one, reference, directions, pairs)
print(matrix.table(results))
sys.exit(any("FAILED" in cell for cells in results.values() for cell in cells.values()))
