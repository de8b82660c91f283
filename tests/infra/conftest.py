"""Fixtures of these tests: an account of moto's for the aws command line."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.infra.programs import PATH, need_program

BUCKETS = ("my-photos", "my-lake")
ROLES = ("laketag-worker", "laketag-head", "laketag-pod")


@pytest.fixture(scope="module")
def aws_env(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which ``aws`` reaches an account with two buckets; what apply.sh makes there is removed again."""
    need_program("aws")
    env = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PATH": PATH,
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    s3, iam = client("s3", moto_url), client("iam", moto_url)
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)
    yield env
    for bucket in BUCKETS:
        s3.delete_bucket(Bucket=bucket)
    for profile in iam.list_instance_profiles()["InstanceProfiles"]:
        if (name := profile["InstanceProfileName"]) in ROLES:
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
            iam.delete_instance_profile(InstanceProfileName=name)
    for role in iam.list_roles()["Roles"]:
        if (name := role["RoleName"]) in ROLES:
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)


def client(service: str, moto_url: str) -> Any:
    """A client of that account."""
    return boto3.client(
        service, "us-east-1", endpoint_url=moto_url, aws_access_key_id="x", aws_secret_access_key="x"
    )
