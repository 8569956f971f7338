"""Warnings: what the verdict does not cover, in one sentence each."""

from collections.abc import Iterator, Sequence

from ckptcheck.counts import counted, filled
from ckptcheck.diagnosis.lag import lag
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import RECOVERED
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import some
from ckptcheck.run.run import RECORDED
from ckptcheck.run.writes import together


def of_cases(cases: Sequence[Case]) -> list[str]:
    """Return the warnings of all cases, each once for all boundaries."""
    kinds = (
        _of_files_alone,
        _of_evaluation,
        _of_unseen,
        _of_rounding,
        _of_hash_seed,
        _of_names,
        _of_metrics,
        _of_saving,
        _of_side_effects,
        _of_saves,
        _of_the_end,
        _of_coverage,
        _of_untouched,
        _of_lag,
    )
    texts = (
        f"{f'{case.job} × {case.restore}' if case.restore else case.job}: {text}"
        for case in cases
        for kind in kinds
        for text in kind(case)
    )
    return [
        *dict.fromkeys(texts),
        *_of_files(cases),
        *(
            f"--allow {text} accepted nothing: no such difference was found."
            for text in _not_needed(cases)
        ),
    ]


def disclosures(case: Case) -> list[str]:
    """Return the warnings of a case that hold for a right job with a right restore, too."""
    return [
        *_of_metrics(case),
        *_of_side_effects(case),
        *_of_rounding(case),
        *_of_untouched(case),
    ]


def _of_files(cases: Sequence[Case]) -> Iterator[str]:
    """Name the files of each job outside its checkpoint folder, once for all of its restores."""
    for job in dict.fromkeys(case.job for case in cases):
        own = [case for case in cases if case.job == job]
        if files := together(case.wrote for case in own):
            facts = [case.control.facts for case in own if case.control]
            keras = any(each.framework == "keras" for each in facts)
            folder = "`self.folder`" if keras else "a temporary folder"
            what = "job"
            if any(each.is_of_command for each in facts):
                what, folder = "command", "{run}"
            named = some([f"{name} ({change})" for name, change in files.items()])
            yield (
                f"{job}: the {what} also writes outside its checkpoint folder: {named}. Every run "
                f"does, and ckptcheck puts no file back. Write such files into {folder}."
            )


def _not_needed(cases: Sequence[Case]) -> list[str]:
    compared = [case.not_needed for case in cases if case.comparison is not None]
    return [
        text
        for text in (compared[0] if compared else ())
        if all(text in others for others in compared)
    ]


def _of_files_alone(case: Case) -> Iterator[str]:
    if left := _left_by(case):
        yield (
            f"nothing was seen inside the command, so its files are compared: {left}. A loss that "
            "shows in none of these is not found."
        )


def _left_by(case: Case) -> str:
    """Return what a command left that is compared in place of what it did; empty: that was seen."""
    return case.control.facts.left if case.comparison and case.control else ""


def _of_evaluation(case: Case) -> Iterator[str]:
    if case.comparison is None or case.comparison.evaluations or _left_by(case):
        return
    if case.control is not None and case.control.facts.is_of_command:
        yield (
            "the command evaluates nothing after the save, so state that only evaluation reads is "
            "compared as tensors alone."
        )
    else:
        yield (
            "no evaluation loss was recorded in both runs, so state that only evaluation reads is "
            "compared as tensors alone. Record an evaluation at the boundary."
        )


def _of_unseen(case: Case) -> Iterator[str]:
    """Warn of what decides a verdict only by its effects. A rate shows in the losses."""
    missing = [each for each in ("losses", "batches") if each in _unseen_of(case)]
    if missing and not _left_by(case):
        yield (
            f"the {' and '.join(missing)} of the command were not seen, so that they are compared "
            "by their effect on the final state alone."
        )


def _unseen_of(case: Case) -> tuple[str, ...]:
    return () if case.comparison is None else case.comparison.unseen


def _of_rounding(case: Case) -> Iterator[str]:
    rounded = case.comparison.rounded_evaluations if case.comparison else ()
    if case.tolerance.text or (case.noise and case.noise.first_difference):
        return  # what counts as equal then is said elsewhere
    for row in rounded[:1]:
        yield (
            f"the evaluation loss after {counted(row.steps_done, 'step')} is {row.resumed_loss!r} "
            f"instead of the control's {row.control_loss!r}. Every tensor and training loss is "
            "bit-equal, so this counts as rounding: processes may sum an evaluation in different "
            "orders."
        )


