"""The catalogue: every entry is complete, and every cause named in the package exists."""

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from string import Formatter

import pytest

import ckptcheck
from ckptcheck.diagnosis.catalogue import CAUSES, diagnosis, remedy
from ckptcheck.diagnosis.cause import (
    OWN_FILES,
    Cause,
    Diagnosis,
    Remedy,
    Severity,
    Stage,
    Start,
    names_of,
)
from ckptcheck.job.frameworks import frameworks, styles
from ckptcheck.job.loading import load
from ckptcheck.jobs.recipes.suites import SUITES
from ckptcheck.jobs.registry import JOBS
from ckptcheck.run.task import EXPERIMENTS

PACKAGE = Path(ckptcheck.__file__).parent
EVERY = pytest.mark.parametrize("cause", CAUSES.values(), ids=list(CAUSES))
STAGES: tuple[Stage | None, ...] = (None, *Stage)
RECIPES = {recipe.name for suite in SUITES.values() for recipe in suite}
STOCK = {
    "": ("all", OWN_FILES),
    "tf1": ("saver", "ema", "trainable", "ema-none", OWN_FILES),
    "tf2": ("checkpoint", OWN_FILES),
    "keras": ("keras", "weights", "checkpoint", "backup", "model-checkpoint", OWN_FILES),
    "torch": ("torch.load", "safetensors.torch.load_file", OWN_FILES),
}

# Words with dashes that are not causes.
OTHER_WORDS = {"bit-equal", "aria-sort"}


@EVERY
def test_texts_are_complete(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+|noise|rounding|unexplained", cause.name)
    assert cause.summary.endswith(".")
    assert cause.signature.endswith(".")
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", cause.reported)
    assert cause.severity in Severity


@EVERY
def test_effect_is_a_predicate(cause: Cause) -> None:
    """As in "`weights` loses the optimizer state": a verb in the third person comes first."""
    assert re.fullmatch(r"(is|[a-z]+s,?)( [a-z0-9'-]+| Python| NaN| {tensors})+", cause.effect)
    assert 3 <= len(cause.effect.split()) <= 8


def test_no_two_causes_have_the_same_effect() -> None:
    assert len({cause.effect for cause in CAUSES.values()}) == len(CAUSES)


def fields_of(cause: Cause) -> Iterator[tuple[str, str]]:
    """Yield each field of a cause's templates with its format."""
    for template in (cause.sentence, cause.detail):
        yield from (
            (field, spec or "") for _, field, spec, _ in Formatter().parse(template) if field
        )


def example_of(cause: Cause, count: int) -> Diagnosis:
    """Fill in a cause with this count wherever it counts something."""
    counts = {field: count for field, spec in fields_of(cause) if "|" in spec}
    fields = {
        field: counts.get(field, 1.5 if spec else "something") for field, spec in fields_of(cause)
    }
    return diagnosis(cause.name, ["w"], Stage.OMITTED_AT_SAVE, **fields)


@pytest.mark.parametrize("count", [1, 2])
@EVERY
def test_sentence_can_be_filled_in(cause: Cause, count: int) -> None:
    filled = example_of(cause, count)
    assert filled.sentence.endswith((".", "something"))
    assert not filled.detail or filled.detail.endswith((".", "something"))
    assert not re.search("[{}|]", filled.sentence + filled.detail)
    assert (filled.cause, filled.stage, filled.tensors) == (cause.name, "omitted at save", ("w",))
    assert filled.remedy == remedy(cause, Stage.OMITTED_AT_SAVE)
    assert filled.severity == cause.severity.value


@EVERY
def test_sentence_states_one_finding_in_short(cause: Cause) -> None:
    sentence = example_of(cause, 2).sentence
    assert len(re.findall(r"\.(?: |$)", sentence)) <= 1
    assert len(sentence.split()) <= 25


NOUNS = (
    "tensors|weights|averages|variances|variables|slots|keys|accumulators|generators|examples|steps"
)


@EVERY
def test_one_thing_is_not_counted_as_several(cause: Cause) -> None:
    assert not re.search(rf"\b1 (\w+ ){{,3}}({NOUNS})\b", example_of(cause, 1).sentence)


@EVERY
def test_experiments_exist(cause: Cause) -> None:
    assert set(cause.settled_by) <= set(EXPERIMENTS)
    assert cause.shown_by in (None, *EXPERIMENTS)
    assert isinstance(cause.starts_at, Start)
    assert 0 <= cause.loss_within <= math.inf
    # An experiment that shows a cause cannot trace it to a different one.
    assert cause.shown_by not in cause.settled_by


@EVERY
def test_every_stage_has_a_remedy(cause: Cause) -> None:
    cases = product(STAGES, ("", *styles()), (None, "saver", "ema"))
    texts = {remedy(cause, stage, framework, restore) for stage, framework, restore in cases}
    assert all(text.endswith(".") and text.strip() == text for text in texts)


def test_special_fields() -> None:
    """The causes by special field: a change of the catalogue must be intended here, too."""
    assert {name for name, cause in CAUSES.items() if cause.about_the_control} == {
        "noise",
        "saving-changes-the-run",
        "statistics-never-move",
        "shadows-never-move",
    }
    assert {name for name, cause in CAUSES.items() if cause.about_the_data} == {
        "data-shifted",
        "data-order",
        "examples-lost",
        "batches-differ",
    }
    assert {name: cause.shown_by for name, cause in CAUSES.items() if cause.shown_by} == {
        "python-state-lost": "remembered",
        "depends-on-hash-order": "same-hash",
    }
    assert {
        name: cause.loss_within for name, cause in CAUSES.items() if cause.loss_within < math.inf
    } == {
        "precision-lost": 0.1,
        "rounding": 1e-3,
    }


# --- Remedies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meant", "framework", "stage", "restore", "fits"),
    [
        (Remedy("…"), "", None, None, True),
        (Remedy("…"), "tf1", Stage.OMITTED_AT_SAVE, "saver", True),
        (Remedy("…", frameworks=("tf1",)), "tf1", None, None, True),
        (Remedy("…", frameworks=("tf1",)), "keras", None, None, False),
        (Remedy("…", stages=(Stage.OMITTED_AT_SAVE, None)), "", None, None, True),
        (Remedy("…", stages=(Stage.OMITTED_AT_SAVE,)), "", None, None, False),
        (Remedy("…", restores=("ema",)), "", None, "ema", True),
        (Remedy("…", restores=("ema",)), "", None, "saver", False),
        (Remedy("…", restores=("ema",)), "", None, None, False),
    ],
)
def test_a_remedy_fits_its_cases(
    meant: Remedy, framework: str, stage: Stage | None, restore: str | None, fits: bool
) -> None:
    assert meant.fits(framework, stage, restore) is fits


