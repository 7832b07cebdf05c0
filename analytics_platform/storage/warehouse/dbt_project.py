"""The dbt project: its manifest, prepared at installation, and one run of ``dbt build``.

dbt runs in this process through its own ``dbtRunner``: a separate process costs several seconds of imports per build,
and would need the credentials in its environment. `marts_build` chooses the days and the target file.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.storage.warehouse.failed_tests import DataTest
from analytics_platform.storage.warehouse.project_version import source_files
from analytics_platform.storage.warehouse.warehouse_file import BUILD_FILE

PREPARE_COMMAND = "analytics prepare"
_MANIFEST, _PARSED = "manifest.json", "partial_parse.msgpack"


class ManifestError(UserError, RuntimeError):
    """The dbt manifest is missing or older than the project; the message names the command that prepares it."""


class DbtError(UserError, RuntimeError):
    """dbt could not run at all, e.g. because the project does not parse."""


@dataclass(frozen=True)
class NodeOutcome:
    """Result of one model or test of a ``dbt build``.

    Attributes:
        unique_id: dbt's identifier, e.g. ``model.tables.analytics_tables.fct_message``.
        status: ``success``, ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``.
        failures: Number of failing rows; None for models and for tests that did not run.
        message: dbt's message; may be empty.
        seconds: Execution time.
        test: The data test, if it failed or warned, for looking up its failing rows; None for every other node.
        problems: Problems that a failed data test found, one sentence each; empty when unknown.
    """

    unique_id: str
    status: str
    failures: int | None
    message: str
    seconds: float
    test: DataTest | None = None
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the model or test without dbt's prefixes; a test's name is also the name of its asset check."""
        return self.unique_id.split(".")[2]

    @property
    def explanation(self) -> str:
        """The problems in words, or dbt's message when no problem is known."""
        return "; ".join(self.problems) or self.message

    @property
    def failed(self) -> bool:
        """Whether this result forbids publishing the build."""
        return self.status in {"fail", "error", "runtime error"}


