"""The shell scripts pass shellcheck, and rendering replaces every example value."""

import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.infra.manifests import INFRA, PROJECT
from tests.infra.programs import BIN, output_of, run_program

VALUES = {
    "AWS_ACCOUNT": "999988887777",
    "AWS_REGION": "eu-central-1",
    "IMAGES_BUCKET": "photos.of.mine",
    "LAKE_BUCKET": "tables-of-mine",
    "LAKE_PREFIX": "labels/v1",
    "IMAGE": "999988887777.dkr.ecr.eu-central-1.amazonaws.com/tagger",
    "MACHINE_IMAGE": "ami-0aaaabbbbccccdddd",
    "SECURITY_GROUP": "sg-0aaaabbbbccccdddd",
}
EXAMPLES = dict(
    line.split("=", 1)
    for line in (INFRA / "values.example.env").read_text().splitlines()
    if re.match("[A-Z_]+=", line)
)


def render(folder: Path, values: dict[str, str]) -> "CompletedProcess[str]":
    (folder / "my.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return run_program(INFRA / "render.sh", folder / "my.env", folder / "out")


def text_of(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def manifests() -> dict[str, str]:
    folders = [INFRA / name for name in ("aws", "kubernetes", "monitoring")]
    files = [
        PROJECT / "ray_cluster.yaml",
        *(file for folder in folders for file in folder.rglob("*") if file.is_file()),
    ]
    return {str(f.relative_to(PROJECT)): f.read_text() for f in files if "__pycache__" not in f.parts}


@pytest.mark.parametrize(
    "script", sorted(INFRA.rglob("*.sh")), ids=lambda script: str(script.relative_to(INFRA))
)
def test_shellcheck_finds_nothing(script: Path) -> None:
    checks = "--enable=require-variable-braces,check-unassigned-uppercase"
    output_of(BIN / "shellcheck", checks, "--exclude=SC2250", script)


def test_the_examples_are_what_the_manifests_hold() -> None:
    everything = "\n".join(manifests().values())
    assert set(EXAMPLES) == set(VALUES)
    assert [name for name, example in EXAMPLES.items() if example not in everything] == []


def test_with_the_examples_nothing_changes(tmp_path: Path) -> None:
    assert render(tmp_path, EXAMPLES).returncode == 0
    rendered = text_of(tmp_path / "out")
    assert {name: rendered.get(name) for name in manifests()} == manifests()


def test_no_example_is_left_after_rendering(tmp_path: Path) -> None:
    result = render(tmp_path, VALUES)
    assert result.returncode == 0, result.stderr
    rendered = text_of(tmp_path / "out")
    for name, text in rendered.items():
        for key, example in EXAMPLES.items():
            if key != "LAKE_PREFIX":  # also the project's name
                assert example not in text, (name, key)
        assert not re.search(r"@[A-Z_]+@", text), name
    assert (
        f'"s3://{VALUES["LAKE_BUCKET"]}/{VALUES["LAKE_PREFIX"]}"\n' in rendered["infra/kubernetes/night.toml"]
    )
    assert (
        f"arn:aws:s3:::{VALUES['LAKE_BUCKET']}/{VALUES['LAKE_PREFIX']}/*" in rendered["infra/aws/data.json"]
    )
    assert f'["{VALUES["LAKE_PREFIX"]}", "{VALUES["LAKE_PREFIX"]}/*"]' in rendered["infra/aws/data.json"]
    assert f'"{VALUES["LAKE_PREFIX"]}/staging/"' in rendered["infra/aws/lifecycle.json"]
    assert f"{VALUES['IMAGE']}:0.1.0-cuda" in rendered["ray_cluster.yaml"]


def test_the_image_decides_where_docker_logs_in_and_what_a_role_may_pull(tmp_path: Path) -> None:
    values = {**VALUES, "IMAGE": "registry.example.org/team/tagger"}
    assert render(tmp_path, values).returncode == 0
    rendered = text_of(tmp_path / "out")
    assert (
        "docker login --username AWS --password-stdin registry.example.org\n" in rendered["ray_cluster.yaml"]
    )
    assert '999988887777:repository/team/tagger"' in rendered["infra/aws/pull-image.json"]


def test_an_image_without_a_registry_is_refused(tmp_path: Path) -> None:
    result = render(tmp_path, {**VALUES, "IMAGE": "laketag"})
    assert result.returncode == 2
    assert "names no registry" in result.stderr


def test_values_that_swap_two_examples_are_not_mixed_up(tmp_path: Path) -> None:
    swapped = {**EXAMPLES, "IMAGES_BUCKET": EXAMPLES["LAKE_BUCKET"], "LAKE_BUCKET": EXAMPLES["IMAGES_BUCKET"]}
    assert render(tmp_path, swapped).returncode == 0
    policy = (tmp_path / "out/infra/aws/data.json").read_text()
    assert "arn:aws:s3:::example-images/laketag/*" in policy
    assert '"arn:aws:s3:::example-lake/*"' in policy


@pytest.mark.parametrize("value", ["", "a b", "x;rm -rf /", "$(id)", "a|b", "a&b", '"'])
def test_a_value_that_could_break_out_of_its_place_is_refused(value: str, tmp_path: Path) -> None:
    result = render(tmp_path, {**VALUES, "LAKE_BUCKET": value})
    assert result.returncode == 2
    assert "LAKE_BUCKET" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    result = render(tmp_path, {name: value for name, value in VALUES.items() if name != "MACHINE_IMAGE"})
    assert result.returncode == 2
    assert "MACHINE_IMAGE" in result.stderr
