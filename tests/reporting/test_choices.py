from dataclasses import replace

from laketag.pipeline.reporting import choices
from laketag.pipeline.reporting.choices import Limits, choose_images
from laketag.pipeline.reporting.counts import count_rows
from laketag.schemas import NONE_OF_THESE
from tests.reporting.made_rows import as_frame, random_rows

LIMITS = Limits(of_a_sheet=3, lowest=5, pairs=2, of_a_pair=2, of_a_failure=2)


def test_the_images_that_are_shown_are_those_of_a_plain_loop() -> None:
    rows = random_rows(500)
    frame = as_frame(rows)
    counts = count_rows(frame)
    found = choose_images(frame, counts, LIMITS)
    labelled = [row for row in rows if row["label"]]

    def ids(some: list[dict], key: str, *, descending: bool = False) -> list[str]:
        sign = -1 if descending else 1
        return [row["image_id"] for row in sorted(some, key=lambda row: (sign * row[key], row["image_id"]))]

    assert found.lowest == ids(labelled, "margin")[:5]
    for label, sheets in found.sheets.items():
        own = [row for row in labelled if row["label"] == label]
        if label == NONE_OF_THESE:  # without probabilities
            shown = [image_id for sheet in sheets.values() for image_id in sheet]
            assert len({*shown} & {row["image_id"] for row in own}) == len(shown) == 9
            continue
        assert sheets["certain"] == ids(own, "probability", descending=True)[:3]
        rest = [row for row in own if row["image_id"] not in sheets["certain"]]
        assert sheets["doubtful"] == ids(rest, "margin")[:3]
        mean = sum(row["probability"] for row in own) / len(own)
        rest = [
            row | {"away": abs(row["probability"] - mean)}
            for row in rest
            if row["image_id"] not in sheets["doubtful"]
        ]
        assert sheets["typical"] == ids(rest, "away")[:3]
    assert list(found.pairs) == [tuple(pair) for pair in counts.pairs.select("one", "other").head(2).rows()]
    for (one, other), images in found.pairs.items():
        both = [
            row | {"share": tag["probability"]}
            for row in labelled
            for tag in row["tags"][1:]
            if {row["label"], tag["label"]} == {one, other}
        ]
        assert images == ids(both, "share", descending=True)[:2]
    for reason, images in found.failures.items():
        assert images == [row["image_id"] for row in rows if row["failure"] == reason][:2]


def test_batches_change_nothing() -> None:
    frame = as_frame(random_rows(300, seed=2))
    counts = count_rows(frame)
    small = choose_images(frame, counts, replace(LIMITS, rows_of_a_batch=7))
    assert small == choose_images(frame, counts, LIMITS)


def test_the_number_of_pictures_is_bounded_whatever_the_number_of_classes() -> None:
    limits = Limits()
    for classes in (1, 3, 20, 79, 80, 1000, 21_000):
        shown = limits.classes_with_sheets(classes) * len(choices.SHEETS) * limits.sheet_size(classes)
        assert 0 < shown <= limits.pictures_in_sheets
        assert limits.classes_with_sheets(classes) <= classes
    assert limits.classes_with_sheets(20) == 20


def test_an_image_is_in_one_sheet_of_a_small_class_only() -> None:
    frame = as_frame([row for row in random_rows(60, seed=3) if row["label"]][:7])
    found = choose_images(frame, count_rows(frame), LIMITS)
    for sheets in found.sheets.values():
        ids = [one for sheet in sheets.values() for one in sheet]
        assert len(ids) == len(set(ids))
    assert len(found.labelled) == 7
