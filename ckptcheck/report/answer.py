"""The answer of a verification in prose: which restores recover, what others do, the verdict."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ckptcheck.comparison.comparison import moving_statistics
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis, Severity
from ckptcheck.diagnosis.diagnose import is_of_restore
from ckptcheck.job.shipped import in_prose
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import NOTHING, listed, short_names

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

# With more jobs than this, jobs that do the same share a sentence.
MOST_JOBS = 3
MOST_EFFECTS = 3
MOST_NAMES = 5
_VERBS = {DIVERGED: "diverges", REFUSED: "is refused"}
_BY_SEVERITY = [severity.value for severity in Severity]


@dataclass(frozen=True)
class _Tried:
    """One restore of one job, from every boundary."""

    job: str
    restore: str
    prose: str  # the restore as prose names it; empty for jobs without such names
    cases: tuple[Case, ...]

    @property
    def name(self) -> str:
        return self.prose or f"`{self.restore}`"

    @property
    def failed(self) -> tuple[Case, ...]:
        """The cases that diverged or were refused."""
        return tuple(case for case in self.cases if case.outcome not in (RECOVERED, INCONCLUSIVE))

    @property
    def unknown(self) -> tuple[Case, ...]:
        """The inconclusive cases."""
        return tuple(case for case in self.cases if case.outcome == INCONCLUSIVE)

    @property
    def recovered(self) -> bool:
        return not self.failed and not self.unknown

    @property
    def manner(self) -> str:
        """How it recovered, where that is not bit for bit."""
        accepted = dict.fromkeys(each.cause for case in self.cases for each in case.allowed)
        apart = [f"apart from the accepted {listed(list(accepted))}"] if accepted else []
        inexact = any(case.comparison and not case.comparison.exact for case in self.cases)
        if inexact and any(case.noise and case.noise.first_difference for case in self.cases):
            apart.append("within the noise of the job itself")
        if inexact and (tolerance := self.cases[0].tolerance.text):
            apart.append(f"within the tolerance {tolerance}")
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
    total = "1 case" if len(cases) == 1 else f"{len(cases)} cases"
    if wrong:
        names = _some([f"{_short(case, short)} {_did(case, causes)}" for case in wrong])
        more = f" {len(unknown)} could not be judged." if unknown else ""
        return f"FAIL: {len(wrong)} of {total} did not do what was expected: {names}.{more}"
    if unknown:
        names = _some([_short(case, short) for case in unknown])
        return f"INCONCLUSIVE: {len(unknown)} of {total} could not be judged: {names}."
    recovered = sum(case.outcome == RECOVERED for case in cases)
    if recovered == len(cases):
        return f"PASS: {recovered} of {total} recovered."
    counts = [f"{recovered} recovered"] if recovered else []
    failed = len(cases) - recovered
    counts.append(f"{failed} failed as {'it' if failed == 1 else 'they'} should")
    return f"As expected: {', '.join(counts)}."


def _did(case: Case, causes: bool) -> str:
    outcome = "was refused" if case.outcome == REFUSED else case.outcome
    found = list(dict.fromkeys(each.cause for each in case.diagnoses)) if causes else []
    return f"{outcome} ({', '.join(found)})" if found else outcome


def _short(case: Case, short: dict[str, str]) -> str:
    return f"{short[case.job]} × {case.label}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _tried(cases: Sequence[Case]) -> list[_Tried]:
    short = short_names(cases)
    groups = _grouped(cases, lambda case: (case.job, case.restore))
    return [
        _Tried(short[job], restore, in_prose(job).get(restore, ""), tuple(group))
        for (job, restore), group in groups.items()
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
        yield f"{name} recovers in {listed(recovers)}, but {listed(parts)}."
    elif parts and _is_not_needed(failed, good):
        yield f"{name} is not needed: it {listed(parts)}."
    elif parts:
        yield f"{name} {listed(parts)}."
    yield from _unknown([each for each in group if each.unknown], several)


def _is_not_needed(failed: Sequence[_Tried], good: Sequence[Sequence[_Tried]]) -> bool:
    """Return whether a restore fails where another one recovers, but loses no moving statistics."""
    jobs = {each.job for each in failed}
    enough = any(jobs <= {each.job for each in group} for group in good)
    compared = [each for each in failed if any(case.comparison for case in each.cases)]
    return enough and all(_statistics_survive(each) for each in compared)


# --- Restores by their own names, job by job ----------------------------------------------------


def _of_job(job: str, tried: Sequence[_Tried]) -> Iterator[str]:
    good = [each for each in tried if each.recovered]
    failed = [each for each in tried if each.failed]
    for manner, those in _grouped(good, lambda each: each.manner).items():
        names = listed([each.name for each in those])
        every = " from every boundary" if len(those[0].cases) > 1 else ""
        how = f", {manner}." if manner else ": it continues bit for bit as if never interrupted."
        yield f"{job} recovers with {names}{every}{how}"
    effects = _grouped(failed, _effects)
    said = [f"{_each_of(those)} {effect}" for effect, those in effects.items()]
    if said and not good and not any(each.unknown for each in tried):
        yield f"No restore of {job} recovers: {listed(said)}."
    else:
        yield from (f"{_capitalised(text)}." for text in said)
    yield from _unknown([each for each in tried if each.unknown], True)


def _in_groups(by_job: dict[str, list[_Tried]]) -> Iterator[str]:
    """Say of many jobs which recover with every restore, which with some, and which with none."""
    unknown = [job for job, tried in by_job.items() if any(each.unknown for each in tried)]
    known = {job: tried for job, tried in by_job.items() if job not in unknown}
    good = {job: [each for each in tried if each.recovered] for job, tried in known.items()}
    all_good = [job for job, tried in known.items() if len(good[job]) == len(tried)]
    some = [job for job in known if good[job] and job not in all_good]
    if all_good:
        yield f"Every restore recovers in {listed(all_good)}{_how([*known.values()])}."
    for job in some:
        yield f"{job} recovers with {listed([each.name for each in good[job]])} only."
    if none := [job for job in known if not good[job]]:
        yield f"No restore recovers in {listed(none, 'or')}."
    if unknown:
        yield f"Whether every restore recovers is unknown in {listed(unknown)}."


def _how(tried: Sequence[Sequence[_Tried]]) -> str:
    inexact = any(each.manner for group in tried for each in group if each.recovered)
    return "" if inexact else ", bit for bit"


def _each_of(tried: Sequence[_Tried]) -> str:
    names = [each.name for each in tried]
    return names[0] if len(names) == 1 else f"each of {listed(names)}"


# --- What was lost, and what is unknown ---------------------------------------------------------


def _effects(tried: _Tried, *, brief: bool = False) -> str:
    """Return what a restore does instead of recovering, and from which boundaries if not all.

    `brief`: only that it fails, or its most severe effect and others of the same verb.
    """
    failed = tried.failed
    if brief and all(case.outcome == REFUSED for case in failed):
        return "fails"
    found = {each.cause: each for case in failed for each in case.diagnoses if is_of_restore(each)}
    ordered = sorted((each for each in found.values() if each.cause in CAUSES), key=_severity)
    if brief:
        ordered = [each for each in ordered if _severity(each) == _severity(ordered[0])]
    effects = [CAUSES[each.cause].effect for each in ordered]
    if brief:
        effects = [each for each in effects if _verb(each) == _verb(effects[0])]
    said = _joined(effects) or listed(list(dict.fromkeys(_VERBS[case.outcome] for case in failed)))
    boundaries = [str(case.boundary) for case in failed if case.boundary is not None]
    if not boundaries or len(failed) == len(tried.cases):
        return said
    return f"{said} when resumed after step {listed(boundaries, 'or')}"


def _verb(effect: str) -> str:
    return effect.partition(" ")[0]


def _severity(diagnosis: Diagnosis) -> int:
    known = diagnosis.severity in _BY_SEVERITY
    return _BY_SEVERITY.index(diagnosis.severity) if known else len(_BY_SEVERITY)


def _joined(effects: Sequence[str]) -> str:
    """Join predicates; those of one verb share it: loses the weights, the slots and the step."""
    by_verb = _grouped(effects[:MOST_EFFECTS], _verb)
    said = [
        f"{verb} {listed([each.partition(' ')[2] for each in those])}"
        for verb, those in by_verb.items()
    ]
    if more := len(effects) - MOST_EFFECTS:
        said += [f"has {more} more {'fault' if more == 1 else 'faults'}"] if more > 0 else []
    return listed(said) if said else ""


def _unknown(tried: Sequence[_Tried], several: bool) -> Iterator[str]:
    """Say what is unknown, and why."""
    reasons = _grouped(tried, lambda each: (each.job, each.unknown[0].reason or ""))
    for (job, reason), those in reasons.items():
        names = listed([each.name for each in those], "or")
        yield f"Whether {job} recovers with {names} is unknown. {reason}".rstrip()


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
