"""Description files of every store, and Parquet ones that lack something."""

import io

import polars as pl
import pytest

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.stages.description_files import (
    DescriptionFile,
    read_description_file,
    read_parquet_rows,
    read_sentences,
)
from tests.stores.store import Store


def parquet(**columns) -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(columns).write_parquet(sink)
    return sink.getvalue()


def test_a_file_is_read_wherever_it_lies(store: Store):
    url = store.put("texts/names.txt", b"cat\ndog\n")
    assert read_description_file(url, store.storage) == b"cat\ndog\n"
    with pytest.raises(StorageError, match="does not exist"):
        read_description_file(store.url("texts/none.txt"), store.storage)


def test_folders_and_empty_files_are_refused(tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    for name, says in ((".", "is a folder"), ("empty.txt", "is empty")):
        with pytest.raises(InputError, match=says):
            read_description_file(str(tmp_path / name), StorageSettings())


def test_parquet_rows_are_class_and_text_also_as_categories():
    content = parquet(text=["a", "b"], extra=[1, 2], **{"class": pl.Series(["x", "y"], dtype=pl.Categorical)})
    assert read_parquet_rows(content, "FILE") == [("x", "a"), ("y", "b")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (parquet(text=["a"]), "no column 'class' among text"),
        (parquet(text=[1], **{"class": ["x"]}), "column 'text' has the type Int64"),
        (parquet(text=["a", None], **{"class": [None, "x"]}), "2 problems"),
        (b"PAR1 but no more", "not a Parquet file"),
    ],
)
def test_a_parquet_file_that_lacks_something_is_refused(content, says):
    with pytest.raises(InputError) as error:
        read_parquet_rows(content, "FILE")
    assert says in str(error.value)
    assert "FILE" in str(error.value)


def test_names_templates_csv_and_parquet_say_the_same(tmp_path):
    frame = pl.DataFrame(
        {"class": ["cat", "hot_dog"], "text": ["a photo of a cat.", "a photo of a hot dog."]}
    )
    (tmp_path / "a.txt").write_text("cat\nhot_dog\n")
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('["a photo of a {}."]')
    names = str(tmp_path / "a.txt")
    expected = {"cat": ("a photo of a cat.",), "hot_dog": ("a photo of a hot dog.",)}
    for suffix, known in {"txt": "names", "csv": "csv", "parquet": "parquet", "json": "clip-e"}.items():
        file = str(tmp_path / f"a.{suffix}")
        sentences, detected = read_sentences(
            DescriptionFile(file, classes_url=names if suffix == "json" else None), Settings()
        )
        assert (detected.format, sentences) == (known, expected)


def test_names_of_classes_go_with_templates_only(tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    names = str(tmp_path / "names.txt")
    with pytest.raises(InputError, match="--classes is only for a list of templates"):
        read_sentences(DescriptionFile(names, classes_url=names), Settings())
