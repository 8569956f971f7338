"""The catalogue of causes: on a terminal, and as JSON."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.diagnosis.allowances import why_not
from ckptcheck.diagnosis.catalogue import CAUSES, remedies_for, remedy
from ckptcheck.diagnosis.cause import FILES_LEFT, OWN_FILES, Cause, Stage
from ckptcheck.errors import unknown
from ckptcheck.job.frameworks import styles
from ckptcheck.job.shipped import Fix, fixes_for
from ckptcheck.report.outputs.console import print_trimmed, unruled

# The stage decides the remedy; None: the stage is unknown.
_STAGES = (Stage.OMITTED_AT_SAVE, Stage.NOT_APPLIED_AT_LOAD, Stage.OVERWRITTEN_AFTER_LOAD, None)

# How the names that are not those of single restores are called.
_WAYS = {OWN_FILES: "files of your own", FILES_LEFT: "a command that is judged by its files"}


def find(name: str) -> Cause:
    """Return a cause by name, or raise `UsageError` with the nearest names."""
    if name not in CAUSES:
        raise unknown("cause", name, CAUSES)
    return CAUSES[name]


def check_style(style: str | None) -> None:
    """Raise `UsageError` with the nearest names if no framework declares this style of jobs."""
    if style is not None and style not in styles():
        raise unknown("framework", style, styles())


def show(cause: Cause, console: Console, style: str | None = None) -> None:
    """Print what a cause is, how it shows, what to do about it, and the code of its fixes.

    `style`: for one style of jobs alone, such as `keras`.
    """
    print_trimmed(console, *_story(cause, style))
    fixes = fixes_for(cause.name, style)
    for fix in fixes:
        print_trimmed(console, Text(), *_fixed(fix))
        # Not wrapped, so that it can be copied.
        print(textwrap.indent(fix.code(), "    "), file=console.file)
    if fixes:
        recipes = dict.fromkeys(name for fix in fixes for name in fix.recipes)
        print(f"\n  To run them: ckptcheck verify {' '.join(recipes)}", file=console.file)
        for file in dict.fromkeys(fix.file for fix in fixes):
            print(f"  To read them: {file}", file=console.file)
        print(file=console.file)
    # Not wrapped, so that the address can be copied.
    print(f"  A report of it: {cause.reported}", file=console.file)


def _fixed(fix: Fix) -> Iterator[RenderableType]:
    heading = f"Fixed, in {fix.library or styles()[fix.style]}"
    what = f"{fix.fixed} recovers, {fix.broken} does not."
    yield Padding(Text.assemble((f"{heading}: ", "bold"), what), (0, 0, 0, 2))


def _story(cause: Cause, style: str | None) -> Iterator[RenderableType]:
    yield Text(cause.name, style="bold")
    yield Padding(Text(cause.summary), (0, 0, 1, 2))
    yield Padding(Text.assemble(("Severity: ", "bold"), f"{cause.severity.value}."), (0, 0, 0, 2))
    yield Padding(Text.assemble(("How it shows: ", "bold"), cause.signature), (0, 0, 1, 2))
    for heading, remedies in _remedies(cause, style).items():
        yield Padding(Text(heading, style="bold"), (0, 0, 0, 2))
        for stage, what in remedies.items():
            text = Text.assemble((f"{stage}: ", "magenta"), what) if stage else Text(what)
            yield Padding(text, (0, 0, 0, 4))
    yield Padding(Text(_acceptance(cause)), (1, 0, 0, 2))


def _acceptance(cause: Cause) -> str:
    if cause.acceptable:
        return f"To accept it: --allow {cause.name}"
    never = "Nothing to accept" if cause.about_the_control else "Cannot be accepted"
    return f"{never}: {why_not(cause)}."


def _remedies(cause: Cause, style: str | None) -> dict[str, dict[str, str]]:
    """Return the remedies by heading and stage; frameworks with equal remedies share a heading."""
    named: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for framework, name in {**styles(), "": "any other framework"}.items():
        remedies = (
            _by_stage(cause, framework)
            | _by_restore(cause, framework)
            | _by_tensors(cause, framework)
        )
        if style in (None, framework):
            named.setdefault(tuple(remedies.items()), []).append(name)
    if style is None and len(named) == 1:
        return {"What to do": dict(next(iter(named)))}
    return {
        f"What to do, in {' or '.join(names)}": dict(remedies) for remedies, names in named.items()
    }


def _by_stage(cause: Cause, framework: str) -> dict[str, str]:
    stages = {stage: remedy(cause, stage, framework) for stage in _STAGES}
    if len(set(stages.values())) == 1:
        return {"": stages[None]}
    by_text: dict[str, list[str]] = {}
    for stage, what in stages.items():
        if stage is not None:
            by_text.setdefault(what, []).append(stage.value)
    if framework == "tf1" and not stages[None].startswith(stages[Stage.OMITTED_AT_SAVE]):
        # Otherwise it is the remedies of all stages together.
        by_text[stages[None]] = ["stage unknown"]
    return {", ".join(names): remedy for remedy, names in by_text.items()}


def _by_restore(cause: Cause, framework: str) -> dict[str, str]:
    """Return the remedies that are for single restores of a framework, by these restores."""
    declared = (each for each in remedies_for(cause) if framework in each.frameworks)
    by_text: dict[str, list[str]] = {}
    for restore in dict.fromkeys(name for each in declared for name in each.restores):
        what = remedy(cause, None, framework, restore)
        if what != remedy(cause, None, framework):
            by_text.setdefault(what, []).append(_WAYS.get(restore, f"the restore {restore}"))
    return {f"with {' or '.join(names)}": what for what, names in by_text.items()}


def _by_tensors(cause: Cause, framework: str) -> dict[str, str]:
    """Return the remedies that are for some tensors alone, by the patterns of their names."""
    declared = (each for each in remedies_for(cause) if framework in each.frameworks)
    return {f"for {' or '.join(each.tensors)}": each.about(()) for each in declared if each.tensors}


def overview(console: Console) -> None:
    """Print every cause with its summary."""
    table = unruled(Column(no_wrap=True, style="bold"), Column(), show_header=False)
    for cause in CAUSES.values():
        table.add_row(cause.name, cause.summary)
    print_trimmed(console, table)
    print("\nckptcheck explain CAUSE says how a cause shows and how to fix it.", file=console.file)


def to_json(causes: Iterable[Cause], style: str | None = None) -> str:
    """Return causes as one JSON document, with the remedies of all frameworks or of one."""
    documents = [_document(cause, style) for cause in causes]
    return json.dumps(documents, indent=2, ensure_ascii=False)


def _document(cause: Cause, style: str | None) -> dict[str, Any]:
    return {
        "name": cause.name,
        "summary": cause.summary,
        "severity": cause.severity.value,
        "signature": cause.signature,
        "remedies": _remedies(cause, style),
        "fixes": [_fix(fix) for fix in fixes_for(cause.name, style)],
        "can_be_allowed": cause.acceptable,
        "reported": cause.reported,
    }


def _fix(fix: Fix) -> dict[str, str]:
    return {
        "in": fix.library or styles()[fix.style],
        "broken": fix.broken,
        "fixed": fix.fixed,
        "code": fix.code(),
    }
