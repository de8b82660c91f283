"""The console output in docs/cluster.md is marked as real or expected, and real output is what the commands print now."""

import json
import re
from pathlib import Path

import pytest

from tests.infra.conftest import BUCKETS, client
from tests.infra.console_blocks import Step, console_steps
from tests.infra.manifests import PROJECT
from tests.infra.programs import output_of

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


def test_what_is_real_is_what_the_commands_print_now(aws_env: dict[str, str], tmp_path: Path) -> None:
    """The guide's own commands, in their order, in a folder with the project in it; "…" may be anything."""
    for name in ("infra", "ray_cluster.yaml"):
        (tmp_path / name).symlink_to(PROJECT / name)
    editor = tmp_path / "editor"
    changes = {"IMAGES_BUCKET": BUCKETS[0], "LAKE_BUCKET": BUCKETS[1]}
    lines = (f'sed -i "s/^{name}=.*/{name}={value}/" "$1"' for name, value in changes.items())
    editor.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    editor.chmod(0o755)
    env = {**aws_env, "EDITOR": str(editor), "group": "sg-0aaaabbbbccccdddd"}
    compared = 0
    for step in STEPS:
        if step.section == BY_HAND or not step.command.startswith(RUN_HERE):
            continue
        printed = output_of("bash", "-euc", f"exec 2>&1\n{step.command}", cwd=tmp_path, env=env)
        anything = re.escape("\n".join(step.output)).replace("…", ".*")
        assert re.fullmatch(anything, printed.strip().replace("\t", " ")), printed
        compared += step.mark == "real"
    assert compared == sum(step.mark == "real" for step in STEPS if step.section != BY_HAND)
    assert f"SECURITY_GROUP={env['group']}\n" in (tmp_path / "my.env").read_text()
    assert env["group"] in (tmp_path / "rendered/infra/aws/head-ec2.json").read_text()
    iam = client("iam", env["AWS_ENDPOINT_URL"])
    allowed = iam.get_role_policy(RoleName="laketag-head", PolicyName="head-ec2")["PolicyDocument"]
    assert env["group"] in json.dumps(allowed)
