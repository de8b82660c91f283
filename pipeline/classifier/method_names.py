"""The methods that can be compared: what each looks at, which texts it reads, and how it turns both into scores.

``abs``, ``abs-raw`` and the other variants of ABS take an attention source after a colon: ``abs:uniform``,
``abs-raw:vit_small_patch16_224.dino``. Without one they use that of the settings. ``abs-cascade`` and ``abs-adaptive``
are ABS within a budget; they take a threshold after an @: ``abs-adaptive@0.9``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError

View = Literal["whole", "squares", "features", "raw"]
"""The whole image, WCA's random squares, and ABS's crops of features and pixels."""
TextKind = Literal[
    "prompts",
    "templates",
    "descriptors",
    "waffle",
    "descriptions",
    "unfiltered",
    "filtered",
    "exact_duplicate",
    "near_duplicate",
    "names_another_class",
    "closer_to_another_class",
    "other_class",
]
"""From ``unfiltered`` on they are variants of the descriptions (vary_descriptions)."""
Rule = Literal["prototype", "mean", "wca", "soft", "entropy", "mode", "trim"]
"""The function in laketag.pipeline.classifier.scoring."""

UNFILTERED: TextKind = "unfiltered"
FILTERED: TextKind = "filtered"
OTHER_CLASS: TextKind = "other_class"
RULE_TEXTS: tuple[TextKind, ...] = (
    "exact_duplicate",
    "near_duplicate",
    "names_another_class",
    "closer_to_another_class",
)
"""The rules of the filter, by the reason that they give (laketag.schemas.DropReason)."""
VARIED_TITLES: dict[TextKind, str] = {
    UNFILTERED: "all texts",
    FILTERED: "with the filter",
    **{rule: f"rule {rule} alone" for rule in RULE_TEXTS},
    OTHER_CLASS: "texts of a random other class",
}
UNIFORM, RANDOM, BACKBONE = "uniform", "random", "backbone"
CONTROLS = (UNIFORM, RANDOM)
"""Attention sources that look at nothing: every patch alike, or as many patches as attended, drawn at random."""
PAPER = "ABS, arXiv 2505.13233"


@dataclass(frozen=True)
class Method:
    """One way to label; two of them with equal fields but for name and title are the same."""

    name: str
    title: str
    views: tuple[View, ...]
    texts: TextKind
    rule: Rule
    source: str
    attention: str | None = None
    """Where crops are taken, for methods with crops of ABS: a timm ViT, ``backbone`` or one of CONTROLS."""
    budget: Literal["full", "cascade", "adaptive"] = "full"
    """As ``method.budget`` of the settings."""
    threshold: float = 1.0
    """Of the budget: as ``method.cascade_lead`` or ``method.adaptive_confidence``."""

    @property
    def varies(self) -> bool:
        """Whether another seed can give another label."""
        return self.views != ("whole",) or self.texts in ("waffle", OTHER_CLASS)

    @property
    def scores_are_cosines(self) -> bool:
        """Else they are sums of soft matching; probabilities follow from them in different ways."""
        return self.rule not in ("soft", "entropy")

    @property
    def works_alike(self) -> "Method":
        """The method without its name: equal for methods that give equal labels."""
        return replace(self, name="", title="", source="")


BASELINES = (
    Method("clip", "CLIP", ("whole",), "prompts", "mean", "arXiv 2103.00020"),
    Method("clip-e", "CLIP-E", ("whole",), "templates", "prototype", "arXiv 2103.00020, 80 templates"),
    Method("clip-d", "CLIP-D", ("whole",), "descriptors", "mean", "arXiv 2210.07183"),
    Method("waffle", "Waffle", ("whole",), "waffle", "mean", "arXiv 2306.07282"),
    Method("cupl", "CuPL", ("whole",), "descriptions", "prototype", "arXiv 2209.03320"),
    Method("wca", "WCA", ("whole", "squares"), "descriptions", "wca", "arXiv 2406.02915"),
)
ABS = Method("abs", "ABS", (), "descriptions", "soft", PAPER)
"""Its views are those that the settings switch on."""
VARIANTS = (
    ABS,
    Method("abs-both", "ABS, both kinds of crops", ("features", "raw"), "descriptions", "soft", PAPER),
    Method("abs-raw", "ABS, raw crops alone", ("raw",), "descriptions", "soft", PAPER),
    Method("abs-features", "ABS, feature crops alone", ("features",), "descriptions", "soft", PAPER),
    Method("abs-plain", "ABS without soft matching", (), "descriptions", "mean", PAPER),
    Method(
        "abs-entropy", "ABS, entropy-weighted views", (), "descriptions", "entropy", "AWT, arXiv 2407.04603"
    ),
    Method("abs-mode", "ABS, mode of the views", (), "descriptions", "mode", "MTA, arXiv 2405.02266"),
    Method(
        "abs-trim", "ABS, soft trim of descriptions", (), "descriptions", "trim", "CGBC, arXiv 2603.07911"
    ),
)
BUDGETS = (
    replace(ABS, name="abs-cascade", title="ABS, cascade at lead", budget="cascade"),
    replace(ABS, name="abs-adaptive", title="ABS, adaptive at confidence", budget="adaptive"),
)
"""They take their threshold after an @, and without one that of the settings."""
SOURCE_TITLES = {
    UNIFORM: "centres anywhere (no attention)",
    RANDOM: "attention at random patches",
    BACKBONE: "attention of the CLIP tower",
    "vit_base_patch16_224.dino": "attention of DINO ViT-B",
    "vit_small_patch16_224.dino": "attention of DINO ViT-S",
}
GROUPS: dict[str, tuple[str, ...]] = {
    "paper": (*(method.name for method in BASELINES), "abs"),
    "parts": ("abs-both", "abs-raw", "abs-features", f"abs:{UNIFORM}", "abs-plain"),
    "attention": tuple(f"abs:{source}" for source in SOURCE_TITLES),
    "beyond": ("abs-entropy", "abs-mode", "abs-trim"),
    "budgets": (
        "abs",
        *(f"abs-cascade@{lead}" for lead in (0.7, 0.8, 0.9, 0.95)),
        *(f"abs-adaptive@{confidence}" for confidence in (0.8, 0.9, 0.95, 0.99, 1)),
    ),
}
GROUPS["all"] = (
    *GROUPS["paper"],
    *GROUPS["parts"],
    *(f"abs:{source}" for source in (BACKBONE, RANDOM)),  # those that need no further model
    *GROUPS["beyond"],
)
"""Names that stand for several methods; of those that work alike under the settings, only the first is taken."""


def find_methods(names: Iterable[str], settings: Settings) -> tuple[Method, ...]:
    """The methods of these names and groups, each once, in this order; a SettingsError for a name that is unknown."""
    found: dict[str, Method] = {}
    for name in names:
        if name not in GROUPS:
            found[name] = _find(name, settings)
            continue
        for one in GROUPS[name]:
            method = _find(one, settings)
            if method.works_alike not in {other.works_alike for other in found.values()}:
                found.setdefault(one, method)
    if not found:
        raise SettingsError(f"no method is named; choose some of {_known()}")
    return tuple(found.values())


def vary_descriptions(methods: Iterable[Method]) -> tuple[Method, ...]:
    """Each method that reads descriptions with each variant of them instead, as ``abs/unfiltered``; the others as they are."""
    return tuple(
        varied
        for method in methods
        for varied in (
            [
                replace(method, name=f"{method.name}/{kind}", title=f"{method.title}, {title}", texts=kind)
                for kind, title in VARIED_TITLES.items()
            ]
            if method.texts == "descriptions"
            else [method]
        )
    )


def _find(name: str, settings: Settings) -> Method:
    variant, _, source = name.partition(":")
    for method in BASELINES:
        if method.name == name:
            return method
    for method in VARIANTS:
        if method.name == variant:
            return _with_settings(method, source, settings)
    variant, _, threshold = variant.partition("@")
    for method in BUDGETS:
        if method.name == variant:
            return _with_settings(_with_threshold(method, threshold, settings), source, settings)
    raise SettingsError(f"method {name!r} is unknown; choose some of {_known()}")


def _with_threshold(budget: Method, text: str, settings: Settings) -> Method:
    """The budget with this threshold, which its name states; without a text with that of the settings."""
    defaults = {
        "cascade": settings.method.cascade_lead,
        "adaptive": settings.method.adaptive_confidence,
    }
    try:
        threshold = float(text) if text else defaults[budget.budget]
    except ValueError:
        threshold = -1.0
    least = 0.0 if budget.budget == "cascade" else 0.5
    if not least <= threshold <= 1 or (budget.budget == "adaptive" and threshold == least):
        raise SettingsError(
            f"method {budget.name}@{text}: write a number {'from 0' if not least else 'over 0.5'} to 1 after the @"
        )
    return replace(
        budget,
        name=f"{budget.name}@{threshold:g}",
        title=f"{budget.title} {threshold:g}",
        threshold=threshold,
    )


def _with_settings(variant: Method, source: str, settings: Settings) -> Method:
    method = settings.method
    switched: list[View] = ["features"] if method.feature_crops else []
    switched += ["raw"] if method.raw_crops else []
    views: tuple[View, ...] = variant.views or tuple(switched)
    if variant.rule == "mode":
        views = ("whole", *views)  # where the search for the mode begins
    if variant.budget == "cascade" and views:
        views = ("whole", *views)  # what decides whether there are more
    if not views or views == ("whole",):
        raise SettingsError(
            f"method {variant.name!r} needs crops, and method.raw_crops and method.feature_crops are off; switch one on"
        )
    title = (
        f"{variant.title}, {SOURCE_TITLES.get(source, f'attention of {source}')}" if source else variant.title
    )
    return replace(
        variant,
        name=f"{variant.name}:{source}" if source else variant.name,
        title=title,
        views=views,
        attention=source or settings.attention.name,
    )


def _known() -> str:
    names: Sequence[str] = [method.name for method in (*BASELINES, *VARIANTS, *BUDGETS)]
    sources = ", ".join(SOURCE_TITLES)
    return f"{', '.join(names)}, a variant of abs with an attention source (abs:SOURCE; {sources}), or {', '.join(GROUPS)}"
