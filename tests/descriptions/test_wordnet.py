from timm.data import ImageNetInfo

from laketag.pipeline.descriptions.wordnet import WNID, name_of_wnid
from laketag.pipeline.models.libraries import open_clip


def test_the_ids_of_imagenet_1k_have_the_names_that_clip_was_evaluated_with() -> None:
    wnids = ImageNetInfo("imagenet-1k").label_names()
    assert all(map(WNID.fullmatch, wnids))
    assert [name_of_wnid(wnid) for wnid in wnids] == list(open_clip.IMAGENET_CLASSNAMES)


def test_other_ids_have_the_first_word_of_wordnet_and_other_names_none() -> None:
    assert name_of_wnid("n00004475") == "organism"
    assert [name_of_wnid(name) for name in ("n00000000", "tench", "n0144076", "n014407645")] == [None] * 4
