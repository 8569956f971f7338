"""The commands for checkpoint files: their full output and exit codes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import cli
from ckptcheck.checkpoints import CHUNK
from tests.checkpoints.bundles import Value, write, write_sparse, write_state
from tests.processes import default_sigint

SAVED: dict[str, Value] = {
    "bn/gamma": np.array([1.0, 1.5], "float32"),
    "bn/gamma/Adam": np.array([0.25, 0.0], "float32"),
    "bn/moving_mean": np.array([-0.5, 2], "float32"),
    "global_step": np.array(10),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(Path("model.ckpt-10"), SAVED)
    write(
        Path("other.ckpt-10"), SAVED | {"bn/gamma": np.array([1.0, 1.75], "float32"), "new": [b"x"]}
    )
    write_state(tmp_path, "model.ckpt-10")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ckptcheck", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


INSPECTED = """\
model.ckpt-10: TensorFlow, tf.train.Saver, 4 tensors, 32 B in 2 files
(named by checkpoint: model.ckpt-10)

weights: 1, 8 B
name      type        bytes  min  max  mean   std  zeros  NaN  Inf
bn/gamma  float32[2]      8    1  1.5  1.25  0.25     0%    0    0

moving statistics: 1, 8 B
name            type        bytes   min  max  mean   std  zeros  NaN  Inf
bn/moving_mean  float32[2]      8  -0.5    2  0.75  1.25     0%    0    0

slots: 1, 8 B
name           type        bytes  min   max   mean    std  zeros  NaN  Inf
bn/gamma/Adam  float32[2]      8    0  0.25  0.125  0.125    50%    0    0

counters: 1, 8 B
name         type   bytes  min  max  mean  std  zeros  NaN  Inf
global_step  int64      8   10   10    10    0     0%    0    0

Restores of this checkpoint, predicted from its format and names:
  tf.train.Saver()            restores every tensor
  ema.variables_to_restore()  raises: bn/gamma/ExponentialMovingAverage is not in the checkpoint
  tf.trainable_variables()    leaves out 1 moving statistic, 1 slot and 1 counter
"""


def test_inspect(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "inspect", ".") == (0, INSPECTED, "")


def test_inspect_a_selection(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "inspect", "model.ckpt-10", "--match", "*/moving_*", "--csv")
    assert (code, out.splitlines()) == (
        0,
        [
            "name,key,kind,dtype,shape,bytes,min,max,mean,std,zeros,nan,inf",
            "bn/moving_mean,bn/moving_mean,moving statistic,float32,2,8,-0.5,2.0,0.75,1.25,0,0,0",
        ],
    )
    printed = json.loads(
        said(capsys, "inspect", "model.ckpt-10", "--match", "*/moving_*", "--json")[1]
    )
    assert [each["mean"] for each in printed["tensors"]] == [0.75]


DIFFERENT = """\
A  model.ckpt-10: TensorFlow, tf.train.Saver, 4 tensors, 32 B in 2 files
B  other.ckpt-10: TensorFlow, tf.train.Saver, 5 tensors, 38 B in 2 files

Different: 1 of 4 tensors in both checkpoints, 1 only in B.

Only in B:
name  kind   type
new   other  string[1]

Different values, worst first. Largest difference over all elements: |B−A|, and
its index; as a share of the largest |A|; as a share of |A| at the same index;
in units in the last place (ULP).
name      kind    differ  |B−A|   at  ÷ max |A|  ÷ |A|        ULP
bn/gamma  weight     1/2   0.25  [1]       0.17   0.17  2,097,152

