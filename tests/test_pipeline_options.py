"""The restores and options of the shipped jobs that the default cases leave out."""

from pathlib import Path

import numpy as np

from ckptcheck import verify


def test_other_restores_and_options(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "mine.npz",
        x=rng.integers(0, 255, (60, 7, 6, 3), np.uint8),
        y=rng.integers(0, 4, 60),
    )
    options = {
        "dataset": str(tmp_path / "mine.npz"),
        "batch_size": 8,
        "update": "fused",
        "num_updates": False,
        "seed": 3,
    }
    report = verify("bn-polyak", ["ema-none", "trainable"], options=options, steps=9)
    assert [each.outcome for each in report.cases] == ["recovered", "diverged"]
    assert report.cases[0].document()["boundary_step"] == 4
