"""Which saves of a control are resumed from, and which steps a resumed run saved at."""

from pathlib import Path
from typing import Any

import pytest

from ckptcheck.command.choice_of_saves import kinds_at, next_alike, saved_in_all, with_first


def seen(*saves: tuple[int, str], what: str = "torch.save") -> dict[str, Any]:
    return {"saves": [{"done": done, "path": f"/run/{name}", "what": what} for done, name in saves]}


SAVES = seen((4, "best.pt"), (8, "step-8.pt"), (12, "best.pt"), (16, "step-16.pt"), (16, "best.pt"))


def test_the_kinds_of_a_save_are_known_without_their_numbers() -> None:
    assert kinds_at(SAVES, 8) == {("torch.save", "step-#.pt")}
    assert kinds_at(SAVES, 16) == {("torch.save", "step-#.pt"), ("torch.save", "best.pt")}
    assert kinds_at(SAVES, 9) == set()


@pytest.mark.parametrize(
    ("kept", "first", "following"),
    [([8, 12, 16], 8, 16), ([4, 8, 12], 4, 12), ([8, 12], 8, None), ([4, 16], 4, 16)],
)
def test_the_next_save_has_all_kinds_of_the_first(
    kept: list[int], first: int, following: int | None
) -> None:
    assert next_alike(SAVES, kept, first) == following


@pytest.mark.parametrize(
    ("images", "kept", "resumable"),
    [
        ([4, 12], [12], [4, 12]),
        ([4, 8], [8], [8]),  # of a different kind
        ([4, 12, 16], [12, 16], [12, 16]),  # two are enough
        ([12], [12], [12]),
    ],
)
def test_the_first_save_is_kept_where_only_one_would_be_left(
    tmp_path: Path, images: list[int], kept: list[int], resumable: list[int]
) -> None:
    for each in images:
        (tmp_path / f"crash-image@{each}").mkdir()
    assert with_first(tmp_path, SAVES, kept) == resumable


def test_a_resumed_run_counts_its_own_steps() -> None:
    assert saved_in_all({"steps": 12, "saved_after": [4, 8]}, 8, recorded=12) == (8, [12, 16])
    # Two of its steps came before a late restore.
    assert saved_in_all({"steps": 14, "saved_after": [1, 6]}, 8, recorded=12) == (6, [12])
