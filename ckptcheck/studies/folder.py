"""The output folder of studies: the runs that are kept for all of them, and a folder for the results of each."""

from pathlib import Path

from ckptcheck.report.outputs.figure import save_figure
from ckptcheck.report.outputs.folder import replace
from ckptcheck.studies.catalogue import STUDIES
from ckptcheck.studies.plot import plot_study
from ckptcheck.studies.summary import Study

KEPT = "kept"
# No name is one of a verification's, which would replace it.
CONTENTS = (KEPT, *STUDIES)


def write(study: Study, partial: Path) -> None:
    """Write all files of a study into `partial`, then put them into place as its folder."""
    made = partial / study.definition.name
    made.mkdir()
    for name, table in (
        ("epochs", study.epochs()),
        ("runs", study.runs()),
        ("humps", study.humps()),
    ):
        table.to_csv(made / f"{name}.csv", index=False)
    study.bands().to_csv(
        made / "bands.csv", index=False, float_format="%.5g"
    )  # to be drawn, and kept: small
    save_figure(plot_study(study), made)
    (made / "summary.json").write_text(study.to_json() + "\n", encoding="utf-8")
    replace(made, partial.parent / made.name)
