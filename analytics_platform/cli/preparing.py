"""Preparation of a home for commands, and for the web server and the daemon, before any of them works on it."""

from __future__ import annotations

import socket
from contextlib import closing

from analytics_platform.defs.resources.instance_folder import compute_logs_on_s3, prepare_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.required_inputs import require_inputs, require_places
from analytics_platform.settings.loader import PROJECT_ROOT, Settings, use_dagster_home
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform.system.home import open_home


def prepare(settings: Settings) -> None:
    """Prepare a fresh installation: the home, the dbt manifest and the Dagster instance.

    Raises:
        UserError: If the settings name an unusable home, lake or dbt project.
    """
    require_places(settings.home, settings.lake, settings.dbt_project_dir)
    prepare_manifest(settings.dbt_project_dir)  # before open_home: other users may use the project
    open_home(settings.home, settings.home_access)
    logs = None
    if settings.compute_logs_uri:
        settings.share_aws_keys()
        logs = compute_logs_on_s3(
            settings.compute_logs_uri,
            settings.dagster_home,
            endpoint_url=settings.aws_endpoint_url,
            region=settings.aws_region,
        )
    prepare_instance(settings.dagster_home, PROJECT_ROOT, logs)
    use_dagster_home(settings.dagster_home)


def prepare_dev(settings: Settings) -> None:
    """Check the inputs of every run, and prepare the installation for the web server and the daemon.

    A source path that matches no file is accepted, because files may come while the daemon runs.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    with closing(Platform(settings, stages=False)) as platform:
        require_inputs(platform, source_files=False)
    prepare(settings)


def require_free(host: str, port: int) -> None:
    """Refuse an address on which no server can listen now.

    Args:
        host: Name or IP address of this machine.
        port: TCP port.

    Raises:
        UserError: Naming host, port and reason.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except (OSError, UnicodeError) as error:  # a name with an empty label is a UnicodeError
        raise UserError(f"--host {host} --port {port}: nothing can listen there ({error}); choose another") from error