kind               same  different  renamed  only in A  only in B
weights               0          1        0          0          0
moving statistics     1          0        0          0          0
slots                 1          0        0          0          0
counters              1          0        0          0          0
other tensors         0          0        0          0          1
"""


def test_diff(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "diff", "model.ckpt-10", "other.ckpt-10") == (1, DIFFERENT, "")
    same = said(capsys, "diff", ".", "model.ckpt-10", "--rtol", "slot=1e-3", "--equal-nan")
    assert same == (
        0,
        "A  model.ckpt-10: TensorFlow, tf.train.Saver, 4 tensors, 32 B in 2 files\n   (named by checkpoint: model.ckpt-10)\n"
        "B  model.ckpt-10: TensorFlow, tf.train.Saver, 4 tensors, 32 B in 2 files\n\nSame: 4 tensors compared, all equal.\n"
        "Tolerance: all tensors NaN=NaN; slots rtol=0.001 NaN=NaN.\n",
        "",
    )
    code, out, _ = said(capsys, "diff", "model.ckpt-10", "other.ckpt-10", "--json")
    assert (code, json.loads(out)["only_in_b"]) == (
        1,
        [{"name": "new", "kind": "other", "dtype": "string", "shape": [1], "copy_of": None}],
    )


FAULTS = """\
Errors: a restore fails or is wrong.
  1 tensor damaged (bn/gamma): the checksum of its 8 bytes does not match the index: the data are corrupt, \
or from a different save.
    where:  model.ckpt-10.data-00000-of-00001, from byte 0
    effect: a restore raises
    fix:    copy the file again, or restore an older checkpoint that is whole

Warnings:
  A temporary file of a save that was interrupted.
    where:  model.ckpt-20.index.tempstate7
    effect: none: restores ignore it
    fix:    delete it, unless a process is saving there now

