"""Judge a case by its recorded runs: valid? → compared → diagnosed → judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ckptcheck.arrays import same
from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.comparison.equality import Equality
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis import experiments, second_resume
from ckptcheck.diagnosis.allowances import STRICT, Allowed, Terms, beyond, by_pattern, with_reasons
from ckptcheck.diagnosis.catalogue import CAUSES, MEASURE_THE_NOISE, diagnosis
from ckptcheck.diagnosis.cause import FILES_LEFT, OWN_FILES, Diagnosis, names_of
from ckptcheck.diagnosis.crash_image import settled
from ckptcheck.diagnosis.diagnose import diagnose, is_of_job, is_of_restore, unjudged, with_remedies
from ckptcheck.diagnosis.refusals import missing_keys, of_raising, of_refusal
from ckptcheck.diagnosis.settings import after_trying
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.case import Case, RestoreError
from ckptcheck.report.evidence import Evidence, Missing, Pair, gather, of_failure
from ckptcheck.report.report import Report
from ckptcheck.report.validity import (
    why_cut,
    why_noise_decides,
    why_not_comparable,
    why_nothing_compared,
    why_others_differ,
    why_unjudged,
)
from ckptcheck.run import environment
from ckptcheck.run.digests import snapshot_digest
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.task import ONCE, UNEVALUATED

# Phases of a resumed run before it reads the checkpoint.
BEFORE_THE_RESTORE = ("build", "state")

# What a command may lack that restored nothing.
_RESUMES_BY_AN_ARGUMENT = " If the command needs an argument to resume, pass it with --resume."

# Kinds that no restore needs to fill: the program sets or keeps them.
_SET_BY_THE_PROGRAM = (Kind.METRIC, Kind.HYPERPARAMETER, Kind.PYTHON)


@dataclass(frozen=True)
class Question:
    """One case to judge: job, restore, expected outcome, boundary and rank (None: the only one).

    `after` is the boundary of the first resume, if the run is resumed twice.
    """

    job: str
    restore: str
    expected: str
    boundary: int | None = None
    after: int = 0
    rank: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The judgement on one pair of runs."""

    outcome: str
    reason: str | None = None
    comparison: Comparison | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    accepted: tuple[Diagnosis, ...] = ()
    not_needed: tuple[str, ...] = ()
    error: RestoreError | None = None


def judge_all(
    questions: Sequence[Question],
    evidence: Mapping[str, Evidence],
    terms: Terms = STRICT,
    settled: Sequence[Case | None] = (),
) -> list[Case]:
    """Judge cases, each by the evidence on its job. A second resume follows the first one.

    `settled` holds the cases that are judged already, each in the place of its question.
    """
    cases: list[Case] = []
    first: dict[tuple[str, str, int | None], Case] = {}
    for place, question in enumerate(questions):
        key = question.job, question.restore, question.rank
        known = settled[place] if settled else None
        of_first = first.get(key) if question.after else None
        case = known or judge(question, evidence[question.job], terms, of_first)
        cases.append(case)
        if not question.after:
            first[key] = case
    return cases


def judge(
    question: Question, evidence: Evidence, terms: Terms = STRICT, first: Case | None = None
) -> Case:
    """Judge one case. `first` is the first resume of a run that is resumed twice."""
    pair = gather(
        evidence.of_rank(question.rank), question.restore, question.boundary, question.after
    )
    reason = "" if first is None else second_resume.why_unjudged(first.outcome)
    if isinstance(pair, Pair):
        if not reason:
            return judge_pair(question, pair, terms)
        pair = Missing(reason, pair.control, pair.wrote)
    case = Case(**vars(question), outcome=INCONCLUSIVE, tolerance=terms.tolerance)
    return replace(case, reason=reason or pair.reason, control=pair.control, wrote=pair.wrote)


