"""Image ids that come twice in a source, found without the ids of all its images in memory."""

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from laketag.pipeline.errors import InputError

COMPARED = 1_000
"""How many ids with equal hashes are compared themselves; two of 10 million different ids have one once in 300,000 sources."""
NAMED_IMAGES = 3


def refuse_duplicates(
    batches: Iterable[pl.DataFrame], read_again: Callable[[], Iterable[pl.DataFrame]], source: str
) -> Iterator[pl.DataFrame]:
    """The same batches (schemas.ImageIndex); at their end an InputError that names images whose id comes twice.

    Of each id 8 bytes are kept, its hash. The source is read again only if hashes are equal.
    """
    hashes = [pl.Series(dtype=pl.UInt64)]
    for batch in batches:
        hashes.append(batch["image_id"].hash())
        yield batch
    ordered = pl.concat(hashes).sort()
    equal = ordered.filter(ordered == ordered.shift(1)).unique()
    if equal.is_empty():
        return
    compared = equal.head(COMPARED).implode()
    rows = [batch.filter(pl.col("image_id").hash().is_in(compared)) for batch in read_again()]
    twice = pl.concat(rows).filter(pl.col("image_id").is_duplicated())
    if not twice.is_empty():
        raise InputError(
            f"{source}: {len(equal)} image(s) are in the index twice, such as {', '.join(twice['uri'].head(NAMED_IMAGES))}; "
            "give each image one row, or name a column of unique ids with --id-column"
        )
