"""How the images of a collection differ between two snapshots."""

from dataclasses import astuple, dataclass

import polars as pl

from laketag.pipeline.store.versions import UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Numbers of images, compared by their ids."""

    new: int = 0
    changed: int = 0
    """Another version of the image."""
    edited: int = 0
    """The same version, but with another true class or URI."""
    unseen: int = 0
    """The source still names the image, but its version can no longer be found."""
    gone: int = 0
    carried: int = 0
    """Carried over now and looked at before, or the other way round."""

    def __bool__(self) -> bool:
        return any(astuple(self))


def count_changes(old: pl.LazyFrame, new: pl.LazyFrame) -> Changes:
    """The changes from one frame of schemas.ImageIndex to another, in any order of rows."""
    both = _hashed(new).join(_hashed(old), on="id", how="full", coalesce=True, suffix="_old")
    version, version_old = pl.col("version"), pl.col("version_old")
    is_unseen = pl.col("unknown") & ~pl.col("unknown_old")
    counts = both.select(
        new=version_old.is_null().sum(),
        changed=((version != version_old) & ~is_unseen).sum(),
        edited=((version == version_old) & (pl.col("rest") != pl.col("rest_old"))).sum(),
        unseen=is_unseen.sum(),
        gone=version.is_null().sum(),
        carried=(pl.col("carried") != pl.col("carried_old")).sum(),
    ).collect()
    return Changes(**counts.row(0, named=True))


def name_gone(old: pl.LazyFrame, new: pl.LazyFrame, images: int) -> list[str]:
    """URIs of that many images which are gone or unseen."""
    found = _hashed(new).filter(~pl.col("unknown")).select("id")
    seen_before = old.filter(pl.col("etag") != UNKNOWN).select("uri", id=pl.col("image_id").hash())
    gone = seen_before.join(found, on="id", how="anti", maintain_order="left")
    return gone.select("uri").head(images).collect()["uri"].to_list()


def _hashed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What is compared as numbers, which take a fraction of the memory."""
    return rows.select(
        id=pl.col("image_id").hash(),
        version=pl.col("etag").hash(),
        unknown=pl.col("etag") == UNKNOWN,
        rest=pl.struct("uri", "true_class").hash(),
        carried=pl.col("carried").fill_null(False),
    )
