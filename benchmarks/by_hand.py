"""The script that replaces `ckptcheck verify bn-nn`: three processes in turn, and a comparison.

    python benchmarks/by_hand.py FOLDER

The parent calls this file again with a role. `control` trains, saves at the boundary and continues.
`saver` and `ema` restore its checkpoint in a new process and continue training. Schedule and
comparison are the tool's default: all tensors at the boundary and at the end, the training losses
after the boundary, the evaluation losses. The script uses the shipped job and the schedule, and
nothing else of the tool. Left out, in the script's favour: digests of the batches, diagnoses,
report and figure.
Exits with 1 if the outcome is not the known one (saver recovers, ema is refused).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ckptcheck.job import RestoreRefusedError
from ckptcheck.job.schedule import Schedule, make_schedule

if TYPE_CHECKING:
    from ckptcheck.jobs.bn_nn import BatchNormNN

ROLES = ("control", "saver", "ema")
SEED = 0
OTHER_SEED = 1


def make_job(seed: int) -> tuple["BatchNormNN", Schedule]:
    """Import TensorFlow, build the shipped job, and return it with the tool's default schedule."""
    from ckptcheck.jobs.bn_nn import BatchNormNN
    from ckptcheck.jobs.options import EmaOptions

    job = BatchNormNN(EmaOptions())
    schedule = make_schedule(job.steps_per_epoch)
    job.build(seed)
    return job, schedule


def train_on(
    job: "BatchNormNN", schedule: Schedule, first: int, until: int
) -> tuple[list[float], list[float]]:
    """Execute steps `first` to `until` - 1. Return training losses and evaluation losses."""
    losses, evaluations = [], []
    for step in range(first, until):
        losses.append(job.train(step).loss)
        if schedule.evaluates_at(step + 1) and step + 1 != schedule.boundary:
            evaluations.append(job.evaluate())
    return losses, evaluations


def write_state(job: "BatchNormNN", path: Path) -> None:
    np.savez(
        path, allow_pickle=False, **{name: tensor.value for name, tensor in job.state().items()}
    )


def write_result(folder: Path, role: str, **result: Any) -> None:
    (folder / f"{role}.json").write_text(json.dumps(result), encoding="utf-8")


def control(folder: Path) -> None:
    job, schedule = make_job(SEED)
    train_on(job, schedule, 0, schedule.boundary)
    (folder / "checkpoints").mkdir(parents=True)
    job.save(folder / "checkpoints", schedule.boundary)
    finish(job, schedule, schedule.boundary, folder, "control")


def resumed(folder: Path, role: str) -> None:
    job, schedule = make_job(OTHER_SEED)
    try:
        job.restore(folder / "checkpoints", role)
    except RestoreRefusedError as refusal:
        write_result(folder, role, error=type(refusal.error).__name__)
        return
    finish(job, schedule, job.next_step(), folder, role)


def finish(job: "BatchNormNN", schedule: Schedule, first: int, folder: Path, role: str) -> None:
    """Train from the boundary to the end; write the states and losses to compare."""
    write_state(job, folder / f"{role}-boundary.npz")
    at_boundary = job.evaluate()
    losses, evaluations = train_on(job, schedule, first, first + schedule.steps_after)
    write_state(job, folder / f"{role}-final.npz")
    write_result(
        folder,
        role,
        first=first,
        losses=losses,
        evaluations=[at_boundary, *evaluations],
        error=None,
    )


def same_state(folder: Path, role: str, point: str) -> bool:
    with (
        np.load(folder / f"control-{point}.npz") as control,
        np.load(folder / f"{role}-{point}.npz") as resumed,
    ):
        return set(control.files) == set(resumed.files) and all(
            np.array_equal(control[name], resumed[name]) for name in control.files
        )


def outcome(folder: Path, role: str) -> str:
    control, resumed = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("control", role)
    )
    if resumed["error"]:
        return str(resumed["error"])
    same = control == resumed and all(
        same_state(folder, role, point) for point in ("boundary", "final")
    )
    return "recovered" if same else "diverged"


def main(folder: Path) -> int:
    """Run the three roles in separate processes, compare, print a line for each restore."""
    for role in ROLES:
        subprocess.run([sys.executable, __file__, str(folder), role], check=True)
    outcomes = {role: outcome(folder, role) for role in ROLES[1:]}
    for role, result in outcomes.items():
        print(f"{role}: {result}")
    return 0 if outcomes == {"saver": "recovered", "ema": "NotFoundError"} else 1


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], *([role] for role in ROLES)):
        sys.exit(f"usage: {Path(__file__).name} FOLDER   (FOLDER must not exist yet)")
    if len(sys.argv) == 2:
        sys.exit(main(Path(sys.argv[1])))
    if sys.argv[2] == "control":
        control(Path(sys.argv[1]))
    else:
        resumed(Path(sys.argv[1]), sys.argv[2])
