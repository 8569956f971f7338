"""The line of the study of savers. Start reading here.

saver ─▶ two saves, the second traced ─▶ crash states ─▶ restores ─▶ old, new, or lost ─▶ row
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ckptcheck.crash_states.strace_log import why_not
from ckptcheck.drills.savers.answers import Row
from ckptcheck.drills.savers.catalogue import chosen, why_left_out
from ckptcheck.drills.savers.measured import rows_of
from ckptcheck.errors import NotVerifiedError
from ckptcheck.run.environment import version_of
from ckptcheck.text_safety import shown_as_json


@dataclass(frozen=True)
class SaversReport:
    """The result of the study.

    Attributes:
        rows: what each saver came to.
        left_out: the savers that cannot be run here, each with the reason.
        versions: the versions of the packages that the savers are of.
    """

    rows: tuple[Row, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: each saver was run; 3: one could not be."""
        return NotVerifiedError.exit_code if self.troubled else 0

    @property
    def troubled(self) -> list[Row]:
        """The savers that could not be run."""
        return [row for row in self.rows if row.trouble]

    def warnings(self) -> list[str]:
        """Return a sentence for each saver that the table does not cover."""
        return [
            *(f"{name} is left out: {why}." for name, why in self.left_out.items()),
            *(f"{each.saver.name} could not be run. {each.trouble}" for each in self.troubled),
        ]

    def to_json(self) -> str:
        """Return the report as one JSON document."""
        document = {
            "versions": dict(self.versions),
            "savers": [row.document() for row in self.rows],
            "left_out": dict(self.left_out),
        }
        return shown_as_json(json.dumps(document, indent=2, ensure_ascii=False))


def study(
    only: Sequence[str] = (), *, watch: Callable[[str], None] = lambda names: None
) -> SaversReport:
    """Save twice with each saver, and restore from each crash state of the second save.

    Args:
        only: The names of savers; each is studied with its fixed twin. Default: all.
        watch: A function that is called with the names of the savers that come next.

    Raises:
        UsageError: There is no such saver.
        NotVerifiedError: No command can be traced here, or no saver can be run.
    """
    savers = chosen(only)
    if why := why_not():
        raise NotVerifiedError(f"Crash states cannot be enumerated: {why}")
    left_out = {each.name: why for each in savers if (why := why_left_out(each))}
    here = [each for each in savers if each.name not in left_out]
    if not here:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise NotVerifiedError(f"No saver can be run here. {reasons}.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ckptcheck-savers-") as temporary:
        for needs in dict.fromkeys(saver.needs for saver in here):
            together = [saver for saver in here if saver.needs == needs]
            watch(", ".join(saver.name for saver in together))
            rows += rows_of(together, Path(temporary))
    rows.sort(key=lambda row: here.index(row.saver))
    packages = dict.fromkeys(package for saver in here for package in saver.needs)
    return SaversReport(tuple(rows), left_out, {each: version_of(each) for each in packages})
