"""Which texts need no text tower, because the lake has what it made of them."""

import polars as pl

from laketag.pipeline.lake.embedded_texts import (
    find_embedded_texts,
    remove_staged_texts,
    stage_embedded_texts,
)
from tests.lake.pets import TEXTS, pets_frame, write_pets


def wanted(*texts: str, dropped: tuple[str, ...] = ()) -> pl.DataFrame:
    rows = [(text, "empty" if text in dropped else None) for text in (*texts, *dropped)]
    return pl.DataFrame(rows, schema={"text": pl.String, "drop_reason": pl.String}, orient="row")


def found(lake, rows: pl.DataFrame, tower: str = "tower") -> dict[str, list[float] | None]:
    return {
        row["text"]: row["embedding"] for row in find_embedded_texts(lake, rows, tower).iter_rows(named=True)
    }


def test_texts_of_any_version_of_any_set_are_found_by_their_tower_alone(lake) -> None:
    every = [text for _, _, text, reason in TEXTS if reason is None]
    assert found(lake, wanted(*every)) == {}
    for set_name in ("pets", "pets", "animals"):
        write_pets(lake, "a" * 16, set_name)
    assert found(lake, wanted("It runs.", "new", "It runs.")) == {"It runs.": [0, 0, 0, 1, 0, 0]}
    assert set(found(lake, wanted(*every))) == set(every)
    assert found(lake, wanted(*every), "another tower") == {}


def test_a_text_that_was_dropped_is_known_only_where_it_is_dropped_again(lake) -> None:
    write_pets(lake, "a" * 16)
    assert found(lake, wanted(dropped=("",))) == {"": None}
    assert found(lake, wanted("")) == {}


def test_what_a_killed_call_has_staged_is_found_until_a_version_is_written(lake) -> None:
    for part in pets_frame().filter(pl.col("drop_reason").is_null()).iter_slices(2):
        stage_embedded_texts(lake, part, "tower")
    assert set(found(lake, wanted("a dog", "It purrs.", "new"))) == {"a dog", "It purrs."}
    assert found(lake, wanted("a dog"), "another tower") == {}
    remove_staged_texts(lake, "tower")
    assert found(lake, wanted("a dog")) == {}
    remove_staged_texts(lake, "tower")


def test_texts_of_two_sets_with_the_same_classes_and_positions_are_staged_together(lake) -> None:
    rows = pets_frame().filter(pl.col("drop_reason").is_null())
    others = rows.with_columns(text=pl.concat_str(pl.col("text"), pl.lit(" twice")))
    stage_embedded_texts(lake, pl.concat([rows, others, rows]), "tower")
    assert set(found(lake, wanted("a dog", "a dog twice"))) == {"a dog", "a dog twice"}
