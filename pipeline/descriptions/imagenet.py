"""The classes of ImageNet-1k and of its subsets: WordNet ids, and one name for each that no other class has."""

import pkgutil
from collections import Counter
from functools import cache

from laketag.pipeline.descriptions.wordnet import name_of_wnid

SUBSETS = {"imagenet-r": "imagenet_r_synsets.txt", "imagenet-a": "imagenet_a_synsets.txt"}
"""Files of timm with the ids of the classes that a variant of ImageNet has; the other variants have all."""


@cache
def imagenet_classes(subset: str = "") -> dict[str, str]:
    """WordNet id → name of the 1,000 classes, or of the 200 of a subset, in the order of the class numbers.

    Names are those that CLIP was evaluated with. It has "missile" and "sunglasses" twice; there the class has the first word
    of WordNet, so that each of the two keeps its own images.
    """
    if subset:
        wnids = _read(SUBSETS[subset]).split()
        return {wnid: imagenet_classes()[wnid] for wnid in wnids}
    names = {wnid: name_of_wnid(wnid) or wnid for wnid in _read("imagenet_synsets.txt").split()}
    times = Counter(names.values())
    return {wnid: words_of_wordnet()[wnid][0] if times[name] > 1 else name for wnid, name in names.items()}


@cache
def words_of_wordnet() -> dict[str, tuple[str, ...]]:
    """WordNet's words for each id that timm knows, the first one first."""
    lines = (line.partition("\t") for line in _read("imagenet_synset_to_lemma.txt").splitlines())
    return {wnid: tuple(word.strip() for word in words.split(",")) for wnid, _, words in lines}


def other_names(class_name: str) -> tuple[str, ...]:
    """What else a class of ImageNet-1k is called: id, name in CLIP's list, words of WordNet; nothing for other classes."""
    wnid = next((wnid for wnid, name in imagenet_classes().items() if class_name in (wnid, name)), None)
    if wnid is None:
        return ()
    names = (wnid, imagenet_classes()[wnid], name_of_wnid(wnid) or wnid, *words_of_wordnet()[wnid])
    return tuple(name for name in dict.fromkeys(names) if name != class_name)


def _read(name: str) -> str:
    content = pkgutil.get_data("timm.data", f"_info/{name}")
    assert content is not None  # timm is installed
    return content.decode()
