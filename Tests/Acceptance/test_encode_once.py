"""Law 2: what several recorders want alike is encoded once."""

import collections

import tools

DOCUMENT = tools.REPOSITORY / "Tests/Acceptance/documents/encode-once.json"


def test_three_of_one_profile_and_one_of_another_take_two_encoders(clips, tmp_path):
    outputs = [tmp_path / f"{number}.webm" for number in (1, 2, 3)]
    small = tmp_path / "small.webm"
    run = tools.tessera("run", DOCUMENT, "--json", *tools.settings(
        inputs=clips[:2], outputs=outputs, small=small), timeout=60).check()
    (summary,) = [event for event in run.events if event["type"] == "summary"]
    encoders = collections.defaultdict(list)
    for element in summary["elements"]:
        for stage in element["stages"]:
            if stage["kind"] == "encode":
                encoders[stage["codec"]].append((stage["sharedBy"], stage["frames"]))
    # Four seconds at 30 fps (one of the inputs ends some milliseconds later), one encode per picture and profile.
    assert sorted(shared for shared, _ in encoders["vp8"]) == [1, 3], dict(encoders)
    assert all(118 <= frames <= 122 for _, frames in encoders["vp8"]), dict(encoders)
    assert sorted(shared for shared, _ in encoders["opus"]) == [1, 3], dict(encoders)
    assert set(encoders) == {"vp8", "opus"}
    # Who shares an encoder gets the very same frames.
    first = tools.payloads(outputs[0])
    assert len(first) > 300 and all(tools.payloads(output) == first for output in outputs[1:])
    for output, size in [(outputs[0], (640, 360)), (small, (320, 180))]:
        video = tools.assert_sound_file(output)["video"][0]
        assert (video["width"], video["height"]) == size
