"""The driver's backbone: its names, checksums and pickled spec, without torch, timm and open_clip."""

import hashlib
import pickle
import sys
from dataclasses import dataclass

from laketag.pipeline.config import BackboneSettings, StorageSettings
from laketag.pipeline.models.child_process import call_in_child
from laketag.pipeline.models.remembered import recall, remember


@dataclass(frozen=True)
class ChosenBackbone:
    """What names a backbone in tables, and its spec for the actors."""

    name: str
    sha256: str
    text_tower: str
    """What the text tower's output depends on, wherever its files are."""
    pickled_spec: bytes
    """The BackboneSpec; to unpickle it imports torch."""

    @property
    def text_tower_sha256(self) -> str:
        """A short name of the text tower: equal texts have equal embeddings if it is equal."""
        return hashlib.sha256(self.text_tower.encode()).hexdigest()


def choose_backbone(settings: BackboneSettings, storage: StorageSettings) -> ChosenBackbone:
    """The backbone of the settings; its weights are on this machine afterwards. ModelError if it cannot be loaded."""
    is_here = "open_clip" in sys.modules  # then a process of its own would save nothing
    found = find_backbone(settings, storage) if is_here else call_in_child(find_backbone, settings, storage)
    answer = {name: value for name, value in vars(found).items() if name != "pickled_spec"}
    remember(("backbone", settings, storage), answer, storage)
    return found


def recall_backbone(settings: BackboneSettings, storage: StorageSettings) -> ChosenBackbone | None:
    """What choose_backbone found, without the spec, if nothing has changed since; None if that is not known."""
    answer = recall(("backbone", settings, storage), storage)
    return None if answer is None else ChosenBackbone(**answer, pickled_spec=b"")


def find_backbone(settings: BackboneSettings, storage: StorageSettings) -> ChosenBackbone:
    """As choose_backbone, in this process."""
    from laketag.pipeline.models.backbone_spec import BackboneSpec

    spec = BackboneSpec(settings, storage).resolved()
    config = spec.architecture.model_config_json if spec.architecture else ""
    return ChosenBackbone(spec.name, str(spec.sha256), f"{spec.sha256} {config}", pickle.dumps(spec))
