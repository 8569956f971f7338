"""What the data of a study supports, in sentences."""

from dataclasses import replace

from ckptcheck import Study
from ckptcheck.studies.catalogue import definition
from tests.studies.examples import CALM, FAST, made, trained


def test_findings_of_enough_seeds() -> None:
    assert made(7).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "8 of 21 runs have one: epsilon 1 of 7, no-warm-up 7 of 7.",
        "In 1 of 8 humps the training loss rises at the same time by more than 50%. Training reads no moving average, so such a "
        "hump is the training's own. They come from 1 different training, of 1 seed.",
        "Training losses bit-equal to those of bn-nn, in every seed: no-warm-up. What sets these apart lies in the moving "
        "averages alone, and cannot make a hump of the training. In 7 of 7 seeds the validation loss of some of them rises as high "
        "as a hump, and that of others does not: there the averages decide.",
        "Largest rise of the validation loss above its minimum, in %: bn-nn 0. no-warm-up 200, larger in 7 of 7 seeds; no "
        "difference is supported for epsilon.",
        "Epochs to a validation accuracy of 98 %: bn-nn 3. no-warm-up 11, more in 7 of 7 seeds; no difference is supported for "
        "epsilon.",
        "Validation accuracy after 20 epochs, in %: bn-nn 99.0. No difference is supported for epsilon, no-warm-up.",
        "Supported: by a sign test over the 7 seeds, p below 0.05 divided by 2 comparisons of a measure. Median and range over "
        "the seeds.",
    ]


def test_too_few_seeds_support_nothing() -> None:
    """The same differences as above, in every seed: but so few tosses of a coin fall alike often enough."""
    found = made(6)
    assert not any(each.supported for each in found.comparisons)
    assert found.findings()[-1] == (
        "With 6 seeds no difference can be supported: the sign test, with 2 comparisons of a measure, needs at least 7 seeds "
        "(--seeds 7). Median and range over the seeds."
    )


def test_without_a_hump() -> None:
    runs = tuple(each for each in made(2).trained if each.variant.name == "bn-nn")
    assert Study(definition("bn-ablation"), (0.95,), runs).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "None of the 2 runs has one."
    ]


def test_a_run_that_is_too_short_for_a_hump() -> None:
    runs = [trained(name, 0, CALM[:4], FAST[:4], CALM[:4]) for name in ("bn-nn", "epsilon")]
    assert Study(definition("bn-ablation"), (0.95,), tuple(runs)).findings() == [
        "A hump is a rise of the validation loss (mean of 5 epochs) by more than 50% of its minimum so far, and back. "
        "Runs of 4 epochs are too short to show one.",
        "Training losses bit-equal to those of bn-nn, in every seed: epsilon. What sets these apart lies in the moving averages "
        "alone, and cannot make a hump of the training.",
        "Epochs to a validation accuracy of 95 %: bn-nn 2. No difference is supported for epsilon.",
        "Validation accuracy after 4 epochs, in %: bn-nn 99.0. No difference is supported for epsilon.",
        "With 1 seed no difference can be supported: the sign test, with 1 comparison of a measure, needs at least 6 seeds "
        "(--seeds 6). Median and range over the seeds.",
    ]


def test_a_rise_without_return_is_no_hump() -> None:
    found = Study(
        definition("bn-ablation"),
        (0.95,),
        (trained("bn-nn", 0, [1.0] * 10 + [3.0] * 10, FAST, CALM),),
    )
    assert found.findings()[0].endswith(
        "None of the 1 runs has one. In 1 the loss was still up when training ended; that is not counted."
    )
    assert found.runs()[["humps", "rises_without_return"]].values.tolist() == [[0, 1]]


def test_runs_of_two_machines_are_told() -> None:
    one, other = made(1).trained[:2]
    other = replace(other, run=replace(other.run, environment={"python": "4"}))
    assert Study(definition("bn-ablation"), (0.95,), (one, other)).warnings() == [
        "The runs were made in 2 different environments; each run keeps its own."
    ]
