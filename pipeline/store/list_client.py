"""The client that lists objects: botocore in threads, which names every key exactly and is not tied to one loop."""

import os
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.s3_access import resolve_access

TRIES = 6


def open_list_client(storage: StorageSettings, connections: int) -> Any:
    """A botocore S3 client for many threads; times in its answers stay text, as reading them costs more than all else."""
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    access = resolve_access(storage)
    session = botocore.session.Session(profile=access.profile)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    config: dict[str, Any] = {
        "region_name": access.region,
        "max_pool_connections": connections,
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"mode": "standard", "max_attempts": TRIES},
    }
    if access.endpoint_url:
        for name in ("request_checksum_calculation", "response_checksum_validation"):
            config[name] = os.environ.get(f"AWS_{name.upper()}", "when_required").lower()
    if access.anonymous:
        config["signature_version"] = UNSIGNED
    return session.create_client("s3", endpoint_url=access.endpoint_url, config=Config(**config))
