"""The output folder of studies: the kept runs, shared by all, and a folder of results for each."""

from pathlib import Path

from ckptcheck.report.outputs.figure import save_figure
from ckptcheck.report.outputs.folder import replace
from ckptcheck.studies.catalogue import STUDIES
from ckptcheck.studies.plot import plot_study
from ckptcheck.studies.summary import Study

KEPT = "kept"
# None of these is a name that a verification uses: it would replace the folder.
CONTENTS = (KEPT, *STUDIES)


def write(study: Study, partial: Path) -> None:
    """Write all files of a study into `partial`, then move them into place as its folder."""
    folder = partial / study.definition.name
    folder.mkdir()
    for name, table in (
        ("epochs", study.epochs()),
        ("runs", study.runs()),
        ("humps", study.humps()),
    ):
        table.to_csv(folder / f"{name}.csv", index=False)
    # Five digits are enough to draw the bands, and keep the file small.
    study.bands().to_csv(folder / "bands.csv", index=False, float_format="%.5g")
    save_figure(plot_study(study), folder, "curves")
    (folder / "summary.json").write_text(study.to_json() + "\n", encoding="utf-8")
    replace(folder, partial.parent / folder.name)
