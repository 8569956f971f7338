"""The answer of a verification in prose: which restores recover, what others do, the verdict."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ckptcheck.comparison.comparison import moving_statistics
from ckptcheck.counts import counted, filled
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis, Severity
from ckptcheck.diagnosis.diagnose import is_of_restore
from ckptcheck.job.shipped import in_prose
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import AT_FAULT, NOTHING, listed, short_names

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

# With more jobs than this, jobs that do the same share a sentence.
MOST_JOBS = 3
MOST_OF_EFFECTS = 200  # characters
MOST_NAMES = 5
NAMELESS = "any restore"  # of a job that failed before it named its restores
_VERBS = {DIVERGED: "diverges", REFUSED: "is refused"}
_BY_SEVERITY = [severity.value for severity in Severity]


@dataclass(frozen=True)
class _Tried:
    """One restore of one job, from every boundary and on every rank, or resumed twice."""

    job: str
    restore: str
    prose: str  # the restore as prose names it; empty for jobs without such names
    cases: tuple[Case, ...]

    @property
    def name(self) -> str:
        twice = bool(self.cases[0].after)
        if self.prose:
            return f"{self.prose}, resumed twice," if twice else self.prose
        if not self.restore:
            return NAMELESS
        return f"`{self.cases[0].label}`" if twice else f"`{self.restore}`"

    @property
    def failed(self) -> tuple[Case, ...]:
        """The cases that diverged or were refused."""
        return tuple(case for case in self.cases if case.outcome not in (RECOVERED, INCONCLUSIVE))

    @property
    def unknown(self) -> tuple[Case, ...]:
        """The inconclusive cases."""
        return tuple(case for case in self.cases if case.outcome == INCONCLUSIVE)

    @property
    def good(self) -> tuple[Case, ...]:
        """The cases that recovered, with those of all other ranks from the same boundary."""
        wrong = {case.boundary for case in self.cases if case.outcome != RECOVERED}
        return tuple(case for case in self.cases if case.boundary not in wrong)

    @property
    def recovered(self) -> bool:
        return len(self.good) == len(self.cases)

    @property
    def by_boundary(self) -> bool:
        """Whether its cases can be told apart by their boundaries."""
        return all(case.boundary is not None for case in self.cases)

    @property
    def partly(self) -> bool:
        """Whether it recovers from some boundaries, and from others it fails or is unknown."""
        return bool(self.good) and not self.recovered and self.by_boundary

    @property
    def lost(self) -> bool:
        """Whether it fails, and recovers from no boundary."""
        return bool(self.failed) and not self.partly

    @property
    def manner(self) -> str:
        """How it recovered, where that is not bit for bit."""
        accepted = dict.fromkeys(each.cause for case in self.good for each in case.allowed)
        return _manner(self.good, f"the accepted {listed(list(accepted))}" if accepted else "")


def _manner(recovered: Sequence[Case], accepted: str) -> str:
    """Say how cases recovered, where that is not bit for bit."""
    apart = [f"apart from {accepted}"] if accepted else []
    inexact = [case for case in recovered if case.comparison and not case.comparison.exact]
    if inexact and any(case.noise and case.noise.first_difference for case in recovered):
        apart.append("within the noise of the job itself")
    if tolerances := dict.fromkeys(each.tolerance.text for each in inexact if each.tolerance.text):
        apart.append(f"within the tolerance {', '.join(tolerances)}")
    if inexact and not apart:  # such as NaN that counts as equal
        apart.append("but not bit for bit")
    return ", ".join(apart)


def answer(cases: Sequence[Case]) -> str:
    """Return in prose which restores recover, and what the others do instead."""
    if not cases:
        return NOTHING
    tried = _tried(cases)
    by_job = _grouped([each for each in tried if not each.prose], lambda each: each.job)
    sentences = [_capitalised(text) for text in _by_restore([each for each in tried if each.prose])]
    if len(by_job) > MOST_JOBS:
        sentences += _in_groups(by_job)
    else:
        sentences += [text for job, group in by_job.items() for text in _of_job(job, group)]
    return " ".join([*sentences, *_of_controls(tried)])


def verdict_line(cases: Sequence[Case], *, causes: bool = False) -> str:
    """Return the verdict and its counts in one line; `causes` adds those of each failed case."""
    if not cases:
        return f"INCONCLUSIVE: {NOTHING}"
    unknown = [case for case in cases if case.outcome == INCONCLUSIVE]
    wrong = [case for case in cases if case.is_wrong and case not in unknown]
    short = short_names(cases)
    total = counted(len(cases), "case")
    if wrong:
        names = _some([f"{_short(case, short)} {_did(case, causes)}" for case in wrong])
        more = f" {len(unknown)} could not be judged." if unknown else ""
        return f"FAIL: {len(wrong)} of {total} did not do what was expected: {names}.{more}"
    if unknown:
        names = _some([_short(case, short) for case in unknown])
        return f"INCONCLUSIVE: {len(unknown)} of {total} could not be judged: {names}."
    return _as_expected(cases, total)


def _as_expected(cases: Sequence[Case], total: str) -> str:
    recovered = [case for case in cases if case.outcome == RECOVERED]
    accepted = "accepted differences" if any(case.allowed for case in recovered) else ""
    manner = _manner(recovered, accepted)
    failed = len(cases) - len(recovered)
    if not failed:
        how = f", {manner}" if manner else ""
        return f"PASS: {len(recovered)} of {total} recovered{how}."
    counts = [f"{len(recovered)} recovered{f' ({manner})' if manner else ''}"] if recovered else []
    counts.append(f"{failed} failed as {'it' if failed == 1 else 'they'} should")
    return f"As expected: {', '.join(counts)}."


def _did(case: Case, causes: bool) -> str:
    outcome = "was refused" if case.outcome == REFUSED else case.outcome
    found = list(dict.fromkeys(each.cause for each in case.diagnoses)) if causes else []
    causes_found = f" ({', '.join(found)})" if found else ""
    fault = AT_FAULT if case.outcome == RECOVERED and case.faults else ""
    return f"{outcome}{fault}{causes_found}"


def _short(case: Case, short: dict[str, str]) -> str:
    return f"{short[case.job]} × {case.label}" if case.restore else short[case.job]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _tried(cases: Sequence[Case]) -> list[_Tried]:
    short = short_names(cases)
    groups = _grouped(cases, lambda case: (case.job, case.restore, bool(case.after)))
    return [
        _Tried(short[job], restore, in_prose(job).get(restore, ""), tuple(group))
        for (job, restore, _), group in groups.items()
    ]


def _grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- Restores that prose can name, over all jobs ------------------------------------------------


def _by_restore(tried: Sequence[_Tried]) -> Iterator[str]:
    jobs = {each.job for each in tried}
    by_name = _grouped(tried, lambda each: each.name)
    good = [group for group in by_name.values() if all(each.recovered for each in group)]
    for said, groups in _grouped(good, lambda group: _brings_back(group, jobs)).items():
        names = [group[0].name for group in groups]
        yield f"{listed(names)} {said}" if len(names) == 1 else f"each of {listed(names)} {said}"
    for name, group in by_name.items():
        if group not in good:
            yield from _failing(name, group, good, len(jobs) > 1)


def _brings_back(group: Sequence[_Tried], jobs: set[str]) -> str:
    """Say what a restore brings back that recovers in all of its jobs."""
    manner = ", ".join(dict.fromkeys(each.manner for each in group if each.manner))
    tried_in = {each.job: None for each in group}
    where = f" in {listed(list(tried_in))}" if set(tried_in) != jobs else ""
    if manner:
        return f"recovers{where}, {manner}."
    averaged = all(_statistics_survive(each) for each in group)
    what = "every moving mean and variance" if averaged else "every tensor"
    return f"brings {what} back{where}, bit for bit."


def _statistics_survive(tried: _Tried) -> bool:
    """Return whether there are moving statistics, and all of them were restored."""
    rows = [moving_statistics(case.comparison) for case in tried.cases if case.comparison]
    return bool(rows) and all(each and all(row.identical for row in each) for each in rows)


def _failing(
    name: str, group: Sequence[_Tried], good: Sequence[Sequence[_Tried]], several: bool
) -> Iterator[str]:
    """Say what a restore does in each job in which it does not recover."""
    failed = [each for each in group if each.failed]
    effects = _grouped(failed, lambda each: _effects(each, brief=True))
    parts = [
        f"{effect} in {listed([each.job for each in those])}" if several else effect
        for effect, those in effects.items()
    ]
    recovers = [each.job for each in group if each.recovered]
    if parts and recovers:
        manners = dict.fromkeys(each.manner for each in group if each.recovered and each.manner)
        how = f", {', '.join(manners)}" if manners else ""
        yield f"{name} recovers in {listed(recovers)}{how}, but {listed(parts)}."
    elif parts and _is_not_needed(failed, good):
        lacks = all(effect.startswith("loses ") for effect in effects)
        but = "brings every moving mean and variance back, but" if lacks else "is not needed: it"
        yield f"{name} {but} {listed(parts)}."
    elif parts:
        yield f"{name} {listed(parts)}."
    yield from _unknown(group)


def _is_not_needed(failed: Sequence[_Tried], good: Sequence[Sequence[_Tried]]) -> bool:
    """Return whether a restore fails where another one recovers, but loses no moving statistics."""
    jobs = {each.job for each in failed}
    enough = any(jobs <= {each.job for each in group} for group in good)
    compared = [each for each in failed if any(case.comparison for case in each.cases)]
    return enough and all(_statistics_survive(each) for each in compared)


# --- Restores by their own names, job by job ----------------------------------------------------


def _of_job(job: str, tried: Sequence[_Tried]) -> Iterator[str]:
    good = [each for each in tried if each.recovered]
    partly = [each for each in tried if each.partly]
    for manner, those in _grouped(good, lambda each: each.manner).items():
        every = " from every boundary" if len(_boundaries(those[0].cases)) > 1 else ""
        every += " on every rank" if len({case.rank for case in those[0].cases}) > 1 else ""
        yield f"{job} recovers with {_names(those)}{every}{_continues(manner)}."
    for (span, effect), those in _grouped(partly, lambda each: (_span(each), _lost(each))).items():
        what = f": {_it(those)} {effect}" if effect else _continues(those[0].manner)
        yield f"{job} recovers with {_names(those)} {span}{what}."
    lost = [each for each in tried if each.lost]
    effects = _grouped(lost, _effects)
    if lost and not good and not partly:
        names = _names(lost, "or")
        if len(effects) == 1:
            yield f"{job} does not recover with {names}: {_it(lost)} {next(iter(effects))}."
            effects = {}
        else:
            yield f"{job} does not recover with {names}."
    for said, those in effects.items():
        yield _capitalised(f"{_each_of(those)} {said}.")
        yield from dict.fromkeys(
            each.cases[0].reason or "" for each in those if each.cases[0].after
        )
    yield from _unknown(tried)


def _names(tried: Sequence[_Tried], last: str = "and") -> str:
    return listed([each.name for each in tried], last)


def _it(tried: Sequence[_Tried]) -> str:
    return "it" if len(tried) == 1 else "each"


def _continues(manner: str) -> str:
    return f", {manner}" if manner else ": it continues bit for bit as if never interrupted"


def _lost(tried: _Tried) -> str:
    return _effects(tried, everywhere=True) if tried.failed else ""


def _span(tried: _Tried) -> str:
    """Say from which boundaries a restore recovers, and from which it does not."""
    if not tried.failed:
        return _from(tried.good)
    manner = f", {tried.manner}" if tried.manner else ""
    return f"{_from(tried.good)}{manner}, but not from {listed(_boundaries(tried.failed))}"


def _from(cases: Sequence[Case]) -> str:
    steps = _boundaries(cases)
    return f"from {'step' if len(steps) == 1 else 'steps'} {listed(steps)}"


def _boundaries(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(str(case.boundary) for case in cases))


def _on(cases: Sequence[Case], tried: _Tried) -> str:
    """Say on which ranks something is so, where it is not on all of them."""
    ranks = {case.rank for case in tried.cases}
    those = sorted({case.rank for case in cases if case.rank is not None})
    if not those or len(those) == len(ranks):
        return ""
    return filled(
        " on {count:rank|ranks} {names}", count=len(those), names=listed(list(map(str, those)))
    )


def _in_groups(by_job: dict[str, list[_Tried]]) -> Iterator[str]:
    """Say of many jobs which recover with every restore, which with some, and which with none."""
    whole = [job for job, tried in by_job.items() if all(each.recovered for each in tried)]
    failing = [job for job, tried in by_job.items() if any(each.failed for each in tried)]
    none = [
        job for job in failing if all(len(each.failed) == len(each.cases) for each in by_job[job])
    ]
    for manner, jobs in _grouped(whole, lambda job: _manners(by_job[job])).items():
        yield f"Every tested restore recovers in {listed(jobs)}, {manner or 'bit for bit'}."
    for job in failing:
        if job not in none:
            yield from _in_short(job, by_job[job])
    if none:
        yield f"No tested restore recovers in {listed(none, 'or')}."
    known = {*whole, *failing}
    if unknown := [job for job in by_job if job not in known]:
        yield f"Whether every tested restore recovers is unknown in {listed(unknown)}."


def _manners(tried: Iterable[_Tried]) -> str:
    return ", ".join(dict.fromkeys(each.manner for each in tried if each.manner))


def _in_short(job: str, tried: Sequence[_Tried]) -> Iterator[str]:
    """Say with which restores a job recovers, fails and is unknown, without what they lose."""
    good = [each for each in tried if each.recovered]
    lost = [each for each in tried if each.lost]
    if good:
        manner = _manners(good)
        how = f", {manner}" if manner else ""
        but = f", but not with {_names(lost)}" if lost else ""
        yield f"{job} recovers with {_names(good)}{how}{but}."
    elif lost:
        yield f"{job} does not recover with {_names(lost, 'or')}."
    for each in tried:
        if each.partly:
            yield f"{job} recovers with {each.name} {_span(each)}."
    yield from _unknown(tried, reasons=False)


def _each_of(tried: Sequence[_Tried]) -> str:
    return tried[0].name if len(tried) == 1 else f"each of {_names(tried)}"


# --- What was lost, and what is unknown ---------------------------------------------------------


def _effects(tried: _Tried, *, brief: bool = False, everywhere: bool = False) -> str:
    """Return what a restore does instead of recovering, and from which boundaries if not all.

    `brief`: only that it fails, or its most severe effect and others of the same verb.
    `everywhere`: without the boundaries.
    """
    failed = tried.failed
    if brief and all(case.outcome == REFUSED for case in failed):
        return "fails"
    found = {each.cause: each for case in failed for each in case.diagnoses if is_of_restore(each)}
    ordered = sorted((each for each in found.values() if each.cause in CAUSES), key=_severity)
    if brief:
        ordered = [each for each in ordered if _severity(each) == _severity(ordered[0])]
    effects = [_effect(each) for each in ordered]
    if brief:
        effects = [each for each in effects if _verb(each) == _verb(effects[0])]
    said = _joined(effects) or listed(list(dict.fromkeys(_VERBS[case.outcome] for case in failed)))
    said += _on([case for case in failed if case.diagnoses], tried)
    boundaries = _boundaries([case for case in failed if case.boundary is not None])
    if everywhere or not boundaries or len(boundaries) == len(_boundaries(tried.cases)):
        return said
    return f"{said} when resumed after step {listed(boundaries, 'or')}"


def _effect(diagnosis: Diagnosis) -> str:
    first, *more = diagnosis.tensors or ("a tensor",)
    named = listed([f"`{first}`", *([f"{len(more)} more"] if more else [])])
    return CAUSES[diagnosis.cause].effect.replace("{tensors}", named)


def _verb(effect: str) -> str:
    return effect.partition(" ")[0]


def _severity(diagnosis: Diagnosis) -> int:
    known = diagnosis.severity in _BY_SEVERITY
    return _BY_SEVERITY.index(diagnosis.severity) if known else len(_BY_SEVERITY)


def _joined(effects: Sequence[str]) -> str:
    """Join predicates; if they are too long for a sentence, the first ones and how many follow."""
    count = len(effects)
    while count > 1 and len(_shared(effects[:count])) > MOST_OF_EFFECTS:
        count -= 1
    said = _shared(effects[:count])
    more = len(effects) - count
    return f"{said}, and has {counted(more, 'more fault')}" if more else said


def _shared(effects: Sequence[str]) -> str:
    """Join predicates; those of one verb share it: loses the weights, the slots and the step.

    Those of one object share that first: restarts and reseeds the random generators.
    """
    by_object = _grouped(effects, _object)
    verbs = {each: listed([_verb(effect) for effect in those]) for each, those in by_object.items()}
    by_verb = _grouped(verbs, lambda each: verbs[each])
    said = [f"{verb} {listed(objects)}" for verb, objects in by_verb.items()]
    return listed(said) if said else ""


def _object(effect: str) -> str:
    return effect.partition(" ")[2]


def _unknown(tried: Sequence[_Tried], *, reasons: bool = True) -> Iterator[str]:
    """Say what is unknown, from which boundaries if not all, and why."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for each in tried:
        why = _grouped(each.unknown, lambda case: (case.reason or "") if reasons else "")
        for reason, cases in why.items():
            known = len(_boundaries(cases)) < len(_boundaries(each.cases)) and each.by_boundary
            where = f"{f' {_from(cases)}' if known else ''}{_on(cases, each)}"
            names.setdefault((each.job, where, reason), []).append(each.name)
    for (job, where, reason), those in names.items():
        # A job that failed before it named its restores has none.
        restores = f" with {listed(those, 'or')}" if those != [NAMELESS] else ""
        yield f"Whether {job} recovers{restores}{where} is unknown. {reason}".rstrip()


def _of_controls(tried: Sequence[_Tried]) -> Iterator[str]:
    """Say what is wrong with jobs that recover: faults of their controls."""
    for job, those in _grouped(tried, lambda each: each.job).items():
        found = {
            each.cause: each
            for one in those
            for case in one.cases
            for each in case.diagnoses
            if not is_of_restore(each) and case.outcome != INCONCLUSIVE
        }
        effects = [CAUSES[cause].effect for cause in found]
        if effects:
            yield f"{job} itself {_joined(effects)}."
