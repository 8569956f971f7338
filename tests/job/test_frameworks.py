"""Frameworks are found by their folders, and described without being loaded."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ckptcheck.adapters
from ckptcheck.job import frameworks as known
from ckptcheck.job.frameworks import Framework, frameworks, preloads, styles
from ckptcheck.run import environment


def test_tensorflow_is_found() -> None:
    tensorflow = next(framework for framework in frameworks() if framework.name == "tensorflow")
    assert tensorflow.module == "tensorflow"
    assert styles().items() >= {
        ("tf1", "a TensorFlow 1 graph"),
        ("tf2", "a loop with tf.train.Checkpoint"),
        ("keras", "Keras' fit"),
    }


def test_the_fingerprint_of_the_environment() -> None:
    assert sorted(environment.fingerprint()) == [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_DETERMINISTIC_OPS",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_USE_LEGACY_KERAS",
        "XLA_FLAGS",
        "cores",
        "keras",
        "numpy",
        "op determinism",
        "platform",
        "python",
        "tensorflow",
        "tf-keras",
    ]


def printed_by(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_declaration_loads_nothing() -> None:
    code = (
        "from ckptcheck.run import environment; environment.fingerprint()\n"
        "import sys; print({'tensorflow', 'keras', 'ckptcheck.adapters.tensorflow._internals'} & {*sys.modules})"
    )
    assert printed_by(code) == "set()"


def test_determinism_is_read_from_the_loaded_framework() -> None:
    code = (
        "import tensorflow as tf\n"
        "from ckptcheck.run.environment import fingerprint\n"
        "before = fingerprint()['op determinism']\n"
        "tf.config.experimental.enable_op_determinism()\n"
        "print(before, fingerprint()['op determinism'])"
    )
    assert printed_by(code) == "off on"


def test_the_loaded_framework_reads_the_state_of_objects() -> None:
    code = "from ckptcheck.job.frameworks import state_of; print(state_of().__module__)"
    assert printed_by(f"import tensorflow; {code}") == "ckptcheck.adapters.tensorflow.variables"
    with pytest.raises(subprocess.CalledProcessError) as raised:
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert raised.value.stderr.endswith(
        "The state is a sequence of objects, but this process has loaded no framework that could read them. "
        "Import the framework first, or pass a function that returns arrays by name.\n"
    )


@pytest.mark.parametrize(
    ("names", "modules"),
    [
        ([], ()),
        (["bn-nn"], ("tensorflow",)),
        (["keras/plain"], ("tensorflow",)),
        (["{folder}/mentions.py:Job"], ("tensorflow",)),
        (["{folder}/mentions_keras.py:Job"], ("tensorflow",)),
        (["{folder}/mentions_keras_2.py:Job"], ("tensorflow",)),
        (["{folder}/does_not.py:Job"], ()),
        (["{folder}/is_not_there.py:Job"], ()),
        (["{folder}/does_not.py:Job", "bn-nn"], ("tensorflow",)),
        (["package.module:Job"], ("tensorflow",)),  # not inspected: finding it could run it
    ],
)
def test_only_needed_modules_are_preloaded(
    names: list[str], modules: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "mentions.py").write_text("import tensorflow as tf\n")
    (tmp_path / "mentions_keras.py").write_text("import keras\n")
    (tmp_path / "mentions_keras_2.py").write_text("import tf_keras\n")
    (tmp_path / "does_not.py").write_bytes(b"import numpy  # \xff is no text\n")
    assert preloads(name.format(folder=tmp_path) for name in names) == modules


DECLARATION = """
from ckptcheck.job.frameworks import Framework

FRAMEWORK = Framework(
    name="madeup",
    styles={"loop": "a loop of madeup"},
    packages=("madeup-core", "pytest"),
    switches=("MADEUP_THREADS",),
    module="madeup_core",
    op_determinism="ckptcheck.adapters.madeup.privates:is_deterministic",
    state_of="ckptcheck.adapters.madeup.privates:state_of",
    remedies="ckptcheck.adapters.madeup.privates:REMEDIES",
)
"""
PRIVATES = """
REMEDIES = {}


def is_deterministic():
    return True


def state_of(objects):
    return {}
"""


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Framework]:
    """A second framework, which is a folder with a declaration; a folder without one is ignored."""
    for folder in ("madeup", "zcommon"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "madeup" / "framework.py").write_text(DECLARATION)
    (tmp_path / "madeup" / "privates.py").write_text(PRIVATES)
    monkeypatch.setattr(
        ckptcheck.adapters, "__path__", [*ckptcheck.adapters.__path__, str(tmp_path)]
    )
    frameworks.cache_clear()
    yield next(framework for framework in frameworks() if framework.name == "madeup")
    frameworks.cache_clear()
    for module in [
        name
        for name in sys.modules
        if name.startswith(("ckptcheck.adapters.madeup", "ckptcheck.adapters.zcommon"))
    ]:
        del sys.modules[module]


def test_a_second_framework_is_a_folder(
    second: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"tensorflow", "madeup"} <= {framework.name for framework in frameworks()}
    assert styles()["loop"] == "a loop of madeup"
    monkeypatch.setenv("MADEUP_THREADS", "3")
    fingerprint = environment.fingerprint()
    assert fingerprint["MADEUP_THREADS"] == "3"
    assert fingerprint["madeup-core"] == "absent"
    assert fingerprint["pytest"] == pytest.__version__
    assert fingerprint["op determinism"] == "off"
    (tmp_path / "both.py").write_text("import madeup_core, tensorflow\n")
    (tmp_path / "one.py").write_text("import madeup_core\n")
    assert preloads([f"{tmp_path}/both.py:Job"]) == ("tensorflow", "madeup_core")
    assert preloads([f"{tmp_path}/one.py:Job"]) == ("madeup_core",)
    assert preloads(["bn-nn", "package.module:Job"]) == ("tensorflow",)


@pytest.mark.parametrize(
    ("installed", "jobs"),
    [
        ({"tensorflow", "torch"}, ("bn-nn", "bn-layers", "bn-polyak")),
        ({"tensorflow"}, ("bn-nn", "bn-layers", "bn-polyak")),
        ({"torch"}, ("bn-torch",)),
        (set(), ("bn-nn", "bn-layers", "bn-polyak")),  # which say how to install it
    ],
    ids=["both", "TensorFlow", "PyTorch", "none"],
)
def test_the_jobs_of_what_is_installed(
    installed: set[str], jobs: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert frameworks()  # looked for before, and kept
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: sys if name in installed else None
    )
    assert known.default_jobs() == jobs


def test_the_loaded_framework_is_used(second: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setitem(sys.modules, "madeup_core", sys)
    assert second.is_loaded
    assert environment.fingerprint()["op determinism"] == "on"
    assert known.state_of().__module__ == "ckptcheck.adapters.madeup.privates"
