"""The table class × {constructor, property, method, event}, complex types and enumerations is whole: every member that
the server's own description of itself names (`getKmd`) has a test that exercises it, and no test names one that is not
there. It is written down as docs/kurento-coverage.md:

    .venv/bin/python Tests/Acceptance/test_rpc_table.py > docs/kurento-coverage.md
"""

import importlib
import json
import pathlib
import re
import sys

import rpc_scene
from rpc_scene import MANAGER, run, server  # noqa: F401

FOLDER = pathlib.Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs/kurento-coverage.md"
# What no test can bring about over the wire, and where it is shown instead.
ELSEWHERE: dict[str, tuple[str, str]] = {}
# What tests look at that do not say so themselves.
LOOKS = {
    "test_rpc_files.py::test_player": "pictures, states and positions while it plays, rests, stops, ends and repeats",
    "test_rpc_files.py::test_recorder": "states and events, and what is in the file: length, codecs, gaps",
    "test_rpc_files.py::test_uploads": "pictures of files that are posted, and the events of the upload",
    "test_rpc_files.py::test_what_players_cannot_play": "the errors that are told for what is no film",
    "test_rpc_filters.py::test_codes": "codes found in pictures of codes",
    "test_rpc_filters.py::test_face_overlay": "pixels where a face is, with and without the image",
    "test_rpc_filters.py::test_gstreamer_filter": "pixels and sound before and behind the filter",
    "test_rpc_filters.py::test_image_overlay": "pixels where images were laid",
    "test_rpc_hubs.py::test_alpha_blending": "pixels of layers over each other, sound of all",
    "test_rpc_hubs.py::test_composite": "colours at places of the picture, tones in recordings of each port",
    "test_rpc_hubs.py::test_composite_as_made": "colours at places of the pictures of two ports",
    "test_rpc_hubs.py::test_dispatchers": "colours and tones that leave each port, and when none does any more",
    "test_rpc_hubs.py::test_mixer": "colours and tones that leave a port",
    "test_rpc_members.py::test_document": "a file recorded by the elements of a document, and refused documents",
    "test_rpc_members.py::test_figures": "bit rates of recordings, times that media takes, figures that are told",
    "test_rpc_members.py::test_links": "pictures, recordings and events of linked, relinked and cut elements",
    "test_rpc_members.py::test_manager": "what the server says of itself, of objects made and released",
    "test_rpc_members.py::test_objects": "the tree of objects, and tags in events",
    "test_rpc_network.py::test_network_settings": "candidates, and who asks servers of ours",
    "test_rpc_peers.py::test_certificates": "the key in the certificate that the peer gets",
    "test_rpc_peers.py::test_ipv6": "the address in the description",
    "test_rpc_peers.py::test_peer": "media, messages and key frame requests of a WebRTC peer, states, statistics",
    "test_rpc_peers.py::test_secure_rtp": "the picture of a peer that sends SRTP; keys that do not fit",
}
# Described so that a client that was made for Kurento's description finds them; no member carries them.
UNUSED = "described for clients; no member carries it, in Kurento neither"
HEAD = """# Members and the tests that show them

Every class of the modules `core`, `elements`, `filters` and `tessera` with its constructor, properties, methods and
events, then every complex type and enumeration; which test exercises each over the wire, and what that test looks at.
[api.md](api.md) says what each is, [kurento-differences.md](kurento-differences.md) where it differs from Kurento's.
`Tests/Acceptance/test_rpc_table.py` makes this page from the server's own description and the register of its tests,
and fails when the page is not current.
"""


def rows():
    """`Class.member` → names of tests, from all modules."""
    for file in sorted(FOLDER.glob("test_rpc_*.py")):
        if file.stem != "test_rpc_table":
            importlib.import_module(file.stem)
    return rpc_scene.ROWS


async def described(scene):
    """The server's description of itself: class → kind of member → name → types it carries, of all modules together;
    and type → ENUM or REGISTER, members or values."""
    classes, types = {}, {}
    for module in ["core", "elements", "filters", "tessera"]:
        kmd = json.loads(await scene.invoke(MANAGER, "getKmd", moduleName=module))
        events = {one["name"]: one for one in kmd.get("events", [])}
        for each in kmd["remoteClasses"]:
            table = classes.setdefault(
                each["name"], {"constructor": {}, "properties": {}, "methods": {}, "events": {}})
            if not each.get("abstract") and each["name"] not in ("ServerManager", "MediaElement"):
                table["constructor"].setdefault("new", set()).update(
                    carried(each.get("constructor", {}).get("params", [])))
            for part in each.get("properties", []):
                table["properties"][part["name"]] = carried([part])
            for part in each.get("methods", []):
                back = [part["return"]] if part.get("return") else []
                table["methods"][part["name"]] = carried(part.get("params", []) + back)
            for name in each.get("events", []):
                table["events"].setdefault(name, set()).update(carried(events.get(name, {}).get("properties", [])))
        for each in kmd.get("complexTypes", []):
            parts = each.get("values") or [part["name"] for part in each.get("properties", [])]
            inner = carried(each.get("properties", [])) | {each.get("extends")} - {None}
            types[each["name"]] = (each["typeFormat"], parts, inner)
    return classes, types


