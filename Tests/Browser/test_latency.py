"""What the server adds to a picture's way, held on a quiet machine; `script/latency` prints the table."""

import pathlib

import pytest

import latency
import peers


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    made = [folder / f"{index}.webm" for index in range(max(case.files for case in latency.CASES))]
    for index, path in enumerate(made):
        latency.clip(path, index)
    return made


@pytest.mark.long
@pytest.mark.parametrize("case", latency.CASES, ids=lambda case: case.name)
def test_added_latency(files, case):
    with peers.Chromium() as chromium:
        said = latency.measure(chromium, case, files)
    found = latency.figures(said)
    print(latency.HEAD)
    print(latency.row(case, found))
    assert said["wrong"] == [0, 0] and found["count"] > 0.9 * found["drawn"], found["count"]
    assert latency.verdict(case, found), latency.row(case, found)
