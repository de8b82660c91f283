import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.true_classes import find_true_classes, read_known_classes
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.schemas import ImageIndex
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows

CLASSES = ("hot dog", "steam train", "cat")


def index(*classes: str | None) -> pl.DataFrame:
    rows = {
        "image_id": [f"{number}" for number in range(len(classes))],
        "uri": [f"/{number}" for number in range(len(classes))],
        "etag": ["1"] * len(classes),
        "size_bytes": [1] * len(classes),
        "true_class": pl.Series(classes, dtype=pl.String),
        "carried": [False] * len(classes),
    }
    return ImageIndex.validate(pl.DataFrame(rows), cast=True)


def test_classes_get_the_spelling_of_the_set() -> None:
    found = find_true_classes(index("Hot_Dog", "cat", "steam-train"), CLASSES, "s", leave_out_unknown=False)
    assert found.images["true_class"].to_list() == ["hot dog", "cat", "steam train"]
    assert found.notices == ()


def test_images_without_a_class_and_classes_without_images_are_counted() -> None:
    found = find_true_classes(index("cat", None, None), CLASSES, "s", leave_out_unknown=False)
    assert found.images["image_id"].to_list() == ["0"]
    assert found.notices[0] == "2 images without a true class are left out"
    assert found.notices[1].startswith("2 of the 3 classes have no image: 'hot dog', 'steam train'; ")


def test_an_index_without_classes_is_refused_with_the_options_that_give_them() -> None:
    with pytest.raises(InputError, match=r"none of the 2 images .* --class-from-folder or --class-column"):
        find_true_classes(index(None, None), CLASSES, "s", leave_out_unknown=False)


def test_classes_that_the_set_does_not_describe_are_an_error_or_left_out_and_counted() -> None:
    images = index("cat", "dog", "dog", "cow")
    with pytest.raises(
        InputError,
        match=r"3 images are of 2 classes that set s does not describe: 'cow', 'dog'; .* --leave-out-unknown",
    ):
        find_true_classes(images, CLASSES, "s", leave_out_unknown=False)
    found = find_true_classes(images, CLASSES, "s", leave_out_unknown=True)
    assert found.images["true_class"].to_list() == ["cat"]
    assert "3 images are of 2 classes" in found.notices[0]
    with pytest.raises(InputError, match="no image of the index is of a class of set s"):
        find_true_classes(index("dog"), CLASSES, "s", leave_out_unknown=True)


def test_decisions_come_before_the_index_and_name_themselves(lake: Lake) -> None:
    write_snapshot(lake, "photos", [index_rows("abc").with_columns(true_class=pl.lit("cat"))])
    before = read_known_classes(lake, "photos", "animals")
    assert (before.notices, before.decisions_hash) == ((), "")
    decide(lake, "a", "hot dog")
    decide(lake, "b", None)
    decide(lake, "c", "hot dog", etag="v0")
    decide(lake, "c", "hot dog", set_name="others")
    known = read_known_classes(lake, "photos", "animals")
    assert known.images.select("image_id", "true_class").rows() == [
        ("a", "hot dog"),
        ("b", None),
        ("c", "cat"),
    ]
    assert known.notices == (
        "people have decided the class of 2 images, 1 of them as of no class of the set",
    )
    decide(lake, "a", "cat")
    assert (
        len({one.decisions_hash for one in (before, known, read_known_classes(lake, "photos", "animals"))})
        == 3
    )
