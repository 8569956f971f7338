"""What a study's data supports, and no more, in sentences. Every number in them is one of the study's tables."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ckptcheck.studies import words
from ckptcheck.studies.humps import RISE, WINDOW
from ckptcheck.studies.paired_test import LEVEL, PairedTest, seeds_needed
from ckptcheck.studies.result import Result, reaching

FEW = 3  # variants of which each is worth a mention

# Measure, what it is called, and what a variant is that has less or more of it than the one it is compared with.
Wording = tuple[str, str, str, str]


def findings(study: Result) -> list[str]:
    """Return the findings of a study, the humps first."""
    compared = [text for wording in _wordings(study) for text in _of_measure(study, wording)]
    return [
        _humps(study),
        *_in_training(study),
        *_same_training(study),
        *compared,
        *_too_few(study),
    ]


def warnings(study: Result) -> list[str]:
    """Return a sentence for what a reader must know of the runs themselves."""
    # Within a job: some jobs need a setting of their own.
    pairs = {
        (run.run.recipe.job, tuple(sorted(run.run.environment.items()))) for run in study.trained
    }
    machines = max(Counter(job for job, _ in pairs).values())
    broken = [
        f"{run.variant.name} seed {run.seed}"
        for run in study.trained
        if len(run.finite_losses) < study.epoch_count
    ]
    sentences = []
    if machines > 1:
        sentences.append(
            f"The runs were made in {machines} different environments; each run keeps its own."
        )
    if broken:
        names = ", ".join(broken[:3])
        sentences.append(
            f"The loss of {len(broken)} of {len(study.trained)} runs became NaN or infinite, {names} among them."
        )
    return sentences


def _wordings(study: Result) -> list[Wording]:
    end = f"Validation accuracy after {words.counted(study.epoch_count, 'epoch')}, in %"
    return [
        (
            "largest_rise",
            "Largest rise of the validation loss above its minimum, in %",
            "smaller",
            "larger",
        ),
        *(
            (
                reaching(accuracy),
                f"Epochs to a validation accuracy of {100 * accuracy:.4g} %",
                "fewer",
                "more",
            )
            for accuracy in study.accuracies[-1:]  # the table has the others
        ),
        ("final_validation_accuracy", end, "lower", "higher"),
    ]


def _humps(study: Result) -> str:
    """Say how many runs have a hump, of which variants."""
    counts = {
        each.name: sum(bool(run.humps) for run in study.of(each.name)) for each in study.variants
    }
    unfinished = sum(len(run.rises) > len(run.humps) for run in study.trained)
    what = f"A hump is a rise of the validation loss (mean of {WINDOW} epochs) by more than {RISE:.0%} of its minimum so far"
    total = sum(counts.values())
    if study.epoch_count < WINDOW:
        sentence = f"Runs of {words.counted(study.epoch_count, 'epoch')} are too short to show one."
    elif total == 0:
        sentence = f"None of the {len(study.trained)} runs has one."
    else:
        sentence = (
            f"{total} of {len(study.trained)} runs have one: {_by_variant(counts, study.seeds)}."
        )
    if unfinished:
        sentence += (
            f" In {unfinished} the loss was still up when training ended; that is not counted."
        )
    return f"{what}, and back. {sentence}"


def _by_variant(counts: Mapping[str, int], seeds: int) -> str:
    if len(counts) <= FEW:
        return ", ".join(f"{name} {count} of {seeds}" for name, count in counts.items() if count)
    return f"from {min(counts.values())} to {max(counts.values())} of {seeds} of a variant"


def _in_training(study: Result) -> list[str]:
    """Say whether the humps are in the training loss too."""
    humps = [(run, hump) for run in study.trained for hump in run.humps]
    if not humps:
        return []
    of_training = [run for run, hump in humps if run.train_rise(hump) > RISE]
    sentence = f"In {len(of_training)} of {len(humps)} humps the training loss rises at the same time by more than {RISE:.0%}."
    if of_training:
        trainings = words.counted(
            len({(run.seed, run.curves.train_loss) for run in of_training}), "different training"
        )
        seeds = words.counted(len({run.seed for run in of_training}), "seed")
        sentence += f" Training reads no moving average, so such a hump is the training's own. They come from {trainings}, of {seeds}."
    return [sentence]


def _same_training(study: Result) -> list[str]:
    """Say which variants train alike to the last bit: what sets them apart is in the moving averages alone."""
    sentences = []
    for against in dict.fromkeys(against for _, against in study.pairs):
        others = [name for name, other in study.pairs if other == against]
        same = [name for name in others if study.same_training(name, against) == study.seeds]
        if same:
            sentence = (
                f"Training losses bit-equal to those of {against}, in every seed: {', '.join(same)}. What sets these "
                "apart lies in the moving averages alone, and cannot make a hump of the training."
            )
            # Seeds in which some have a rise as high as a hump, returned or not, and others have none.
            by_seed = zip(*(study.of(name) for name in (against, *same)), strict=True)
            if disagree := sum(len({bool(run.rises) for run in runs}) > 1 for runs in by_seed):
                sentence += (
                    f" In {disagree} of {words.counted(study.seeds, 'seed')} the validation loss of some of them rises as "
                    "high as a hump, and that of others does not: there the averages decide."
                )
            sentences.append(sentence)
    return sentences


def _of_measure(study: Result, wording: Wording) -> list[str]:
    """Say, for each variant that others are compared with, which of them differ from it by one measure."""
    measure, what, less, more = wording
    tests = [test for test in study.comparisons if test.measure == measure]
    return [
        f"{what}: {against} {words.spread(study.spread(against, measure), measure)}. "
        + _differing([test for test in tests if test.against == against], less, more)
        for against in dict.fromkeys(test.against for test in tests)
        if not math.isnan(study.spread(against, measure).median)
    ]


def _differing(tests: Sequence[PairedTest], less: str, more: str) -> str:
    clauses = [_difference(test, less, more) for test in tests if test.supported]
    if rest := [test.variant for test in tests if not test.supported]:
        clauses.append(f"{'no' if clauses else 'No'} difference is supported for {', '.join(rest)}")
    return f"{'; '.join(clauses)}."


def _difference(test: PairedTest, less: str, more: str) -> str:
    seeds = test.lower + test.equal + test.higher
    word, count = (less, test.lower) if test.lower > test.higher else (more, test.higher)
    return f"{test.variant} {words.spread(test.of_variant, test.measure)}, {word} in {count} of {seeds} seeds"


def _too_few(study: Result) -> list[str]:
    """Say so where no outcome whatever could have supported a difference."""
    if not study.pairs:
        return []
    needed, compared = (
        seeds_needed(len(study.pairs)),
        f"{words.counted(len(study.pairs), 'comparison')} of a measure",
    )
    sentence = (
        f"Supported: by a sign test over the {study.seeds} seeds, p below {LEVEL:g} divided by {compared}."
        if study.seeds >= needed
        else f"With {words.counted(study.seeds, 'seed')} no difference can be supported: the sign test, with {compared}, "
        f"needs at least {needed} seeds (--seeds {needed})."
    )
    return [f"{sentence} Median and range over the seeds."]
