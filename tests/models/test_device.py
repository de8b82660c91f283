import pytest
import torch

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.device import checked_device


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_an_error_and_not_the_cpu() -> None:
    with pytest.raises(ModelError, match="torch sees no GPU"):
        checked_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ModelError, match="neither cpu nor cuda"):
        checked_device("tpu")
