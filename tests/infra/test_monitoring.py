"""Rules, dashboard and scrape configuration: they parse, they hold, and name only metrics that something emits."""

import importlib
import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import ray

from laketag.pipeline.progress.metrics import METRICS
from tests.infra.manifests import INFRA, KUBERNETES, PROJECT, ray_groups, read_document, walk
from tests.infra.programs import need, need_program, output_of
from tests.infra.structural_schema import problems

FOLDER = INFRA / "monitoring"
RAYS = {
    "ray_node_gpus_utilization",
    "ray_node_cpu_utilization",
    "ray_node_mem_used",
    "ray_node_mem_total",
    "ray_object_store_memory",
    "ray_data_num_tasks_running",
    "ray_data_function_body_time_s",
    "ray_data_task_completion_time_bucket",
}
"""Ray's own metrics that are used here; each is in a panel that Ray ships."""
OTHERS = {"kube_cronjob_status_last_successful_time", "kube_cronjob_created"}
"""Metrics of kube-state-metrics (kubernetes/kube-state-metrics, docs/metrics/workload/cronjob-metrics.md)."""
EMITTED = {f"ray_{name}": tags for name, (_, _, tags) in METRICS.items()}
RULES = [rule for group in read_document(FOLDER / "alerts.yml")["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"].replace("$__rate_interval", "1m") for target in TARGETS),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_only_metrics_and_labels_that_are_emitted(expression: str) -> None:
    promql_parser.parse(expression)
    selected = re.findall(r"\b((?:ray|kube)_\w+)(?:\{([^}]*)\})?", expression)
    assert selected
    for name, matchers in selected:
        assert name in EMITTED.keys() | RAYS | OTHERS
        if name in EMITTED:
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= set(EMITTED[name])


def test_counters_are_never_read_without_a_rate() -> None:
    counters = [f"ray_{name}" for name, (kind, _, _) in METRICS.items() if kind == "counter"]
    for expression in EXPRESSIONS:
        for name in counters:
            for use in re.findall(rf"(\w+)\s*(?:by \([^)]*\) )?\(\s*{name}\b", expression):
                assert use in ("rate", "increase")


def test_rays_metrics_are_in_panels_that_ray_ships() -> None:
    panels = Path(ray.__file__).parent / "dashboard/modules/metrics/dashboards"
    shipped = "\n".join(file.read_text() for file in panels.glob("*.py"))
    for name in RAYS:
        assert re.search(rf"\b{name}\{{", shipped), name


def test_every_metric_of_a_run_is_on_the_dashboard_or_in_a_rule() -> None:
    everything = "\n".join(EXPRESSIONS)
    assert [name for name in METRICS if f"ray_{name}" not in everything] == []


def test_labels_of_groupings_and_legends_exist() -> None:
    known = {tag for tags in EMITTED.values() for tag in tags}
    known |= {"le", "instance", "Location", "GpuIndex", "namespace", "cronjob", "dataset", "operator"}
    groupings = re.findall(r"\b(?:by|on) \(([^)]*)\)", "\n".join(EXPRESSIONS))
    assert {label.strip() for grouping in groupings for label in grouping.split(",")} <= {*known, ""}
    assert set(re.findall(r"\{\{(\w+)\}\}", "".join(target["legendFormat"] for target in TARGETS))) <= known


def test_every_alert_has_a_summary_an_action_a_severity_and_a_duration() -> None:
    for rule in RULES:
        assert {"summary", "action"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["for"]


def test_the_operators_rules_are_the_plain_ones() -> None:
    assert read_document(FOLDER / "prometheusrule.yaml")["spec"] == read_document(FOLDER / "alerts.yml")


def test_promtool_accepts_rules_and_scrape_configuration() -> None:
    need_program("promtool")
    output_of("promtool", "check", "rules", "--lint=all", "--lint-fatal", FOLDER / "alerts.yml")
    output_of("promtool", "check", "config", "--lint=all", "--lint-fatal", FOLDER / "prometheus.yml")


def test_each_alert_fires_on_its_samples_and_is_silent_on_a_healthy_run() -> None:
    samples = PROJECT / "tests/infra/alerts_test.yml"
    cases = [case for test in read_document(samples)["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == {rule["alert"] for rule in RULES}
    need_program("promtool")
    output_of("promtool", "test", "rules", samples)


def test_a_nightly_is_missing_only_after_the_longest_one_that_follows_a_short_one() -> None:
    (rule,) = [rule for rule in RULES if rule["alert"] == "LaketagNightlyMissing"]
    watcher = read_document(KUBERNETES / "nightly.yaml")["spec"]["jobTemplate"]["spec"]
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


def test_the_script_on_the_head_installs_each_file_and_shows_prometheus_rays_folder() -> None:
    script = (FOLDER / "start-on-head.sh").read_text()
    installed = re.search(r"install -m 644 (.+) /etc/prometheus/", script)
    assert installed is not None
    assert installed[1].split() == ["prometheus.yml", *read_document(FOLDER / "prometheus.yml")["rule_files"]]
    unit = Path("/lib/systemd/system/prometheus.service")
    if unit.is_file():  # the package of Debian and Ubuntu
        assert "PrivateTmp=true" in unit.read_text()
    assert "[Service]\\nPrivateTmp=false\\n" in script


def test_the_pod_monitor_selects_every_ray_pod_and_a_port_that_it_has() -> None:
    monitor = read_document(FOLDER / "podmonitor.yaml")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    for group in ray_groups():
        template = group["template"]
        assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert ports[endpoint["port"]] == 8080  # where KubeRay tells Ray to export (DefaultMetricsPort)


@cache
def operators_schema(kind: str) -> dict[str, Any]:
    """The Prometheus operator's own definition of a kind, made to refuse unknown fields.

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


def test_panels_do_not_overlap_and_query_the_chosen_prometheus() -> None:
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {node["datasource"]["uid"] for node in walk(panels) if "datasource" in node} == {"${source}"}
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"} == variables
