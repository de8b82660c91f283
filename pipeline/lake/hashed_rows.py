"""Millions of rows as hashes of their keys, to find those that come twice or are missing in little memory."""

from collections.abc import Callable, Iterable, Iterator

import polars as pl

PARTS = 16
"""The hashes are sorted and compared in this many parts, which bounds the memory for it."""
NAMED_IMAGES = 20
"""How many images with doubled rows are named; the others are counted."""
FindIds = Callable[[list[int]], dict[int, str]]
"""Finds the ids of images with these hashes."""


def hash_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """``image`` and ``version`` of rows with image_id and etag: 64 and 32 bits, as only versions of one image are compared."""
    version = pl.col("etag").hash() // 2**32
    return rows.select(image=pl.col("image_id").hash(), version=version.cast(pl.UInt32))


class HashedRows:
    """Rows with the column ``image`` and others, in parts by that column."""

    def __init__(self, *order: str) -> None:
        """The rows of a part are sorted by these columns."""
        self._order = order
        self._frames: list[list[pl.DataFrame]] = [[] for _ in range(PARTS)]
        self._is_sorted = [False] * PARTS

    def add(self, rows: pl.DataFrame) -> None:
        """The rows are among them."""
        for number, of_part in _split(rows).items():
            self._frames[number].append(of_part)
            self._is_sorted[number] = False

    def parts(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The number and the rows of each part that has any, sorted."""
        for number, frames in enumerate(self._frames):
            if frames:
                if not self._is_sorted[number]:
                    frames[:] = [pl.concat(frames).sort(self._order)]
                    self._is_sorted[number] = True
                yield number, frames[0]


def _split(rows: pl.DataFrame) -> dict[int, pl.DataFrame]:
    part = (pl.col("image") // (2**64 // PARTS)).cast(pl.UInt8).alias("part")
    groups = rows.with_columns(part).partition_by("part", as_dict=True, include_key=False)
    return {int(key[0]): of_part for key, of_part in groups.items()}


def find_doubles(images: HashedRows) -> list[int]:
    """The hashes of images that have more than one row."""
    found: list[int] = []
    for _, rows in images.parts():
        found += rows.filter(pl.col("image") == pl.col("image").shift(-1))["image"].unique().to_list()
    return found


def name_doubles(doubles: list[int], what: str, find_ids: FindIds) -> Iterator[tuple[str, str]]:
    """The ids of images with these hashes, and what is doubled; of many some, and the number of the others."""
    if doubles:
        for name in sorted(find_ids(doubles[:NAMED_IMAGES]).values()):
            yield f"image {name}", what
    if len(doubles) > NAMED_IMAGES:
        yield f"{len(doubles) - NAMED_IMAGES:,} more images", what


def find_ids(batches: Iterable[pl.Series], hashes: list[int]) -> dict[int, str]:
    """The ids with these hashes, from batches of ids, which are read until all are found."""
    found: dict[int, str] = {}
    for ids in batches:
        hashed = ids.hash()
        is_wanted = hashed.is_in(hashes)
        found |= dict(zip(hashed.filter(is_wanted), ids.filter(is_wanted), strict=True))
        if len(found) == len(set(hashes)):
            break
    return found