def carried(parts):
    """Names of the types that parameters or members are of."""
    return {re.sub(r"\W", "", part["type"]) for part in parts if "type" in part}


def carriers(classes, types):
    """Type → the members that carry it, themselves or inside of another type, or as one of its kinds."""
    found = {}

    def note(name, key, seen):
        if name not in types or name in seen:
            return
        found.setdefault(name, []).append(key)
        for inner in types[name][2]:
            note(inner, key, seen | {name})
        # What is derived from a type comes in its place.
        for other, (_, _, inner) in types.items():
            if name in inner and types[other][0] == "REGISTER" and name.endswith("Stats"):
                note(other, key, seen | {name})

    for owner, table in classes.items():
        for members in table.values():
            for member, names in members.items():
                for name in names:
                    note(name, f"{owner}.{member}", set())
    return found


def shown(key, tests):
    """The last two cells of a row: tests, and what they look at."""
    if key in ELSEWHERE:
        place, word = ELSEWHERE[key]
        return f"`{place}` | `{word}`; not to be brought about over the wire"
    names = sorted(set(tests.get(key, [])))
    words = dict.fromkeys(LOOKS.get(name, rpc_scene.WORDS[name]) for name in names)
    return f"{', '.join(f'`{name}`' for name in names)} | {'; '.join(words)}"


def text(classes, types, tests):
    """The page as Markdown."""
    lines = [HEAD, "## Classes", "", "| class | kind | member | test | looks at |", "| --- | --- | --- | --- | --- |"]
    for owner, table in classes.items():
        for kind, members in table.items():
            for member in members:
                lines.append(f"| {owner} | {kind} | `{member}` | {shown(f'{owner}.{member}', tests)} |")
    lines += ["", "## Complex types and enumerations", "", "| type | members or values | carried by | tests |",
              "| --- | --- | --- | --- |"]
    where = carriers(classes, types)
    for name, (_, parts, _) in types.items():
        keys = list(dict.fromkeys(where.get(name, [])))
        names = sorted({test for key in keys for test in tests.get(key, [])})
        by = ", ".join(f"`{key}`" for key in keys[:6]) + (" …" if len(keys) > 6 else "")
        few = ", ".join(f"`{test}`" for test in names[:4]) + (" …" if len(names) > 4 else "")
        few = few or "`test_rpc_table.py::test_every_member_has_a_row`"
        lines.append(f"| {name} | {', '.join(parts)} | {by or UNUSED} | {few} |")
    return "\n".join(lines) + "\n"


def test_every_member_has_a_row(server):
    async def body(scene):
        (classes, types), tests = await described(scene), rows()
        known = {
            f"{name}.{member}" for name, table in classes.items() for members in table.values() for member in members}
        assert sorted(set(tests) - known) == [], "there is no such member"
        left = sorted(known - set(tests) - set(ELSEWHERE))
        assert not left, f"{len(left)} of {len(known)} members have no test: {', '.join(left)}"
        for key, (place, word) in ELSEWHERE.items():
            place = FOLDER.parents[1] / place
            files = place.rglob("*.swift") if place.is_dir() else [place]
            assert key in known and any(word in file.read_text() for file in files), f"{key} is not shown at {place}"
        named = {test for names in tests.values() for test in names}
        assert not set(LOOKS) - named, "there is no such test"
        without = [name for name in types if name not in carriers(classes, types)]
        print("carried by no member:", ", ".join(without))
        written = DOCUMENT.read_text() if DOCUMENT.exists() else ""
        assert written == text(classes, types, tests), f"write {DOCUMENT.name} anew: see the top of {__file__}"

    run(server, body)


if __name__ == "__main__":
    import live

    async def show(scene):
        sys.stdout.write(text(*await described(scene), rows()))

    with live.Server("") as made:
        made.control = made.url.replace("http", "ws", 1) + "/kurento"
        sys.exit(run(made, show))
