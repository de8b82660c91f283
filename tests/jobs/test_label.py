"""What ``laketag label`` refuses before it starts anything."""

import pytest

from laketag.jobs.label import checked_reasons
from laketag.pipeline.errors import SettingsError


def test_permanent_failures_can_be_retried() -> None:
    assert checked_reasons(["too_large", "forbidden"]) == ["too_large", "forbidden"]


@pytest.mark.parametrize("reason", ["timeout", "trunkated"])
def test_other_reasons_are_refused_with_the_permanent_ones(reason: str) -> None:
    with pytest.raises(SettingsError, match=rf"--retry {reason}: .* choose one of not_found, forbidden"):
        checked_reasons(["too_large", reason])
