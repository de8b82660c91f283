"""The classes of a description file that a set is about, where it has more."""

from collections.abc import Sequence
from dataclasses import replace

from laketag.pipeline.descriptions.imagenet import SUBSETS, imagenet_classes
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.reading import FEWEST_CLASSES, ClassSentences
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError


def subset_names(only: str) -> list[str] | None:
    """The names of the 200 classes of a subset of ImageNet, if that is what ``--only`` names."""
    return list(imagenet_classes(only).values()) if only in SUBSETS else None


def keep_candidates(sentences: ClassSentences, names: Sequence[str], only: str) -> ClassSentences:
    """The sentences of the classes that have these names, as the file spells them, with notices of what is left out or missing.

    Papers on ImageNet-R and -A choose among the 200 classes that these data sets have. An InputError if fewer than two classes
    are left.
    """
    same = find_same_classes(names, list(sentences.by_class))
    wanted = set(same.found.values())
    kept = {name: texts for name, texts in sentences.by_class.items() if name in wanted}
    if len(kept) < FEWEST_CLASSES:
        raise InputError(
            f"--only {only}: of its {len(names):,} classes, such as {name_some([repr(name) for name in names])}, the description "
            f"file has {len(kept)}; a label is a choice between classes, so describe at least two"
        )
    notices = list(sentences.notices)
    if left_out := len(sentences.by_class) - len(kept):
        notices.append(
            f"{left_out:,} of {len(sentences.by_class):,} classes are left out, as --only {only} does not name them"
        )
    if same.missing:
        names_missing = name_some([repr(name) for name in same.missing])
        notices.append(f"{len(same.missing):,} classes of --only {only} are not in the file: {names_missing}")
    return replace(sentences, by_class=kept, notices=tuple(notices))
