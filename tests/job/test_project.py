"""The table `[tool.ckptcheck]` of pyproject.toml."""

import re
from pathlib import Path

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.job.project import FILE, KEYS, KEYS_OF_COMMAND, project
from tests.documents import BLOCKS, PAGES

WHOLE = """
[tool.ckptcheck]
jobs = ["train.py:Train", "loop.py", "package.module:Loop", "bn-nn"]
restores = ["keras"]
boundaries = "first,last"
unsaved = false
resume-twice = true
timeout = 60
equal-nan = true

[tool.ckptcheck.allow]
generators-restarted = "Dropout may draw anew."

[tool.ckptcheck.expect]
weights = "diverged"
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text)
    for name in ("train.py", "loop.py", "fit.py"):
        (folder / name).touch()
    return folder / FILE


def test_it_is_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, WHOLE)
    write(tmp_path / "inner", "[tool.ruff]\n")  # it has no table: the search goes on
    (tmp_path / "inner" / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "inner" / "folder")
    found = project(Path.cwd())
    assert found is not None
    assert found.file == file
    assert found.jobs == ("../../train.py:Train", "../../loop.py", "package.module:Loop", "bn-nn")
    assert found.restores == ("keras",)
    assert found.settings == {
        "boundaries": "first,last",
        "unsaved": False,
        "resume_twice": True,
        "timeout": 60,
        "equal_nan": True,
        "allow": {"generators-restarted": "Dropout may draw anew."},
        "expect": {"weights": "diverged"},
    }


def test_the_table_of_the_documentation(tmp_path: Path) -> None:
    jobs, command = (each.text for each in BLOCKS if each.kind == "toml")
    write(tmp_path, f"{jobs}\n{command}")
    found = project(tmp_path)
    assert found is not None
    assert found.settings["expect"] == {"weights": "diverged"}
    assert found.commands["train"] == {
        "command": "python train.py --out {run}",
        "resume": "--resume {run}/last.keras",
    }
    shown = re.findall(
        r"`([a-z-]+)`", PAGES["docs/ci.md"].partition("| key | value |")[2].partition("\n\n")[0]
    )
    assert {*KEYS} <= {*shown}
    of_commands = re.findall(
        r"`([a-z-]+)`",
        PAGES["docs/ci.md"].partition("A command has a table")[2].partition("\n\n")[0],
    )
    assert {*KEYS_OF_COMMAND} <= {*of_commands}


def test_none_is_no_error(tmp_path: Path) -> None:
    assert project(tmp_path) is None


JOBS = 'jobs = ["train.py"]\n'


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            f"{JOBS}stesp = 3",
            f"[tool.ckptcheck] in {{0}} has no key 'stesp'. Did you mean steps? Known: {', '.join(KEYS)}.",
        ),
        (
            f"{JOBS}equal_nan = true",
            f"[tool.ckptcheck] in {{0}} has no key 'equal_nan'. Did you mean equal-nan? Known: {', '.join(KEYS)}.",
        ),
        (f'{JOBS}steps = "3"', "steps in [tool.ckptcheck] of {0} must be a whole number, not '3'."),
        (
            f"{JOBS}steps = true",
            "steps in [tool.ckptcheck] of {0} must be a whole number, not True.",
        ),
        (f'{JOBS}rtol = "1e-6"', "rtol in [tool.ckptcheck] of {0} must be a number, not '1e-6'."),
        (f"{JOBS}unsaved = 0", "unsaved in [tool.ckptcheck] of {0} must be true or false, not 0."),
        (
            'jobs = "train.py"',
            "jobs in [tool.ckptcheck] of {0} must be a list of names, not 'train.py'.",
        ),
        (
            f"{JOBS}boundaries = [1, 2]",
            'boundaries in [tool.ckptcheck] of {0} must be a text such as "1,mid,epoch,last", or a whole number, not [1, 2].',
        ),
        (
            f'{JOBS}allow = ["slots-lost"]',
            "allow in [tool.ckptcheck] of {0} must be a table of texts, such as {{generators-restarted = \"why this is acceptable\"}}, not ['slots-lost'].",
        ),
        (
            f'{JOBS}allow = {{slots-lost = " "}}',
            "allow in [tool.ckptcheck] of {0} must be a table of texts, such as {{generators-restarted = \"why this is acceptable\"}}, not {{'slots-lost': ' '}}.",
        ),
        (
            'jobs = ["trian.py:Train"]',
            "[tool.ckptcheck] in {0} names trian.py:Train, but there is no file {0.parent}/trian.py. Did you mean train.py? "
            "A path there is relative to the folder of pyproject.toml.",
        ),
        ("steps = 3", '[tool.ckptcheck] in {0} names no job. Write jobs = ["train.py:Train"].'),
    ],
)
def test_a_wrong_table(lines: str, sentence: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"[tool.ckptcheck]\n{lines}\n")
    with pytest.raises(UsageError) as caught:
        project(tmp_path)
    assert str(caught.value) == sentence.format(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tool]\nckptcheck = 3", "[tool.ckptcheck] in {0} must be a table, not 3."),
        ("tool.ckptcheck = []", "[tool.ckptcheck] in {0} must be a table, not []."),
        ("[[tool.ckptcheck]]", "[tool.ckptcheck] in {0} must be a table, not [{{}}]."),
        ('tool = "ckptcheck"', "[tool] in {0} must be a table, not 'ckptcheck'."),
    ],
)
def test_what_is_no_table(text: str, sentence: str, tmp_path: Path) -> None:
    file = write(tmp_path, f"{text}\n")
    with pytest.raises(UsageError) as caught:
        project(tmp_path)
    assert str(caught.value) == sentence.format(file)


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    file = write(tmp_path, "[tool.ckptcheck\n")
    with pytest.raises(UsageError, match=r"pyproject.toml cannot be read: Expected .*\.$"):
        project(tmp_path)
    file.unlink()
