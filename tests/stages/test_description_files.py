"""Description files of every store, and Parquet ones that lack something."""

import io
from dataclasses import replace

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
    assert read_description_file(url, None, store.storage).texts == ("cat", "dog", "")
    with pytest.raises(StorageError, match="does not exist"):
        read_description_file(store.url("texts/none.txt"), None, store.storage)


def test_folders_and_empty_files_are_refused(tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    for name, says in ((".", "is a folder"), ("empty.txt", "is empty")):
        with pytest.raises(InputError, match=says):
            read_description_file(str(tmp_path / name), None, StorageSettings())


@pytest.mark.parametrize(
    "content",
    [
        parquet(text=["a", "b"], extra=[1, 2], **{"class": pl.Series(["x", "y"], dtype=pl.Categorical)}),
        parquet(Class_Name=["x", "y"], descriptions=[1, 2], sentence=[["a"], ["b"]]),
    ],
)
def test_parquet_rows_are_classes_and_texts_also_as_categories_and_lists(content):
    assert read_parquet_rows(content, "FILE") == [("x", "a"), ("y", "b")]


def test_null_texts_are_empty_and_rows_without_a_class_are_left_out(tmp_path):
    file = tmp_path / "texts"  # known by its first bytes
    file.write_bytes(parquet(text=["a", None, None, "b"], **{"class": ["x", "x", None, None]}))
    contents = read_description_file(str(file), None, StorageSettings())
    assert (contents.texts, contents.table) == ({"x": ("a", "")}, "parquet")
    assert contents.notices == ("1 row(s) without a class are left out: row 4 'b'",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (parquet(text=["a"]), "no column 'class' among 'text'"),
        (parquet(text=[1], **{"class": ["x"]}), "column 'text' has the type Int64"),
        (parquet(text=[[1]], **{"class": [2]}), "2 problems"),
        (b"PAR1 but no more", "not a Parquet file"),
    ],
)
def test_a_parquet_file_that_lacks_something_is_refused(content, says):
    with pytest.raises(InputError) as error:
        read_parquet_rows(content, "FILE")
    assert says in str(error.value)
    assert "FILE" in str(error.value)


def test_names_templates_csv_and_parquet_give_the_same_sentences(tmp_path):
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
        sentences = read_sentences(
            DescriptionFile(file, classes_url=names if suffix == "json" else None), Settings()
        )
        assert (sentences.detected.format, sentences.by_class) == (known, expected)


@pytest.mark.parametrize(
    ("file_format", "content"),
    [("names", "cat\ndog"), ("clip-e", "a {}\nthe {}"), ("csv", "class,text\ncat,a\ndog,b")],
)
def test_a_named_format_needs_no_extension(tmp_path, file_format, content):
    (tmp_path / "texts").write_text(content)
    (tmp_path / "names").write_text("cat\ndog")
    classes = str(tmp_path / "names") if file_format == "clip-e" else None
    sentences = read_sentences(DescriptionFile(str(tmp_path / "texts"), file_format, classes), Settings())
    assert list(sentences.by_class) == ["cat", "dog"]


def test_names_of_classes_go_with_lists_only(tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    (tmp_path / "texts.json").write_text('{"cat": ["A cat."], "dog": ["A dog."]}')
    names, texts = str(tmp_path / "names.txt"), str(tmp_path / "texts.json")
    with pytest.raises(InputError, match="--classes goes with a list"):
        read_sentences(DescriptionFile(texts, classes_url=names), Settings())


def test_repairs_of_both_files_are_named_and_refused_if_strict(tmp_path):
    (tmp_path / "names.json").write_text('["cat", "dog", "cat"]')
    (tmp_path / "texts.json").write_text('["a {}", "the {}", "one {}", "my {}", "a photo"]')
    names, texts = str(tmp_path / "names.json"), str(tmp_path / "texts.json")
    sentences = read_sentences(DescriptionFile(texts, classes_url=names), Settings())
    assert len(sentences.notices) == 2
    with pytest.raises(InputError) as error:
        read_sentences(DescriptionFile(texts, classes_url=names, strict=True), Settings())
    assert all(notice in str(error.value) for notice in sentences.notices)


def test_a_value_that_is_no_text_costs_its_class_alone_and_is_refused_if_strict(tmp_path):
    (tmp_path / "texts.json").write_text('{"cat": {"texts": ["has fur"]}, "dog": ["has a tail", "has paws"]}')
    file = DescriptionFile(str(tmp_path / "texts.json"))
    sentences = read_sentences(file, Settings())
    assert sentences.by_class == {"cat": ("",), "dog": ("dog, which has a tail", "dog, which has paws")}
    with pytest.raises(InputError, match=r"class 'cat': an object instead of a list .* leave out --strict"):
        read_sentences(replace(file, strict=True), Settings())


def test_templates_may_start_with_the_name(tmp_path):
    (tmp_path / "templates.txt").write_text("{} in the rain.\na photo of a {}.\n")
    (tmp_path / "names.json").write_text('{"0": "cat", "1": "dog"}')
    for file_format in (None, "clip-e"):
        file = DescriptionFile(
            str(tmp_path / "templates.txt"), file_format, classes_url=str(tmp_path / "names.json")
        )
        assert read_sentences(file, Settings()).by_class == {
            "cat": ("cat in the rain.", "a photo of a cat."),
            "dog": ("dog in the rain.", "a photo of a dog."),
        }