@pytest.mark.parametrize("framework", ["tf2", "keras"])
def test_a_replaced_optimizer_is_to_be_kept(framework: str) -> None:
    text = remedy(CAUSES["slots-lost"], Stage.OVERWRITTEN_AFTER_LOAD, framework, "checkpoint")
    assert text.startswith("Make no new optimizer after the restore")


def test_a_remedy_may_be_for_one_exception() -> None:
    meant = Remedy("…", says="no key")
    assert meant.fits("", None, None, sentence="It raised KeyError: no key.")
    assert not meant.fits("", None, None, sentence="It raised KeyError: no file.")
    raised = CAUSES["restore-raised"]
    words = "The restore raised ValueError: Requested the deserialization of a Python lambda."
    assert "register_keras_serializable" in remedy(raised, None, "keras", "keras", (), words)
    assert remedy(raised, None, "keras", "keras") == remedy(raised, None)


def test_the_first_remedy_that_fits_is_chosen() -> None:
    first, second, third = (
        Remedy("Of the restore ema.", restores=("ema",)),
        Remedy("Of a loop.", frameworks=("tf2",)),
        Remedy("Of all."),
    )
    cause = replace(CAUSES["checkpoint-damaged"], do=(first, second, third))
    assert remedy(cause, None, "tf2", "ema") == first.text
    assert remedy(cause, None, "tf2", "saver") == second.text
    assert remedy(cause, None, "tf1", "saver") == third.text
    assert remedy(cause, None) == third.text


