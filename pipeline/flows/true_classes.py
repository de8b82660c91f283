"""Which images can be evaluated: those whose true class the index states, under the names of the description set."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError

COLUMNS = ("image_id", "uri", "etag", "size_bytes", "true_class")


@dataclass(frozen=True)
class TrueClasses:
    """The images with a true class of the set, and what a person should know of the others."""

    images: pl.DataFrame
    """COLUMNS; ``true_class`` is spelled as in the set."""
    notices: tuple[str, ...]


def find_true_classes(
    index: pl.DataFrame, class_names: Sequence[str], set_name: str, *, leave_out_unknown: bool
) -> TrueClasses:
    """The images of the index (schemas.ImageIndex) that can be evaluated.

    An InputError if none has a class, or, unless they are to be left out, if some have one that the set does not describe.
    """
    images = index.filter(pl.col("true_class").is_not_null()).select(COLUMNS)
    if images.is_empty():
        raise InputError(
            f"none of the {index.height:,} images in the index has a true class; index them with --class-from-folder or "
            "--class-column NAME, which say where it is"
        )
    notices = []
    if without := index.height - images.height:
        notices.append(f"{without:,} images without a true class are left out")
    counts = images["true_class"].value_counts()
    same = find_same_classes(images["true_class"].unique().sort(), class_names)
    if same.missing:
        lost = counts.filter(pl.col("true_class").is_in(same.missing))["count"].sum()
        named = (
            f"{lost:,} images are of {len(same.missing):,} classes that set {set_name} does not describe: "
            + name_some([repr(name) for name in same.missing])
        )
        if not leave_out_unknown:
            raise InputError(
                f"{named}; describe these classes too, or leave the images out with --leave-out-unknown"
            )
        notices.append(f"{named}; they are left out")
    if same.respelled:
        pairs = [f"{name!r} as {own!r}" for name, own in same.respelled.items()]
        notices.append(f"{len(pairs):,} classes of the index have other words in the set: {name_some(pairs)}")
    images = images.with_columns(pl.col("true_class").replace_strict(dict(same.found), default=None))
    images = images.filter(pl.col("true_class").is_not_null())
    if images.is_empty():
        raise InputError(
            f"no image of the index is of a class of set {set_name}; evaluate with a set of its classes"
        )
    present = set(images["true_class"])
    if unseen := [name for name in class_names if name not in present]:
        notices.append(
            f"{len(unseen):,} of the {len(class_names):,} classes have no image: {name_some([repr(name) for name in unseen])}; "
            "images may be labelled as them, and macro recall leaves them out"
        )
    return TrueClasses(images, tuple(notices))
