from timm.data import ImageNetInfo

from laketag.pipeline.descriptions.imagenet import SUBSETS, imagenet_classes, other_names
from laketag.pipeline.descriptions.wordnet import name_of_wnid


def test_each_of_the_1000_classes_has_a_name_of_its_own_in_the_order_of_the_numbers() -> None:
    classes = imagenet_classes()
    assert list(classes) == ImageNetInfo("imagenet-1k").label_names()
    assert len(set(classes.values())) == 1000
    renamed = {name for wnid, name in classes.items() if name != name_of_wnid(wnid)}
    assert renamed == {"projectile", "sunglass"}


def test_imagenet_r_and_a_have_exactly_200_of_the_classes_each() -> None:
    for subset in SUBSETS:
        classes = imagenet_classes(subset)
        assert len(classes) == len(set(classes.values())) == 200
        assert classes.items() <= imagenet_classes().items()
        assert list(classes) == sorted(classes)
    both = imagenet_classes("imagenet-r").keys() & imagenet_classes("imagenet-a").keys()
    assert 0 < len(both) < 200
    assert imagenet_classes("imagenet-r")["n01443537"] == "goldfish"
    assert imagenet_classes("imagenet-a")["n01498041"] == "stingray"


def test_a_class_of_imagenet_is_also_called_by_its_id_and_the_words_of_wordnet() -> None:
    assert other_names("tench") == ("n01440764", "Tinca tinca")
    assert other_names("projectile") == ("n04008634", "missile")
    assert other_names("n01440764") == ("tench", "Tinca tinca")
    assert other_names("hot-air lighthouse") == ()
