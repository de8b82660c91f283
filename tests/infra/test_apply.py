"""The guide's commands and apply.sh against an account: what they print and make, and that apply.sh may run again."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.conftest import BUCKETS, client
from tests.infra.console_blocks import Step
from tests.infra.manifests import PROJECT
from tests.infra.programs import output_of
from tests.infra.test_guide_output import BY_HAND, RUN_HERE, STEPS

GROUP = "sg-0aaaabbbbccccdddd"


@dataclass(frozen=True)
class Guided:
    """The account and the folder after the guide's commands, and what each of them printed."""

    env: Mapping[str, str]
    folder: Path
    printed: tuple[tuple[Step, str], ...]

    @property
    def rendered(self) -> Path:
        """The rendered copy with the account's buckets."""
        return self.folder / "rendered/infra/aws"

    def stored(self, role: str, policy: str) -> object:
        """This policy of the role in the account."""
        iam = client("iam", self.env["AWS_ENDPOINT_URL"])
        return iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]

    def content(self, file: str) -> object:
        """The rendered JSON file."""
        return json.loads((self.rendered / file).read_text())


@pytest.fixture(scope="module")
def guided(aws_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Guided:
    """After the guide's own commands, in their order, in a folder with the project in it."""
    folder = tmp_path_factory.mktemp("guided")
    for name in ("infra", "ray_cluster.yaml"):
        (folder / name).symlink_to(PROJECT / name)
    editor = folder / "editor"
    changes = {"IMAGES_BUCKET": BUCKETS[0], "LAKE_BUCKET": BUCKETS[1]}
    lines = (f'sed -i "s/^{name}=.*/{name}={value}/" "$1"' for name, value in changes.items())
    editor.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    editor.chmod(0o755)
    env = {**aws_env, "EDITOR": str(editor), "group": GROUP}
    printed = tuple(
        (step, output_of("bash", "-euc", f"exec 2>&1\n{step.command}", cwd=folder, env=env))
        for step in STEPS
        if step.section != BY_HAND and step.command.startswith(RUN_HERE)
    )
    return Guided(env, folder, printed)


def test_what_is_real_is_what_the_commands_print_now(guided: Guided) -> None:
    """In the guide "…" may be anything."""
    for step, printed in guided.printed:
        anything = re.escape("\n".join(step.output)).replace("…", ".*")
        assert re.fullmatch(anything, printed.strip().replace("\t", " ")), printed
    real = [step for step in STEPS if step.mark == "real" and step.section != BY_HAND]
    assert [step for step, _ in guided.printed if step.mark == "real"] == real
    assert f"SECURITY_GROUP={GROUP}\n" in (guided.folder / "my.env").read_text()
    assert GROUP in json.dumps(guided.content("head-ec2.json"))
    assert GROUP in json.dumps(guided.stored("laketag-head", "head-ec2"))


def test_a_role_has_its_files_policies_and_no_older_one(guided: Guided) -> None:
    iam = client("iam", guided.env["AWS_ENDPOINT_URL"])
    (said,) = (printed for step, printed in guided.printed if step.command.endswith("apply.sh eks"))
    old = (guided.rendered / "pull-image.json").read_text()
    iam.put_role_policy(RoleName="laketag-pod", PolicyName="of-last-year", PolicyDocument=old)
    assert output_of(guided.rendered / "apply.sh", "eks", env=guided.env) == said
    assert iam.list_role_policies(RoleName="laketag-pod")["PolicyNames"] == ["data"]
    assert guided.stored("laketag-pod", "data") == guided.content("data.json")
    trust = iam.get_role(RoleName="laketag-pod")["Role"]["AssumeRolePolicyDocument"]
    assert trust == guided.content("trust-eks.json")


def test_both_buckets_get_their_own_rules(guided: Guided) -> None:
    s3 = client("s3", guided.env["AWS_ENDPOINT_URL"])
    for bucket, name in zip(BUCKETS, ("bucket-images", "bucket-lake"), strict=True):
        stored = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        assert stored == guided.content(f"{name}.json")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKETS[1])["Rules"]
    assert {rule["ID"] for rule in rules} == {"laketag-staging", "laketag-unfinished-uploads"}
