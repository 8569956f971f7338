"""What every output says of a case, in the same words."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from shlex import quote

from ckptcheck.comparison.comparison import Comparison, StepComparison, TensorComparison
from ckptcheck.counts import counted, filled
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.report.case import Case, as_it_differs
from ckptcheck.run.run import LOSSES, Run
from ckptcheck.text_safety import in_one_line

PACKAGE = "ckptcheck"
# Follows the outcome of a case that recovers, although its job does something wrong.
AT_FAULT = ", but the job is at fault"

NOTHING = "No case was verified, so nothing is known to recover."


def headline(case: Case) -> str:
    """Return what a case did, in one line, and the expected outcome where it differs."""
    return in_one_line(f"{case.name}: {case.told_outcome}{unexpected(case)}")


def unexpected(case: Case) -> str:
    """Return what keeps a case from passing, to follow its outcome; empty: nothing does."""
    if case.as_expected:
        return ""
    return AT_FAULT if case.outcome == case.expected else f", expected {case.expected}"


def heading(diagnosis: Diagnosis) -> str:
    """Return a cause with its severity and the stage at which its tensors were lost."""
    known = "; ".join(filter(None, (diagnosis.severity, diagnosis.stage)))
    return f"{diagnosis.cause} ({known})" if known else diagnosis.cause


def explanation(diagnosis: Diagnosis) -> str:
    """Return the sentence of a diagnosis, and what it means for the training."""
    return f"{diagnosis.sentence} {diagnosis.detail}".rstrip()


def by_remedy(diagnoses: Sequence[Diagnosis]) -> dict[str, list[Diagnosis]]:
    """Return each remedy once, with the diagnoses that share it."""
    sharing: dict[str, list[Diagnosis]] = {}
    for each in diagnoses:
        sharing.setdefault(each.remedy, []).append(each)
    return sharing


def how_to_accept(case: Case) -> str:
    """Return all options with which a case that failed passes; empty: none do."""
    return " ".join(f"--allow {quote(text)}" for text in case.acceptance)


def why_accept_more(case: Case) -> str:
    """Say which causes to accept are no diagnosis of a case, since others hide them; or nothing."""
    found = {each.cause for each in (*case.diagnoses, *case.allowed)}
    further = [text for text in case.acceptance if text not in found | {*case.not_needed}]
    first = [text for text in case.acceptance if text in found]
    if not (first and further):
        return ""
    return filled(
        "{further} {count:shows|show} only once {first} {found:is|are} accepted.",
        count=len(further),
        further=listed(further),
        found=len(first),
        first=listed(first),
    )


def about_the_tool() -> dict[str, str]:
    """Return the version of ckptcheck, as reports list it beside the environment."""
    return {PACKAGE: version(PACKAGE)}


def story(case: Case) -> str:
    """Return one case in plain text that makes sense alone in a CI log."""
    lines = [headline(case)]
    if case.reason:
        lines.append(f"  {case.reason}")
    lines += [f"  Accepted: {each.cause}: {each.sentence}" for each in case.allowed]
    if case.comparison is not None:
        lines.append(f"  {measured(case.comparison)}")
    for remedy, sharing in by_remedy(case.diagnoses).items():
        for each in sharing:
            lines.append(f"  {heading(each)}: {explanation(each)}")
            lines += [f"    Tensors: {some(each.tensors)}"] if each.tensors else []
        lines.append(f"  Remedy: {remedy}")
    if options := how_to_accept(case):
        lines.append(f"  To accept: {options}")
    if more := why_accept_more(case):
        lines.append(f"  {more}")
    lines += [f"  {note}" for note in case.notes]
    return "\n".join(lines)


def some(names: Sequence[str], most: int = 4) -> str:
    """List the first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def listed(names: Sequence[str], last: str = "and") -> str:
    """List all names as prose does."""
    *most, end = names
    return f"{', '.join(most)} {last} {end}" if most else end


def short_names(cases: Sequence[Case]) -> dict[str, str]:
    """Return a name for each job: for a user's own job the last part of it, where unique."""
    names = list(dict.fromkeys(case.job for case in cases))
    last = {name: name.rpartition(":")[2] for name in names}
    count = Counter(last.values())
    return {name: last[name] if count[last[name]] == 1 else name for name in names}


