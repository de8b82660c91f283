"""Filters that name what does not exist."""

import warnings

import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.filters import UnknownValueWarning, name_known
from tests.lake.label_rows import label_row
from tests.lake.pets import write_pets
from tests.lake.run_rows import write_run


@pytest.mark.parametrize(
    ("query", "which", "says"),
    [
        ("runs", {"collection": "nope"}, "has no collection 'nope'; its collections: photos, scans"),
        ("tags", {"description_set": "pet"}, "has no description set 'pet'; its description sets: animals, pets"),
        (
            "labels",
            {"description_set": "pets", "collection": "scans"},
            "no description set 'pets' in the finished runs of collection 'scans'; its description sets: animals",
        ),
        ("summary", {"classifier": "f"}, "has no classifier 'f'; its classifiers: f00d, pets-1"),
        ("labels", {"run_id": "r"}, "has no run 'r'; its runs: 20260101"),
        ("unsure", {"label": "nonsense"}, "has no class 'nonsense'; its classes: cat, dog, other"),
        ("labels", {"label": "other", "collection": "photos"}, "its classes: cat, dog"),
        ("failures", {"failure": "timeout"}, "has no failure 'timeout'; its failures: empty"),
        ("failures", {"failure": "empty", "collection": "scans"}, "its failures: none"),
    ],
)  # fmt: skip
def test_a_filter_that_names_what_does_not_exist_says_what_does(lake, query, which, says):
    version = write_pets(lake, "c0ffee").version
    of_pets = {"classifier": "pets-1", "description_set": "pets", "description_version": version}
    write_run(lake, 1, [label_row("a"), label_row("b", failure="empty")], **of_pets)
    write_run(lake, 2, [label_row("c")], collection="scans")
    with pytest.warns(UnknownValueWarning, match=r"^" + lake.root) as caught:
        frame = queries.TABLES[query](lake.root, **which)
    assert says in str(caught[0].message)
    assert caught[0].filename == __file__
    assert frame.collect().is_empty()


def test_a_class_of_the_set_that_labels_no_image_exists(lake):
    version = write_pets(lake, "c0ffee").version
    write_run(lake, 1, [label_row("a")], description_set="pets", description_version=version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert queries.labels(lake.root, label="dog").collect().is_empty()
        assert queries.labels(lake.root, label="\ufeffcat").collect().height == 1


def test_a_reason_that_is_none_is_an_error(lake):
    write_run(lake, 1, [label_row("a")])
    with pytest.raises(InputError, match="there is no failure 'tuncated'; choose from not_found, forbidden"):
        queries.failures(lake.root, failure="tuncated")


def test_of_many_values_the_nearest_are_named():
    classes = [f"class {number}" for number in range(1000)] + ["Tabby Cat", "tiger cat"]
    assert name_known("tabbycat", classes, "classes") == "the nearest of its 1,002 classes: Tabby Cat"
    assert name_known("zzz", classes, "classes").startswith(
        "none of its 1,002 classes is similar; they begin with"
    )
