"""Why a case is inconclusive: a verdict needs two comparable runs and enough compared in them."""

import math
from glob import escape
from shlex import quote

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.counts import filled
from ckptcheck.kinds import Kind
from ckptcheck.report.sentences import some
from ckptcheck.run import environment
from ckptcheck.run.run import RECORDED, Facts, Run

NO_CHECKPOINT = (
    "The checkpoint is missing: the control's save wrote no file into the folder it was given."
)


def why_not_comparable(control: Run, resumed: Run, *, equal_nan: bool = False) -> str | None:
    """Return why two finished runs cannot be compared, or None."""
    if (control.facts.process, control.facts.started) == (
        resumed.facts.process,
        resumed.facts.started,
    ):
        return (
            "The control and the resumed run are the same process. Restore in a new process, so "
            "that nothing survives in memory."
        )
    recorded = control.facts.role == RECORDED  # gets a warning instead
    if control.facts.hash_seed == resumed.facts.hash_seed != "random" and not recorded:
        return (
            f"Both runs had PYTHONHASHSEED={control.facts.hash_seed}, so a dependence on the order "
            "of sets would not show. Set a different value for the resumed run."
        )
    if resumed.facts.unclear:
        return resumed.facts.unclear
    differences = environment.mismatches(control.facts.environment, resumed.facts.environment)
    if differences:
        return (
            f"The two runs had different environments: {'; '.join(differences)}. Run both in the "
            "same environment."
        )
    return None if equal_nan else _not_finite(control)


def _not_finite(control: Run) -> str | None:
    for step in control.steps:
        if not math.isfinite(step.loss):
            return (
                f"The control's training loss is {step.loss} at step {step.number}, so no training "
                "is left to compare. Fix the job, or count NaN as equal with --equal-nan."
            )
    for done, loss in control.facts.evaluations:
        if not math.isfinite(loss):
            return (
                f"The control's evaluation loss is {loss} after {done} steps, so no training is "
                "left to compare. Fix the job, or count NaN as equal with --equal-nan."
            )
    return None


def why_nothing_compared(
    comparison: Comparison, *, may_lack_evaluation: bool = False, of_command: bool = False
) -> str | None:
    """Return why a comparison proves nothing, or None. A recorded script need not evaluate."""
    if comparison.is_of_files:
        return _why_files_prove_nothing(comparison)
    boundary, steps = comparison.boundary, comparison.steps
    reason = _why_no_state(comparison, of_command)
    if reason:
        return reason
    if not steps:
        return "No training step was compared: the resumed run executed none."
    if comparison.steps_resumed is None and len(steps) != comparison.steps_after:
        return (
            f"Only {len(steps)} of the control's {comparison.steps_after} steps after the boundary "
            "were compared: the resumed run ended early."
        )
    if not comparison.evaluations and not may_lack_evaluation:
        return "No evaluation was compared: the runs have none in common."
    if not any(row.poisoned for row in boundary):
        do = (
            "Restart from a later save with --save"
            if of_command
            else "Build the job from the seed that it is given"
        )
        return (
            "The restore had nothing to do: before it, every tensor of the new process already "
            f"equalled the control's at the boundary. {do}."
        )
    return None


def _why_no_state(comparison: Comparison, of_command: bool) -> str | None:
    """Return why tensors are missing at the boundary or at the end, or None."""
    boundary, final = comparison.boundary, {row.name for row in comparison.final}
    # The gradients of an unfinished step are state at a save alone.
    held = {row.name for row in boundary if row.kind is not Kind.ACCUMULATOR}
    missing = sorted(held - final)
    if not boundary:
        none = "the command held no variable" if of_command else "the job's `state` returned none"
        return f"No state tensor was compared: {none}."
    if not final:
        none = "command held no variable" if of_command else "job's `state` returned no tensor"
        return f"No final state was compared: the {none} after the last step."
    if missing:
        do = (
            "Keep the model and its optimizer until the program ends"
            if of_command
            else "Return every tensor from the job's `state` each time"
        )
        return filled(
            "{count} of {total} state tensors {count:is|are} missing after the last step"
            "{count::|, such as} {example}. {do}.",
            count=len(missing),
            total=len(boundary),
            example=missing[0],
            do=do,
        )
    return None


