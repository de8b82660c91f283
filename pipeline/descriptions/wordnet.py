"""WordNet ids, which ImageNet's folders and some description files use instead of class names."""

import re
from functools import cache
from typing import Any

WNID = re.compile(r"n\d{8}")


def name_of_wnid(class_name: str) -> str | None:
    """ImageNet's name of a WordNet id such as ``n01440764``; None for every other name and for unknown ids."""
    return _names().get(class_name) if WNID.fullmatch(class_name) else None


@cache
def _names() -> dict[str, str]:
    """The first word of each of ImageNet-22k's ids, and for ImageNet-1k the names that CLIP was evaluated with."""
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data.imagenet_info import ImageNetInfo

    wordnet = ImageNetInfo("imagenet-21k-goog")  # the largest
    names = {wnid: wordnet.label_name_to_description(wnid).partition(",")[0] for wnid in _wnids(wordnet)}
    return names | dict(zip(_wnids(ImageNetInfo("imagenet-1k")), IMAGENET_CLASSNAMES, strict=True))


def _wnids(info: Any) -> list[str]:  # timm types this part of itself only in places
    wnids: list[str] = info.label_names()
    return wnids
