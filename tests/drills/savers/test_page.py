"""The page about stock savers: its table is that of the savers, and of what is measured here."""

import json
import subprocess
from pathlib import Path

import pytest

from ckptcheck.crash_states.strace_log import why_not
from ckptcheck.drills.savers.catalogue import SAVERS
from tests.command_line import CKPTCHECK
from tests.documents import OF_SAVERS, PAGES
from tests.drills.savers.page import counts, lost, shown, table

COMMAND = "python -m ckptcheck drill --suite savers"


def measured(folder: Path, *names: str) -> dict[str, list[int]]:
    """Run the command of the page for some savers with what is installed."""
    only = [word for name in names for word in ("--only", name)]
    words = [*CKPTCHECK, *COMMAND.split()[3:], *only, "--json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["name"]: counts(each) for each in json.loads(done.stdout)["savers"]}


def check(found: dict[str, list[int]], *names: str) -> None:
    """Compare what is measured with the page.

    The numbers vary with the versions of the packages. Which of them are zero does not.
    """
    assert {*names} <= {*found}
    page = shown()
    assert {name: lost(row) for name, row in found.items()} == {
        name: lost(page[name]) for name in found
    }
    for name, row in found.items():
        assert row[0], f"{name}: no state was kept, so the whole save was not tried"
        if name.endswith("-fixed"):
            assert not any(lost(row)), name


def test_the_page_shows_each_saver() -> None:
    names = [each.name for each in SAVERS]
    assert [*shown()] == sorted(names, key=lambda name: name.endswith("-fixed"))
    assert [each.lines for each in OF_SAVERS] == [[COMMAND]]


def test_each_fixed_twin_loses_nothing() -> None:
    page = shown()
    for saver in SAVERS:
        assert saver.fixes or any(lost(page[saver.name])), saver.name
        assert not saver.fixes or not any(lost(page[saver.name])), saver.name


def test_what_the_page_says_of_kills_is_in_its_table() -> None:
    """The two lists at the top: what survives a kill, and what does not."""
    text = PAGES["docs/savers.md"]
    survives, _, rest = text.partition("Killed there, these lose")
    loses, _, _ = rest.partition("## ")
    for saver in [each for each in SAVERS if not each.fixes]:
        is_lost = any(lost(shown()[saver.name])[:3])
        assert (f"`{saver.name}`" in loses) is is_lost, saver.name
        assert (f"`{saver.name}`" in survives) is not is_lost, saver.name


def test_a_table() -> None:
    none = {"old": 0, "new": 1, "refused": 0, "nothing": 0, "wrong": 0}
    saver = {"name": "a", "kill": {**none, "old": 2, "refused": 4}, "power_failure": none}
    assert table([saver]).splitlines()[2:] == ["| `a` | 3 | 4 | 0 | 0 | 1 | 0 | 0 | 0 |"]


@pytest.mark.cards
@pytest.mark.timeout(900)
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_savers_of_tensorflow(tmp_path: Path) -> None:
    names = ("tf-saver", "checkpoint-manager", "backup-and-restore")
    check(measured(tmp_path, *names), *names)


@pytest.mark.torch
@pytest.mark.timeout(900)
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_savers_of_torch(tmp_path: Path) -> None:
    """Those around it, too, where they are installed."""
    names = ("torch-save", "torch-save-rename", "dcp")
    found = measured(tmp_path, *names, "safetensors", "lightning", "hf-trainer")
    check(found, *names)
    assert found["torch-save"][1], "torch.save in place refuses in no state"
