"""What nobody means by "my images" is left out by its name."""

import pytest

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.images.exclusions import NOT_PHOTOS, Exclusions


@pytest.mark.parametrize("name", NOT_PHOTOS)
def test_folders_of_systems_are_left_out_at_any_depth(name: str) -> None:
    for path in (name, f"{name}/x.jpg", f"a/b/{name}/c/x.jpg"):
        assert Exclusions().reason(path) == f"in {name}"
    assert Exclusions().reason(f"{name.title()}/x.jpg") == f"in {name.title()}", (
        "Windows writes $Recycle.Bin too"
    )


@pytest.mark.parametrize(
    "path", [".thumbnails/x.png", ".stversions/x.jpg", "a/.x.jpg", ".DS_Store", "a/.git/b/x.jpg"]
)
def test_hidden_names_are_left_out(path: str) -> None:
    assert Exclusions().reason(path) == "hidden"


@pytest.mark.parametrize(
    "path", ["x.jpg", "a/b.c/x.jpg", "my@eaDir/x.jpg", "a/__MACOSX2/x.jpg", "recycle#/x.jpg", "a..b"]
)
def test_other_names_are_taken(path: str) -> None:
    assert Exclusions().reason(path) is None


@pytest.mark.parametrize(
    ("glob", "left_out", "taken"),
    [
        ("thumbs", ["thumbs", "thumbs/x.jpg", "a/thumbs/b/x.jpg"], ["my thumbs/x.jpg", "thumbs.jpg"]),
        ("thumbs/", ["thumbs", "a/thumbs/x.jpg"], ["a/thumbs2/x.jpg"]),
        ("*.bak", ["x.bak", "a/x.bak", "a.bak/x.jpg"], ["x.bak.jpg"]),
        ("IMG_????.jpg", ["a/IMG_0001.jpg"], ["IMG_1.jpg", "img_0001.jpg"]),
        ("2019/raw", ["2019/raw", "2019/raw/x.jpg"], ["a/2019/raw/x.jpg", "2019/rawer/x.jpg"]),
        ("./raw", ["raw", "raw/x.jpg"], ["a/raw/x.jpg", "rawer/x.jpg"]),
        ("././2019/raw/", ["2019/raw/x.jpg"], ["a/2019/raw/x.jpg"]),
        ("/photos/raw", ["raw", "raw/x.jpg"], ["a/raw/x.jpg", "photos/raw/x.jpg"]),
        ("/photos/*.bak", ["x.bak", "a/x.bak"], ["x.jpg"]),
        ("*/raw/*", ["2019/raw/x.jpg", "a/b/raw/x.jpg"], ["raw/x.jpg"]),
    ],
)
def test_a_glob_is_for_names_or_with_a_slash_for_paths(
    glob: str, left_out: list[str], taken: list[str]
) -> None:
    exclusions = Exclusions((glob,), "/photos")
    assert {exclusions.reason(path) for path in left_out} == {f"--exclude {glob}"}
    assert {exclusions.reason(path) for path in taken} == {None}


@pytest.mark.parametrize(
    ("glob", "source"),
    [
        ("/other/raw", "/photos"),
        ("/photos2/raw", "/photos"),
        ("/raw", "s3://b/in"),
        ("s3://b/out/x", "s3://b/in"),
    ],
)
def test_a_glob_for_another_place_than_the_source_is_refused(glob: str, source: str) -> None:
    with pytest.raises(
        SettingsError, match=f"--exclude {glob}: not below the source {source}; give a path rel"
    ):
        Exclusions((glob,), source)


def test_globs_below_a_prefix_of_a_store_may_be_urls() -> None:
    assert Exclusions(("s3://b/in/raw",), "s3://b/in").reason("raw/x.jpg") == "--exclude s3://b/in/raw"


def test_every_glob_that_matches_is_known_even_where_another_reason_is_given() -> None:
    exclusions = Exclusions(("raw", "*.jpg", ".git", "typo"))
    for path in ("raw/x.jpg", ".git/x"):
        exclusions.reason(path)
    assert exclusions.unmatched == ["typo"]
