"""Each decision is in the lake before the next image is shown, and can be taken back."""

import pytest

from laketag.pipeline.errors import BusyError
from laketag.pipeline.flows.choose_for_review import choose_for_review
from laketag.pipeline.flows.review_request import ReviewRequest
from laketag.pipeline.flows.review_session import NotThisImageError, ReviewSession
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.paths import Lake
from tests.flows.review_lakes import write_reviewed


def begin(lake: Lake) -> ReviewSession:
    chosen = choose_for_review(lake, ReviewRequest())
    return ReviewSession(Decided(lake, "photos", "animals"), chosen, "jane", lambda: None)


def counting(lake: Lake) -> dict[str, str | None]:
    current = Decided(lake, "photos", "animals").read_current()
    return dict(current.select("image_id", "label").rows())


def shown(session: ReviewSession) -> str | None:
    image = session.describe()["image"]
    return image and image["image_id"]


def test_decisions_are_in_the_lake_at_once_and_undone_one_by_one(lake: Lake) -> None:
    write_reviewed(lake)
    session = begin(lake)
    assert session.describe()["image"]["classes"][0] == {"label": "cat", "probability": pytest.approx(0.5)}
    session.decide("e", "dog")
    assert counting(lake) == {"e": "dog"}
    session.decide("d", None)
    assert counting(lake) == {"e": "dog", "d": None}
    session.undo()
    assert (counting(lake), shown(session)) == ({"e": "dog"}, "d")
    session.undo()
    assert (counting(lake), shown(session)) == ({}, "e")
    session.undo()  # nothing is left to undo
    session.decide("e", "cat")
    assert counting(lake) == {"e": "cat"}
    assert set(Decided(lake, "photos", "animals").read()["decided_by"]) == {"jane"}


def test_a_new_session_goes_on_with_the_rest(lake: Lake) -> None:
    write_reviewed(lake)
    begin(lake).decide("e", "dog")
    session = begin(lake)
    assert (shown(session), session.describe()["total"]) == ("d", 4)


def test_an_image_left_for_later_comes_last(lake: Lake) -> None:
    write_reviewed(lake)
    session = begin(lake)
    session.skip("e")
    order = []
    while (image := shown(session)) is not None:
        order.append(image)
        session.decide(image, None)
    assert order == list("dcbae")
    assert session.describe()["done"] == 5


def test_another_image_than_the_shown_one_is_never_decided(lake: Lake) -> None:
    write_reviewed(lake)
    session = begin(lake)
    session.decide("e", "dog")
    for change in (session.skip, lambda image: session.decide(image, "cat")):
        with pytest.raises(NotThisImageError):
            change("e")
    with pytest.raises(ValueError, match="'unicorn' is no class of set animals"):
        session.decide("d", "unicorn")
    assert counting(lake) == {"e": "dog"}


def test_what_could_not_be_written_is_still_to_be_decided(lake: Lake) -> None:
    write_reviewed(lake)
    session = begin(lake)

    def refuse() -> None:
        raise BusyError("taken over")

    session.check = refuse
    with pytest.raises(BusyError):
        session.decide("e", "dog")
    assert (shown(session), session.describe()["done"]) == ("e", 0)
