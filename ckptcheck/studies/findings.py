"""The findings of a study, in sentences. All numbers in them come from the study's tables."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ckptcheck.counts import counted
from ckptcheck.studies import words
from ckptcheck.studies.humps import RISE, WINDOW
from ckptcheck.studies.paired_test import LEVEL, PairedTest, seeds_needed
from ckptcheck.studies.result import Result, reaching

FEW = 3  # up to this many variants are named one by one

# A measure, its name in sentences, and the words for a lower and for a higher value.
Wording = tuple[str, str, str, str]


def findings(study: Result) -> list[str]:
    """Return the findings of a study, the humps first."""
    compared = [text for wording in _wordings(study) for text in _of_measure(study, wording)]
    return [
        _humps(study),
        *_in_training(study),
        *_same_training(study),
        *compared,
        *_test_used(study),
    ]


def warnings(study: Result) -> list[str]:
    """Return a sentence for each reason to doubt the runs themselves."""
    # Environments are counted for each job: some jobs need a setting of their own.
    pairs = {
        (run.run.recipe.job, tuple(sorted(run.run.environment.items()))) for run in study.trained
    }
    environments = max(Counter(job for job, _ in pairs).values())
    broken = [
        f"{run.variant.name} seed {run.seed}"
        for run in study.trained
        if len(run.finite_losses) < study.epoch_count
    ]
    sentences = []
    if environments > 1:
        sentences.append(
            f"The runs come from {environments} different environments; each run records its own."
        )
    if broken:
        names = ", ".join(broken[:FEW]) + (", …" if len(broken) > FEW else "")
        sentences.append(
            f"The validation loss became NaN or infinite in {len(broken)} of "
            f"{len(study.trained)} runs: {names}."
        )
    return sentences


def _wordings(study: Result) -> list[Wording]:
    end = f"Validation accuracy after {counted(study.epoch_count, 'epoch')}, in %"
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
    """Return how many runs have a hump, and of which variants."""
    counts = {
        each.name: sum(bool(run.humps) for run in study.of(each.name)) for each in study.variants
    }
    total, runs = sum(counts.values()), len(study.trained)
    if study.epoch_count < WINDOW:
        sentence = f"Runs of {counted(study.epoch_count, 'epoch')} are too short for a hump."
    elif total == 0:
        sentence = f"There is no hump in {counted(runs, 'run')}."
    else:
        verb = "has" if total == 1 else "have"
        sentence = f"{total} of {runs} runs {verb} a hump: {_by_variant(counts, study.seeds)}."
    if unfinished := sum(len(run.rises) > len(run.humps) for run in study.trained):
        sentence += (
            f" In {counted(unfinished, 'run')} the loss was still up when training ended; "
            "that rise is not counted."
        )
    return (
        f"{sentence} A hump is a rise of the validation loss (mean of {WINDOW} epochs) by more "
        f"than {100 * RISE:.0f} % of its running minimum, followed by a return."
    )


def _by_variant(counts: Mapping[str, int], seeds: int) -> str:
    if len(counts) <= FEW:
        return ", ".join(f"{name} {count} of {seeds}" for name, count in counts.items() if count)
    return f"{min(counts.values())} to {max(counts.values())} of {seeds} runs of each variant"


def _in_training(study: Result) -> list[str]:
    """Return whether the humps are in the training loss too."""
    humps = [(run, hump) for run in study.trained for hump in run.humps]
    if not humps:
        return []
    of_training = [run for run, hump in humps if run.train_rise(hump) > RISE]
    sentence = (
        f"In {len(of_training)} of {counted(len(humps), 'hump')} the training loss rises at "
        f"the same time by more than {100 * RISE:.0f} %."
    )
    if of_training:
        curves = {(run.seed, run.curves.train_loss) for run in of_training}
        seeds = {run.seed for run in of_training}
        sentence += (
            " Training reads no moving average, so training itself causes such a hump. They come "
            f"from {counted(len(curves), 'distinct training curve')} with "
            f"{counted(len(seeds), 'seed')}."
        )
    return [sentence]


def _same_training(study: Result) -> list[str]:
    """Return which variants have bitwise identical training losses: only their averages differ."""
    sentences = []
    for against in dict.fromkeys(against for _, against in study.pairs):
        others = [name for name, other in study.pairs if other == against]
        same = [name for name in others if study.same_training(name, against) == study.seeds]
        if same:
            sentence = (
                f"Training losses bitwise identical to those of {against}, in every seed: "
                f"{', '.join(same)}. These variants differ in the moving averages alone, which "
                "cannot cause a hump in training."
            )
            # Seeds in which only some variants rise as high as a hump, returned or not.
            by_seed = zip(*(study.of(name) for name in (against, *same)), strict=True)
            if disagree := sum(len({bool(run.rises) for run in runs}) > 1 for runs in by_seed):
                sentence += (
                    f" In {disagree} of {counted(study.seeds, 'seed')} the validation loss "
                    "of only some of them rises as high as a hump: there, the moving averages "
                    "decide."
                )
            sentences.append(sentence)
    return sentences


def _of_measure(study: Result, wording: Wording) -> list[str]:
    """Return, for each reference variant, which variants differ from it by one measure."""
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
    values = words.spread(test.of_variant, test.measure)
    return f"{test.variant} {values}, {word} in {count} of {seeds} seeds"


def _test_used(study: Result) -> list[str]:
    """Return what makes a difference supported, or that no outcome could with so few seeds."""
    if not study.pairs:
        return []
    count, needed = len(study.pairs), seeds_needed(len(study.pairs))
    comparisons = f"{counted(count, 'comparison')} for each measure"
    seeds = counted(study.seeds, "seed")
    sentence = (
        f"A difference is supported if a sign test over the {seeds} gives p < {LEVEL:g} / {count} "
        f"({comparisons})."
        if study.seeds >= needed
        else f"With {seeds} no difference can be supported: the sign test, with {comparisons}, "
        f"needs at least {needed} seeds (--seeds {needed})."
    )
    return [f"{sentence} Values are medians, with the range over the seeds."]
