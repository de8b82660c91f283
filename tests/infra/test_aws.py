"""IAM policies and the lifecycle: their form, and what they allow by AWS's rules."""

import json
import re

import boto3
import pytest

from tests.infra.manifests import INFRA, read_document
from tests.infra.policies import FOLDER, ROLE, allows, policy, statements
from tests.stores.store import REGION, Store

POLICIES = sorted(file.stem for file in FOLDER.glob("*.json") if file.stem != "lifecycle")
UNSCOPED = {"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ecr:GetAuthorizationToken"}
"""AWS has no resource for these; they accept only "*" (Service Authorization Reference)."""


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_form_that_aws_accepts(name: str) -> None:
    document = policy(name)
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    for statement in document["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert ("Principal" in statement) is name.startswith(("trust", "bucket"))


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_is_allowed_by_a_star(name: str) -> None:
    for statement in statements(policy(name)):
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Effect"] == "Allow" and "*" in statement.get("Resource", ()):
            assert set(statement["Action"]) <= UNSCOPED


@pytest.mark.parametrize("name", [name for name in POLICIES if not name.startswith(("bucket", "trust"))])
def test_every_action_exists(name: str) -> None:
    for statement in statements(policy(name)):
        for action in statement["Action"]:
            service, operation = action.split(":")
            # two permissions are not operations: listing needs ListBucket, handing over a role PassRole
            also = {"s3": {"ListBucket"}, "iam": {"PassRole"}}.get(service, set())
            known = boto3.client(service, REGION).meta.service_model.operation_names
            assert operation in {*known, *also}


IMAGES, LAKE = "arn:aws:s3:::example-images", "arn:aws:s3:::example-lake"


@pytest.mark.parametrize(
    ("action", "resource", "prefix", "allowed"),
    [
        ("s3:GetObject", f"{IMAGES}/a/b.jpg", None, True),
        ("s3:ListBucket", IMAGES, "a/", True),
        ("s3:PutObject", f"{IMAGES}/a/b.jpg", None, False),
        ("s3:DeleteObject", f"{IMAGES}/a/b.jpg", None, False),
        ("s3:GetObject", f"{LAKE}/laketag/runs/r.parquet", None, True),
        ("s3:PutObject", f"{LAKE}/laketag/runs/r.parquet", None, True),
        ("s3:DeleteObject", f"{LAKE}/laketag/staging/r/run.json", None, True),
        ("s3:ListBucket", LAKE, "laketag/runs/", True),
        ("s3:ListBucket", LAKE, "", False),
        ("s3:ListBucket", LAKE, None, True),  # else a missing key would answer 403, see docs/decisions/0010
        ("s3:ListBucket", LAKE, "laketag-of-others/", False),
        ("s3:GetObject", f"{LAKE}/weights/clip.safetensors", None, True),
        ("s3:PutObject", f"{LAKE}/weights/clip.safetensors", None, False),
        ("s3:PutObject", f"{LAKE}/laketag-of-others/x", None, False),
        ("s3:GetObject", f"{LAKE}/other/x", None, False),
        ("s3:GetObject", "arn:aws:s3:::another/x", None, False),
        ("s3:PutBucketPolicy", LAKE, None, False),
        ("ec2:RunInstances", "arn:aws:ec2:us-west-2:123456789012:instance/*", None, False),
    ],
)
def test_the_workers_role_reads_images_and_writes_root_and_nothing_else(
    action: str, resource: str, prefix: str | None, allowed: bool
) -> None:
    context = {} if prefix is None else {"s3:prefix": prefix}
    assert allows([policy("data")], action, resource, context) is allowed


def test_the_head_may_start_and_end_its_own_workers_only() -> None:
    own, instance = [policy("head-ec2")], "arn:aws:ec2:us-west-2:123456789012:instance/i-1"
    right = {
        "aws:RequestTag/ray-cluster-name": "laketag",
        "ec2:InstanceType": "g6.2xlarge",
        "ec2:InstanceProfile": "arn:aws:iam::123456789012:instance-profile/laketag-worker",
    }
    assert allows(own, "ec2:RunInstances", instance, right)
    for wrong in (
        {"ec2:InstanceType": "p5.48xlarge"},
        {"aws:RequestTag/ray-cluster-name": "another"},
        {"ec2:InstanceProfile": "arn:aws:iam::123456789012:instance-profile/admin"},
    ):
        assert not allows(own, "ec2:RunInstances", instance, {**right, **wrong})
    assert not allows(
        own, "ec2:TerminateInstances", instance, {"aws:ResourceTag/ray-cluster-name": "another"}
    )
    passed = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert allows(own, "iam:PassRole", ROLE + "worker", passed)
    assert not allows(own, "iam:PassRole", ROLE + "head", passed)


def test_the_head_may_start_the_machines_of_ray_cluster_yaml() -> None:
    types = read_document(INFRA.parent / "ray_cluster.yaml")["available_node_types"]
    (start,) = [s for s in statements(policy("head-ec2")) if s["Sid"] == "StartThisClustersWorkers"]
    machines = {node["node_config"]["InstanceType"] for name, node in types.items() if name != "head"}
    assert set(start["Condition"]["StringEquals"]["ec2:InstanceType"]) == machines


def test_lifecycle_rules_touch_staging_and_unfinished_uploads_only(moto: Store) -> None:
    rules = json.loads((FOLDER / "lifecycle.json").read_text())
    expiring = [rule for rule in rules["Rules"] if "Expiration" in rule]
    assert [rule["Filter"]["Prefix"] for rule in expiring] == ["laketag/staging/"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules["Rules"])
    bucket = moto.root.removeprefix("s3://")
    client = boto3.client("s3", endpoint_url=moto.storage.endpoint_url)
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
    stored = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["ID"] for rule in stored} == {rule["ID"] for rule in rules["Rules"]}


@pytest.mark.parametrize("name", ["data", "pull-image", "head-ec2"])
def test_iam_accepts_a_policy(name: str, moto: Store) -> None:
    iam = boto3.client("iam", endpoint_url=moto.storage.endpoint_url)
    role = f"role-{name}"
    text = (FOLDER / f"{name}.json").read_text()
    for trust in ("trust-ec2", "trust-eks"):
        document = (FOLDER / f"{trust}.json").read_text()
        iam.create_role(RoleName=f"{role}-{trust}", AssumeRolePolicyDocument=document)
        iam.put_role_policy(RoleName=f"{role}-{trust}", PolicyName=name, PolicyDocument=text)
