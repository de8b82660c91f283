"""IAM and bucket policies: their form, what they allow by AWS's rules, and on a store that enforces them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline.errors import StorageError
from tests.end_to_end.command_line import must_run, run_laketag
from tests.end_to_end.pictures import encoded, picture
from tests.infra.manifests import INFRA, read_document
from tests.infra.policies import FOLDER, allows, policy, statements
from tests.models.tiny import save_local_dir
from tests.stores.store import REGION, STRANGER, Store, s3_env


@dataclass(frozen=True)
class Granted:
    """Two buckets, and the environment of someone who may do what data.json says and no more."""

    lake: str
    images: str
    env: dict[str, str]


POLICIES = sorted(file.stem for file in FOLDER.glob("*.json") if file.stem != "lifecycle")
UNSCOPED = {"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ecr:GetAuthorizationToken"}
"""AWS knows no resource for these; "*" is the only thing that they accept (Service Authorization Reference)."""


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_form_that_aws_takes(name: str) -> None:
    document = policy(name)
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    for statement in document["Statement"]:
        known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert set(statement) <= known
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
        (
            "s3:ListBucket",
            LAKE,
            None,
            True,
        ),  # or a key that is not there answers 403, see docs/decisions/0010
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
    assert allows(policy("data"), action, resource, context) is allowed


def test_the_head_may_start_and_end_its_own_workers_only() -> None:
    document, instance = policy("head-ec2"), "arn:aws:ec2:us-west-2:123456789012:instance/i-1"
    right = {
        "aws:RequestTag/ray-cluster-name": "laketag",
        "ec2:InstanceType": "g6.2xlarge",
        "ec2:InstanceProfile": "arn:aws:iam::123456789012:instance-profile/laketag-worker",
    }
    assert allows(document, "ec2:RunInstances", instance, right)
    for wrong in (
        {"ec2:InstanceType": "p5.48xlarge"},
        {"aws:RequestTag/ray-cluster-name": "another"},
        {"ec2:InstanceProfile": "arn:aws:iam::123456789012:instance-profile/admin"},
    ):
        assert not allows(document, "ec2:RunInstances", instance, {**right, **wrong})
    assert not allows(
        document, "ec2:TerminateInstances", instance, {"aws:ResourceTag/ray-cluster-name": "another"}
    )
    role = "arn:aws:iam::123456789012:role/"
    passed = {"iam:PassedToService": "ec2.amazonaws.com"}
    assert allows(document, "iam:PassRole", role + "laketag-worker", passed)
    assert not allows(document, "iam:PassRole", role + "laketag-head", passed)


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
def test_iam_takes_the_policies(name: str, moto: Store) -> None:
    iam = boto3.client("iam", endpoint_url=moto.storage.endpoint_url)
    role = f"role-{name}"
    for trust in ("trust-ec2", "trust-eks"):
        document = (FOLDER / f"{trust}.json").read_text()
        iam.create_role(RoleName=f"{role}-{trust}", AssumeRolePolicyDocument=document)
        iam.put_role_policy(
            RoleName=f"{role}-{trust}", PolicyName=name, PolicyDocument=(FOLDER / f"{name}.json").read_text()
        )


@pytest.fixture
def granted(ceph: Store) -> Iterator[Granted]:
    """The statements of data.json, given to a user of Ceph by bucket policies."""
    endpoint = str(ceph.storage.endpoint_url)
    owner = boto3.client("s3", endpoint_url=endpoint)
    lake = ceph.root.removeprefix("s3://")
    images = f"{lake}-images"
    owner.create_bucket(Bucket=images)
    for bucket, example in ((lake, "example-lake"), (images, "example-images")):
        text = json.dumps([s for s in policy("data")["Statement"] if f":::{example}" in s["Resource"]])
        allowed = json.loads(text.replace(example, bucket))
        for statement in allowed:
            statement["Principal"] = {"AWS": f"arn:aws:iam:::user/{STRANGER.name}"}
            if (
                "s3:DeleteObject" in statement["Action"]
            ):  # Ceph checks a DELETE of many keys on the bucket itself
                statement["Resource"] = [statement["Resource"], f"arn:aws:s3:::{bucket}"]
        document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        owner.put_bucket_policy(Bucket=bucket, Policy=document)
    names = [f"{number}.jpg" for number in range(6)]
    for number, name in enumerate(names):
        owner.put_object(Bucket=images, Key=name, Body=encoded(picture(number)))
    for key in ("laketag/x", "weights/w", "other/x"):
        owner.put_object(Bucket=lake, Key=key, Body=b"x")
    yield Granted(lake, images, s3_env(endpoint, STRANGER))
    for name in names:
        owner.delete_object(Bucket=images, Key=name)
    owner.delete_bucket(Bucket=images)


@pytest.mark.ceph
def test_a_store_that_enforces_the_policy_lets_exactly_this_through(granted: Granted) -> None:
    lake, images = granted.lake, granted.images
    worker = boto3.client(
        "s3",
        endpoint_url=granted.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=STRANGER.access_key,
        aws_secret_access_key=STRANGER.secret_key,
    )

    def may(operation: str, **arguments: object) -> bool:
        try:
            getattr(worker, operation)(**arguments)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                raise
            return False
        return True

    assert may("get_object", Bucket=images, Key="0.jpg")
    assert may("list_objects_v2", Bucket=images, Prefix="a/")
    assert not may("put_object", Bucket=images, Key="0.jpg", Body=b"y")
    assert not may("delete_object", Bucket=images, Key="0.jpg")
    assert may("put_object", Bucket=lake, Key="laketag/staging/p", Body=b"y")
    assert may("copy_object", Bucket=lake, Key="laketag/labels/p", CopySource=f"{lake}/laketag/staging/p")
    assert may("delete_object", Bucket=lake, Key="laketag/staging/p")
    assert may("list_objects_v2", Bucket=lake, Prefix="laketag/runs/")
    assert not may("list_objects_v2", Bucket=lake, Prefix="other/")
    assert may("get_object", Bucket=lake, Key="weights/w")
    assert not may("put_object", Bucket=lake, Key="weights/w", Body=b"y")
    assert not may("get_object", Bucket=lake, Key="other/x")


@pytest.mark.ceph
@pytest.mark.cluster
def test_the_policy_is_enough_for_a_night_and_holds_laketag_to_root(granted: Granted, tmp_path: Path) -> None:
    model = save_local_dir(tmp_path / "model")
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[backbone]\npretrained = "local-dir:{model}"\n[attention]\nname = "backbone"\n[method]\ncrops = 2\n'
    )
    (tmp_path / "pets.txt").write_text("cat\ndog\n")
    root = ("--root", f"s3://{granted.lake}/laketag")
    photos, pets, with_settings = ("--collection", "photos"), ("--set", "pets"), ("--settings", str(settings))
    must_run("index", f"s3://{granted.images}/", *root, *photos, env=granted.env)
    must_run("describe", str(tmp_path / "pets.txt"), *root, *pets, *with_settings, env=granted.env)
    must_run("label", *root, *photos, *pets, *with_settings, env=granted.env)
    assert must_run("query", "labels", *root, "--format", "csv", env=granted.env).count(".jpg") == 6

    outside = ("--root", f"s3://{granted.lake}/other")
    refused = run_laketag("index", f"s3://{granted.images}/", *outside, *photos, env=granted.env)
    assert refused.code == StorageError.exit_code, refused
