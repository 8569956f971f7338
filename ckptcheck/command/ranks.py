"""The ranks of one run of a command: each has a record of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.command.reasons import why_rank_not_seen
from ckptcheck.command.resumed import observed, settle
from ckptcheck.observer.observation import OBSERVED
from ckptcheck.run.folder import control_of, name_of_rank, of_rank
from ckptcheck.run.snapshots import StoredSnapshots, boundary_point


def ranks_of(folder: Path) -> int:
    """Return how many processes trained together in a run."""
    return int(observed(folder).get("ranks", 1))


def records(folder: Path, ranks: int) -> Iterator[Path]:
    """Yield the folder of each rank that recorded a run."""
    for rank in range(ranks):
        if (of_rank(folder, rank) / OBSERVED).exists():
            yield of_rank(folder, rank)


def why_not_all_seen(control: Path, ranks: int, boundaries: Sequence[int]) -> str | None:
    """Return why a rank of the control cannot be compared at the saves, or None."""
    points = list(map(boundary_point, boundaries))
    for rank in range(1, ranks):
        stored = StoredSnapshots(of_rank(control, rank))
        if any(point not in stored for point in points):
            return why_rank_not_seen(rank)
    return None


def settle_all(
    runs: Path, resumed: Path, ranks: int, boundary: int, trouble: str
) -> dict[str, str]:
    """Settle the record of each rank of a resumed run; return the trouble of those without one.

    Args:
        runs: the folder of all runs.
        resumed: the folder of the resumed run.
        ranks: how many ranks the control has.
        boundary: the number of steps in the checkpoint.
        trouble: how the run ended, where that was not as it should; empty: it was.
    """
    recorded = list(records(resumed, ranks))
    told = any(observed(each)["failure"] for each in recorded)
    unrecorded = {}
    for rank in range(ranks):
        record = of_rank(resumed, rank)
        if record in recorded:
            # A run that failed after its first step is judged by what it did.
            control = of_rank(control_of(runs), rank)
            settle(control, record, boundary, "" if told else trouble)
        elif trouble:
            unrecorded[name_of_rank(resumed, rank)] = trouble
    return unrecorded
