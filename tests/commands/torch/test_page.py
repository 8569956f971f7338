"""The page about PyTorch: its commands are run, and what it shows is compared with what is printed."""

from pathlib import Path

import pytest

from tests.documents import OF_TORCH, PAGES, Block, is_shown, printed_by, run, shown_by

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores


@pytest.mark.parametrize("block", OF_TORCH, ids=lambda block: block.lines[0])
def test_commands(block: Block, tmp_path: Path) -> None:
    printed = printed_by(block.text, tmp_path)
    shown = shown_by(block.text)
    assert shown
    for each in shown:
        assert is_shown(each, printed), "".join(printed)


def test_a_save_that_survives_every_state(tmp_path: Path) -> None:
    """With a rename after the sync, as the page says, no crash state loses a checkpoint."""
    assert "`last.tmp`" in PAGES["docs/drill.md"]
    run("true", tmp_path)  # writes the scripts
    text = (tmp_path / "in_place.py").read_text()
    saving = "        torch.save(state, path)"
    assert saving in text
    safe = """        torch.save(state, path.with_suffix(".tmp"))
        with path.with_suffix(".tmp").open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(path.with_suffix(".tmp"), path)"""
    text = text.replace(saving, safe).replace("import sys", "import os\nimport sys")
    (tmp_path / "replaced.py").write_text(text)
    done = run(
        "python -m ckptcheck drill --points mid --states -- python replaced.py {run}", tmp_path
    )
    assert done.stdout.splitlines()[-1] == (
        "PASS: it went on exactly after 6 of 6 kills, with at most 5 steps made twice."
    )


def test_the_fix(tmp_path: Path) -> None:
    """With the generator in the checkpoint, as the page says, its script recovers."""
    script = next(each for each in OF_TORCH if "dropout.py" in each.text)
    assert "`torch.get_rng_state()`" in PAGES[script.page]
    assert "`torch.set_rng_state`" in PAGES[script.page]
    run("true", tmp_path)  # writes the scripts
    text = (tmp_path / "dropout.py").read_text()
    saving, loading = '"epoch": epoch}', '    first = saved["epoch"] + 1'
    assert saving in text
    assert loading in text
    text = text.replace(saving, '"epoch": epoch, "rng": torch.get_rng_state()}')
    text = text.replace(loading, f'    torch.set_rng_state(saved["rng"])\n{loading}')
    (tmp_path / "fixed.py").write_text(text)
    done = run("python -m ckptcheck verify -- python fixed.py {run}", tmp_path)
    assert done.stdout.splitlines()[-1] == "PASS: 1 of 1 case recovered."
