"""The driver's classifier: the names, checksums and pickled spec of a run, without torch, timm and open_clip.

These take 700 MiB and seconds to import, and a driver lives as long as its run and computes nothing with them. So a process
of their own looks the classifier up and ends (docs/decisions/0006-driver-without-torch.md).
"""

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import LaketagError, ModelError

if TYPE_CHECKING:
    from laketag.pipeline.classifier.spec import ClassifierSpec

LAKETAG_HOME = str(Path(__file__).parents[3])
"""The folder that this laketag is imported from."""


@dataclass(frozen=True)
class ChosenClassifier:
    """What names a classifier in plans and tables, and its spec for the label actors."""

    fingerprint: str
    description_set: str
    description_version: str
    method: str
    models: dict[str, dict[str, str | None]]
    """Role → name and SHA-256 of the weights."""
    decided_by: dict[str, Any]
    """What the fingerprint is made of, see laketag.pipeline.classifier.deciding."""
    pickled_spec: bytes
    """The ClassifierSpec; to unpickle it imports torch."""


def choose_classifier(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """The classifier of the settings with these descriptions; its weights are on this machine afterwards.

    Errors are those of find_classifier.
    """
    if "open_clip" in sys.modules:  # a process of its own would save nothing
        return _summarise(find_classifier(settings, descriptions))
    return choose_in_child(settings, descriptions)


def choose_in_child(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """As choose_classifier, always in another process; a ModelError if that ends without an answer."""
    code = f"from {__name__} import answer; answer()"
    child = subprocess.run(  # kills the process if a person stops this one
        [sys.executable, "-P", "-c", code],  # -P: the current folder is not imported from
        input=pickle.dumps((settings, descriptions)),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": _path_with(LAKETAG_HOME)},
        start_new_session=True,  # Ctrl-C in a terminal reaches this process alone
        check=False,
    )
    if not child.stdout:
        raise ModelError(
            f"the process that looks up the models ended with code {child.returncode} and no answer; "
            "if it printed nothing above, check whether the machine ran out of memory"
        )
    found: ChosenClassifier | LaketagError = pickle.loads(child.stdout)
    if isinstance(found, LaketagError):
        raise found
    return found


def find_classifier(settings: Settings, descriptions: EmbeddedSet) -> "ClassifierSpec":
    """The spec of the settings' classifier, whose own text tower embedded the descriptions.

    Raises ModelError if the models cannot be loaded, or if another model embedded the descriptions.
    """
    from laketag.pipeline.classifier.spec import classifier_spec

    spec = classifier_spec(settings, descriptions)
    if descriptions.backbone_sha256 != spec.backbone.sha256:
        raise ModelError(
            f"description set {descriptions.name!r} was embedded with {descriptions.backbone} "
            f"({descriptions.backbone_sha256[:12]}…), and the settings "
            f"name {spec.backbone.name} ({(spec.backbone.sha256 or '')[:12]}…); describe the set again with these settings, "
            "or label with those it was described with"
        )
    return spec


def answer() -> None:
    """In the other process: read the request from stdin; write the classifier, or a LaketagError, to stdout."""
    caller, sys.stdout = sys.stdout.buffer, sys.stderr  # what libraries print is not part of the answer
    try:
        found: ChosenClassifier | LaketagError = _summarise(find_classifier(*pickle.load(sys.stdin.buffer)))
    except LaketagError as error:
        found = error
    caller.write(pickle.dumps(found))
    caller.flush()
    os._exit(0)  # torch and its libraries take a second to unload


def _summarise(spec: "ClassifierSpec") -> ChosenClassifier:
    return ChosenClassifier(
        fingerprint=spec.fingerprint,
        description_set=spec.descriptions.name,
        description_version=spec.descriptions.version,
        method=spec.settings.method.name,
        models=spec.models(),
        decided_by=spec.decided_by,
        pickled_spec=pickle.dumps(spec),
    )


def _path_with(folder: str) -> str:
    """PYTHONPATH with this folder first; an empty entry would mean the current folder."""
    return os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
