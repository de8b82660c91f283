from collections import Counter

from laketag.pipeline.reporting.changes import compare_labels
from laketag.pipeline.reporting.choices import Limits
from laketag.schemas import NONE_OF_THESE
from tests.reporting.made_rows import as_frame, random_rows


def test_changes_are_those_of_a_plain_loop() -> None:
    before = random_rows(300, seed=1)
    now = [
        row | {"etag": "v2"} if number % 7 == 0 else row
        for number, row in enumerate(random_rows(350, seed=2)[20:])
    ]
    found = compare_labels(as_frame(now), as_frame(before), Limits(changes=3, of_a_change=2))
    old = {row["image_id"]: row for row in before}
    pairs = [(old[row["image_id"]], row) for row in now if row["image_id"] in old]
    moves = Counter(
        (one["label"], two["label"])
        for one, two in pairs
        if one["label"] and two["label"] and one["label"] != two["label"]
    )
    assert found.images == len(pairs) == 280
    assert found.same == sum(bool(one["label"]) and one["label"] == two["label"] for one, two in pairs)
    assert found.gained == sum(one["label"] is None and two["label"] is not None for one, two in pairs)
    assert found.lost == sum(one["label"] is not None and two["label"] is None for one, two in pairs)
    assert found.images == found.same + found.moved + found.gained + found.lost + found.both_failed
    assert found.new_version == sum(one["etag"] != two["etag"] for one, two in pairs)
    assert {(one, two): images for one, two, images in found.moves.iter_rows()} == moves
    classes = [None, NONE_OF_THESE]
    known = [(one, two) for one, two in pairs if two["true_class"]]
    known = [(one, two) for one, two in known if one["label"] not in classes and two["label"] not in classes]
    assert found.known == len(known)
    assert found.right_before == sum(one["label"] == two["true_class"] for one, two in known)
    assert found.right_now == sum(two["label"] == two["true_class"] for _, two in known)
    assert list(found.examples) == [
        tuple(move) for move in found.moves.select("before", "now").head(3).rows()
    ]
    for (one, two), ids in found.examples.items():
        own = [now for then, now in pairs if (then["label"], now["label"]) == (one, two)]
        best = sorted(own, key=lambda row: (-(row["probability"] or 0), row["image_id"]))
        assert ids == [row["image_id"] for row in best[:2]]
