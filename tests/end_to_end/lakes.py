"""Lakes that are labelled alike wherever they are labelled: names are ids, as draws are keyed by id."""

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.storage.folders import list_files
from tests.end_to_end.command_line import must_run
from tests.end_to_end.pictures import encoded, picture
from tests.stores.store import Store, folder_store

MANY = 120


def put_all(store: Store, files: Mapping[str, bytes]) -> None:
    for key, data in files.items():
        target = Path(store.url(f"images/{key}"))
        if store.name == "folder":
            target.parent.mkdir(parents=True, exist_ok=True)
        store.put(f"images/{key}", data)


def table(store: Store, lake: str) -> pl.DataFrame:
    options = (
        {"aws_endpoint_url": store.env["AWS_ENDPOINT_URL"], "aws_allow_http": "true"} if store.env else {}
    )
    frame = pl.scan_parquet(f"{lake}/labels/**/*.parquet", storage_options=options).collect()
    return frame.sort("image_id")


def label(lake: str, collection: str = "c") -> tuple[str, ...]:
    return ("label", "--root", lake, "-c", collection, "-s", "s")


def label_on_this_machine(
    folder: Path, settings: Path, descriptions: Path, images: dict[str, bytes]
) -> pl.DataFrame:
    """The reference: the same images, ids and settings, without a cluster."""
    store = folder_store(folder)
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    must_run("describe", str(descriptions), "--root", lake, "-s", "s", "--settings", str(settings))
    must_run(*label(lake), "--settings", str(settings))
    return table(store, lake)


def index_named(store: Store, lake: str, images: dict[str, bytes]) -> None:
    """Index with names as ids, so that two stores hold the same rows."""
    must_run("index", put_names(store, images), "--root", lake, "-c", "c", "--id-column", "id", env=store.env)


def staged_parts(store: Store, lake: str) -> list[str]:
    """URLs of what a run that is not yet published has labelled so far."""
    return [url for url in list_files(f"{lake}/staging", store.storage) if "/parts/" in url]


def put_names(store: Store, images: dict[str, bytes]) -> str:
    names = io.BytesIO()
    pl.DataFrame({"id": sorted(images), "uri": sorted(images)}).write_parquet(names)
    return store.put("images/index.parquet", names.getvalue())


def many_images(number: int = MANY) -> dict[str, bytes]:
    return {f"many/{seed:03}.png": encoded(picture(100 + seed), "PNG") for seed in range(number)}
