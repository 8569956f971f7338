"""Why the runs of a command cannot be judged, in words, and what to do then."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ckptcheck.command.command import Command
from ckptcheck.command.fallback import why_none_kept
from ckptcheck.command.launch import OUTPUT
from ckptcheck.counts import filled
from ckptcheck.text_safety import clipped, legible

# Options by which Python ignores PYTHONPATH.
_ALONE = frozenset(("-I", "-E"))

SEEN_ONCE = (
    "The training was seen in one run of the command, but not in the first, so that the two cannot "
    "be compared."
)


# Why a command is not resumed twice.
NOT_BY_FILES = (
    "No training step of the command was seen, and files alone do not show what a second resume "
    "begins with. It is resumed once."
)
NOT_OF_RANKS = "Several ranks train: only a command of one process is resumed twice."
NO_SECOND_SAVE = (
    "After the save that is resumed from, the command makes no further save of its kind before its "
    "last step, so no run is resumed twice. Train longer, or save more often."
)


def why_saved_elsewhere(wanted: int, saved: Sequence[int]) -> str:
    """Return why what a resumed run saved cannot be compared with the control's save.

    Args:
        wanted: the steps done at the control's save.
        saved: those at the saves of the resumed run.
    """
    return filled(
        "The control saves after step {wanted}, the resumed run after {count:step|steps} {saved}, "
        "where the control's state is unknown. Save by the total of steps, not by those since the "
        "resume.",
        count=len(saved),
        wanted=wanted,
        saved=", ".join(map(str, saved[:3])),
    )


def why_unclear(
    control: Mapping[str, Any], resumed: Mapping[str, Any], boundary: int, first: int | None
) -> str:
    """Return why a resumed run proves nothing, or nothing."""
    if resumed["read_late"]:
        return filled(
            "The restarted run read {names}, which the control wrote after the save: a run that "
            "was killed there would not find {count:it|them} so. Let the command write "
            "{count:it|them} into its folder, too.",
            names=", ".join(resumed["read_late"][:3]),
            count=len(resumed["read_late"]),
        )
    saved = {each["path"] for each in control["saves"] if not each["is_inside"]}
    elsewhere = [each["path"] for each in resumed["restores"] if each["path"] in saved]
    if elsewhere:
        return (
            f"The restarted run restored {elsewhere[0]}, which the control wrote outside of its "
            "folder: a run that was killed at the save would not find it so. Let the command save "
            "it into its folder, too."
        )
    if boundary in control["written_aside"] and first is not None and first < boundary:
        return filled(
            "A thread wrote the checkpoint while training went on, so that it is of step {first} "
            "and not of step {boundary}. Let the training wait for the thread.",
            first=first,
            boundary=boundary,
        )
    return ""


def why_other_ranks(control: int, started: int) -> str:
    """Say that a run has more or fewer ranks than the control."""
    return filled(
        "The control trained with {control} {control:rank|ranks}, and the command started again "
        "with {started}. Start both with the same number.",
        control=control,
        started=started,
    )


def why_rank_not_seen(rank: int) -> str:
    """Say that a rank of the control did not record its state at the save."""
    return (
        f"The state of rank {rank} at the save is unknown: it did not make the same steps as rank "
        "0, or rank 0 saved within a step. Save on rank 0 between two steps that all ranks make."
    )


def why_no_image(seen: Mapping[str, Any]) -> str:
    """Return why no save of a control can be resumed from."""
    groups = seen["groups"]
    elsewhere = [each["path"] for each in seen["saves"] if not each["is_inside"]]
    if elsewhere and len(elsewhere) == len(seen["saves"]):
        return (
            f"The command saved its checkpoints elsewhere, such as {elsewhere[0]}. Put {{run}} in "
            "place of that folder, or name it with --writes."
        )
    count = groups["known"] or groups["unknown"]
    if count:
        return why_none_kept(count)
    if seen["saves"]:
        return (
            "The command saved only after its last training step, so no step is left to compare. "
            "Train longer, or save earlier."
        )
    within = f" in {seen['steps']} steps. Raise --max-steps" if seen["stopped"] else ""
    return f"The command saved no checkpoint{within or ', so there is nothing to resume from'}."


def why_no_step(folder: Path, command: Command) -> str:
    """Return why no training step of a run was seen."""
    if folder.name.startswith("resumed"):
        hint = how_to_resume(folder, command)
        end = f". {hint}" if hint else ""
        return f"Started again, the command made no training step{end}."
    if ranks := sorted(int(each.name.rpartition("-")[2]) for each in folder.glob("rank-*")):
        return f"Rank 0 of the command made no training step, but rank {ranks[0]} did."
    if list(folder.glob("process-*.json")):
        return (
            "No training step was seen. A step is one of fit, of an optimizer of Keras or PyTorch, "
            "or of a session that runs a train op."
        )
    if alone := sorted(_ALONE & set(command.arguments)):
        return (
            f"Python with {' and '.join(alone)} ignores PYTHONPATH, by which ckptcheck observes "
            "it. Start the command without it."
        )
    return (
        "No Python process of the command imported TensorFlow or PyTorch, so nothing was seen of "
        "its training."
    )


def why_not_observed(notes: str) -> str:
    """Return why a process could not be observed, by its notes; without any, it could not write."""
    lines = notes.strip().splitlines()
    return (
        lines[0] if lines else "The record of the command could not be written: is the disk full?"
    )


def how_to_resume(folder: Path, command: Command) -> str:
    """Return a sentence, without its full stop, on a run that may lack arguments, or nothing."""
    if command.resume or not folder.name.startswith("resumed"):
        return ""
    return "If it needs arguments to resume, add them with --resume"


def why_failed(status: int, folder: Path, hint: str) -> str:
    """Return how a run failed, and the last line that it printed, without a full stop.

    Args:
        status: its exit status; negative: the signal that killed it.
        folder: the folder of its record.
        hint: a further sentence, or nothing.
    """
    how = f"was killed by {_signal(-status)}" if status < 0 else f"exited with status {status}"
    printed = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = legible(printed[-1]) if printed else ""
    if "EOFError" in last:
        hint = "It asks for input, and gets none: pass the answer as an argument"
    words = f": {clipped(last, 300).rstrip('.')}" if last else ", and printed nothing"
    end = "" if not hint else f" {hint}" if words.endswith(("?", "!")) else f". {hint}"
    return f"it {how}{words}{end}"


def _signal(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, f"signal {number}")
