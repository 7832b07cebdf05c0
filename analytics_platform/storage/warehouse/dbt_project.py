"""The dbt project from outside: its manifest, prepared at installation, and one invocation of ``dbt build``.

dbt runs in this process through its own ``dbtRunner``: a process of its own costs several seconds of imports for
each build, and credentials would have to travel through its environment.
Belongs here: what is true of any dbt project. Does not belong here: which days are built, and where to.
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
from analytics_platform.storage.warehouse.warehouse_file import BUILD_FILE

PREPARE_COMMAND = "analytics prepare"
_MANIFEST, _PARSED = "manifest.json", "partial_parse.msgpack"
_SOURCES = ("*.yml", "models/**/*", "macros/**/*", "tests/**/*")


class ManifestError(UserError, RuntimeError):
    """The dbt manifest is missing or older than the project; the message says what prepares it."""


class DbtError(UserError, RuntimeError):
    """dbt could not run at all, e.g. because the project does not parse."""


@dataclass(frozen=True)
class NodeOutcome:
    """What became of one model or test of a ``dbt build``.

    Attributes:
        unique_id: dbt's identifier, e.g. ``model.analytics_tables.fct_message``.
        status: ``success``, ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``.
        failures: Rows that a test found; None for models and for tests that did not run.
        message: What dbt says of it; empty when nothing.
        seconds: Execution time.
        test: How to look for the rows that a failed data test found; None for whatever else.
        problems: What a failed data test found, one sentence each; empty where it is not known.
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
        """The name of the model or test, without what dbt puts before it; that of a test is its check's, too."""
        return self.unique_id.split(".")[2]

    @property
    def explanation(self) -> str:
        """What was found, in words; what dbt says where nothing else is known."""
        return "; ".join(self.problems) or self.message

    @property
    def failed(self) -> bool:
        """Whether this forbids to publish what was built."""
        return self.status in {"fail", "error", "runtime error"}


def project_hash(project_dir: Path) -> str:
    """Hash the files of a dbt project that decide what it builds, and dbt's version."""
    digest = hashlib.sha256(version("dbt-core").encode())
    files = {path for pattern in _SOURCES for path in project_dir.glob(pattern) if path.is_file()}
    for path in sorted(files):
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
    """Parse the project into ``target/manifest.json`` unless that is up to date; an installation step.

    Beside it stays dbt's own form of the same, with which a build need not parse again. One process at a time parses,
    the others wait and find the work done. Both are replaced as wholes, and their stamp is taken away before: whoever
    reads meanwhile finds all of one project, or is told to prepare it.

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
    """Return the hash of the project that was prepared; None where none is, or another process is at it."""
    try:
        return stamp.read_text()
    except FileNotFoundError:
        return None


def load_manifest(project_dir: Path) -> dict[str, Any]:
    """Read the prepared manifest; writes nothing and starts nothing.

    Raises:
        ManifestError: If it is missing, or the project has changed since.
    """
    manifest = project_dir / "target" / _MANIFEST
    prepared = _stamped(_stamp(project_dir))
    if prepared is None or not manifest.exists():
        raise ManifestError(f"{manifest} is missing; prepare it with `{PREPARE_COMMAND}`")
    if prepared != project_hash(project_dir):
        raise ManifestError(f"{project_dir} has changed since {manifest.name} was prepared; run `{PREPARE_COMMAND}`")
    loaded: dict[str, Any] = orjson.loads(manifest.read_bytes())
    return loaded


def build_project(
    project_dir: Path,
    target_dir: Path,
    variables: Mapping[str, Any],
    s3_options: Mapping[str, Any],
    on_message: Callable[[str, str], None],
) -> list[NodeOutcome]:
    """Build the project's models and run their data tests (unit tests are the test suite's).

    A prepared project is not parsed again, which would be most of the time of a small build: no model may therefore
    take ``var`` while it is parsed, outside the block of ``execute`` or the SQL itself.

    Args:
        project_dir: Folder of ``dbt_project.yml`` and ``profiles.yml``.
        target_dir: Folder for dbt's artifacts and log; nothing is written into the project.
        variables: dbt vars; they end up in dbt's log, so no secrets.
        s3_options: Keyword arguments of ``s3fs.S3FileSystem``, for a lake on S3.
        on_message: Called with (level, text) for every message of dbt worth a reader's time.

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
    """Return how to look for what a test found; None for what is no data test."""
    if node.resource_type != "test" or not node.compiled_code:
        return None
    metadata = getattr(node, "test_metadata", None)
    if metadata is None:
        return DataTest(node.compiled_code)
    model = (node.attached_node or "").rpartition(".")[2] or None
    return DataTest(node.compiled_code, metadata.name, model, node.column_name, metadata.kwargs)


def _parsed(project_dir: Path) -> Any:
    """Return the project as ``prepare_manifest`` left it parsed; None where it has changed since, or was never."""
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415
    from dbt.parser.manifest import extended_mashumuro_decoder  # noqa: PLC0415

    parsed = project_dir / "target" / _PARSED
    if not _is_current([parsed], _stamp(project_dir), project_hash(project_dir)):
        return None
    return Manifest.from_msgpack(parsed.read_bytes(), decoder=extended_mashumuro_decoder)


def _invoke(arguments: list[str], on_message: Callable[[str, str], None], parsed: Any = None) -> Any:
    # Imported here: two seconds that only those who build have to pay.
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
    """Let every ``s3fs`` opened in the block use these options; the profile then holds no credentials."""
    import fsspec  # type: ignore[import-untyped]  # noqa: PLC0415  # only those who build need it

    before = fsspec.config.conf.get("s3")
    fsspec.config.conf["s3"] = dict(options)
    try:
        yield
    finally:
        if before is None:
            del fsspec.config.conf["s3"]
        else:
            fsspec.config.conf["s3"] = before
