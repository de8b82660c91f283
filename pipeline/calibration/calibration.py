"""A calibration, and what it decides of an image from the scores of all classes."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from laketag.pipeline.calibration.shares import ShareRule, sharpen
from laketag.pipeline.calibration.standard_scores import ClassStatistics, standard_scores


@dataclass(frozen=True)
class CalibratedClass:
    """What a calibration knows of one class."""

    class_name: str
    mean: float  # of its scores over the sample, see ClassStatistics
    spread: float
    threshold: float | None = None  # accepted is what is over it; None: the class is never accepted
    refused: str | None = None  # why there is no threshold
    images: int | None = None  # of the sample over the threshold
    precision: float | None = None  # the fraction of these whose true class it is, with its bounds
    precision_low: float | None = None
    precision_high: float | None = None


@dataclass(frozen=True)
class Calibration:
    """Frozen: what it decides of an image depends on no other image."""

    collection: str
    classifier: str
    classes: tuple[CalibratedClass, ...]  # in the order of the description set
    rule: ShareRule
    factor: float | None = None  # on the exponent of the probability
    least_share: float | None = None  # the probability from which on a class belongs to the conformal set
    coverage: float | None = None  # that the conformal set promises
    within_image: bool = True  # see ClassStatistics

    @property
    def content_hash(self) -> str:
        """D: 16 hex characters; equal ones decide the same."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return tuple(one.class_name for one in self.classes)

    @property
    def refused(self) -> dict[str, str]:
        """The classes without a threshold, and why."""
        return {one.class_name: one.refused or "" for one in self.classes if one.threshold is None}

    def decide(
        self,
        scores: Float[np.ndarray, "images classes"],
        probabilities: Float[np.ndarray, "images classes"],
        tags: list[list[str]],
    ) -> list[dict[str, Any]]:
        """For each image the columns of schemas.Labels that a calibration gives; its ``tags`` begin with the label."""
        numbers = {name: number for number, name in enumerate(self.class_names)}
        statistics = ClassStatistics(
            np.array([one.mean for one in self.classes]),
            np.array([one.spread for one in self.classes]),
            self.within_image,
        )
        thresholds = np.array([np.inf if one.threshold is None else one.threshold for one in self.classes])
        alone = standard_scores(scores, statistics)
        sharpened = None if self.factor is None else sharpen(probabilities, self.factor)
        decided = []
        for image, names in enumerate(tags):
            over = np.flatnonzero(alone[image] > thresholds)
            accepted = over[np.argsort(-alone[image][over], kind="stable")]
            row: dict[str, Any] = {
                "calibrated_probability": None,
                "conformal_set": None,
                "tag_scores": [float(alone[image, numbers[name]]) for name in names],
                "accepted": [
                    {"label": self.class_names[number], "score": float(alone[image, number])}
                    for number in accepted
                ],
                "abstained": not len(accepted),
            }
            if sharpened is not None:
                row["calibrated_probability"] = float(sharpened[image, numbers[names[0]]])
            if self.least_share is not None:
                inside = np.flatnonzero(probabilities[image] >= self.least_share)
                best = inside[np.argsort(-probabilities[image][inside], kind="stable")]
                row["conformal_set"] = [self.class_names[number] for number in best]
            decided.append(row)
        return decided
