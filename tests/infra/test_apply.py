"""apply.sh against an account: what it makes, what it leaves after a change, and that it may run again."""

import json
from pathlib import Path

import pytest

from tests.infra.conftest import client
from tests.infra.manifests import INFRA
from tests.infra.programs import output_of


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A rendered copy with the account's buckets."""
    values = (INFRA / "values.example.env").read_text()
    values = values.replace("example-images", "my-photos").replace("example-lake", "my-lake")
    (tmp_path / "my.env").write_text(values)
    output_of(INFRA / "render.sh", tmp_path / "my.env", tmp_path / "out")
    return tmp_path / "out/infra/aws"


def apply(what: str, folder: Path, env: dict[str, str]) -> str:
    return output_of(folder / "apply.sh", what, env=env)


def test_a_role_has_its_files_policies_and_no_older_one(rendered: Path, aws_env: dict[str, str]) -> None:
    iam = client("iam", aws_env["AWS_ENDPOINT_URL"])
    said = apply("eks", rendered, aws_env)
    iam.put_role_policy(
        RoleName="laketag-pod",
        PolicyName="of-last-year",
        PolicyDocument=(rendered / "pull-image.json").read_text(),
    )
    assert apply("eks", rendered, aws_env) == said
    assert iam.list_role_policies(RoleName="laketag-pod")["PolicyNames"] == ["data"]
    stored = iam.get_role_policy(RoleName="laketag-pod", PolicyName="data")["PolicyDocument"]
    assert stored == json.loads((rendered / "data.json").read_text())
    trust = iam.get_role(RoleName="laketag-pod")["Role"]["AssumeRolePolicyDocument"]
    assert trust == json.loads((rendered / "trust-eks.json").read_text())


def test_both_buckets_get_their_own_rules(rendered: Path, aws_env: dict[str, str]) -> None:
    apply("buckets", rendered, aws_env)
    s3 = client("s3", aws_env["AWS_ENDPOINT_URL"])
    for bucket, name in (("my-photos", "bucket-images"), ("my-lake", "bucket-lake")):
        stored = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        assert stored == json.loads((rendered / f"{name}.json").read_text())
    rules = s3.get_bucket_lifecycle_configuration(Bucket="my-lake")["Rules"]
    assert {rule["ID"] for rule in rules} == {"laketag-staging", "laketag-unfinished-uploads"}
