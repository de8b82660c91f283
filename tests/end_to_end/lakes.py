"""Lakes whose tables can be compared: image ids are the images' names, so crops are the same on every store."""

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from laketag.pipeline.store.folders import list_files
from laketag.schemas import Labels
from tests.end_to_end.command_line import PROJECT, must_run
from tests.end_to_end.pictures import BROKEN, GOOD, encoded, picture
from tests.stores.store import Store

VARIED = (
    GOOD
    | {name: data for name, (data, _) in BROKEN.items()}
    | {
        f"more/{number}.jpg": encoded(picture(40 + number, (80 + 7 * number, 120 - 5 * number)))
        for number in range(15)
    }
)
"""Images of many sizes and formats, and one for each kind of fault."""
MANY = 48
DEMO_SETTINGS = PROJECT / "demo" / "settings.toml"
"""Names the model by a path relative to the folder that the command, or the job, runs in."""
SOUND = 32
"""Images of the demo, beside those broken on purpose, where their number proves nothing."""
DEMO_DESCRIPTIONS = PROJECT / "demo" / "descriptions.json"

EXACT = ["image_id", "label", "failure", "width_px", "height_px"]


def put_all(store: Store, files: Mapping[str, bytes]) -> None:
    for key, data in files.items():
        store.put(f"images/{key}", data)


def table(store: Store, lake: str) -> pl.DataFrame:
    """All published label rows, by image id."""
    return _read(store, f"{lake}/labels/**/*.parquet")


def staged_rows(store: Store, lake: str) -> pl.DataFrame:
    """The label rows that an unpublished run has staged so far, by image id."""
    return _read(store, staged_parts(store, lake))


def _read(store: Store, source: str | list[str]) -> pl.DataFrame:
    options = (
        {"aws_endpoint_url": store.env["AWS_ENDPOINT_URL"], "aws_allow_http": "true"} if store.env else {}
    )
    if not source:  # nothing is staged yet
        return Labels.create_empty()
    return pl.scan_parquet(source, storage_options=options).collect().sort("image_id")


def assert_same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """Two label tables have the same labels, failures and evidence, and scores that differ by rounding only."""
    assert one.select(EXACT).equals(other.select(EXACT))
    assert one["evidence"].to_list() == other["evidence"].to_list()
    size = (
        one["score"].abs().fill_null(0).clip(1)
    )  # a margin is the difference of two scores, and as exact as they are
    for column in ("probability", "score", "margin"):
        assert one[column].is_null().equals(other[column].is_null())
        assert ((one[column] - other[column]).abs().fill_null(0) <= 1e-5 * size).all(), column
    ours, theirs = (frame["tags"].explode().struct.unnest() for frame in (one, other))
    assert ours["label"].equals(theirs["label"])
    assert ours["probability"].is_null().equals(theirs["probability"].is_null())
    assert ((ours["probability"] - theirs["probability"]).abs().fill_null(0) <= 1e-5).all()


def label(lake: str, collection: str = "c") -> tuple[str, ...]:
    return ("label", "--root", lake, "-c", collection, "-s", "s")


def put_described(store: Store, lake: str, described: Path) -> None:
    """Copy the description sets of the lake in the folder ``described`` into this lake."""
    for file in described.rglob("*.parquet"):
        key = f"{lake}/{file.relative_to(described)}".removeprefix(f"{store.root}/")
        store.put(key, file.read_bytes())


def index_named(store: Store, lake: str, images: Mapping[str, bytes]) -> None:
    """Index the images with their names as ids."""
    must_run("index", put_names(store, images), "--root", lake, "-c", "c", "--id-column", "id", env=store.env)


def staged_parts(store: Store, lake: str) -> list[str]:
    """URLs of the parts that an unpublished run has staged."""
    return [url for url in list_files(f"{lake}/staging", store.storage) if "/parts/" in url]


def put_names(store: Store, images: Mapping[str, bytes]) -> str:
    names = io.BytesIO()
    pl.DataFrame({"id": sorted(images), "uri": sorted(images)}).write_parquet(names)
    return store.put("images/index.parquet", names.getvalue())


def many_images(number: int = MANY) -> dict[str, bytes]:
    return {f"many/{seed:03}.png": encoded(picture(100 + seed), "PNG") for seed in range(number)}


def label_in_folder(
    store: Store, images: Mapping[str, bytes], described: Path, settings: Path
) -> pl.DataFrame:
    """The table of the images after they were put in the folder and labelled on the Ray of this process."""
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    put_described(store, lake, described)
    must_run(*label(lake), "--settings", str(settings))
    return table(store, lake)
