"""NATs and walls, in network namespaces: docs/ice.md has the table. Needs root."""

import pytest

import nat
import space

pytestmark = pytest.mark.skipif(space.missing() is not None, reason=space.missing() or "")
TRIES = [pytest.param(case, name, id=f"{case.name}: {name}") for case in nat.CASES for name in case.makers]


@pytest.mark.parametrize("case, name", TRIES)
def test_way(case, name):
    row = nat.try_case(case, name)
    assert not row["trouble"], row
    assert row["pictures"] > 5, row
