"""Rules, dashboard and scrape configuration: they parse, they hold, and name only metrics that something emits."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import ray

from laketag.pipeline.progress.metrics import METRICS
from tests.infra.manifests import INFRA, PROJECT, need, read_document, walk
from tests.infra.structural_schema import problems

FOLDER = INFRA / "monitoring"
RAYS = {
    "ray_node_gpus_utilization",
    "ray_node_cpu_utilization",
    "ray_node_mem_used",
    "ray_node_mem_total",
    "ray_object_store_memory",
}
"""Ray's own metrics that are used here; each stands in a panel that Ray ships."""
OTHERS = {"kube_cronjob_status_last_successful_time", "kube_cronjob_created"}
"""Of kube-state-metrics (kubernetes/kube-state-metrics, docs/metrics/workload/cronjob-metrics.md)."""

SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
EMITTED = {
    f"ray_{name}{suffix}": tags for name, (kind, _, tags) in METRICS.items() for suffix in SUFFIXES[kind]
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in read_document(FOLDER / "alerts.yml")["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return loaded


def panel_expressions() -> list[str]:
    expressions = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "1m") for expression in expressions]


def expressions() -> list[str]:
    return [*(rule["expr"] for rule in rules()), *panel_expressions()]


def selectors(node: Any) -> Iterator[Any]:
    """Every selection of series in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector
    for name in ("lhs", "rhs", "expr"):
        yield from selectors(getattr(node, name)) if getattr(node, name, None) is not None else ()
    yield from (found for argument in getattr(node, "args", None) or () for found in selectors(argument))


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_only_metrics_and_labels_that_are_emitted(expression: str) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert found
    for selector in found:
        assert selector.name in EMITTED.keys() | RAYS | OTHERS
        if selector.name in EMITTED:
            assert {matcher.name for matcher in selector.matchers.matchers} <= set(EMITTED[selector.name])


def test_the_walk_finds_what_a_plain_search_finds() -> None:
    for expression in expressions():
        walked = {selector.name for selector in selectors(promql_parser.parse(expression))}
        assert walked == set(re.findall(r"\b(?:ray|kube)_\w+", expression))


def test_counters_are_never_read_without_a_rate() -> None:
    counters = [f"ray_{name}" for name, (kind, _, _) in METRICS.items() if kind == "counter"]
    for expression in expressions():
        for name in counters:
            for use in re.findall(rf"(\w+)\s*(?:by \([^)]*\) )?\(\s*{name}\b", expression):
                assert use in ("rate", "increase")


def test_rays_metrics_are_in_panels_that_ray_ships() -> None:
    panels = Path(ray.__file__).parent / "dashboard/modules/metrics/dashboards"
    shipped = "\n".join(file.read_text() for file in panels.glob("*.py"))
    for name in RAYS:
        assert re.search(rf"\b{name}\{{", shipped), name


def test_every_metric_of_a_run_is_on_the_dashboard_or_in_a_rule() -> None:
    everything = "\n".join(expressions())
    assert [name for name in METRICS if f"ray_{name}" not in everything] == []


def test_labels_of_groupings_and_legends_exist() -> None:
    known = {tag for tags in EMITTED.values() for tag in tags}
    known |= {"le", "instance", "Location", "GpuIndex", "namespace", "cronjob"}
    for expression in expressions():
        for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",") if label.strip()} <= known
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in rules():
        assert {"summary", "action"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["for"]


def test_the_operators_rules_are_the_plain_ones() -> None:
    assert read_document(FOLDER / "prometheusrule.yaml")["spec"] == read_document(FOLDER / "alerts.yml")


def test_promtool_accepts_rules_and_scrape_configuration() -> None:
    _promtool("check", "rules", "--lint=all", "--lint-fatal", str(FOLDER / "alerts.yml"))
    _promtool("check", "config", "--lint=all", "--lint-fatal", str(FOLDER / "prometheus.yml"))


def test_each_alert_speaks_on_its_samples_and_is_silent_on_a_healthy_run() -> None:
    samples = PROJECT / "tests/infra/alerts_test.yml"
    tried = {
        case["alertname"]
        for test in read_document(samples)["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == {rule["alert"] for rule in rules()}
    _promtool("test", "rules", str(samples))


def _promtool(*arguments: str) -> None:
    need(
        "promtool is not installed; the Debian package prometheus has it",
        shutil.which("promtool") is not None,
    )
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_nightly_is_missing_only_after_the_longest_one_that_follows_a_short_one() -> None:
    (rule,) = [rule for rule in rules() if rule["alert"] == "LaketagNightlyMissing"]
    watcher = read_document(INFRA / "kubernetes/nightly.yaml")["spec"]["jobTemplate"]["spec"]
    assert int(rule["expr"].rpartition(">")[2]) > 24 * 3600 + watcher["activeDeadlineSeconds"]


def test_the_machine_and_the_container_have_rays_folder_at_the_same_path() -> None:
    """Ray's list of nodes is an absolute link into a session's folder, see test_ray_head.py."""
    (job,) = read_document(FOLDER / "prometheus.yml")["scrape_configs"]
    (file,) = job["file_sd_configs"][0]["files"]
    folder, _, name = file.rpartition("/")
    config = read_document(PROJECT / "ray_cluster.yaml")
    assert name == ray._private.ray_constants.PROMETHEUS_SERVICE_DISCOVERY_FILE
    assert f"--volume {folder}:{folder}" in config["docker"]["run_options"]
    (made,) = [command for command in config["initialization_commands"] if " install -d " in command]
    assert folder in made.split()


def test_the_script_on_the_head_installs_each_file_and_lets_prometheus_see_rays_folder() -> None:
    script = (FOLDER / "start-on-head.sh").read_text()
    installed = re.search(r"install -m 644 (.+) /etc/prometheus/", script)
    assert installed is not None
    assert installed[1].split() == ["prometheus.yml", *read_document(FOLDER / "prometheus.yml")["rule_files"]]
    unit = Path("/lib/systemd/system/prometheus.service")
    if unit.is_file():  # Debian's and Ubuntu's package
        assert "PrivateTmp=true" in unit.read_text()
    assert "[Service]\\nPrivateTmp=false\\n" in script


def test_the_pod_monitor_finds_every_ray_pod_at_a_port_that_it_has() -> None:
    monitor = read_document(FOLDER / "podmonitor.yaml")
    cluster = read_document(INFRA / "kubernetes/rayjob.yaml")["spec"]["rayClusterSpec"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for node in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        labels = node["template"]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ports = {
            port["name"]: port["containerPort"] for port in node["template"]["spec"]["containers"][0]["ports"]
        }
        assert ports[endpoint["port"]] == 8080  # where KubeRay tells Ray to export (DefaultMetricsPort)


@cache
def operators_schema(kind: str) -> dict[str, Any]:
    """The Prometheus operator's own definition of a kind, which refuses unknown fields.

    From models that are generated from its resource definitions (cloudcoil.models.prometheus_operator).
    """
    need("cloudcoil.models.prometheus_operator is not installed", find_spec("cloudcoil") is not None)
    models = importlib.import_module("cloudcoil.models.prometheus_operator.v1")
    schema: dict[str, Any] = getattr(models, kind).model_json_schema(by_alias=True)
    for node in (schema, *schema["$defs"].values()):
        if "properties" in node:
            node["additionalProperties"] = False
    return schema


@pytest.mark.parametrize("name", ["podmonitor", "prometheusrule"])
def test_a_manifest_fits_the_operators_definition(name: str) -> None:
    document = read_document(FOLDER / f"{name}.yaml")
    assert document["apiVersion"] == "monitoring.coreos.com/v1"
    assert problems(document, operators_schema(document["kind"])) == []


def test_a_field_that_the_operator_does_not_know_is_refused() -> None:
    monitor = read_document(FOLDER / "podmonitor.yaml")
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "15s"
    assert problems(monitor, operators_schema("PodMonitor"))


def test_panels_do_not_overlap_and_ask_the_chosen_prometheus() -> None:
    loaded = dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in loaded["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in loaded["panels"]}) == len(loaded["panels"])
    assert {node["datasource"]["uid"] for node in walk(loaded["panels"]) if "datasource" in node} == {
        "${source}"
    }
    variables = {variable["name"] for variable in loaded["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(loaded["panels"]))) - {"__rate_interval"}
    assert used == variables
