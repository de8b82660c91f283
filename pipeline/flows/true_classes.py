"""Which images can be evaluated: those whose true class is known, under the names of the description set.

The index states it, or people have decided it with laketag review, whose decisions come first.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.decisions import VERSION, Decided, prefer_decisions
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.store.outages import through_outages

COLUMNS = ("image_id", "uri", "etag", "size_bytes", "true_class")


@dataclass(frozen=True)
class KnownClasses:
    """What is known about the classes of a collection's images."""

    snapshot: str
    """The name of the newest index."""
    images: pl.DataFrame
    """All its images (schemas.ImageIndex); ``true_class`` is what people have decided, and otherwise what the index states."""
    decided: int
    """How many of the images people have decided, and how many of these are of none of the classes."""
    decided_none: int
    decisions_hash: str
    """Names these decisions; empty if there are none."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know about the decisions."""
        if not self.decided:
            return ()
        of_none = f", {self.decided_none:,} of them as of no class of the set" if self.decided_none else ""
        return (f"people have decided the class of {self.decided:,} images{of_none}",)


def read_known_classes(lake: Lake, collection: str, set_name: str) -> KnownClasses:
    """The images of the collection's newest index, and which classes of the description set they are known to be of."""
    snapshot = latest_snapshot(lake, collection)
    index = through_outages(lake.root, lake.storage, lambda: scan_snapshot(lake, snapshot).collect())
    current = Decided(lake, collection, set_name).read_current()
    counting = current.join(index, on=VERSION, how="semi").sort(VERSION)
    content = repr(counting.select(*VERSION, "label").rows()).encode()
    return KnownClasses(
        snapshot=snapshot.name,
        images=prefer_decisions(index, counting),
        decided=counting.height,
        decided_none=counting["label"].null_count(),
        decisions_hash=hashlib.blake2b(content, digest_size=8).hexdigest() if counting.height else "",
    )


@dataclass(frozen=True)
class TrueClasses:
    """The images with a true class of the set, and what a person should know of the others."""

    images: pl.DataFrame
    """COLUMNS; ``true_class`` is spelled as in the set."""
    notices: tuple[str, ...]


def find_true_classes(
    index: pl.DataFrame, class_names: Sequence[str], set_name: str, *, leave_out_unknown: bool
) -> TrueClasses:
    """The images of the index (KnownClasses.images) that can be evaluated.

    An InputError if none has a class, or, unless they are to be left out, if some have one that the set does not describe.
    """
    images = index.filter(pl.col("true_class").is_not_null()).select(COLUMNS)
    if images.is_empty():
        raise InputError(
            f"none of the {index.height:,} images in the index has a true class; index them with --class-from-folder or "
            "--class-column NAME, which say where it is, or decide some with laketag review"
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
