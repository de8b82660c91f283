"""How long the rest takes, and what it costs."""

import pytest

from laketag.pipeline.progress.estimate import Estimate, name_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (4_000_000, "1,111 h 06 min"),
    ],
)
def test_durations_are_named_as_people_say_them(seconds: int, words: str) -> None:
    assert name_duration(seconds) == words


def test_an_estimate_is_a_time_and_with_a_price_also_money() -> None:
    assert str(Estimate(9_000, 2.5)) == "about 1 h 00 min"
    priced = Estimate(9_000, 2.5, price_per_hour=1.2)
    assert (priced.seconds, priced.cost) == (3600, 1.2)
    assert str(priced) == "about 1 h 00 min, which cost 1.20 at 1.2 an hour"