def judge_pair(question: Question, pair: Pair, terms: Terms = STRICT) -> Case:
    """Judge two runs, whoever recorded them."""
    recorded = pair
    pair, verdict = _judged(recorded, terms)
    # Further runs mean nothing for runs that were not compared.
    compared = verdict.comparison is not None
    diagnoses, reason, once = _with_remedies(verdict.diagnoses, pair, question.restore), None, None
    if question.after and verdict.outcome in (DIVERGED, REFUSED):
        once = None if pair.once is None else _judged(pair.once, terms)[1].outcome
        reason = second_resume.reason(once, question.boundary)
        diagnoses = second_resume.with_remedies(diagnoses, once, verdict.comparison, question.after)
    return Case(
        **vars(question),
        outcome=verdict.outcome,
        tolerance=terms.tolerance,
        diagnoses=diagnoses,
        reason=verdict.reason or (pair.noise_trouble if compared else None) or reason,
        once=once,
        error=verdict.error,
        control=pair.control,
        resumed=pair.resumed,
        comparison=verdict.comparison,
        digests=_digests(pair) if compared else {},
        not_covered=()
        if verdict.outcome == REFUSED
        else _not_covered(pair.control, pair.resumed, verdict.comparison),
        unevaluated=pair.unevaluated is not None,
        noise=pair.noise if compared else None,
        allowed=with_reasons(verdict.accepted, terms.allowed),
        not_needed=verdict.not_needed,
        changed_by_saving=pair.changed_by_saving if compared and not _saving(pair) else None,
        wrote=recorded.wrote,
        acceptance=_acceptance(recorded, verdict, terms) if question.expected == RECOVERED else (),
    )


def _with_remedies(found: Sequence[Diagnosis], pair: Pair, restore: str) -> tuple[Diagnosis, ...]:
    """Add what to do; noise that was measured on demand is not to be measured again."""
    restore = pair.resumed.facts.way or restore
    if found and pair.image is not None and pair.image.is_of_own_files:
        restore = FILES_LEFT if pair.control.facts.left else OWN_FILES
    tried = pair.control.facts.tried
    found = [
        replace(each, remedy=after_trying(tried, each.remedy)) if each.cause == "noise" else each
        for each in with_remedies(found, pair.control.facts.framework, restore)
    ]
    done = MEASURE_THE_NOISE if pair.noise_asked else ""
    facts = pair.resumed.facts
    found = tuple(replace(each, remedy=each.remedy.removesuffix(done)) for each in found)
    if facts.unseen is None or facts.way:
        return found
    return tuple(
        replace(each, remedy=f"{each.remedy}{_RESUMES_BY_AN_ARGUMENT}")
        if each.cause == "nothing-restored"
        else each
        for each in found
    )


def _judged(pair: Pair, terms: Terms) -> tuple[Pair, Verdict]:
    return _without_evaluation(pair, verdict_on(pair, terms), terms)


def _acceptance(pair: Pair, verdict: Verdict, terms: Terms) -> tuple[str, ...]:
    """Return everything to accept so that a pair passes; empty: nothing suffices.

    What is accepted may show further differences, so the pair is judged again until none is new.
    """
    causes, patterns = terms.allowed.causes, terms.allowed.patterns
    while verdict.outcome in (DIVERGED, RECOVERED):
        found = dict.fromkeys(
            each.cause for each in verdict.diagnoses if is_of_restore(each) or is_of_job(each)
        )
        new = [cause for cause in found if cause not in causes]
        if not new:
            passes = verdict.outcome == RECOVERED and causes != terms.allowed.causes
            return (*causes, *patterns) if passes else ()
        if not all(CAUSES[cause].acceptable for cause in found):
            return ()
        causes = (*causes, *new)
        _, verdict = _judged(pair, replace(terms, allowed=Allowed(causes, patterns)))
    return ()


def _without_evaluation(pair: Pair, verdict: Verdict, terms: Terms) -> tuple[Pair, Verdict]:
    """Judge a recovered pair without the evaluation at the boundary, if that may hide a loss."""
    changed = experiments.made_good_by_evaluation(pair.control, pair.resumed)
    if verdict.outcome != RECOVERED or not changed:
        return pair, verdict
    if pair.unevaluated is None:
        return pair, replace(verdict, outcome=INCONCLUSIVE, reason=_why_evaluation_decides(changed))
    alone = verdict_on(pair.unevaluated, terms)
    return (
        (pair, verdict)
        if alone.outcome == RECOVERED
        else (replace(pair.unevaluated, unevaluated=pair.unevaluated), alone)
    )


def _why_evaluation_decides(changed: Sequence[str]) -> str:
    return (
        f"The evaluation at the boundary changed {changed[0]}, which differed from the control's "
        "until then, so the evaluation may hide a loss. The runs without that evaluation are "
        "missing."
    )


