"""The console output in docs/cluster.md is marked as real or expected; tests/infra/test_apply.py runs what is real."""

import re

import pytest

from tests.infra.console_blocks import Step, console_steps

STEPS = list(console_steps())
BY_HAND = "First on one machine"
"""The section whose output was taken from a running head."""
RUN_HERE = (
    "cp infra/",
    "infra/render.sh",
    "sed -i ",
    "rendered/infra/aws/apply.sh",
    "mkdir ",
    "(umask 077; ray ",
)
"""Beginnings of the commands that need no cluster and no cloud."""
ELSEWHERE = re.compile(
    r"^(kubectl|helm|docker|aws|ssh|scp|curl|ray (up|down|dashboard|exec)|laketag submit) "
)


@pytest.mark.parametrize("step", [step for step in STEPS if step.output], ids=lambda step: step.command[:60])
def test_an_output_says_whether_it_is_real(step: Step) -> None:
    assert step.mark in ("real", "expected")
    if step.section != BY_HAND:
        assert (step.mark == "real") is step.command.split(" && ")[-1].startswith(RUN_HERE)
        assert (step.mark == "expected") is bool(ELSEWHERE.match(step.command.split(" && ")[-1]))
