"""The record of a kept run."""

from pathlib import Path

import pytest

from ckptcheck import NotVerifiedError
from ckptcheck.studies import training


def test_what_a_run_depends_on_is_there() -> None:
    """A pattern that matches no file would silently leave its sources out of the digest."""
    package = Path(training.__file__).parents[1]
    assert all(list(package.glob(pattern)) for pattern in training.SOURCES)


def test_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"format_version": 1, "curves"')
    with pytest.raises(NotVerifiedError) as raised:
        training.read(tmp_path)
    assert str(raised.value) == (
        f"The kept run {path} is damaged (Expecting ':' delimiter: line 1 column 31 (char 30)). "
        "Delete its folder to train it again."
    )
    path.write_text('{"format_version": 99, "curves": {}}')
    with pytest.raises(NotVerifiedError) as raised:
        training.read(tmp_path)
    assert str(raised.value) == (
        f"The kept run {path} has format 99, but this ckptcheck reads format 1. Delete its folder to train it again."
    )
