"""The Ray that RAY_ADDRESS names: its form is checked, and the head is asked once, before Ray would wait for it."""

import os
import re

from laketag.pipeline.errors import ClusterError

ANSWER_S = 10.0
"""How long to wait for the head's first answer; Ray itself would wait for a minute."""
TOKEN_FIX = "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to the cluster's token"
OR_UNSET = "or unset RAY_ADDRESS to work on this machine"


def named_address() -> str | None:
    """HOST:PORT or ``auto``, as RAY_ADDRESS has it; None if it asks for a Ray in this process. A ClusterError for other forms."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    if address in ("", "local"):
        return None
    if address == "auto":
        return address
    said = f"RAY_ADDRESS={address}"
    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"{said} is the URL of a dashboard, to which jobs are submitted: "
            f"laketag submit --address {address} -- label …, {OR_UNSET}"
        )
    if address.startswith("ray://"):
        raise ClusterError(
            f"{said} is an address of Ray Client, which cannot run laketag: the run's driver must be on a machine of the "
            f"cluster. Submit the command to the dashboard (laketag submit --address http://HOST:8265 -- label …), "
            f"set RAY_ADDRESS on a node of the cluster to HOST:6379, {OR_UNSET}"
        )
    port = re.fullmatch(r"(?:[^\s/:\[\]]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})", address)
    if port is None or not 0 < int(port[1]) < 2**16:
        raise ClusterError(
            f"{said!r} is not HOST:PORT; write the address of the head with its port, such as 10.0.0.1:6379, {OR_UNSET}"
        )
    return address


def resolve_address(named: str) -> str:
    """HOST:PORT of the head that the address names, which has answered; else a ClusterError."""
    from ray._private.authentication.authentication_token_setup import (
        maybe_enable_token_auth_if_token_available,
    )
    from ray._private.services import (
        canonicalize_bootstrap_address,
        find_bootstrap_address,
        find_gcs_addresses,
    )

    if named != "auto":
        address = str(canonicalize_bootstrap_address(named))
    else:
        started, running = find_bootstrap_address(None), find_gcs_addresses()  # type: ignore[no-untyped-call]  # Ray's
        found = started if started in running or not running else next(iter(running))
        if found is None:
            raise ClusterError(
                "RAY_ADDRESS=auto names the Ray of this machine, and none was started here; "
                f"start one with: ray start --head, {OR_UNSET}"
            )
        address = str(found)
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)  # as ray.init(address="auto") does
    _ask_head(address, f"RAY_ADDRESS={named}" + (f" ({address})" if named == "auto" else ""))
    return address


def starter_of(address: str) -> str | None:
    """The other user of this machine who has started the head at this address; None if it is ours, or elsewhere."""
    import psutil

    port = address.rpartition(":")[2]
    for process in psutil.process_iter(["cmdline", "uids", "username"]):
        words = process.info["cmdline"] or [""]
        if words[0].endswith("gcs_server") and f"--gcs_server_port={port}" in words:
            return None if process.info["uids"].real == os.getuid() else str(process.info["username"])
    return None


def _ask_head(address: str, said: str) -> None:
    """The head has answered, with the token of this process's environment if it has one; else a ClusterError."""
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray._private.ray_constants import GLOBAL_GRPC_OPTIONS
    from ray.core.generated.gcs_service_pb2 import CheckAliveRequest  # type: ignore[attr-defined]  # made at import
    from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
    from ray.exceptions import AuthenticationError

    try:
        with init_grpc_channel(address, GLOBAL_GRPC_OPTIONS) as channel:
            head = NodeInfoGcsServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            head.CheckAlive(CheckAliveRequest(), timeout=ANSWER_S)
    except AuthenticationError as error:
        raise ClusterError(
            f"{said} cannot be joined ({str(error).partition('. ')[0]}); {TOKEN_FIX}"
        ) from None
    except grpc.RpcError as error:
        if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            raise ClusterError(
                f"{said} refuses this machine's token ({error.details()}); {TOKEN_FIX}"
            ) from None
        raise ClusterError(
            f"no Ray answers at {said} ({error.code().name}: {error.details()}); "
            f"check that the head runs and that this is its address, {OR_UNSET}"
        ) from None
