"""Which classes of a description file ``--only`` keeps."""

import pytest

from laketag.pipeline.descriptions.candidates import keep_candidates, subset_names
from laketag.pipeline.descriptions.formats import Detected
from laketag.pipeline.descriptions.imagenet import imagenet_classes
from laketag.pipeline.descriptions.reading import ClassSentences
from laketag.pipeline.errors import InputError


def sentences(*names: str) -> ClassSentences:
    return ClassSentences({name: (f"A {name}.",) for name in names}, Detected("cupl", "it is"), ("a repair",))


@pytest.mark.parametrize("only", ["imagenet-r", "imagenet-a"])
def test_a_file_of_all_classes_has_the_200_of_a_subset(only: str) -> None:
    names = subset_names(only)
    assert names is not None
    published = sentences(*dict.fromkeys(imagenet_classes().values()))
    kept = keep_candidates(published, names, only)
    assert len(kept.by_class) == 200
    assert kept.notices == (
        "a repair",
        f"800 of 1,000 classes are left out, as --only {only} does not name them",
    )
    by_id = keep_candidates(sentences(*imagenet_classes()), names, only)
    assert list(by_id.by_class) == list(imagenet_classes(only))


def test_classes_keep_the_spelling_of_the_file_and_missing_ones_are_named() -> None:
    kept = keep_candidates(sentences("Hot-Dog", "n01440764", "kettle"), ["hot_dog", "tench", "lamp"], "f.txt")
    assert list(kept.by_class) == ["Hot-Dog", "n01440764"]
    assert kept.notices[1:] == (
        "1 of 3 classes are left out, as --only f.txt does not name them",
        "1 classes of --only f.txt are not in the file: 'lamp'",
    )
    with pytest.raises(
        InputError, match=r"--only f\.txt: of its 2 classes, such as 'lamp', 'kettle', the desc"
    ):
        keep_candidates(sentences("Hot-Dog", "kettle"), ["lamp", "kettle"], "f.txt")
    assert subset_names("f.txt") is None
