"""Bucket policies and trust policies: whom they deny access, whatever else is allowed to them, and whom they do not."""

import pytest

from tests.infra.policies import ROLE, allows, policy

IMAGES, LAKE = "arn:aws:s3:::example-images", "arn:aws:s3:::example-lake"
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
PERSON = "arn:aws:iam::123456789012:user/administrator"


@pytest.mark.parametrize("name", ["bucket-images", "bucket-lake"])
def test_a_bucket_policy_can_be_put_before_any_role_exists(name: str) -> None:
    """S3 refuses a policy whose Principal is a role that does not exist, and only some of the roles are ever created."""
    assert [statement["Principal"] for statement in policy(name)["Statement"]] == ["*", "*"]


@pytest.mark.parametrize(("name", "bucket"), [("bucket-images", IMAGES), ("bucket-lake", LAKE)])
def test_a_bucket_policy_locks_nobody_out_of_changing_it(name: str, bucket: str) -> None:
    for action in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutLifecycleConfiguration"):
        assert allows([ADMINISTRATOR, policy(name)], action, bucket, caller=PERSON)


@pytest.mark.parametrize(
    ("caller", "may"),
    [
        (ROLE + "head", True),
        (ROLE + "worker", True),
        (ROLE + "pod", True),
        (PERSON, False),
        ("arn:aws:iam::123456789012:role/administrator", False),
        ("arn:aws:iam::210987654321:role/laketag-worker", False),
        ("s3.amazonaws.com", True),  # the lifecycle's own deletions
    ],
)
@pytest.mark.parametrize("action", ["s3:PutObject", "s3:DeleteObject"])
def test_below_root_laketag_alone_writes_whatever_others_are_allowed(
    action: str, caller: str, may: bool
) -> None:
    both = [ADMINISTRATOR, policy("bucket-lake")]
    assert allows(both, action, f"{LAKE}/laketag/runs/r.parquet", caller=caller) is may
    assert allows(both, action, f"{LAKE}/weights/clip.safetensors", caller=caller)
    assert allows(both, "s3:GetObject", f"{LAKE}/laketag/runs/r.parquet", caller=caller)


@pytest.mark.parametrize("role", ["head", "worker", "pod"])
def test_laketag_never_changes_an_image_whatever_its_role_is_allowed(role: str) -> None:
    both = [ADMINISTRATOR, policy("bucket-images")]
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl"):
        assert not allows(both, action, f"{IMAGES}/a.jpg", caller=ROLE + role)
        assert allows(both, action, f"{IMAGES}/a.jpg", caller=PERSON)
    assert allows(both, "s3:GetObject", f"{IMAGES}/a.jpg", caller=ROLE + role)


@pytest.mark.parametrize(("name", "bucket"), [("bucket-images", IMAGES), ("bucket-lake", LAKE)])
def test_nothing_is_read_or_written_over_plain_http(name: str, bucket: str) -> None:
    plain = {"aws:SecureTransport": "false"}
    for caller in (ROLE + "worker", PERSON):
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            assert not allows([ADMINISTRATOR, policy(name)], action, f"{bucket}/x", plain, caller=caller)
        assert not allows([ADMINISTRATOR, policy(name)], "s3:ListBucket", bucket, plain, caller=caller)


def test_the_roles_are_those_of_machines_of_this_account_and_of_pods_of_one_service_account() -> None:
    ec2, eks = [policy("trust-ec2")], [policy("trust-eks")]
    assert allows(ec2, "sts:AssumeRole", ROLE + "worker", caller="ec2.amazonaws.com")
    assert not allows(ec2, "sts:AssumeRole", ROLE + "worker", caller="lambda.amazonaws.com")
    assert not allows(ec2, "sts:AssumeRole", ROLE + "worker", caller=PERSON)
    tags = {
        "aws:SourceAccount": "123456789012",
        "aws:RequestTag/kubernetes-namespace": "laketag",
        "aws:RequestTag/kubernetes-service-account": "laketag",
    }
    assert allows(eks, "sts:AssumeRole", ROLE + "pod", tags, caller="pods.eks.amazonaws.com")
    for key in tags:
        other = {**tags, key: "another"}
        assert not allows(eks, "sts:AssumeRole", ROLE + "pod", other, caller="pods.eks.amazonaws.com")
