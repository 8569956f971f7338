"""The catalogue as people read it: on a terminal, as JSON, and as the README's table."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.diagnosis.catalogue import CAUSES, remedy
from ckptcheck.diagnosis.cause import Cause, Stage
from ckptcheck.errors import unknown
from ckptcheck.job.frameworks import styles
from ckptcheck.report.outputs.console import print_trimmed, unruled

# What a cause is lost at decides its remedy; None: where that is not known.
_STAGES = (Stage.OMITTED_AT_SAVE, Stage.NOT_APPLIED_AT_LOAD, Stage.OVERWRITTEN_AFTER_LOAD, None)


def find(name: str) -> Cause:
    """Return a cause of the catalogue, or raise `UsageError` with the nearest names."""
    if name not in CAUSES:
        raise unknown("cause", name, CAUSES)
    return CAUSES[name]


def show(cause: Cause, console: Console) -> None:
    """Print what a cause is, how it shows, and what to do about it."""
    print_trimmed(console, *_story(cause))
    # Not wrapped: an address is copied.
    print(f"  A report of it: {cause.reported}", file=console.file)


def _story(cause: Cause) -> Iterator[RenderableType]:
    yield Text(cause.name, style="bold")
    yield Padding(Text(cause.summary), (0, 0, 1, 2))
    yield Padding(Text.assemble(("How it shows: ", "bold"), cause.signature), (0, 0, 1, 2))
    for heading, remedies in _remedies(cause).items():
        yield Padding(Text(heading, style="bold"), (0, 0, 0, 2))
        for stage, what in remedies.items():
            text = Text.assemble((f"{stage}: ", "magenta"), what) if stage else Text(what)
            yield Padding(text, (0, 0, 0, 4))
    never = "It cannot be allowed: after it nothing can be said of the rest of the run."
    yield Padding(
        Text(f"Where it is meant: --allow {cause.name}" if cause.acceptable else never),
        (1, 0, 0, 2),
    )


def _remedies(cause: Cause) -> dict[str, dict[str, str]]:
    """Return the remedies by a heading and by the stage; frameworks with the same ones share a heading."""
    named: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for framework, name in {**styles(), "": "another framework"}.items():
        named.setdefault(tuple(_by_stage(cause, framework).items()), []).append(name)
    if len(named) == 1:
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
        by_text[stages[None]] = ["seen by its effect alone"]  # else it is the others put together
    return {", ".join(names): remedy for remedy, names in by_text.items()}


def overview(console: Console) -> None:
    """Print every cause with its summary."""
    table = unruled(Column(no_wrap=True, style="bold"), Column(), show_header=False)
    for cause in CAUSES.values():
        table.add_row(cause.name, cause.summary)
    print_trimmed(console, table)
    print("\nckptcheck explain CAUSE says how it shows, and what to do.", file=console.file)


def to_json(causes: Iterable[Cause]) -> str:
    """Return causes as one JSON document."""
    return json.dumps([_document(cause) for cause in causes], indent=2, ensure_ascii=False)


def _document(cause: Cause) -> dict[str, Any]:
    return {
        "name": cause.name,
        "summary": cause.summary,
        "signature": cause.signature,
        "remedies": _remedies(cause),
        "can_be_allowed": cause.acceptable,
        "reported": cause.reported,
    }


def to_markdown() -> str:
    """Return the catalogue as a Markdown table."""
    rows = ["| cause | what it is | how it shows | met |", "|---|---|---|---|"]
    for cause in CAUSES.values():
        # A thread as people name it.
        *_, repository, _, number = cause.reported.split("/")
        thread = f"[{repository}#{number}]({cause.reported})"
        rows.append(f"| `{cause.name}` | {cause.summary} | {cause.signature} | {thread} |")
    return "\n".join(rows)