def verdict_on(pair: Pair, terms: Terms = STRICT) -> Verdict:
    """Judge a resumed run: valid? → compared → diagnosed → judged."""
    control, resumed, noise = pair.control, pair.resumed, pair.noise
    reason = why_not_comparable(control, resumed, equal_nan=terms.tolerance.equal_nan)
    if reason:
        return Verdict(INCONCLUSIVE, reason)
    if resumed.facts.failure is not None:
        return _on_failure(pair, resumed.facts.failure)
    strict = _compared(pair, resumed, Equality(terms.tolerance))
    reason = why_nothing_compared(
        strict,
        may_lack_evaluation=control.facts.may_lack_evaluation,
        of_command=control.facts.is_of_command,
    )
    if reason:
        return Verdict(INCONCLUSIVE, reason)
    if noise is None or noise.first_difference is None or strict.equal:
        return _on_comparison(pair, terms, strict, None, _saving(pair))
    noisy = diagnosis("noise", first=noise.first_difference)
    if not strict.equal_at_boundary:
        return _on_comparison(pair, terms, strict, noise, [noisy])
    reason = why_noise_decides(noise, asked=pair.noise_asked, of_files=strict.is_of_files)
    if reason:
        return Verdict(INCONCLUSIVE, reason, strict, diagnoses=(noisy,))
    return _on_comparison(pair, terms, strict, noise, [])


def _compared(pair: Pair, resumed: Run, equality: Equality) -> Comparison:
    comparison = compare(pair.control, resumed, equality)
    if pair.after:
        comparison = second_resume.counted_anew(comparison, pair.after)
    return settled(comparison, pair.control, pair.image)


def _on_failure(pair: Pair, failure: Failure) -> Verdict:
    if failure.during == "restore":
        error = RestoreError(failure.type, failure.message, tuple(missing_keys(pair.resumed)))
        return Verdict(
            REFUSED, diagnoses=(of_refusal(failure, pair.control, pair.resumed),), error=error
        )
    if failure.during in BEFORE_THE_RESTORE and pair.resumed.facts.first_step is None:
        return Verdict(
            INCONCLUSIVE, f"The resumed run failed before its restore: {of_failure(failure)}."
        )
    return Verdict(DIVERGED, diagnoses=(of_raising(failure),))


def _on_comparison(
    pair: Pair,
    terms: Terms,
    strict: Comparison,
    noise: NoiseFloor | None,
    of_control: Sequence[Diagnosis],
) -> Verdict:
    """Diagnose what noise and accepted differences do not explain."""
    relaxed = Equality(terms.tolerance, noise, terms.allowed.patterns)
    comparison = (
        _compared(pair, pair.resumed, relaxed) if noise or terms.allowed.patterns else strict
    )
    tried = {
        name: _compared(pair, run, Equality(terms.tolerance))
        for name, run in pair.experiments.items()
    }
    diagnoses = experiments.explained(diagnose(comparison), comparison, tried)
    faults = [*(each for each in diagnoses if not is_of_restore(each)), *of_control]
    lost = [each for each in diagnoses if is_of_restore(each)]
    by_cause = [each for each in lost if each.cause in terms.allowed.causes]
    others = [each for each in lost if each.cause not in terms.allowed.causes]
    accepted = (*by_pattern(comparison), *by_cause)
    if experiments.settles(by_cause, tried):
        others = []  # the run recovers once the accepted loss is undone
    else:
        accepted, others = _with_further(comparison, terms, accepted, others)
    covered = bool(accepted) and not others
    reason = _why_not_covered(pair, comparison) if covered else None
    if comparison.equal:
        reason = why_others_differ(pair.resumed.facts) or why_cut(comparison) or reason
    accepted_faults = [each for each in faults if each.cause in terms.allowed.causes]
    allowed = (*accepted, *accepted_faults)
    if reason:
        return Verdict(INCONCLUSIVE, reason, comparison, accepted=allowed)
    occurred = names_of(allowed)
    return Verdict(
        RECOVERED if comparison.equal or covered else DIVERGED,
        comparison=comparison,
        diagnoses=(*others, *(each for each in faults if each not in accepted_faults)),
        accepted=allowed,
        not_needed=tuple(
            text
            for text in (*terms.allowed.causes, *terms.allowed.patterns)
            if text not in occurred
        ),
    )


def _why_not_covered(pair: Pair, comparison: Comparison) -> str | None:
    """Return why accepted differences do not make a run recover, or None.

    Whether the steps after them recover is as unknown as without them if the job is not
    reproducible.
    """
    noise = pair.noise
    if noise is not None and noise.first_difference is not None:
        reason = why_noise_decides(noise, asked=pair.noise_asked)
        if reason:
            return reason
    late = unjudged(comparison)
    return why_unjudged(late) if late else None


