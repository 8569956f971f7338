"""Replaced functions: the original runs once, and what fails around it is noted."""

from pathlib import Path
from typing import Any

import pytest

from ckptcheck.observer import wrapping
from ckptcheck.observer.observation import StoppedError


class _Owner:
    def __init__(self) -> None:
        self.calls = 0

    def double(self, number: int) -> int:
        self.calls += 1
        if number < 0:
            raise ValueError("negative")
        return 2 * number


def _fail_before(call: Any, *given: Any) -> Any:
    raise KeyError("before")


def _fail_after(call: Any, *given: Any) -> Any:
    try:
        call(*given)
    finally:
        raise KeyError("after")


@pytest.mark.parametrize("fail", [_fail_before, _fail_after])
def test_the_original_runs_once_whatever_fails_around_it(
    fail: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (3, -1):
        monkeypatch.setattr(wrapping, "_GUARD", wrapping._Guard())
        wrapping.note_failures_in(str(tmp_path))
        owner = type("Owner", (_Owner,), {})
        wrapping.around(owner, "double", fail)
        item = owner()
        if number < 0:
            with pytest.raises(ValueError, match="negative"):
                item.double(number)
        else:
            assert item.double(number) == 6
        assert item.calls == 1
        item.double(1)
    text = f"'{fail.__name__.removeprefix('_fail_')}'"
    note = f"The command could not be observed: KeyError: {text}.\n"
    assert (tmp_path / "trouble.txt").read_text(encoding="utf-8") == 2 * note


def test_the_end_that_was_asked_for_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "_GUARD", wrapping._Guard())

    def stop(call: Any, *given: Any) -> Any:
        call(*given)
        raise StoppedError("enough")

    owner = type("Owner", (_Owner,), {})
    wrapping.around(owner, "double", stop)
    with pytest.raises(StoppedError):
        owner().double(1)
