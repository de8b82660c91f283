"""The table of forgotten images."""

import tracemalloc

import polars as pl

from laketag.pipeline.lake.forgotten import Named, read_forgotten, write_forgotten
from tests.lake.label_rows import index_rows


def named(
    ids: str | list[str], *, everywhere: bool = True, prefix: str | None = None, collection: str = "photos"
) -> Named:
    rows = index_rows(ids).select(pl.lit(collection).alias("collection"), "image_id", "uri")
    return Named(rows, prefix, everywhere)


def found_in(forgotten, rows: pl.DataFrame, collection: str = "photos") -> str:
    return "".join(rows.filter(forgotten.find_in(rows, collection))["image_id"])


def test_images_are_found_by_uri_everywhere_and_by_id_in_their_collection(lake) -> None:
    forgotten = read_forgotten(lake).add(named("a")).add(named("b", everywhere=False))
    write_forgotten(lake, forgotten)
    assert read_forgotten(lake) == forgotten
    rows = index_rows("abc")
    assert found_in(read_forgotten(lake), rows) == "ab"
    assert found_in(forgotten, rows, "others") == "a"
    moved = rows.with_columns(uri=pl.lit("/elsewhere/") + pl.col("image_id"))
    assert found_in(forgotten, moved) == "ab"
    assert found_in(forgotten, moved, "others") == ""
    assert found_in(read_forgotten(lake).without(["a"], None, None), rows) == "b"


def test_the_table_names_no_image_and_its_hashes_are_those_of_this_lake_alone(lake, tmp_path) -> None:
    forgotten = read_forgotten(lake).add(named("a", prefix="/images/"))
    write_forgotten(lake, forgotten)
    stored = pl.read_parquet(tmp_path / "forgotten/*.parquet").write_csv()
    assert "/images/" not in stored
    assert forgotten.hash("a") in stored
    assert read_forgotten(lake).hash("a") == forgotten.hash("a")
    (tmp_path / "forgotten/forgotten.parquet").unlink()
    assert read_forgotten(lake).hash("a") != forgotten.hash("a")


def test_a_page_after_the_first_one_does_not_read_the_whole_table(lake) -> None:
    ids = [str(number) for number in range(20_000)]
    forgotten = read_forgotten(lake).add(named(ids))
    page = index_rows(["7", "x"])
    assert found_in(forgotten, page) == "7"
    tracemalloc.start()
    try:
        assert found_in(forgotten, page) == "7"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 200_000  # sets of the hashes have 3 MB


def test_what_is_forgotten_twice_is_one_row_and_a_prefix_takes_back_what_it_named(lake) -> None:
    once = read_forgotten(lake).add(named("a", prefix="/images/")).add(named("b"))
    assert once.add(named("a", prefix="/images/")) == once
    assert found_in(once.without([], "/images", None), index_rows("ab")) == "ab"
    assert found_in(once.without([], "/images/", None), index_rows("ab")) == "b"
    assert found_in(once.without([], "/images/", "others"), index_rows("ab")) == "ab"
