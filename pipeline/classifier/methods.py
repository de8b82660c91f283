"""The methods: each is a choice of views, texts and matching.

Those of ``laketag label`` are here, and those with which ``laketag evaluate`` compares them in
``laketag.pipeline.classifier.baselines``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.classifier.class_texts import ClassTexts, padded_positions
from laketag.pipeline.classifier.kept_views import KeptViews
from laketag.pipeline.classifier.matching import (
    VIEWS_AT_ONCE,
    Scores,
    class_sums,
    contribute_plainly,
    contribute_softly,
    match_plainly,
    match_softly,
)
from laketag.pipeline.config import MethodSettings

SUMS_AT_ONCE = 1 << 24
"""Most sums of a view over a class, or similarities of a mean view, in memory at once: 64 MiB for each float32 tensor."""
LEAST_IMAGES, LEAST_ROWS = 2, 32
"""Matched together, filled up with copies: libraries multiply matrices of fewer rows in other ways, which round differently."""


def nothing() -> Float[np.ndarray, "0"]:
    """Numbers of no class."""
    return np.zeros(0)


@dataclass(frozen=True)
class ImageLabel:
    """The classifier's result for one image."""

    tags: tuple[tuple[str, float], ...]  # the best classes by score with their probabilities, best first
    score: float  # of the label
    margin: float  # score of the label minus that of the second class; 0 if there is only one class
    evidence_box_xyxy_px: tuple[int, int, int, int]  # x1, y1 exclusive, in pixels of the array given
    evidence_description: str
    tier: str = "full"  # one of laketag.schemas.labels.TIERS
    crops: int = 0  # that were encoded for it
    scores: Float[np.ndarray, "classes"] = field(default_factory=nothing, compare=False, repr=False)
    probabilities: Float[np.ndarray, "classes"] = field(default_factory=nothing, compare=False, repr=False)
    views: KeptViews | None = field(default=None, compare=False, repr=False)  # where a run keeps them

    @property
    def is_finite(self) -> bool:
        """Whether all its numbers are finite; a model that overflows gives others."""
        numbers = (self.score, self.margin, *(probability for _, probability in self.tags))
        return all(map(math.isfinite, numbers))

    @property
    def label(self) -> str:
        """The first tag."""
        return self.tags[0][0]

    @property
    def probability(self) -> float:
        """The first tag's."""
        return self.tags[0][1]


def share_rule(method: MethodSettings, logit_scale: float) -> ShareRule:
    """How the method's scores become probabilities (laketag.pipeline.classifier.probabilities), as a value."""
    views = method.crops * (method.raw_crops + method.feature_crops) if method.name == "abs" else 1
    if method.name == "abs" and method.soft_matching:
        return ShareRule("score", max(1.0, method.matching_temperature * logit_scale), max(1, views))
    return ShareRule("cosine", logit_scale, 1)


class Matcher:
    """Matches views with the texts of a set, by one method, on one device."""

    def __init__(
        self, texts: ClassTexts, method: MethodSettings, logit_scale: float, device: torch.device
    ) -> None:
        self._method = method
        self._logit_scale = logit_scale
        classes = len(texts.class_names)
        if method.name == "clip":
            self.texts = texts.label_prompt_texts
            self.class_of_text = list(range(classes))
            self._embeddings = texts.label_prompts.to(device)
            self._members = torch.arange(classes, device=device)[:, None]
        else:
            self.texts = texts.descriptions
            self.class_of_text = texts.class_index.tolist()
            self._embeddings = texts.embeddings.to(device)
            self._members = padded_positions(texts.class_index.to(device), classes)

    def match(self, views: Float[Tensor, "images views dim"]) -> Iterator[Scores]:
        """Scores of the images, in order, in chunks that fit in memory.

        On one CPU an image has the same scores to the last bit whatever other images there are: texts are grouped as the number
        of views says, and no chunk is too small (docs/decisions/0046-labels-from-kept-embeddings.md).
        """
        of_each = views.shape[1]
        of_one = max(of_each * len(self._members), len(self._embeddings))
        wanted = max(LEAST_IMAGES, VIEWS_AT_ONCE // of_each)
        at_once = max(1, min(wanted, SUMS_AT_ONCE // max(1, of_one)))
        rows = of_each if self.matches_softly else 1  # that an image gives to the product with all texts
        least = min(at_once, max(LEAST_IMAGES, math.ceil(LEAST_ROWS / rows)))
        for chunk in torch.split(views, at_once):
            lacking = max(0, least - len(chunk))
            scores = self._match(torch.cat([chunk, chunk[-1:].expand(lacking, -1, -1)]) if lacking else chunk)
            yield scores.first(len(chunk)) if lacking else scores

    def find_nearest(
        self, views: Float[Tensor, "views dim"]
    ) -> tuple[Int[Tensor, "views"], Float[Tensor, "views"]]:
        """For each view the text that it is most like, and their cosine."""
        cosines, texts = (views @ self._embeddings.T).max(dim=1)
        return texts, cosines

    @property
    def matches_softly(self) -> bool:
        """Whether scores are sums over the views; else they are means."""
        return self._method.name == "abs" and self._method.soft_matching

    def images_at_once(self, views: int) -> int:
        """For how many images, of this number of views, the contributions fit in memory."""
        return max(1, SUMS_AT_ONCE // max(1, views * len(self._members)))

    def contribute(self, views: Float[Tensor, "images views dim"]) -> Float[Tensor, "images views classes"]:
        """What each view adds to the score of each class, up to a factor."""
        if self.matches_softly:
            return contribute_softly(
                views, self._embeddings, self._members, self._method.matching_temperature
            )
        return contribute_plainly(views, self._embeddings, self._members)

    def reach(self, leaders: Int[Tensor, "images"]) -> Float[Tensor, "images classes"]:
        """How much one view can add at most to a class's lead over the leader, whatever is to be seen there.

        Softly: ``Σ π s`` over the texts of two classes is at most the largest ``s``, 1 / temperature. Plainly: a cosine with the
        difference of two means of texts is at most its length.
        """
        classes = len(self._members)
        if self.matches_softly:
            return self._embeddings.new_full((len(leaders), classes), 1 / self._method.matching_temperature)
        return torch.cdist(self._means[leaders], self._means, compute_mode="donot_use_mm_for_euclid_dist")

    @cached_property
    def _means(self) -> Float[Tensor, "classes dim"]:
        """The mean of each class's texts, which is shorter than 1."""
        counts = (self._members >= 0).sum(dim=1)
        return class_sums(self._embeddings.T.contiguous(), self._members).T / counts[:, None]

    def _match(self, views: Float[Tensor, "images views dim"]) -> Scores:
        """``clip`` and ABS without soft matching take mean cosines, ABS matches softly."""
        texts = self._embeddings, self._members
        if self.matches_softly:
            return match_softly(views, *texts, self._method.matching_temperature, self._logit_scale)
        return match_plainly(views, *texts, self._logit_scale)
