"""The report on a description set, compared with plain loops."""

import numpy as np
import pytest

from laketag.pipeline.descriptions.report import (
    ClassReport,
    DroppedText,
    KeptTexts,
    find_neighbours,
    suggest,
)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def kept(class_index: list[int], dim: int = 8, classes: int = 5) -> KeptTexts:
    rng = np.random.default_rng(0)
    return KeptTexts(
        class_names=[f"class {number}" for number in range(classes)],
        texts=[f"text {number}" for number in range(len(class_index))],
        class_index=np.array(class_index),
        embeddings=unit(rng.normal(size=(len(class_index), dim))),
    )


def test_neighbours_and_gaps_are_those_of_a_plain_loop() -> None:
    texts = kept([0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4, 0])
    of_class = [texts.embeddings[texts.class_index == index].astype(float) for index in range(5)]
    means = [vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0)) for vectors in of_class]
    for own, found in enumerate(find_neighbours(texts)):
        cosines = {other: float(means[own] @ means[other]) for other in range(5) if other != own}
        nearest = sorted(cosines, key=lambda other: -cosines[other])[:3]
        assert [near.class_name for near in found] == [f"class {other}" for other in nearest]
        for near, other in zip(found, nearest, strict=True):
            assert near.cosine == pytest.approx(cosines[other], abs=1e-4)
            gaps = {}
            for at in np.flatnonzero(texts.class_index == own):
                vector = texts.embeddings[at].astype(float)
                others = [v for v in of_class[own] if not np.array_equal(v, vector)] or [vector]
                gap = np.mean([v @ vector for v in others]) - np.mean([v @ vector for v in of_class[other]])
                gaps[f"text {at}"] = gap
            ranked = sorted(gaps, key=lambda text: -gaps[text])
            assert [s.text for s in near.separating] == [text for text in ranked[:2] if gaps[text] > 0]
            assert [s.text for s in near.misleading] == [text for text in ranked[::-1] if gaps[text] < 0][:2]
            for sentence in (*near.separating, *near.misleading):
                assert sentence.gap == pytest.approx(gaps[sentence.text], abs=1e-4)


def test_two_classes_are_each_the_neighbour_of_the_other_and_no_class_is_its_own() -> None:
    for own, found in enumerate(find_neighbours(kept([0, 0, 1], classes=2))):
        assert [near.class_name for near in found] == [f"class {1 - own}"]


def report(name: str, texts: int, **dropped: int) -> ClassReport:
    return ClassReport(class_name=name, kept=texts, dropped=dropped, nearest=())


def test_a_rule_that_drops_all_texts_of_a_class_and_a_name_that_others_mention_are_suggestions() -> None:
    classes = [
        report("barrel", 2),
        report("rain gauge", 0, names_another_class=2),
        report("lamp", 0, empty=1, exact_duplicate=3),
        report("post", 4, names_another_class=1, over_limit=9),
        report("kettle", 0),
    ]
    dropped = [
        DroppedText("rain gauge", "A narrow barrel.", "names_another_class"),
        DroppedText("rain gauge", "A barrel on a post.", "names_another_class"),
        DroppedText("post", "As thick as barrels.", "names_another_class"),
        DroppedText("post", "A barrel.", "over_limit"),
    ]
    switch = "descriptions.drop_names_another_class"
    assert suggest(classes, dropped) == (
        "rule empty drops texts of 'lamp', of which other rules drop the rest: write others",
        "rule exact_duplicate drops texts of 'lamp', of which other rules drop the rest: write others, or switch off "
        "descriptions.drop_exact_duplicates",
        f"rule names_another_class drops all 2 text(s) of 'rain gauge': write others, or switch off {switch}",
        "the class name 'barrel' is in 3 dropped texts of 2 other classes; if it is a common word, make it more specific, or "
        f"switch off {switch}",
    )
