from laketag.pipeline.reporting.failure_advice import ADVICE
from laketag.schemas import FAILURES


def test_every_reason_has_a_meaning_and_an_advice() -> None:
    assert set(ADVICE) == set(FAILURES)
    for meaning, advice in ADVICE.values():
        assert meaning.endswith(".")
        assert advice.endswith(".")
