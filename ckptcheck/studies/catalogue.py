"""What each study asks, and the variants it trains to find out. A new study is a new entry here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ckptcheck.errors import UsageError, unknown


@dataclass(frozen=True)
class Variant:
    """A job with options. `options` are where it stands; `changed` is what makes it a variant of `against`."""

    name: str
    job: str
    text: str
    options: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    # The variant it is compared with, seed by seed.
    against: str | None = None


@dataclass(frozen=True)
class Definition:
    """A study: its question, its variants, and the number of epochs that each of them is trained."""

    name: str
    question: str
    variants: tuple[Variant, ...]
    epochs: int = 100

    def chosen(self, names: tuple[str, ...]) -> tuple[Variant, ...]:
        """Return the variants of those names, in the order of the study; all where none is named."""
        known = {variant.name: variant for variant in self.variants}
        for name in names:
            if name not in known:
                raise unknown(f"variant of {self.name}", name, known)
        return tuple(variant for variant in self.variants if not names or variant.name in names)


# What can be set in which the article's batch norm differs from that of tf.layers. What is left is the fused kernel of
# tf.layers, which rounds otherwise, and averages an unbiased variance, n / (n - 1), behind convolutions.
EPSILON = {"epsilon": "0.001"}
NO_WARM_UP = {"num_updates": "off"}
START = {"start": "unit"}
FUSED = {"update": "fused"}
LIKE_LAYERS = EPSILON | NO_WARM_UP | START | FUSED


def _changed(name: str, text: str, changed: Mapping[str, str], against: str = "bn-nn") -> Variant:
    return Variant(name, "bn-nn", text, changed=changed, against=against)


def _without(name: str, text: str, kept: Mapping[str, str]) -> Variant:
    """Return the variant that is like tf.layers but for one difference."""
    changed = {key: value for key, value in LIKE_LAYERS.items() if key not in kept}
    return _changed(name, text, changed, "like-layers")


_BN_NN = Variant(
    "bn-nn",
    "bn-nn",
    "tf.nn, as in the article: epsilon 1e-5, warm-up, start at 0, second pass, decay 0.99",
)
# The default of tf.layers.batch_normalization, and the article's own: bn-layers has another where it is verified.
_BN_LAYERS = Variant(
    "bn-layers",
    "bn-layers",
    "tf.layers with its defaults: epsilon 1e-3, decay 0.99",
    {"decay": "0.99"},
)

_STUDIES = (
    Definition(
        "convergence",
        "Does batch norm make the network converge faster, and to a better accuracy?",
        (Variant("plain", "plain", "no batch norm"), replace(_BN_NN, against="plain")),
    ),
    Definition(
        "bn-apis",
        "Do tf.nn and tf.layers train alike, and does tf.layers go through a hump?",
        (_BN_NN, replace(_BN_LAYERS, against="bn-nn")),
    ),
    Definition(
        "bn-ablation",
        "Which difference between the two batch norms, if any, makes the humps?",
        (
            _BN_NN,
            _changed("epsilon", "epsilon 1e-3, not 1e-5", EPSILON),
            _changed("no-warm-up", "the decay is constant: no num_updates", NO_WARM_UP),
            _changed("start-unit", "the moving variances start at 1, not 0", START),
            _changed(
                "fused",
                "the averages are updated in the training step, not in a second pass",
                FUSED,
            ),
            _changed("decay-0.9", "decay 0.9, not 0.99", {"decay": "0.9"}),
            _changed("decay-0.999", "decay 0.999, not 0.99", {"decay": "0.999"}),
            _changed(
                "like-layers", "all four: epsilon, no warm-up, start at 1, fused", LIKE_LAYERS
            ),
            replace(_BN_LAYERS, against="like-layers"),
            _without("layers-epsilon", "like-layers, but epsilon 1e-5", EPSILON),
            _without("layers-warm-up", "like-layers, but with warm-up", NO_WARM_UP),
            _without("layers-start", "like-layers, but the moving variances start at 0", START),
            _without("layers-two-pass", "like-layers, but updated in a second pass", FUSED),
            _changed(
                "layers-0.9",
                "like-layers, but decay 0.9",
                LIKE_LAYERS | {"decay": "0.9"},
                "like-layers",
            ),
            _changed(
                "layers-0.999",
                "like-layers, but decay 0.999",
                LIKE_LAYERS | {"decay": "0.999"},
                "like-layers",
            ),
        ),
    ),
)
STUDIES: Mapping[str, Definition] = {study.name: study for study in _STUDIES}


def definition(name: str) -> Definition:
    """Return the study of that name, or raise `UsageError` with the nearest names."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def options_of(variant: Variant, given: Mapping[str, str], study: Definition) -> dict[str, str]:
    """Return the options a variant is trained with: where it stands, then what is given, then what makes it a variant."""
    if "seed" in given:
        raise UsageError("A study sets the seeds itself: say how many with --seeds.")
    for each in study.variants:
        for name in each.changed:
            if name in given:
                raise UsageError(
                    f"The study {study.name} itself changes {name} (in {each.name}), so it cannot be set."
                )
    return {**variant.options, **given, **variant.changed}