1 error, 1 warning: 2 checkpoints, 9 tensors, 70 B read.
"""


def test_fsck(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "fsck", ".") == (0, "Whole: 2 checkpoints, 9 tensors, 70 B read.\n", "")
    Path("model.ckpt-20.index.tempstate7").touch()
    code, out, _ = said(capsys, "fsck", ".")
    assert (code, out.splitlines()[-1]) == (
        0,
        "Whole, with 1 warning: 2 checkpoints, 9 tensors, 70 B read.",
    )
    assert said(capsys, "fsck", ".", "--strict")[0] == 1
    data = Path("model.ckpt-10.data-00000-of-00001")
    data.write_bytes(b"\1" + data.read_bytes()[1:])
    assert said(capsys, "fsck", ".") == (1, FAULTS, "")
    code, out, _ = said(capsys, "fsck", "model.ckpt-10", "--json")
    assert (code, json.loads(out)["whole"]) == (1, False)


def test_lines_fit_the_terminal(folder: Path) -> None:
    """Where a word fits; without a terminal, a line stays whole for `grep`."""
    write_state(folder, "/a/folder/that/is/gone/model.ckpt-10")
    Path("new.h5").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n")
    Path("model.ckpt-20.index.tempstate7").touch()
    for arguments in (
        ["fsck", "."],
        ["inspect", "model.ckpt-10"],
        ["diff", "model.ckpt-10", "other.ckpt-10"],
    ):
        ours, theirs = os.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
        command = [sys.executable, "-m", "ckptcheck", *arguments]
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment)
        os.close(theirs)
        printed = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 4096):
                printed += part
        os.close(ours)
        process.communicate()
        lines = printed.decode().splitlines()
        assert len(lines) > 10
        assert max(map(len, lines)) <= 80, arguments


WRONG = {
    ("inspect", "nothing"): (2, "ckptcheck: There is no checkpoint at nothing: no file or folder of that name exists, and no nothing.index. Nearby checkpoints: model.ckpt-10, other.ckpt-10.\n"),
    ("inspect", ".", "--match", "nothing"): (2, "ckptcheck: No tensor in model.ckpt-10 matches 'nothing'. To list all 4, inspect it without --match.\n"),
    ("inspect", ".", "--csv", "--json"): (2, "ckptcheck: --csv and --json exclude each other: choose one.\n"),
    ("diff", ".", ".", "--rtol", "much"): (2, "ckptcheck: --rtol 'much' is neither a number, such as 1e-6, nor a kind and a number, such as slot=1e-6.\n"),
    ("fsck", "nothing"): (2, "ckptcheck: There is no checkpoint at nothing: no file or folder of that name exists, and no nothing.index. Nearby checkpoints: model.ckpt-10, other.ckpt-10.\n"),
    ("inspect", "torn"): (3, "ckptcheck: torn.index: the file has 3 bytes, too few for an index: a write was interrupted.\n"),
    ("diff", "torn", "."): (3, "ckptcheck: torn.index: the file has 3 bytes, too few for an index: a write was interrupted.\n"),
}  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_errors(
    arguments: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "torn" in arguments:
        Path("torn.index").write_bytes(b"abc")
    code, sentence = WRONG[arguments]
    assert said(capsys, *arguments) == (code, "", sentence)


def test_control_characters_in_names_are_not_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("odd\x1b[2J"), {"w\x1b[31m/x": np.ones(2), "w\nnew line": np.ones(2)})
    for arguments in (
        ["inspect", "odd\x1b[2J"],
        ["diff", "odd\x1b[2J", "model.ckpt-10"],
        ["fsck", "."],
        ["inspect", "gone\x1b[2J"],
    ):
        _, out, err = said(capsys, *arguments)
        assert "\x1b" not in out + err
        assert "new line" not in out.splitlines()


RUN = "import sys; from ckptcheck.cli import main; sys.argv[1:] = {arguments!r}\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"


@pytest.mark.parametrize(
    "arguments",
    [["inspect", "."], ["diff", ".", "other.ckpt-10"], ["fsck", "."]],
    ids=lambda each: each[0],
)
def test_tensorflow_is_never_loaded(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "numpy" in loaded
    assert not loaded & {"tensorflow", "keras", "pandas", "matplotlib", "h5py"}


def on_a_terminal(
    arguments: list[str], interrupt: bool = False, before: Sequence[str] = ()
) -> tuple[int, str, str]:
    """Run a command with a terminal as standard error, and maybe interrupt it once it shows progress; return exit code and outputs."""
    ours, theirs = os.openpty()
    command = [*before, sys.executable, "-c", AT_ONCE, *arguments]
    terminal = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=terminal, preexec_fn=default_sigint
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal closes with the process
        while part := os.read(ours, 4096):
            shown += part
            if interrupt and b"reading" in shown:
                process.send_signal(signal.SIGINT)
                interrupt = False
    os.close(ours)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    process.stdout.close()
    return process.wait(), out, shown.decode()


# Shows progress from the start.
AT_ONCE = "from ckptcheck.filetools import progress; progress.PATIENCE = 0\nfrom ckptcheck.cli import main; main()"
# A child's peak memory includes its parent's at the fork: this parent is small.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def test_a_long_read_shows_progress_and_needs_little_memory(tmp_path: Path) -> None:
    prefix = write_sparse(tmp_path / "zeros", 5 * 10**8)
    code, out, shown = on_a_terminal(["fsck", str(prefix)], before=[sys.executable, "-c", MEASURE])
    printed, used = out.splitlines()
    assert (code, printed) == (0, "Whole: 1 checkpoint, 1 tensor, 500 MB read.")
    assert "reading" in shown
    assert "/500.0 MB" in shown
    assert int(used) < 100e6 + 2 * CHUNK


def test_ctrl_c_in_a_large_tensor(tmp_path: Path) -> None:
    prefix = write_sparse(tmp_path / "zeros", 10**11)
    code, out, shown = on_a_terminal(["fsck", str(prefix)], interrupt=True)
    assert (code, out) == (3, "")
    assert shown.splitlines()[-1].endswith(
        "ckptcheck: Interrupted before everything was read: there is no result."
    )


def test_a_pipe_that_is_closed_early(folder: Path) -> None:
    command = f"{sys.executable} -m ckptcheck diff model.ckpt-10 other.ckpt-10"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_several_checkpoints_are_sealed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "seal", "model.ckpt-10", "other.ckpt-10")
    assert (code, err) == (0, "")
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "Sealed model.ckpt-10",
        "Sealed other.ckpt-10",
    ]
    for name in ("model", "other"):
        assert (folder / f".{name}.ckpt-10.seal.json").is_file()