def _why_files_prove_nothing(comparison: Comparison) -> str | None:
    """Return why what a command left proves nothing, or None. Any difference proves something."""
    steps = comparison.steps
    misses_steps = comparison.same_first_step and len(steps) < comparison.steps_after
    if misses_steps and "losses" not in comparison.unseen:
        return filled(
            "Only {count} of the {total} steps of the metric after the save {count:was|were} "
            "compared: the restarted run wrote no more.",
            count=len(steps),
            total=comparison.steps_after,
        )
    if not comparison.equal:
        return None
    if not any(row.control_moves for row in comparison.final):
        return (
            "The command saved nothing after the save that it was restarted from, so no final "
            "state is left to compare. Let it save at its end, or choose an earlier save with "
            "--save."
        )
    if "start" in comparison.unseen:
        return (
            "Both runs left equal checkpoints, but nothing that they left shows whether the "
            "restarted run continued or began anew. Print the step and the loss of each step, and "
            r"pass --metric 'step (\d+) loss (\S+)'."
        )
    return None


def why_noise_decides(noise: NoiseFloor, *, asked: bool, of_files: bool = False) -> str | None:
    """Return why noise prevents a verdict on a run that is equal at the boundary, or None.

    `asked`: whether the user asked to measure the noise, and so to judge losses against it.
    `of_files`: whether only files were compared, so that the boundary is equal in any case.
    """
    if noise.batches_differ:
        return (
            "The order of batches differs between two controls, so the next batch cannot be "
            "judged. Seed the shuffle order."
        )
    if not asked and of_files:
        return (
            "The command is not reproducible, so a difference after the save may be noise. Measure "
            "the noise with --repeat N."
        )
    if not asked:
        return (
            "Every tensor at the boundary is equal, but the job is not reproducible, so a "
            "difference after it may be noise. Measure the noise with --repeat N."
        )
    return None


def why_unjudged(late: list[str]) -> str:
    """Say that it is unknown whether tensors created in the first step were restored."""
    return filled(
        "{names} {count:is|are} created in the first resumed step, which an accepted difference "
        "already affected: whether {count:it was|they were} restored is unknown. Return the "
        "requested keys from the job's `restore` (Restored), or create the "
        "{count:tensor|tensors} before it.",
        names=some(late, 1),
        count=len(late),
    )


def why_others_differ(facts: Facts) -> str | None:
    """Say what differs of a command although all else that was seen of it is equal; None: nothing.

    Args:
        facts: what is known of the resumed run.
    """
    if facts.changed_arrays:  # they say more than a file that they were written into
        return filled(
            "All else that was seen is equal, but after the save, the restarted run made other "
            "values of {names} than the control. {count:This array is|These arrays are} kept "
            "outside of the framework's variables: save {count:it|them}, too. If {count:it is|they "
            "are} a record that the training does not read, keep {count:it|them} in a list of "
            "numbers.",
            names=some(facts.changed_arrays, 3),
            count=len(facts.changed_arrays),
        )
    return _why_files_differ(facts.changed_files) if facts.changed_files else None


def why_cut(comparison: Comparison) -> str | None:
    """Return why a run was cut too early to be judged, or None."""
    names = comparison.undecided
    if not names:
        return None
    accept = " If nothing draws from {count:it|them}, accept that: {options}."
    return filled(
        "{names} {count:differs|differ} from the control's, and no step before the end that "
        "--max-steps sets draws from {count:it|them}. A later epoch may, for its data order: let "
        "--max-steps end the runs more than one epoch after the save."
        + (accept if all("/" in name for name in names) else ""),  # as patterns have it
        names=some(names, 3),
        count=len(names),
        options=" ".join(f"--allow {quote(escape(name))}" for name in names),
    )


def _why_files_differ(files: list[str]) -> str:
    return filled(
        "All that was seen is equal, but at the end, {names}, which the command wrote, "
        "{count:is|are} missing or torn, or {count:holds|hold} other values than the control's: "
        "state outside of the framework or a file was lost, or {count:it depends|they depend} on "
        "the time.",
        names=some(files, 3),
        count=len(files),
    )
