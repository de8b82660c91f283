"""Which class of a set is meant by the names that indexes and published files have."""

import pytest

from laketag.pipeline.descriptions.imagenet import imagenet_classes
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("Black footed Albatross", "Black-footed Albatross"),  # CUB, and CLIP-D's file for it
        ("american bulldog", "American_Bulldog"),
        ("apartment building/outdoor", "apartment_building-outdoor"),  # Places365, and CLIP-D's file
        ("arcade", "arcade (passageway)"),
        ("tench", "n01440764"),
        ("n01440764", "tench"),
        ("sunglass", "sunglasses"),  # CuPL's file has one class for two of ImageNet
        ("projectile", "missile"),
        ("C", "C"),
        ("C++", "C++"),
    ],
)
def test_spellings_of_published_files_are_the_same_class(name: str, own: str) -> None:
    matched = find_same_classes([name], ["fire station", own, "C#"])
    assert (matched.found, matched.missing) == ({name: own}, ())


def test_an_equal_name_goes_before_alike_ones_and_several_alike_ones_are_refused() -> None:
    assert find_same_classes(["hot_dog"], ["hot dog", "hot_dog"]).found == {"hot_dog": "hot_dog"}
    with pytest.raises(InputError, match="class 'hot-dog' may be any of 'hot dog', 'hot_dog' of the descrip"):
        find_same_classes(["hot-dog"], ["hot dog", "hot_dog"])


def test_what_the_set_does_not_have_is_missing_and_other_words_are_told() -> None:
    matched = find_same_classes(["tench", "kettle", "sunglass", "++"], ["n01440764", "sunglasses", "--"])
    assert matched.missing == ("kettle", "++")
    assert matched.respelled == {"sunglass": "sunglasses"}


def test_all_names_of_imagenet_are_found_in_a_set_of_ids_and_in_one_of_the_names_of_clip() -> None:
    classes = imagenet_classes()
    assert find_same_classes(classes.values(), list(classes)).found == {
        name: wnid for wnid, name in classes.items()
    }
    published = [name for name in classes.values() if name not in ("projectile", "sunglass")]
    found = find_same_classes(classes.values(), published).found
    assert {name: own for name, own in found.items() if name != own} == {
        "projectile": "missile",
        "sunglass": "sunglasses",
    }