def project_hash(project_dir: Path) -> str:
    """Return 32 hexadecimal digits: a hash of dbt's version and of the project's files, which the manifest repeats."""
    digest = hashlib.sha256(version("dbt-core").encode())
    for path in source_files(project_dir):
        digest.update(f"\x1f{path.relative_to(project_dir).as_posix()}\x1f".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def require_project(project_dir: Path) -> None:
    """Refuse a folder without a dbt project.

    Raises:
        DbtError: Naming the setting and the folder.
    """
    if not (project_dir / "dbt_project.yml").is_file():
        raise DbtError(f"ANALYTICS_DBT_PROJECT_DIR: {project_dir} holds no dbt_project.yml; name the project's folder")


def prepare_manifest(project_dir: Path) -> Path:
    """Parse the project into ``target/manifest.json`` unless the manifest is current; part of the installation.

    dbt's own serialized form of the parsed project is stored beside the manifest, so that a build need not parse again.
    One process at a time parses; other processes wait and reuse its result. The stamp is deleted first, both files are
    replaced atomically, and the stamp is written last: a concurrent reader sees one whole project or an error that asks
    to prepare.

    Returns:
        Path of the manifest.

    Raises:
        DbtError: If there is no project, or it does not parse.
    """
    require_project(project_dir)
    prepared = [project_dir / "target" / name for name in (_MANIFEST, _PARSED)]
    stamp = _stamp(project_dir)
    current = project_hash(project_dir)
    if _is_current(prepared, stamp, current):
        return prepared[0]
    stamp.parent.mkdir(exist_ok=True)
    with FileLock(stamp.with_suffix(".lock")):
        if not _is_current(prepared, stamp, current):
            variables = ["--vars", json.dumps({"warehouse": BUILD_FILE})]
            with tempfile.TemporaryDirectory(dir=stamp.parent) as scratch:
                _invoke(["parse", *variables, *_directories(project_dir, Path(scratch))], lambda _level, _text: None)
                contents = [(Path(scratch) / file.name).read_bytes() for file in prepared]
            stamp.unlink(missing_ok=True)
            for file, content in zip(prepared, contents, strict=True):
                write_atomically(file, content)
            write_atomically(stamp, current.encode())
    return prepared[0]


def _is_current(prepared: Iterable[Path], stamp: Path, current: str) -> bool:
    return all(file.exists() for file in prepared) and _stamped(stamp) == current


def _stamp(project_dir: Path) -> Path:
    return project_dir / "target" / "manifest.hash"


def _stamped(stamp: Path) -> str | None:
    """Return the hash of the prepared project; None when no project is prepared, or another process is preparing it."""
    try:
        return stamp.read_text()
    except FileNotFoundError:
        return None


def load_manifest(project_dir: Path) -> dict[str, Any]:
    """Return the prepared manifest; writes nothing and starts no process.

    Raises:
        ManifestError: If the manifest is missing, or the project has changed since it was prepared.
    """
    manifest = project_dir / "target" / _MANIFEST
    prepared = _stamped(_stamp(project_dir))
    if prepared is None or not manifest.exists():
        raise ManifestError(f"{manifest} is missing; prepare it with `{PREPARE_COMMAND}`")
    if prepared != project_hash(project_dir):
        raise ManifestError(f"{project_dir} has changed since {manifest.name} was prepared; run `{PREPARE_COMMAND}`")
    loaded: dict[str, Any] = orjson.loads(manifest.read_bytes())
    return loaded


def mart_names(project_dir: Path) -> list[str]:
    """Return the names of the tables of the warehouse: every dbt model that dbt builds as a table.

    Raises:
        ManifestError: As ``load_manifest``.
    """
    models = (node for node in load_manifest(project_dir)["nodes"].values() if node["resource_type"] == "model")
    return sorted(node["name"] for node in models if node["config"]["materialized"] != "ephemeral")


def build_project(
    project_dir: Path,
    target_dir: Path,
    variables: Mapping[str, Any],
    s3_options: Mapping[str, Any],
    on_message: Callable[[str, str], None],
) -> list[NodeOutcome]:
    """Build the project's models and run their data tests (the test suite runs the unit tests).

    A prepared project is not parsed again, because parsing would take most of the time of a small build. A model may
    therefore not use ``var`` at parse time, outside the block of ``execute`` or the SQL itself.

    Args:
        project_dir: Folder of ``dbt_project.yml`` and ``profiles.yml``.
        target_dir: Folder for dbt's artifacts and log; the project folder is not written.
        variables: dbt vars without secrets, because dbt logs them.
        s3_options: Keyword arguments of ``s3fs.S3FileSystem``, for a lake on S3.
        on_message: Called with (level, text) for each warning, error and model result of dbt.

    Returns:
        One outcome per model and test, in the order in which dbt ran them.

    Raises:
        DbtError: If dbt could not run; failing models and tests are outcomes.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    arguments = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(dict(variables))]
    with s3_defaults(s3_options):
        directories = _directories(project_dir, target_dir)
        results = _invoke([*arguments, *directories], on_message, _parsed(project_dir)).results
    return [
        NodeOutcome(
            unique_id=result.node.unique_id,
            status=str(result.status),
            failures=result.failures,
            message=result.message or "",
            seconds=result.execution_time,
            test=_data_test(result.node) if str(result.status) in {"fail", "warn"} else None,
        )
        for result in results
    ]


def _data_test(node: Any) -> DataTest | None:
    """Return the data test of a dbt node; None for a node that is no data test."""
    if node.resource_type != "test" or not node.compiled_code:
        return None
    metadata = getattr(node, "test_metadata", None)
    if metadata is None:
        return DataTest(node.compiled_code)
    model = (node.attached_node or "").rpartition(".")[2] or None
    return DataTest(node.compiled_code, metadata.name, model, node.column_name, metadata.kwargs)


def _parsed(project_dir: Path) -> Any:
    """Return the parsed project of ``prepare_manifest``; None when the project was never prepared or has changed."""
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415
    from dbt.parser.manifest import extended_mashumuro_decoder  # noqa: PLC0415

    parsed = project_dir / "target" / _PARSED
    if not _is_current([parsed], _stamp(project_dir), project_hash(project_dir)):
        return None
    return Manifest.from_msgpack(parsed.read_bytes(), decoder=extended_mashumuro_decoder)


def _invoke(arguments: list[str], on_message: Callable[[str, str], None], parsed: Any = None) -> Any:
    # Imported here: the import takes two seconds, and only builds need it.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    def forward(event: Any) -> None:  # an EventMsg, whose fields protobuf declares at run time
        if event.info.level in {"warn", "error"} or event.info.name == "LogModelResult":
            on_message(event.info.level, event.info.msg)

    with chdir(Path.cwd()):  # dbt changes into the project and stays there
        outcome = dbtRunner(parsed, callbacks=[forward]).invoke(["--quiet", "--no-use-colors", *arguments])
    if outcome.exception is not None:
        raise DbtError(f"dbt {arguments[0]}: {outcome.exception}") from outcome.exception
    return outcome.result


def _directories(project_dir: Path, target_dir: Path) -> list[str]:
    project, target = str(project_dir.absolute()), str(target_dir.absolute())
    return ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]


@contextmanager
def s3_defaults(options: Mapping[str, Any]) -> Iterator[None]:
    """Use these options for every ``s3fs`` file system opened in the block; dbt's profile then needs no credentials."""
    import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415  # only builds need it

    before = fsspec.config.conf.get("s3")
    fsspec.config.conf["s3"] = dict(options)
    try:
        yield
    finally:
        if before is None:
            del fsspec.config.conf["s3"]
        else:
            fsspec.config.conf["s3"] = before
