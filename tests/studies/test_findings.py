"""The findings of a study, in sentences."""

from dataclasses import replace

from ckptcheck import Study
from ckptcheck.studies.catalogue import definition
from tests.studies.examples import CALM, FAST, made, trained

HUMP_IS = (
    "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50 % of its running minimum, "
    "followed by a return."
)


def test_findings_of_enough_seeds() -> None:
    assert made(7).findings() == [
        f"8 of 21 runs have a hump: epsilon 1 of 7, no-warm-up 7 of 7. {HUMP_IS}",
        "In 1 of 8 humps the training loss rises at the same time by more than 50 %. Training reads no moving average, so "
        "training itself causes such a hump. They come from 1 distinct training curve with 1 seed.",
        "Training losses bitwise identical to those of bn-nn, in every seed: no-warm-up. These variants differ in the moving "
        "averages alone, which cannot cause a hump in training. In 7 of 7 seeds the validation loss of only some of them "
        "rises as high as a hump: there, the moving averages decide.",
        "Largest rise of the validation loss above its minimum, in %: bn-nn 0. no-warm-up 200, larger in 7 of 7 seeds; no "
        "difference is supported for epsilon.",
        "Epochs to a validation accuracy of 98 %: bn-nn 3. no-warm-up 11, more in 7 of 7 seeds; no difference is supported for "
        "epsilon.",
        "Validation accuracy after 20 epochs, in %: bn-nn 99.0. No difference is supported for epsilon, no-warm-up.",
        "A difference is supported if a sign test over the 7 seeds gives p < 0.05 / 2 (2 comparisons for each measure). Values "
        "are medians, with the range over the seeds.",
    ]


def test_too_few_seeds_support_nothing() -> None:
    """The same differences as above, in every seed, but chance alone gives them too often."""
    found = made(6)
    assert not any(each.supported for each in found.comparisons)
    assert found.findings()[-1] == (
        "With 6 seeds no difference can be supported: the sign test, with 2 comparisons for each measure, needs at least 7 "
        "seeds (--seeds 7). Values are medians, with the range over the seeds."
    )


def test_without_a_hump() -> None:
    runs = tuple(each for each in made(2).trained if each.variant.name == "bn-nn")
    assert Study(definition("bn-ablation"), (0.95,), runs).findings() == [
        f"There is no hump in 2 runs. {HUMP_IS}"
    ]


def test_a_single_hump() -> None:
    runs = tuple(each for each in made(1).trained if each.variant.name != "no-warm-up")
    findings = Study(definition("bn-ablation"), (0.95,), runs).findings()
    assert findings[0] == f"1 of 2 runs has a hump: epsilon 1 of 1. {HUMP_IS}"
    assert findings[1].startswith("In 1 of 1 hump the training loss rises")


def test_a_run_that_is_too_short_for_a_hump() -> None:
    runs = [trained(name, 0, CALM[:4], FAST[:4], CALM[:4]) for name in ("bn-nn", "epsilon")]
    assert Study(definition("bn-ablation"), (0.95,), tuple(runs)).findings() == [
        f"Runs of 4 epochs are too short for a hump. {HUMP_IS}",
        "Training losses bitwise identical to those of bn-nn, in every seed: epsilon. These variants differ in the moving "
        "averages alone, which cannot cause a hump in training.",
        "Epochs to a validation accuracy of 95 %: bn-nn 2. No difference is supported for epsilon.",
        "Validation accuracy after 4 epochs, in %: bn-nn 99.0. No difference is supported for epsilon.",
        "With 1 seed no difference can be supported: the sign test, with 1 comparison for each measure, needs at least 6 seeds "
        "(--seeds 6). Values are medians, with the range over the seeds.",
    ]


def test_a_rise_without_return_is_no_hump() -> None:
    found = Study(
        definition("bn-ablation"),
        (0.95,),
        (trained("bn-nn", 0, [1.0] * 10 + [3.0] * 10, FAST, CALM),),
    )
    assert found.findings()[0] == (
        "There is no hump in 1 run. In 1 run the loss was still up when training ended; that rise is not counted. "
        + HUMP_IS
    )
    assert found.runs()[["humps", "rises_without_return"]].values.tolist() == [[0, 1]]


def test_two_environments_are_reported() -> None:
    one, other = made(1).trained[:2]
    other = replace(other, run=replace(other.run, environment={"python": "4"}))
    assert Study(definition("bn-ablation"), (0.95,), (one, other)).warnings() == [
        "The runs come from 2 different environments; each run records its own."
    ]
