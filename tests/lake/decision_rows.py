"""Decisions for tests."""

from datetime import timedelta

from laketag.pipeline.lake.decisions import Decided, decision_frame, decision_row
from laketag.schemas import Verdict
from tests.lake.label_rows import EPOCH
from tests.lake.run_rows import RUN


def decide(
    lake,
    image_id: str,
    label: str | None,
    *,
    etag: str = "v1",
    verdict: Verdict | None = None,
    age_s: int = 0,
    set_name: str = RUN.description_set,
) -> Decided:
    """Somebody has decided that the image is of the class, or of none of them; in a file of its own."""
    image = {"image_id": image_id, "uri": f"/images/{image_id}.png", "etag": etag}
    verdict = verdict or ("class" if label else "none_of_these")
    row = decision_row(image, verdict, label, ("jane", "csv"), EPOCH - timedelta(seconds=age_s))
    decided = Decided(lake, RUN.collection, set_name)
    decided.record(decision_frame([row]))
    return decided