def where_saved(control: Run) -> str:
    """Say after which steps a job was saved, to follow `it was`; empty: no metric shows that."""
    schedule, facts = control.facts.schedule, control.facts
    steps = filled(
        "{count:step|steps} {places}",
        count=len(schedule.boundaries),
        places=listed(list(map(str, schedule.boundaries))),
    )
    if not facts.left:
        return f"saved after {steps} of {schedule.steps}"
    return "" if LOSSES in (facts.unseen or ()) else f"saved before {steps} of the metric"


def of_objects(comparison: Comparison) -> str:
    """Name the compared numbers that are no tensors of the program; empty: there are none.

    Callbacks keep such numbers, such as the best value of EarlyStopping. They count as tensors.
    """
    names = [row.name for row in comparison.boundary if row.kind is Kind.PYTHON]
    if not names:
        return ""
    return filled(
        "{count} of the tensors {count:is a number of a Python object|are numbers of Python "
        "objects}: {names}.",
        count=len(names),
        names=some(names, 2),
    )


def measured(comparison: Comparison) -> str:
    """Return in one sentence how much was compared and how much of it was equal."""
    if comparison.is_of_files:
        return _measured_in_files(comparison)
    boundary, steps = as_it_differs(comparison).boundary, comparison.steps
    evaluation = comparison.evaluation
    at_boundary = at_later = ""
    if evaluation:
        resumed, control = apart(evaluation.resumed_loss, evaluation.control_loss, 6)
        losses = f"{resumed} (control {control})"
        if evaluation.steps_done == comparison.first_step[0]:
            at_boundary = f" and the evaluation loss is {losses}"
        else:  # a command evaluates where it does
            done = counted(evaluation.steps_done, "step")
            at_later = f", and the evaluation loss after {done} is {losses}"
    rows: list[TensorComparison | StepComparison] = [*boundary, *steps]
    identical = all(row.identical == row.equal for row in rows)
    equal = "bit-equal" if identical else "equal within the tolerance"
    tensors = f"{sum(row.equal for row in boundary)} of {len(boundary)} tensors are {equal}"
    after = f"{sum(row.equal for row in steps)} of {len(steps)} training losses are {equal}"
    if LOSSES in comparison.unseen:
        after = f"{counted(len(steps), 'training step')} follow, whose losses were not seen"
    said = f"At the boundary, {tensors}{at_boundary}. After it, {after}{at_later}."
    return f"{said} {of_objects(comparison)}".rstrip()


def _measured_in_files(comparison: Comparison) -> str:
    """Return the same of a command that was judged by its files."""
    final, steps = as_it_differs(comparison).final, comparison.steps
    tensors = f"{sum(row.equal for row in final)} of {len(final)} tensors are equal"
    losses = f"{sum(row.equal for row in steps)} of {len(steps)} values of the metric are equal"
    if LOSSES in comparison.unseen:
        losses = "no metric was compared"
    return f"In the final checkpoint, {tensors}. After the save, {losses}."


def numbers(case: Case) -> tuple[str, str, str]:
    """Return tensors equal, evaluation losses and training losses equal; a dash for none."""
    if case.comparison is None:
        return "–", "–", "–"
    boundary, steps = as_it_differs(case.comparison).boundary, case.comparison.steps
    if case.comparison.is_of_files:
        boundary = as_it_differs(case.comparison).final
    tensors, losses = sum(row.equal for row in boundary), sum(row.equal for row in steps)
    after = "–" if LOSSES in case.comparison.unseen else f"{losses}/{len(steps)}"
    return f"{tensors}/{len(boundary)}", _evaluation(case.comparison), after


def _evaluation(comparison: Comparison) -> str:
    evaluation = comparison.evaluation
    if evaluation is None:
        return "–"
    sign = "=" if evaluation.identical else "≈" if evaluation.equal else "≠"
    resumed, control = f"{evaluation.resumed_loss:.4g}", f"{evaluation.control_loss:.4g}"
    by = f", by {abs(evaluation.diff):.1g}" if resumed == control and not evaluation.equal else ""
    return f"{resumed} {sign} {control}{by}"


def apart(resumed: float, control: float, digits: int) -> tuple[str, str]:
    """Return two numbers with at least so many digits, and enough to tell them apart."""
    for enough in range(digits, 18):
        texts = f"{resumed:.{enough}g}", f"{control:.{enough}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{resumed:.{digits}g}", f"{control:.{digits}g}"
