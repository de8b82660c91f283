import polars as pl

from laketag.pipeline.lake.hashed_ids import id_key, version_key


def test_both_halves_of_a_key_depend_on_the_id() -> None:
    rows = pl.DataFrame({"image_id": [f"{number:032x}" for number in range(1000)]})
    keys = rows.select(id_key()).to_series()
    assert keys.dtype == pl.UInt128
    assert rows.select(id_key()).to_series().equals(keys)
    halves = {(int(key) >> 64, int(key) % 2**64) for key in keys}
    assert len({upper for upper, _ in halves}) == len({lower for _, lower in halves}) == 1000
    assert all(upper != lower for upper, lower in halves)


def test_a_version_is_of_one_image() -> None:
    rows = pl.DataFrame({"image_id": ["a", "a", "b", "b"], "etag": ["v", "w", "v", "w"]})
    assert rows.select(version_key()).to_series().n_unique() == 4