def test_a_remedy_of_a_framework_comes_before_the_catalogues() -> None:
    slots = CAUSES["slots-lost"]
    general = remedy(slots, Stage.OMITTED_AT_SAVE)
    assert general == (
        "Save the lost tensors in the checkpoint, np.savez(path, **tensors), and restore them from "
        "it: tensors.update(np.load(path))."
    )
    assert {remedy(slots, Stage.OMITTED_AT_SAVE, style) for style in styles()}.isdisjoint({general})


# What a remedy must not say, by the judged restore: advice to do what the restore does.
ADVICE = {
    "saver": r"Restore with (a plain )?tf\.train\.Saver\(\)",
    "ema": r"(Restore with|Use) ema\.variables_to_restore\(\)(?! for evaluation only)",
    "trainable": r"Restore with .*trainable_variables|Saver\(tf\.trainable_variables\(\)\) to",
    "keras": r"(model\.save\()|[Ll]oad (it|the whole model) with keras\.models",
    "weights": r"[Ll]oad (them|the weights) with|model\.(load|save)_weights\(",
    "backup": r"(?<![\w.])BackupAndRestore\(|with BackupAndRestore|save .*in a backup",
    "checkpoint": r"Or save weights and optimizer in one tf\.train\.Checkpoint",
    OWN_FILES: r"tf\.train\.(Checkpoint|Saver)|load_model|model\.save|load_weights|saver\.",
}
ADVICE["model-checkpoint"] = ADVICE["keras"]
IN_CODE = re.compile(r"[\w\]]\((?! )[^)]*\)?")
WAYS = [(style, restore) for style, restores in STOCK.items() for restore in restores]


@EVERY
def test_every_remedy_has_a_call_and_none_repeats_the_judged_restore(cause: Cause) -> None:
    for (style, restore), stage in product(WAYS, STAGES):
        text = remedy(cause, stage, style, restore, ["hidden/dense/kernel"])
        assert IN_CODE.search(text), text
        assert not re.search(r"[{](holders)", text)
        forbidden = ADVICE.get(restore)
        assert forbidden is None or not re.search(forbidden, text), text


@pytest.mark.parametrize("restore", [restore for restore in ADVICE if restore != "trainable"])
def test_other_restores_are_told_what_this_one_is_not(restore: str) -> None:
    """The patterns above match real advice, so that the test above can fail."""
    every = {
        text
        for cause, stage, style in product(CAUSES.values(), STAGES, STOCK)
        for other in (None, "another", "weights")
        for text in [remedy(cause, stage, style, other)]
    }
    examples = {
        "ema": "Restore with ema.variables_to_restore() to continue.",
        "weights": "Save with model.save_weights(path).",
        "backup": "Save with BackupAndRestore(folder).",
    }
    assert any(re.search(ADVICE[restore], text) for text in (*every, examples.get(restore, "")))


def test_styles_are_covered() -> None:
    assert set(STOCK) == {"", *styles()}


def test_a_remedy_names_what_holds_the_lost_tensors() -> None:
    weights, names = CAUSES["weights-lost"], ["hidden/dense/kernel", "hidden/dense/bias", "head/w"]
    assert remedy(weights, Stage.OMITTED_AT_SAVE, "keras", "keras", names).startswith(
        "The checkpoint holds nothing of `hidden/dense` and `head`: nothing in the model leads "
        "there. Make them attributes: "
    )
    many = remedy(weights, Stage.OMITTED_AT_SAVE, "tf2", "checkpoint", [f"d{n}/w" for n in "12345"])
    assert many.startswith("The checkpoint holds nothing of `d1`, `d2`, `d3` and 2 more. Pass the ")


def test_tensors_with_different_remedies_get_both() -> None:
    lost = CAUSES["python-state-lost"]
    best, wait = "callbacks/ModelCheckpoint/best", "callbacks/ReduceLROnPlateau/wait"
    of_best, of_wait = (remedy(lost, None, "keras", "keras", [name]) for name in (best, wait))
    assert "initial_value_threshold=best" in of_best
    assert "initial_value_threshold" not in of_wait
    assert remedy(lost, None, "keras", "keras", [wait, best, wait]) == f"{of_wait} {of_best}"


