"""The files of a drill in its output folder."""

from pathlib import Path

from ckptcheck.drills.drilled import DrillReport
from ckptcheck.drills.timeline import plot_timeline
from ckptcheck.report.outputs.figure import save_figure
from ckptcheck.report.outputs.folder import replace, write_tables

# In the order in which they are moved into place.
CONTENTS = (
    "runs",
    "losses.csv",
    "tensors.csv",
    "evaluations.csv",
    "timeline.png",
    "timeline.svg",
    "report.json",
)


def write(report: DrillReport, partial: Path) -> None:
    """Write all files of a report into `partial`, then move them into place, the report last."""
    write_tables(report, partial)
    save_figure(plot_timeline(report), partial, "timeline")
    (partial / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    folder = partial.parent
    (folder / "report.json").unlink(missing_ok=True)
    for name in CONTENTS:
        replace(partial / name, folder / name)