def _with_further(
    comparison: Comparison,
    terms: Terms,
    accepted: tuple[Diagnosis, ...],
    others: list[Diagnosis],
) -> tuple[tuple[Diagnosis, ...], list[Diagnosis]]:
    """Add what does not follow from accepted differences; it may be accepted, too."""
    while accepted and not others:
        further = beyond(comparison, accepted)
        by_cause = [each for each in further if each.cause in terms.allowed.causes]
        if not further:
            break
        accepted = (*accepted, *by_cause)
        others = [*(each for each in further if each not in by_cause), *others]
    return accepted, others


def needs_repeat(case: Case) -> bool:
    """Return whether only a second control can tell a fault from a job that is not reproducible."""
    if case.noise is not None:
        return False
    if case.comparison is None:
        return bool(case.changed_by_saving)
    if case.resumed is not None and case.resumed.facts.changed_arrays:
        return True  # a record of the time differs in every run
    may_diverge = case.outcome == DIVERGED or _needs_unevaluated(case)
    of_data = any(CAUSES[each.cause].about_the_data for each in case.diagnoses)
    # What follows from an accepted difference may as well be noise.
    follows = case.outcome == RECOVERED and not case.comparison.equal
    return (
        bool(case.changed_by_saving)
        or follows
        or (may_diverge and (case.comparison.equal_at_boundary or of_data))
    )


def is_clear(case: Case) -> bool:
    """Return whether no further run can say more about a case."""
    return not needs_repeat(case) and not experiments_for(case)


def experiments_for(case: Case) -> dict[str, Mapping[str, float]]:
    """Return the experiments that may explain a case, with the control's attributes to put in."""
    if _needs_unevaluated(case):
        return {UNEVALUATED: {}}
    once: dict[str, Mapping[str, float]] = {ONCE: {}} if _needs_once(case) else {}
    if (
        case.outcome != DIVERGED
        or case.expected == DIVERGED
        or case.comparison is None
        or case.unevaluated
    ):
        return once
    return once | experiments.needed(case.diagnoses, case.comparison)


def _needs_once(case: Case) -> bool:
    """Return whether it is unknown if a second resume fails where a first one recovers."""
    failed = case.outcome in (DIVERGED, REFUSED) and case.expected == RECOVERED
    return bool(case.after) and failed and case.once is None


def _needs_unevaluated(case: Case) -> bool:
    """Return whether a run may recover only because of the evaluation at the boundary."""
    if case.outcome not in (RECOVERED, INCONCLUSIVE) or case.unevaluated or case.comparison is None:
        return False
    return bool(
        case.control
        and case.resumed
        and experiments.made_good_by_evaluation(case.control, case.resumed)
    )


def _saving(pair: Pair) -> list[Diagnosis]:
    """Diagnose that saving changes the run; with noise, that is unknown."""
    first, noise = pair.changed_by_saving, pair.noise
    if first is None or noise is None or noise.first_difference is not None:
        return []
    return [diagnosis("saving-changes-the-run", first=first)]


def _not_covered(control: Run, resumed: Run, comparison: Comparison | None) -> tuple[str, ...]:
    """Return the state tensors that the restore does not ask for."""
    asked = resumed.facts.asked
    if asked is None:
        return ()
    renamed = comparison.renamed if comparison else {}
    boundary = comparison.boundary if comparison else ()
    # Equal, although its value differed before the restore.
    came_back = {row.name for row in boundary if row.poisoned and row.equal}
    return tuple(
        name
        for name, tensor in control.boundary.items()
        # A restore may use either name.
        if asked.keys().isdisjoint({name, renamed.get(name, name)})
        and name not in came_back
        and tensor.kind not in _SET_BY_THE_PROGRAM
        and not _is_idle_generator(name, control)
    )


def _is_idle_generator(name: str, control: Run) -> bool:
    """Return whether a tensor is a random generator that the control never draws from."""
    first, last = control.initial.get(name), control.final.get(name)
    return (
        first is not None
        and first.kind is Kind.RNG
        and last is not None
        and same(first.value, last.value)
    )


def _digests(pair: Pair) -> dict[str, dict[str, str]]:
    runs = {"control": pair.control, "resumed": pair.resumed}
    return {
        "boundary": {which: snapshot_digest(run.boundary) for which, run in runs.items()},
        "final": {which: snapshot_digest(run.final) for which, run in runs.items()},
    }


def report(cases: Sequence[Case]) -> Report:
    """Return a report on the cases, with the environment that their controls share."""
    environments = [case.control.facts.environment for case in cases if case.control] or [
        environment.fingerprint()
    ]
    # What differs is only in each `run.json`.
    shared = set.intersection(*(set(facts.items()) for facts in environments))
    return Report(tuple(cases), dict(sorted(shared)))