def _of_hash_seed(case: Case) -> Iterator[str]:
    if case.control is None or case.resumed is None or case.control.facts.role != RECORDED:
        return
    seeds = {run.facts.hash_seed for run in (case.control, case.resumed)}
    if len(seeds) == 1 and seeds != {"random"}:
        yield (
            f"both runs had PYTHONHASHSEED={seeds.pop()}, so a dependence on the order of sets "
            "would not show. Set a different value for the resumed run."
        )


def _of_names(case: Case) -> Iterator[str]:
    renamed = case.comparison.renamed if case.comparison else {}
    for ours, theirs in list(renamed.items())[:1]:
        yield filled(
            "{count} {count:tensor has a different name|tensors have different names} in the "
            "resumed run ({theirs} for {ours}) and {count:is|are} matched by kind, shape and "
            "value.",
            count=len(renamed),
            theirs=theirs,
            ours=ours,
        )


def _of_metrics(case: Case) -> Iterator[str]:
    rows = case.comparison.boundary if case.comparison and case.outcome == RECOVERED else ()
    lost = [row.name for row in rows if row.kind is Kind.METRIC and not (row.equal or row.late)]
    if lost:
        yield filled(
            "{count} metric {count:tensor differs|tensors differ} at the boundary: {names}. "
            "Training does not read {count:it|them}, but the epoch in progress reports different "
            "values.",
            count=len(lost),
            names=some(lost),
        )


def _of_saving(case: Case) -> Iterator[str]:
    if case.changed_by_saving and case.noise is not None:
        yield (
            "whether saving changes the run is unknown: the job is not reproducible. In a control "
            f"that never saves, {case.changed_by_saving}."
        )


def _of_side_effects(case: Case) -> Iterator[str]:
    changed = tuple(case.control.facts.changed_by_evaluation) if case.control else ()
    if changed:
        yield (
            f"the evaluation changes {some(changed)}: training after the boundary may differ from "
            "a run that does not evaluate there."
        )


def _of_saves(case: Case) -> Iterator[str]:
    missing = case.control.facts.saves_missing if case.control else 0
    if missing:
        yield filled(
            "{count} of the saves that --save asked for {count:was|were} not made before the last "
            "training step, and {count:is|are} not judged.",
            count=missing,
        )


def _of_the_end(case: Case) -> Iterator[str]:
    if case.comparison is not None and case.control is not None and case.control.facts.is_cut:
        yield filled(
            "--max-steps ended both runs after step {last}: what the command does after it, and "
            "when it ends by itself, is not verified.",
            last=len(case.control.steps),
        )


def _of_coverage(case: Case) -> Iterator[str]:
    if case.not_shown and case.comparison is not None:
        yield filled(
            "{count} of {total} {total:tensor|tensors} {count:has its initial value|have their "
            "initial values} at the boundary, so the run cannot show whether "
            "{count:it is|they are} restored: {names}. Choose a different {option}.",
            count=len(case.not_shown),
            option="--save" if case.control and case.control.facts.is_of_command else "--boundary",
            total=len(case.comparison.boundary),
            names=some(case.not_shown),
        )


def _of_untouched(case: Case) -> Iterator[str]:
    if case.not_covered and case.control:
        yield filled(
            "the restore does not cover {count} of {total} {total:tensor|tensors}, which "
            "{count:keeps its initial value|keep their initial values}: {names}.",
            count=len(case.not_covered),
            total=len(case.control.boundary),
            names=some(case.not_covered),
        )


def _of_lag(case: Case) -> Iterator[str]:
    if case.control is None or case.comparison is None or case.outcome != RECOVERED:
        return
    if found := lag(case.control, case.comparison):
        yield (
            f"the evaluation loss at the boundary is {found.evaluation:.4g}, the training losses "
            f"around it are at most {found.training:.4g}. The restore is not at fault: the control "
            "evaluates as badly, its moving statistics lag behind the batches. Lower their "
            "momentum, such as BatchNormalization(momentum=0.9), or train longer before you "
            "evaluate."
        )
