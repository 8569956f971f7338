"""`ckptcheck study` before anything is trained; what it trains is tested with the studies."""

from pathlib import Path

import pytest

from ckptcheck.studies.catalogue import STUDIES
from tests.command_line import call


def test_the_list_of_studies(tmp_path: Path) -> None:
    done = call("study", cwd=tmp_path)
    assert done.returncode == 0
    for each in STUDIES.values():
        assert f"{each.name}\n  {each.question}\n  variants:\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["bn-apis", "--dataset", "digits", "--set", "dataset=mnist"],
            2,
            "The option dataset has two values, digits and mnist: give it once.",
        ),
        (["bn-apis", "--dataset", "cifar"], 2, "There is no dataset called 'cifar'."),
        (
            ["bn-apis", "--executor", "nowhere"],
            2,
            "The executor 'nowhere' is not the address of a Dask scheduler.",
        ),
        (["bn-apis", "--html", "."], 2, "The file . cannot be written: Is a directory."),
        (
            ["bn-apis", "--html", "no/where.html"],
            2,
            "The file no/where.html cannot be written: No such file or directory.",
        ),
        (
            ["bn-apis", "--out", "/proc/nowhere"],
            2,
            "The output folder /proc/nowhere cannot be written:",
        ),
    ],
)
def test_bad_commands(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = call("study", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"ckptcheck: {message}")
    assert list(tmp_path.iterdir()) == []
