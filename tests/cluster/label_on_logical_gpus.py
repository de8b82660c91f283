"""Label a lake with actors that hold logical GPUs and compute on the CPU; print the images and the actors' nodes as JSON."""

import dataclasses
import json
import sys
from pathlib import Path

from ray._private.state import actors
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.label_actors import CLASS
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import decide_resources
from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.flows.label_chain import label_chain
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_unlabelled, find_work, plan_run
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.death_watch import DeathWatch

QUIET = Screen(Console(quiet=True))


def main(root: str, settings_file: str) -> None:
    settings = read_settings(Path(settings_file))
    lake = open_lake(root, settings.storage)
    classifier = choose_classifier(settings, latest_embedded_set(lake, "s"))
    request = LabelRequest(collection="c", description_set="s")
    run = plan_run(
        lake,
        find_work(lake, request, classifier.fingerprint, settings, OtherRuns(read_runs(lake))),
        classifier,
        settings,
    )
    with ray_runtime() as runtime, hold_lease(lake, "test") as lease:
        cuda = decide_resources(runtime, settings.run, run.planned)
        assert cuda.gpus_per_actor == 1
        resources = dataclasses.replace(cuda, device="cpu", batch_size=2, rows_per_block=2)
        labelling = Labelling(
            lake=lake, run=run, classifier=classifier, settings=settings, lease=lease, screen=QUIET
        )
        watch = DeathWatch(WorkNotes(run.run_id), deaths=1)
        with open_blocks(label_chain(labelling, find_unlabelled(lake, run), resources, watch)) as blocks:
            images = sum(sum(block["images"].to_pylist()) for block in blocks)
        ours = [actor for actor in actors().values() if actor["ActorClassName"] == CLASS]
    assert find_unlabelled(lake, run).is_empty()
    print(json.dumps({"images": images, "hosts": [actor["Address"]["NodeID"] for actor in ours]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
