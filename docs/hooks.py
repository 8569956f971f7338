"""Generate parts of the pages: the build replaces each `<!-- generated: NAME -->`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MARKER = re.compile(r"<!-- generated: ([\w-]+) -->")


def on_files(files: Any, config: Any) -> Any:
    """Add the figures of `data/`, which the pages show."""
    # Tests use the generators below without MkDocs.
    from mkdocs.structure.files import File

    for path in sorted((ROOT / "data").rglob("*.png")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Insert what is generated. Links to figures are written as they work in the repository."""
    return MARKER.sub(lambda found: GENERATED[found[1]](), markdown).replace(
        "](../data/", "](data/"
    )


def causes() -> str:
    """Return a section for each cause of the catalogue."""
    document = json.loads(ckptcheck("explain", "--json"))
    return "\n".join(line for cause in document for line in _cause(cause))


def _cause(cause: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {cause['name']}\n\n{cause['summary']}\n"
    yield f"**How it shows:** {cause['signature']}\n"
    if severity := cause.get("severity"):
        yield f"**Severity:** {severity}\n"
    for heading, remedies in cause["remedies"].items():
        yield f"**{heading}:**\n"
        for stage, remedy in remedies.items():
            yield f"- {f'*{stage}:* ' if stage else ''}{_prose(remedy)}"
        yield ""
    for fix in cause["fixes"]:
        yield f"**Fixed, in {fix['in']}:** `{fix['fixed']}` recovers, `{fix['broken']}` does not.\n"
        yield f"```python\n{fix['code']}\n```\n"
    accept = f"`--allow {cause['name']}`"
    yield f"**To accept it:** {accept if cause['can_be_allowed'] else 'not possible'}\n"
    *_, repository, _, number = cause["reported"].split("/")
    yield f"**Reported:** [{repository}#{number}]({cause['reported']})\n"


def _prose(text: str) -> str:
    """Protect what Markdown would take for emphasis or HTML."""
    return re.sub(r"([*_<\[\]])", r"\\\1", text)


def commands() -> str:
    """Return the help of each command."""
    overview = ckptcheck("--help")
    listed = overview.partition("Commands:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^  (\w+) ", listed, re.MULTILINE)
    sections = [f"```text\n{overview.strip()}\n```"]
    for name in names:
        sections.append(f"## {name}\n\n```text\n{ckptcheck(name, '--help').strip()}\n```")
    return "\n\n".join(sections)


def jobs() -> str:
    """Return the shipped jobs, and what each restore of them is expected to do."""
    from ckptcheck.jobs.registry import JOBS

    restores = list(dict.fromkeys(name for job in JOBS.values() for name in job.expected))
    lines = [f"| job | what it is | {' | '.join(f'`{name}`' for name in restores)} |"]
    lines.append("|---" * (2 + len(restores)) + "|")
    for job in JOBS.values():
        outcomes = " | ".join(job.expected.get(name, "") for name in restores)
        lines.append(f"| `{job.name}` | {_prose(job.summary)} | {outcomes} |")
    return "\n".join(lines)


def recipes() -> str:
    """Return the recipes of TensorFlow's cards, and the expected outcome of each restore."""
    from ckptcheck.job.shipped import ShippedJob
    from ckptcheck.jobs.registry import REGISTRY

    lines = ["| recipe | what it is | outcome of each restore |", "|---|---|---|"]
    for recipe in REGISTRY.recipes.values():
        if not isinstance(recipe, ShippedJob):
            continue
        outcomes = ", ".join(f"`{name}` {outcome}" for name, outcome in recipe.expected.items())
        lines.append(f"| `{recipe.name}` | {_prose(recipe.summary)} | {outcomes} |")
    return "\n".join(lines)


def scripts() -> str:
    """Return the scripts of PyTorch's cards: what is lost, and the fix."""
    from ckptcheck.job.shipped import ShippedCommand
    from ckptcheck.jobs.registry import REGISTRY

    lines = ["| recipe | what it does | outcome | fixed |", "|---|---|---|---|"]
    for recipe in REGISTRY.recipes.values():
        if not isinstance(recipe, ShippedCommand) or recipe.arguments:
            continue
        (outcome,) = recipe.expected.values()
        twin = REGISTRY.recipes.get(f"{recipe.name}-fixed")
        fix = twin.summary.removeprefix("Fixed: ") if twin else ""
        lines.append(f"| `{recipe.name}` | {_prose(recipe.summary)} | {outcome} | {_prose(fix)} |")
    return "\n".join(lines)


def ckptcheck(*arguments: str) -> str:
    """Return what the command line prints."""
    return subprocess.run(
        [sys.executable, "-m", "ckptcheck", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "90"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


GENERATED: Mapping[str, Callable[[], str]] = {
    "causes": causes,
    "commands": commands,
    "jobs": jobs,
    "recipes": recipes,
    "scripts": scripts,
}
