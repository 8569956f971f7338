"""Work on several cores gives the result of one."""

import math
from pathlib import Path

import pytest

from ckptcheck.filetools import parallel
from tests.filetools.differing import between, drawn


def test_on_several_cores_as_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = {f"t{number}": drawn(600, 400, seed=number) for number in range(12)}
    b = {name: value.copy() for name, value in a.items()}
    for number in (3, 7, 8):
        b[f"t{number}"][number, number] += number
    found = between(tmp_path, a, b)
    monkeypatch.setattr(parallel, "WORTH_IT", math.inf)
    alone = between(tmp_path, a, b)
    assert found.to_dict() == alone.to_dict()
    assert [(pair.a.name, pair.difference and pair.difference.at) for pair in found.different] == [
        ("t8", (8, 8)),
        ("t7", (7, 7)),
        ("t3", (3, 3)),
    ]
