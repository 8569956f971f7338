"""What every output says of a case in the same words."""

from collections.abc import Sequence

from ckptcheck.comparison.comparison import Comparison, StepComparison, TensorComparison
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.case import Case
from ckptcheck.text_safety import in_one_line

NOTHING = "No case was verified, so nothing is known to recover."


def headline(case: Case) -> str:
    """Tell in one line what a case did, and what was expected of it if that is something else."""
    expected = "" if case.as_expected else f", expected {case.expected}"
    return in_one_line(f"{case.name}: {case.told_outcome}{expected}")


def heading(diagnosis: Diagnosis) -> str:
    """Return a cause with the stage at which its tensors were lost."""
    return f"{diagnosis.cause} ({diagnosis.stage})" if diagnosis.stage else diagnosis.cause


def story(case: Case) -> str:
    """Tell one case in plain text that stands by itself in a CI log."""
    lines = [f"{case.name}: {case.told_outcome} (expected: {case.expected})"]
    lines += [f"  allowed: {each.cause}: {each.sentence}" for each in case.allowed]
    if case.reason:
        lines.append(f"  {case.reason}")
    if case.comparison is not None:
        lines.append(f"  {measured(case.comparison)}")
    for each in case.diagnoses:
        lines += [f"  {heading(each)}: {each.sentence}", f"    Remedy: {each.remedy}"]
        if each.tensors:
            lines.append(f"    Tensors: {some(each.tensors)}")
    return "\n".join(lines)


def some(names: Sequence[str], most: int = 4) -> str:
    """List the first names, and say how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def measured(comparison: Comparison) -> str:
    """Say in one sentence how much was compared and how much of it was equal."""
    boundary, steps, evaluation = comparison.boundary, comparison.steps, comparison.evaluation
    evaluated = ""
    if evaluation:
        evaluated = f" and the evaluation loss is {evaluation.resumed_loss:.6g} (control {evaluation.control_loss:.6g})"
    rows: list[TensorComparison | StepComparison] = [*boundary, *steps]
    equal = (
        "bit-equal"
        if all(row.identical == row.equal for row in rows)
        else "equal, within what is allowed"
    )
    tensors = f"{sum(row.equal for row in boundary)} of {len(boundary)} tensors are {equal}"
    losses = f"{sum(row.equal for row in steps)} of {len(steps)} training losses are {equal}"
    return f"At the boundary {tensors}{evaluated}; after it {losses}."


def numbers(case: Case) -> tuple[str, str, str]:
    """Return the numbers of a case: tensors equal, evaluation losses, training losses equal; a dash where there are none."""
    if case.comparison is None:
        return "–", "–", "–"
    boundary, steps = case.comparison.boundary, case.comparison.steps
    tensors, losses = sum(row.equal for row in boundary), sum(row.equal for row in steps)
    return f"{tensors}/{len(boundary)}", _evaluation(case.comparison), f"{losses}/{len(steps)}"


def _evaluation(comparison: Comparison) -> str:
    evaluation = comparison.evaluation
    if evaluation is None:
        return "–"
    sign = "=" if evaluation.identical else "≈" if evaluation.equal else "≠"
    return f"{evaluation.resumed_loss:.4g} {sign} {evaluation.control_loss:.4g}"
