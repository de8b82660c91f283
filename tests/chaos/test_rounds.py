"""A few of the rounds of ``make chaos``, whose seeds draw several kinds of kills and faults."""

import pytest

from tests.chaos.bed import make_bed
from tests.chaos.disturbances import draw_round
from tests.chaos.rounds import carry_out
from tests.stores.store import credentials_env

SEEDS = (2,)
"""Of rounds on moto."""


@pytest.mark.chaos
@pytest.mark.cluster
def test_a_disturbed_run_leaves_the_table_of_one_that_nothing_disturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in credentials_env().items():
        monkeypatch.setenv(name, value)
    with make_bed(("moto",)) as bed:
        for seed in SEEDS:
            result = carry_out(bed, draw_round(seed, bed.parts))
            assert result["ok"], result
