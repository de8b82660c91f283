"""A lake whose labels people review."""

from pathlib import Path

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.store.versions import version_of_file
from tests.lake.label_rows import index_rows, label_row
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN, write_run


def write_reviewed(lake: Lake, prefix: str = "/images", *, size: int = 4) -> None:
    """Images a–e of cats and dogs, labelled with margins that fall, as a has the largest; f has failed.

    Those that are files have the versions of these.
    """
    write_pets(lake, "hash", RUN.description_set)
    files = {image: Path(prefix, f"{image}.png") for image in "abcdef"}
    etags = {
        image: version_of_file(file.stat()).etag if file.exists() else "v1" for image, file in files.items()
    }
    uris = pl.Series("uri", map(str, files.values()))
    index = index_rows("abcdef").with_columns(uris, pl.Series("etag", etags.values()))
    snapshot = write_snapshot(lake, RUN.collection, [index])
    rows = [
        label_row(
            image, etag=etags[image], label="cat" if image in "ace" else "dog", probability=0.9 - 0.1 * number
        )
        | {"margin": 5.0 - number, "uri": f"{prefix}/{image}.png", "width_px": size, "height_px": size}
        for number, image in enumerate("abcde")
    ]
    for row in rows:
        first, share = row["label"], row["probability"]
        second = {"label": "dog" if first == "cat" else "cat", "probability": 1 - share}
        row["tags"] = [{"label": first, "probability": share}, second]
    failed = label_row("f", failure="timeout") | {"uri": f"{prefix}/f.png"}
    write_run(lake, 1, [*rows, failed], snapshot=snapshot.name)
