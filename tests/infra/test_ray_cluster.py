"""ray_cluster.yaml passes Ray's own validation and works with its launcher, the latter against moto's EC2."""

import copy
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest
from click.testing import CliRunner
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.tags import (
    NODE_KIND_WORKER,
    TAG_RAY_CLUSTER_NAME,
    TAG_RAY_NODE_KIND,
    TAG_RAY_USER_NODE_TYPE,
)
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.scripts.scripts import start as ray_start

from tests.infra.manifests import INFRA, KUBERNETES, PROJECT, ray_groups, read_document
from tests.infra.policies import allows, policy

FILE = PROJECT / "ray_cluster.yaml"
REGION = "us-west-2"


@pytest.fixture
def config() -> dict[str, Any]:
    return read_document(FILE)


@pytest.fixture
def account(
    moto_url: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[dict[str, Any]]:
    """The configuration with ids that exist in moto's EC2, which has a key, a group, an image and the roles."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    ec2, iam = boto3.client("ec2", REGION), boto3.client("iam", REGION)
    if not ec2.describe_key_pairs()["KeyPairs"]:
        ec2.create_key_pair(KeyName="laketag")
        for name in ("laketag-head", "laketag-worker"):
            trust = (INFRA / "aws/trust-ec2.json").read_text()
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
            iam.create_instance_profile(InstanceProfileName=name)
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    network = {"Name": "vpc-id", "Values": [ec2.describe_subnets()["Subnets"][0]["VpcId"]]}
    group = ec2.describe_security_groups(Filters=[network])["SecurityGroups"][0]["GroupId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    text = FILE.read_text().replace("sg-0123456789abcdef0", group).replace("ami-0123456789abcdef0", image)
    (tmp_path / "ray_cluster.yaml").write_text(text)
    (tmp_path / "key.pem").write_text("no key")
    rendered = read_document(tmp_path / "ray_cluster.yaml")
    rendered["auth"]["ssh_private_key"] = str(tmp_path / "key.pem")
    yield rendered
    running = [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    if running:
        ec2.terminate_instances(InstanceIds=running)


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_ray_refuses_a_field_that_it_does_not_know(config: dict[str, Any]) -> None:
    config["idle_timeout"] = 5
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(config))


def test_ray_needs_no_defaults_of_its_own(config: dict[str, Any]) -> None:
    """Ray would fill in what this file leaves out: an old machine image, `pip install ray`, an open dashboard."""
    prepared = prepare_config(copy.deepcopy(config))
    for when in ("setup", "head_start_ray", "worker_start_ray", "initialization"):
        assert prepared[f"{when}_commands"] == config[f"{when}_commands"]
    assert not [command for key in prepared if "setup_commands" in key for command in prepared[key]]


def test_the_head_does_no_work(config: dict[str, Any]) -> None:
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]


def test_gpu_workers_are_spot_and_begin_at_none(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    gpu = types["gpu_worker"]
    assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert gpu["min_workers"] == 0 < gpu["max_workers"]
    assert [name for name, node in types.items() if node["resources"].get("GPU")] == ["gpu_worker"]
    assert sum(node["max_workers"] for node in types.values()) == config["max_workers"]


def test_both_of_rays_autoscalers_find_each_node_types_pinned_image(config: dict[str, Any]) -> None:
    version = re.search(r'^version = "(.+)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    prepared = prepare_config(copy.deepcopy(config))
    second = AutoscalingConfig(prepared, skip_content_hash=True)
    for name, node in prepared["available_node_types"].items():
        image = f"laketag:{version[1]}-{'cuda' if node['resources'].get('GPU') else 'cpu'}"
        assert second.get_docker_config(name)["image"].endswith(f"/{image}")
        first = {**prepared["docker"], **node.get("docker", {})}  # as _private/autoscaler.py does
        role = "head_image" if name == prepared["head_node_type"] else "worker_image"
        assert first.get(role, first["image"]).endswith(f"/{image}")


def test_images_are_the_same_on_aws_and_kubernetes(config: dict[str, Any]) -> None:
    pattern = r"\S+/laketag:[\w.-]+"
    on_aws = set(re.findall(pattern, FILE.read_text()))
    for name in ("rayjob.yaml", "nightly.yaml", "nightly-raycronjob.yaml"):
        assert set(re.findall(pattern, (KUBERNETES / name).read_text())) <= on_aws, name


def test_every_container_asks_for_the_token_that_is_mounted(config: dict[str, Any]) -> None:
    options = " ".join(config["docker"]["run_options"])
    (mounted,) = config["file_mounts"]
    assert "--env RAY_AUTH_MODE=token" in options
    assert f"--env RAY_AUTH_TOKEN_PATH={mounted}/auth_token" in options


@pytest.mark.parametrize("key", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_ray_start_knows_every_flag(config: dict[str, Any], key: str) -> None:
    (command,) = [command for command in config[key] if "ray start" in command]
    flags = {word.partition("=")[0] for word in shlex.split(command) if word.startswith("--")}
    assert flags <= {flag for option in ray_start.params for flag in option.opts}
    assert CliRunner().invoke(ray_start, ["--help"]).exit_code == 0


def test_the_dashboard_listens_on_loopback(config: dict[str, Any]) -> None:
    assert "--dashboard-host=127.0.0.1" in " ".join(config["head_start_ray_commands"])


def test_flags_that_kuberay_gives_ray_start_exist() -> None:
    known = {flag.removeprefix("--") for option in ray_start.params for flag in option.opts}
    for group in ray_groups():
        assert set(group["rayStartParams"]) <= known


def test_rays_launcher_completes_it_without_making_roles_keys_or_groups(account: dict[str, Any]) -> None:
    ec2, iam = boto3.client("ec2", REGION), boto3.client("iam", REGION)

    def everything() -> tuple[int, int, int]:
        return (
            len(iam.list_roles()["Roles"]),
            len(ec2.describe_key_pairs()["KeyPairs"]),
            len(ec2.describe_security_groups()["SecurityGroups"]),
        )

    before = everything()
    completed = AWSNodeProvider.bootstrap_config(prepare_config(account))  # type: ignore[no-untyped-call]  # Ray
    validate_config({key: value for key, value in completed.items() if key != "head_node"})
    assert completed["head_node"] == {}
    assert all(node["node_config"]["SubnetIds"] for node in completed["available_node_types"].values())
    assert everything() == before


def test_declared_cpus_and_gpus_are_those_of_the_machines(account: dict[str, Any]) -> None:
    filled = AWSNodeProvider.fillout_available_node_types_resources(prepare_config(account))
    for name, node in account["available_node_types"].items():
        found = boto3.client("ec2", REGION).describe_instance_types(
            InstanceTypes=[node["node_config"]["InstanceType"]]
        )
        (machine,) = found["InstanceTypes"]
        if name != account["head_node_type"]:
            assert node["resources"]["CPU"] == machine["VCpuInfo"]["DefaultVCpus"]
        gpus = sum(gpu["Count"] for gpu in machine.get("GpuInfo", {}).get("Gpus", ()))
        assert node["resources"].get("GPU", 0) == gpus
        assert filled["available_node_types"][name]["resources"]["CPU"] == node["resources"]["CPU"]


@pytest.mark.parametrize("kind", ["cpu_worker", "gpu_worker"])
def test_rays_autoscaler_starts_a_worker_from_it_that_the_heads_policy_allows(
    account: dict[str, Any], kind: str
) -> None:
    completed = AWSNodeProvider.bootstrap_config(prepare_config(account))  # type: ignore[no-untyped-call]  # Ray
    provider = AWSNodeProvider(completed["provider"], completed["cluster_name"])  # type: ignore[no-untyped-call]  # Ray
    tags = {TAG_RAY_NODE_KIND: NODE_KIND_WORKER, TAG_RAY_USER_NODE_TYPE: kind}
    (node,) = provider.create_node(completed["available_node_types"][kind]["node_config"], tags, 1)
    (found,) = boto3.client("ec2", REGION).describe_instances(InstanceIds=[node])["Reservations"]
    (instance,) = found["Instances"]
    assert (instance.get("InstanceLifecycle") == "spot") is (kind == "gpu_worker")
    carried = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    context = {
        f"aws:RequestTag/{TAG_RAY_CLUSTER_NAME}": carried[TAG_RAY_CLUSTER_NAME],
        "ec2:InstanceType": instance["InstanceType"],
        "ec2:InstanceProfile": instance["IamInstanceProfile"]["Arn"],
    }
    resource, heads = f"arn:aws:ec2:{REGION}:123456789012:instance/{node}", [policy("head-ec2")]
    assert allows(heads, "ec2:RunInstances", resource, context)
    own = {f"aws:ResourceTag/{TAG_RAY_CLUSTER_NAME}": "laketag"}
    assert allows(heads, "ec2:TerminateInstances", resource, own)
    provider.terminate_node(node)  # type: ignore[no-untyped-call]  # Ray


def test_the_named_profiles_are_made_by_apply_sh(config: dict[str, Any]) -> None:
    script = (INFRA / "aws/apply.sh").read_text()
    for node in config["available_node_types"].values():
        name = node["node_config"]["IamInstanceProfile"]["Arn"].rpartition("/")[2]
        assert f"profile {name}\n" in script
    assert json.loads((INFRA / "aws/trust-ec2.json").read_text())["Statement"][0]["Principal"] == {
        "Service": "ec2.amazonaws.com"
    }
