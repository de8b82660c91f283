"""A lake whose labels people review."""

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows, label_row
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN, write_run


def write_reviewed(lake: Lake, prefix: str = "/images", *, size: int = 4) -> None:
    """Images a–e of cats and dogs, labelled with margins that fall, as a has the largest; f has failed."""
    write_pets(lake, "hash", RUN.description_set)
    uris = (pl.lit(f"{prefix}/") + pl.col("image_id") + pl.lit(".png")).alias("uri")
    snapshot = write_snapshot(lake, RUN.collection, [index_rows("abcdef").with_columns(uris)])
    rows = [
        label_row(image, label="cat" if image in "ace" else "dog", probability=0.9 - 0.1 * number)
        | {"margin": 5.0 - number, "uri": f"{prefix}/{image}.png", "width_px": size, "height_px": size}
        for number, image in enumerate("abcde")
    ]
    failed = label_row("f", failure="timeout") | {"uri": f"{prefix}/f.png"}
    write_run(lake, 1, [*rows, failed], snapshot=snapshot.name)
