"""The images that a calibration is fitted to, and what is known of their true classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int

from laketag.pipeline.calibration.fit import OUTSIDE
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.true_classes import COLUMNS, KnownClasses
from laketag.pipeline.lake.decisions import VERSION
from laketag.pipeline.lake.plan import draw_sample


@dataclass(frozen=True)
class FrozenSample:
    """Images of the newest index; the same index, decisions and number give the same ones."""

    images: pl.DataFrame
    """COLUMNS and ``class_number``, the place of the true class in the set, OUTSIDE, or null."""
    notices: tuple[str, ...]
    knows_classes: bool

    def true_class(self, image_ids: Sequence[str]) -> Int[np.ndarray, "images"] | None:
        """The numbers of these images' classes; None if they are not known."""
        if not self.knows_classes:
            return None
        numbers = dict(self.images.select("image_id", "class_number").iter_rows())
        return np.array([numbers[image_id] for image_id in image_ids], dtype=np.int64)


@dataclass(frozen=True)
class SampleRequest:
    """Which images to draw."""

    images: int
    ignores_classes: bool = False
    others_are_outside: bool = False
    """Whether images of classes that the set does not describe are outside it, instead of a mistake."""


def freeze_sample(
    known: KnownClasses, decisions: pl.DataFrame, class_names: Sequence[str], request: SampleRequest
) -> FrozenSample:
    """A random sample of the images whose true class is known; of all images, if none has one or classes are ignored.

    ``decisions`` (schemas.Decisions) are those that count: an image that is decided to be of none of the classes is OUTSIDE.
    An InputError if an image has a class that the set does not describe, unless these are outside.
    """
    decided_none = decisions.filter(pl.col("label").is_null()).select(*VERSION, is_none=True)
    images = known.images.join(decided_none, on=VERSION, how="left", maintain_order="left")
    counts = images.filter(pl.col("true_class").is_not_null())["true_class"].value_counts()
    same = find_same_classes(counts["true_class"].sort(), class_names)
    numbers = {name: number for number, name in enumerate(class_names)}
    places = {name: numbers[own] for name, own in same.found.items()}
    number = pl.col("true_class").replace_strict(places, default=OUTSIDE, return_dtype=pl.Int64)
    images = images.with_columns(
        class_number=pl.when(pl.col("is_none"))
        .then(OUTSIDE)
        .when(pl.col("true_class").is_not_null())
        .then(number)
    )
    notices = list(known.notices)
    knows_classes = not request.ignores_classes and bool((images["class_number"] >= 0).any())
    if knows_classes:
        if same.missing:
            lost = counts.filter(pl.col("true_class").is_in(same.missing))["count"].sum()
            named = (
                f"{lost:,} images are of {len(same.missing):,} classes that the set does not describe: "
                f"{name_some([repr(name) for name in same.missing])}"
            )
            if not request.others_are_outside:
                raise InputError(
                    f"{named}; describe these classes too, or let these images count as outside the set with --others-outside"
                )
            notices.append(f"{named}; they count as outside the set")
        images = images.filter(pl.col("class_number").is_not_null())
    drawn = draw_sample(images.select(*COLUMNS, "class_number"), request.images)
    return FrozenSample(drawn, tuple(notices), knows_classes)
