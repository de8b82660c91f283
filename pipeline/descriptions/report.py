"""What a description set is worth: which texts stay, which classes are near each other, and which sentences separate them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int

from laketag.pipeline.descriptions.class_names import NameFinder
from laketag.pipeline.descriptions.lint import SWITCHES
from laketag.pipeline.descriptions.problems import name_some

CLASSES_AT_ONCE = 1024
"""Classes compared with all others at once: 80 MB of cosines for 20,000 classes."""
NEAREST = 3
SEPARATING = 2


@dataclass(frozen=True, kw_only=True)
class KeptTexts:
    """The texts that a classifier matches with, classes by their place in ``class_names``."""

    class_names: Sequence[str]
    texts: Sequence[str]
    class_index: Int[np.ndarray, "texts"]
    embeddings: Float32[np.ndarray, "texts dim"]  # of unit length


@dataclass(frozen=True)
class DroppedText:
    """A text that is stored with a reason."""

    class_name: str
    text: str
    reason: str


@dataclass(frozen=True)
class Sentence:
    """A text, and by how much its cosine to the texts of its own class is over that to the texts of another class, on average."""

    text: str
    gap: float


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A class whose texts are near to those of another."""

    class_name: str
    cosine: float  # of the mean texts of both
    separating: tuple[Sentence, ...]  # of the class itself, the best first
    misleading: tuple[
        Sentence, ...
    ]  # of the class itself, nearer to the neighbour on average, the worst first


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """What became of the texts of a class, and the classes nearest to it."""

    class_name: str
    kept: int
    dropped: dict[str, int]
    nearest: tuple[Neighbour, ...]

    @property
    def is_bare(self) -> bool:
        """Whether no text of its own is kept, so that its label prompt describes it."""
        return self.kept == 0


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """Of a version of a description set, the classes in their order."""

    description_set: str
    version: str
    classes: tuple[ClassReport, ...]
    suggestions: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return asdict(self)


def find_neighbours(kept: KeptTexts, classes: int = NEAREST) -> list[tuple[Neighbour, ...]]:
    """The nearest classes of each class, the nearest first."""
    of_class = _by_class(kept)
    sums = np.array([kept.embeddings[at].sum(axis=0) for at in of_class])
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    count = min(classes, len(means) - 1)
    found = []
    for start in range(0, len(means), CLASSES_AT_ONCE):
        cosines = means[start : start + CLASSES_AT_ONCE] @ means.T
        for own, of_own in enumerate(cosines, start):
            of_own[own] = -np.inf
            nearest = np.argpartition(-of_own, count - 1)[:count]
            nearest = nearest[np.argsort(-of_own[nearest])].tolist()
            found.append(
                tuple(_compare(kept, of_class, (own, other), float(of_own[other])) for other in nearest)
            )
    return found


def _by_class(kept: KeptTexts) -> list[Int[np.ndarray, "_"]]:
    """Where the texts of each class are."""
    order = np.argsort(kept.class_index, kind="stable")
    return np.split(order, np.searchsorted(kept.class_index[order], np.arange(1, len(kept.class_names))))


def _compare(
    kept: KeptTexts, of_class: Sequence[Int[np.ndarray, "_"]], pair: tuple[int, int], cosine: float
) -> Neighbour:
    own, other = pair
    at = of_class[own]
    vectors = kept.embeddings[at]
    to_own = vectors @ vectors.sum(axis=0)
    if len(at) > 1:  # a text is compared with the others of its class: with itself it would always be near
        to_own = (to_own - 1) / (len(at) - 1)
    gaps = to_own - vectors @ kept.embeddings[of_class[other]].mean(axis=0)
    order = np.argsort(-gaps, kind="stable")
    ranked = [Sentence(kept.texts[at[index]], round(float(gaps[index]), 4)) for index in order]
    return Neighbour(
        class_name=kept.class_names[other],
        cosine=round(cosine, 4),
        separating=tuple(sentence for sentence in ranked[:SEPARATING] if sentence.gap > 0),
        misleading=tuple(sentence for sentence in reversed(ranked) if sentence.gap < 0)[:SEPARATING],
    )


def suggest(classes: Sequence[ClassReport], dropped: Sequence[DroppedText]) -> tuple[str, ...]:
    """What to change: rules that leave a class without texts, and class names that many texts mention."""
    reasons = {
        (report.class_name, reason) for report in classes if report.is_bare for reason in report.dropped
    }
    by_rule: dict[str, list[str]] = {}
    for name, reason in sorted(reasons):
        by_rule.setdefault(reason, []).append(name)
    suggestions = []
    for reason, names in by_rule.items():
        whole = [report for report in classes if report.is_bare and list(report.dropped) == [reason]]
        sole = {report.class_name for report in whole}
        for report in whole:
            suggestions.append(
                f"rule {reason} drops all {report.dropped[reason]} text(s) of {report.class_name!r}: {_fix(reason)}"
            )
        if mixed := [repr(name) for name in names if name not in sole]:
            suggestions.append(
                f"rule {reason} drops texts of {name_some(mixed)}, of which other rules drop the rest: {_fix(reason)}"
            )
    return (*suggestions, *_mentioned_names(classes, dropped))


def _fix(reason: str) -> str:
    if reason == "empty":
        return "write others"
    return (
        f"write others, or switch off {SWITCHES[reason]}"
        if reason in SWITCHES
        else "raise descriptions.limit_per_class"
    )


def _mentioned_names(classes: Sequence[ClassReport], dropped: Sequence[DroppedText]) -> list[str]:
    """A suggestion for each class whose name drops texts of several other classes, the most frequent first."""
    finder = NameFinder([report.class_name for report in classes])
    texts, others = Counter[str](), dict[str, set[str]]()
    for one in dropped:
        if one.reason == "names_another_class":
            for name in finder.find_others(one.class_name, one.text):
                texts[name] += 1
                others.setdefault(name, set()).add(one.class_name)
    return [
        f"the class name {name!r} is in {count:,} dropped texts of {len(others[name]):,} other classes; if it is a common word, "
        f"make it more specific, or switch off {SWITCHES['names_another_class']}"
        for name, count in texts.most_common()
        if len(others[name]) > 1
    ]