def test_frameworks_declare_remedies_for_causes_that_exist() -> None:
    for framework in frameworks():
        declared = load(str(framework.remedies))
        assert set(declared) <= set(CAUSES)
        meant = [each for remedies in declared.values() for each in remedies]
        assert {name for each in meant for name in each.frameworks} <= set(framework.styles)


# --- Causes named in the package --------------------------------------------------------------


def _sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(path for folder in folders for path in (PACKAGE / folder).rglob("*.py")):
        yield path, _parsed(path)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _named(tree: ast.Module) -> Iterator[str]:
    """Yield literals used as causes: passed to `diagnosis` and `has`, or compared with causes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if called == "has":
                yield from (text for each in node.args for text in _texts(each))
            elif called in ("diagnosis", "Diagnosis", "_lost", "_swapped"):
                yield from (text for each in node.args[:1] for text in _texts(each))
        elif isinstance(node, ast.Compare | ast.BinOp) and _speaks_of_causes(node):
            sides = (
                [node.left, *node.comparators]
                if isinstance(node, ast.Compare)
                else [node.left, node.right]
            )
            yield from (
                text for side in sides if not isinstance(side, ast.Call) for text in _texts(side)
            )


def _speaks_of_causes(node: ast.AST) -> bool:
    return any(
        (isinstance(each, ast.Attribute) and each.attr in ("cause", "causes"))
        or (isinstance(each, ast.Name) and each.id in ("CAUSES", "names_of"))
        for each in ast.walk(node)
    )


def test_every_cause_that_is_named_exists() -> None:
    named = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path, tree in _sources(".")
        for name in _named(tree)
    }
    assert {(path, name) for path, name in named if name not in CAUSES} == set()
    # The scan sees each form that is in the package.
    assert ("diagnosis/findings.py", "mode-differs") in named  # has(…)
    assert ("diagnosis/refusals.py", "restore-raised") in named  # diagnosis(…)
    assert ("diagnosis/rules/tensors.py", "slots-lost") in named  # _lost(…)
    assert ("diagnosis/experiments.py", "learning-rate-differs") in named  # {…} & names_of(…)


def test_words_with_dashes_are_causes() -> None:
    words = {
        text
        for _, tree in _sources("diagnosis", "report")
        for text in _texts(tree)
        if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)
    }
    assert words - OTHER_WORDS - set(CAUSES) == set()


def test_the_scan_sees_a_typo() -> None:
    tree = ast.parse(
        'findings.has("no-such-1")\n'
        'diagnosis("no-such-2", names(rows))\n'
        'case.cause == "no-such-3"\n'
        'each.cause in ("no-such-4", "slots-lost")\n'
        '{"no-such-5"} & names_of(found)\n'
        'diagnosis("no-such-6" if moved else "slots-lost")\n'
    )
    assert set(_named(tree)) - set(CAUSES) == {f"no-such-{number}" for number in range(1, 7)}


def test_every_cause_is_used() -> None:
    used = {text for _, tree in _sources("diagnosis/rules", "report") for text in _texts(tree)}
    used |= {
        text
        for path, tree in _sources("diagnosis")
        if path.name != "catalogue.py"
        for text in _texts(tree)
    }
    assert set(CAUSES) - used == set()


def test_names_of() -> None:
    assert names_of(
        [
            Diagnosis("a", None, "", ""),
            Diagnosis("a", None, "", ""),
            Diagnosis("dense/*", None, "", ""),
        ]
    ) == {
        "a",
        "dense/*",
    }


def test_shipped_jobs_are_not_recipes() -> None:
    assert not RECIPES & set(JOBS)


@EVERY
def test_calls_of_tensorflow_are_named_only_for_its_jobs(cause: Cause) -> None:
    marks = re.compile(r"tf[.]|keras|optimizer[.]build|SwapEMA|variables_to_restore")
    assert not any(marks.search(remedy(cause, stage, "")) for stage in STAGES)


@pytest.mark.parametrize(
    "name",
    [
        "noise",
        "older-checkpoint",
        "replicas-lost",
        "shadows-in-weights",
        "shadows-never-move",
        "statistics-never-move",
        "weights-scaled",
    ],
)
def test_jobs_of_tensorflow_get_its_calls(name: str) -> None:
    general = remedy(CAUSES[name], None)
    assert general not in {remedy(CAUSES[name], None, style) for style in styles()}
