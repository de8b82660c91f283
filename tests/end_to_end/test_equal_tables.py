"""However a lake is labelled, its table says the same."""

import io
import shutil
from pathlib import Path

import polars as pl

from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import put_all
from tests.end_to_end.pictures import BROKEN, GOOD, encoded, picture
from tests.stores.store import Store, folder_store

EXACT = ["image_id", "label", "failure", "width_px", "height_px"]
IMAGES = (
    GOOD
    | {name: data for name, (data, _) in BROKEN.items()}
    | {
        f"more/{number}.jpg": encoded(picture(40 + number, (80 + 7 * number, 120 - 5 * number)))
        for number in range(15)
    }
)


def label(store: Store, lake: str, settings: Path, *overrides: str) -> pl.DataFrame:
    options = [part for override in overrides for part in ("-o", override)]
    must_run(
        "label", "--root", lake, "-c", "c", "-s", "s", "--settings", str(settings), *options, env=store.env
    )
    frame = pl.scan_parquet(f"{lake}/labels/**/*.parquet", storage_options=polars_options(store)).collect()
    return frame.sort("image_id")


def polars_options(store: Store) -> dict[str, str]:
    return {"aws_endpoint_url": store.env["AWS_ENDPOINT_URL"], "aws_allow_http": "true"} if store.env else {}


def assert_same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert one.select(EXACT).equals(other.select(EXACT))
    assert one["evidence"].to_list() == other["evidence"].to_list()
    for column in ("probability", "score", "margin"):
        assert (
            (one[column] - other[column]).abs().fill_null(0) <= 1e-5 * one[column].abs().fill_null(0).clip(1)
        ).all()
    ours, theirs = (frame["tags"].explode().struct.unnest() for frame in (one, other))
    assert ours["label"].equals(theirs["label"])
    assert ((ours["probability"] - theirs["probability"]).abs().fill_null(0) <= 1e-5).all()


def index_by_name(store: Store, lake: str) -> None:
    """Index the images with their names as ids: draws are keyed by id, and URIs differ from store to store."""
    table = io.BytesIO()
    pl.DataFrame({"id": sorted(IMAGES), "uri": sorted(IMAGES)}).write_parquet(table)
    url = store.put("images/index.parquet", table.getvalue())
    must_run("index", url, "--root", lake, "-c", "c", "--id-column", "id", env=store.env)


def test_batch_size_actors_and_store_change_nothing(moto, tmp_path, tiny_settings, descriptions) -> None:
    folder = folder_store(tmp_path)
    put_all(folder, IMAGES)
    put_all(moto, IMAGES)
    described = str(tmp_path / "described")
    must_run("describe", str(descriptions), "--root", described, "-s", "s", "--settings", str(tiny_settings))
    variants = {
        "1": ("run.batch_size=1", "run.rows_per_block=8"),
        "7": ("run.batch_size=7", "run.rows_per_block=16"),
        "64": ("run.batch_size=64", "run.rows_per_block=64"),
        "two actors": ("run.actors=2", "run.cpus_per_actor=0.4", "run.batch_size=5", "run.rows_per_block=5"),
    }
    tables = {}
    for name, overrides in variants.items():
        lake = str(tmp_path / name)
        shutil.copytree(f"{described}/descriptions", f"{lake}/descriptions")
        index_by_name(folder, lake)
        tables[name] = label(folder, lake, tiny_settings, *overrides)
    for file in Path(described).rglob("*.parquet"):
        moto.put(f"lake/{file.relative_to(described)}", file.read_bytes())
    index_by_name(moto, moto.url("lake"))
    tables["bucket"] = label(moto, moto.url("lake"), tiny_settings)

    reference = tables.pop("1")
    assert reference["label"].is_not_null().sum() == len(GOOD) + 15
    assert reference["failure"].is_not_null().sum() == len(BROKEN)
    for table in tables.values():
        assert_same(reference, table)
