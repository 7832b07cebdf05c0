"""Discovers the topics of the texts of a file, and writes each row's topic into another file."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.insights.discovery.discover import Discovery, Encode, discover
from analytics_platform.insights.discovery.topic_model import OUTLIER, TopicModel, TopicModelError
from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.quality.evaluate import peak_memory_mb
from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder

DISCOVERY_TIERS = ("static", "cascade", "transformer")
MOST_FOR_TRANSFORMER = 150_000
"""Most different texts that the tier cascade encodes by the transformer, about six minutes on two cores."""
METADATA_KEY = b"analytics.topics"
"""Key of the topics in the metadata of a result's Parquet schema."""
_SHOWN = 10
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("topic_id", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("confidence", pa.float64(), nullable=False),
    ]
)


class DiscoveryError(UserError, ValueError):
    """A file cannot be used; the message names the file and its fault."""


@dataclass(frozen=True)
class DiscoveredFile:
    """The result of ``discover_file``.

    Attributes:
        topics: Number of topics that rows have.
        parents: Number of their parents.
        outlier_share: Share of rows that fit nowhere, 0 to 1.
        seconds: Elapsed time from reading the texts to the written result.
        peak_mb: Peak memory of the process, in MiB.
        rows: Number of rows.
        new_topics: Number of topics that the earlier result lacks; all of them without one.
        tier: Tier whose vectors were used, static or transformer.
        largest: Name and rows of the largest topics, the largest first.
    """

    topics: int
    parents: int
    outlier_share: float
    seconds: float
    peak_mb: float
    rows: int
    new_topics: int
    tier: str
    largest: list[tuple[str, int]]


def discover_file(
    texts: Path,
    out: Path,
    previous: Path | None = None,
    tier: str | None = None,
    *,
    device: DeviceChoice = "auto",
    on_stage: Callable[[str], object] = str,
) -> DiscoveredFile:
    """Discover the topics of a file's texts.

    Args:
        texts: Parquet file with a column ``text``.
        out: Parquet file to write, with a row for each row of ``texts`` and the topics in its metadata.
        previous: Result of an earlier call, whose topics are continued.
        tier: ``static``, ``transformer``, or ``cascade``: the transformer for at most 150,000 different texts, else
            static vectors. None means the tier of ``previous``, or ``cascade``.
        device: Device of the transformer.
        on_stage: Called with a few words when a stage begins.

    Raises:
        DiscoveryError: If a file cannot be read or written, or lacks a column, or ``out`` is ``texts``.
        TopicModelError: If the earlier topics are damaged or of another encoder.
        TierError: If the tier is unknown or not available.
    """
    began = time.perf_counter()
    if tier not in (None, *DISCOVERY_TIERS):
        raise TierError(f"tier {tier!r} cannot discover topics; use {', '.join(DISCOVERY_TIERS)}")
    if out.is_dir():
        raise DiscoveryError(f"{out}: cannot be written: it is a folder; name a file in it")
    if out.exists() and texts.exists() and out.samefile(texts):
        raise DiscoveryError(f"{out}: is the file of the texts, which the result would replace; name another file")
    column = _read_texts(texts)
    earlier = None if previous is None else read_topics(previous)
    used = _choose_tier(tier, earlier, column)
    on_stage(f"loading the tier {used}")
    encoder, encode = _encoder(used, device)
    try:
        discovery = discover(column, encoder, encode, earlier, on_stage=on_stage)
    except TopicModelError as error:
        raise TopicModelError(f"{previous}: {error}") from error
    _write(out, discovery)
    placed = discovery.topics[discovery.topics != OUTLIER]
    sizes = np.bincount(placed, minlength=len(discovery.model.ids))
    used_topics = np.flatnonzero(sizes)
    by_size = sorted(used_topics.tolist(), key=lambda one: (-sizes[one], discovery.model.ids[one]))
    return DiscoveredFile(
        topics=len(used_topics),
        parents=len({discovery.model.parents[one] for one in used_topics}),
        outlier_share=1 - len(placed) / max(len(column), 1),
        seconds=time.perf_counter() - began,
        peak_mb=peak_memory_mb(),
        rows=len(column),
        new_topics=discovery.new,
        tier=used,
        largest=[(discovery.model.names[one], int(sizes[one])) for one in by_size[:_SHOWN]],
    )


def read_topics(path: Path) -> TopicModel:
    """Return the topics of an earlier result.

    Raises:
        DiscoveryError: If the file cannot be read, or is no result of ``discover_file``.
        TopicModelError: If the topics are damaged.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid) as error:
        raise DiscoveryError(_unreadable(path, error)) from error
    if METADATA_KEY not in metadata:
        raise DiscoveryError(
            f"{path}: has no topics in its metadata; --previous takes a file that `analytics discover` wrote, "
            "not one that another program wrote anew"
        )
    try:
        return TopicModel.from_text(metadata[METADATA_KEY].decode("ascii", "replace"))
    except TopicModelError as error:
        raise TopicModelError(f"{path}: {error}") from error


def _read_texts(path: Path) -> pa.ChunkedArray:
    try:
        names = pq.read_schema(path).names
        if "text" not in names:
            raise DiscoveryError(f"{path}: lacks the column text; it has {', '.join(names)}")
        column = pq.read_table(path, columns=["text"])["text"]
    except (OSError, pa.ArrowInvalid) as error:
        raise DiscoveryError(_unreadable(path, error)) from error
    try:
        column = pc.cast(column, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DiscoveryError(f"{path}: column text is not text: {error}") from error
    if not len(column):
        raise DiscoveryError(f"{path}: has no rows")
    return column


def _unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return f"{path}: there is no such file; check the path (seen from {Path.cwd()})"
    return f"{path}: cannot be read as Parquet: {error}"


def _choose_tier(tier: str | None, earlier: TopicModel | None, texts: pa.ChunkedArray) -> str:
    """Return static or transformer."""
    if tier in ("static", "transformer"):
        return tier
    if earlier is not None:
        return "static" if earlier.space.encoder == static_encoder().name else "transformer"
    few = len(texts) <= MOST_FOR_TRANSFORMER or pc.count_distinct(texts).as_py() <= MOST_FOR_TRANSFORMER
    return "transformer" if few else "static"


def _encoder(tier: str, device: DeviceChoice) -> tuple[str, Encode]:
    if tier == "static":
        return static_encoder().name, static_encoder().encode
    transformer = transformer_encoder(device)
    return transformer.name, transformer.encode


def _write(path: Path, discovery: Discovery) -> None:
    """Write a row for each text."""
    model = discovery.model
    number = pa.array(discovery.topics, mask=discovery.topics == OUTLIER)

    def of_topic(values: tuple[str, ...]) -> pa.Array:
        return pa.array(values, pa.string()).take(number)

    columns = [
        pa.array(np.arange(len(discovery.topics))),
        of_topic(model.ids),
        of_topic(model.parents),
        of_topic(model.names),
        pa.array(discovery.confidence),
    ]
    table = pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata({METADATA_KEY: model.to_text()}))
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise DiscoveryError(f"{path}: cannot be written: {error.strerror or error}") from error
