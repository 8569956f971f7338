"""Why the runs of a command cannot be judged, in words, and what to do then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ckptcheck.command.command import Command
from ckptcheck.command.fallback import why_none_kept
from ckptcheck.command.launch import OUTPUT
from ckptcheck.counts import filled
from ckptcheck.text_safety import clipped, legible

SEEN_ONCE = (
    "The training was seen in one run of the command, but not in the first, so that the two cannot "
    "be compared."
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
    if boundary in control["written_aside"] and first is not None and first < boundary:
        return filled(
            "A thread wrote the checkpoint while training went on, so that it is of step {first} "
            "and not of step {boundary}. Let the training wait for the thread.",
            first=first,
            boundary=boundary,
        )
    return ""


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
    return "The command saved no checkpoint, so there is nothing to resume from."


def why_no_step(folder: Path, command: Command) -> str:
    """Return why no training step of a run was seen."""
    if folder.name.startswith("resumed"):
        hint = how_to_resume(folder, command)
        return f"Started again, the command made no training step{hint}."
    if list(folder.glob("process-*.json")):
        return (
            "No training step was seen. A step is one of fit, of an optimizer of Keras, or of a "
            "session that runs a train op."
        )
    return (
        "No Python process of the command imported TensorFlow, so nothing was seen of its training."
    )


def how_to_resume(folder: Path, command: Command) -> str:
    """Return the end of a sentence on a run that may lack arguments to resume, or nothing."""
    if command.resume or not folder.name.startswith("resumed"):
        return ""
    return ". If it needs arguments to resume, add them with --resume"


def last_words(folder: Path) -> str:
    """Return the last line that a run printed, to be added to a sentence, and what it means."""
    printed = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not printed:
        return ", and printed nothing"
    asks = ". It asks for input, and gets none: pass the answer as an argument"
    return f": {clipped(legible(printed[-1]), 300)}{asks if 'EOFError' in printed[-1] else ''}"
