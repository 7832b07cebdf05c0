"""The ``topics`` group: topics that are discovered, their genealogy, and the topic of each conversation.

The topics come from epochs, each of which is computed from the days before it; docs/decisions/topic-epochs.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa

from analytics_platform.defs.assets import clean_assets, insight_assets, processing_errors
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.topic_naming_resource import TopicNaming
from analytics_platform.defs.resources.topics_resource import Topics
from analytics_platform.insights.topics.epoch_days import WINDOW_DAYS
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.code_version import code_version
from analytics_platform.model.tables import topic_tables as tables
from analytics_platform.storage.partitions import PartitionStream

PLACE = GraphPlace("topics", frozenset({"parquet", "numpy"}))
_EPOCHS = "analytics_platform.insights.topics.epochs"
IN_FORCE = "analytics_platform.insights.topics.topics_in_force"
_LISTING = "analytics_platform.insights.topics.listing"
_NAMER = "analytics_platform.insights.llm.topic_naming.topic_namer"
"""The modules behind the assets, by name: importing them takes a second, which only computing needs."""


def _curation_version(day: str, topics: Topics) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return topics.curation_version


def _genealogy_version(day: str, topics: Topics) -> Mapping[str, str]:  # noqa: ARG001
    dates = {name: str(said.date) for name, said in sorted(topics.curation.topics.items()) if said.date}
    return {**topics.curation_version, **({"dates by people": str(dates)} if dates else {})}


def _namer_version(day: str, topic_naming: TopicNaming) -> Mapping[str, str]:  # noqa: ARG001
    return {"topic namer": topic_naming.version}


def _waits_for_names(day: str, topic_naming: TopicNaming) -> str | None:  # noqa: ARG001
    return "topics without a name by the LLM" if topic_naming.are_waiting() else None


def _names_nothing(topic_naming: TopicNaming) -> bool:
    return not topic_naming.is_on


def _naming_state(_: str, __: pa.Table, topic_naming: TopicNaming) -> Mapping[str, Any]:
    return {"naming": topic_naming.state}


def version_in_force(day: str, topics: Topics) -> Mapping[str, str]:
    """Return the parts of a day's provenance that name the topics in force."""
    return topics.version(day)


@table_asset(
    tables.TOPIC_EPOCHS,
    PLACE,
    upstream=Upstream(
        {
            "messages": clean_assets.messages,
            "message_embeddings": insight_assets.message_embeddings,
            "conversation_embeddings": insight_assets.conversation_embeddings,
        }
    ),
    code=[_EPOCHS],
    cadence=Cadence.WHOLE,
)
def topic_epochs(
    messages: PartitionStream,
    message_embeddings: PartitionStream,
    conversation_embeddings: PartitionStream,
    topics: Topics,
) -> pa.Table:
    """Topics found in how conversations open: those of the first 400 conversations, and each Monday what is new.

    Stored epochs whose days, code and earlier epochs are unchanged are taken over.
    """
    from analytics_platform.insights.topics import epoch_rows, epochs, openings  # noqa: PLC0415  (imports SciPy)

    texts, vectors = messages.select(*openings.COLUMNS), messages.select(*openings.COLUMNS[:-1])
    days = [day for day in conversation_embeddings if day in message_embeddings and day in messages]

    @lru_cache(maxsize=WINDOW_DAYS + 1)
    def read(day: str) -> openings.Openings:
        return openings.read_openings(vectors[day], message_embeddings[day])

    def identity(day: str) -> str:
        return f"{_content(messages, day)} {_content(message_embeddings, day)}"

    stored = epochs.Days(
        counts={day: info.rows for day in days if (info := conversation_embeddings.info(day))},
        identities={day: identity(day) for day in days},
        read=read,
        words=lambda chosen, ids: openings.words_of_days((texts[day] for day in chosen), ids),
    )
    found = epochs.find_epochs(stored, topics.reusable_epochs(), code=code_version(_EPOCHS))
    return epoch_rows.epoch_rows(found)


def _content(stream: PartitionStream, day: str) -> str:
    info = stream.info(day)
    return info.content_hash if info else ""


def _shown(_: str, discovered: pa.Table, **__: object) -> Mapping[str, Any]:
    import dagster as dg  # noqa: PLC0415  (only a run shows it, and has imported Dagster)

    from analytics_platform.analytics.reports import charts  # noqa: PLC0415  (imports Altair)

    rows = [row for row in discovered.to_pylist() if row["status"] == "in use" and row["conversation_count"]]
    if not rows:
        return {}
    rows.sort(key=lambda row: (-row["conversation_count"], row["topic_id"]))
    sizes = [{"label": row["topic_name"], "count": row["conversation_count"]} for row in rows]
    markdown = charts.metadata_chart(
        "Largest discovered topics, last epoch", charts.to_svg(charts.largest_topics(sizes))
    )
    return {"topics": dg.MetadataValue.md(markdown)}


@table_asset(
    tables.TOPIC_NAMES,
    GraphPlace("topics", frozenset({"parquet", "openai"})),
    upstream=Upstream({"topic_epochs": topic_epochs}),
    code=[_NAMER],
    facts=PartitionFacts(
        version=_namer_version, unfinished=_waits_for_names, metadata=_naming_state, is_off=_names_nothing
    ),
    cadence=Cadence.WHOLE,
)
def topic_names(topic_epochs: pa.Table, topic_naming: TopicNaming) -> pa.Table:
    """Name of each discovered topic by an LLM, and a sentence that says what its conversations are about.

    Off and empty unless ANALYTICS_LLM_MODEL names a model. A topic without an answer keeps the name of its own words.

    A name is paid for once: the same terms, openings, model and prompt are never asked about again.
    """
    return topic_naming.name(topic_epochs)


@table_asset(
    tables.DISCOVERED_TOPICS,
    PLACE,
    upstream=Upstream({"topic_epochs": topic_epochs, "topic_names": topic_names}),
    code=[_LISTING],
    facts=PartitionFacts(version=_curation_version, metadata=_shown),
    cadence=Cadence.WHOLE,
)
def discovered_topics(topic_epochs: pa.Table, topic_names: pa.Table, topics: Topics) -> pa.Table:
    """Name, group, size and state of every topic that was ever discovered, as people curate it."""
    from analytics_platform.insights.topics import listing  # noqa: PLC0415  (imports SciPy)

    return listing.discovered_topics(topic_epochs, topic_names, topics.curation)


@table_asset(
    tables.TOPIC_GENEALOGY,
    PLACE,
    upstream=Upstream({"topic_epochs": topic_epochs}),
    code=[_LISTING],
    facts=PartitionFacts(version=_genealogy_version),
    cadence=Cadence.WHOLE,
)
def topic_genealogy(topic_epochs: pa.Table, topics: Topics) -> pa.Table:
    """Births, splits, merges, deaths and returns of topics, and what people changed."""
    from analytics_platform.insights.topics import listing  # noqa: PLC0415  (imports SciPy)

    return listing.topic_genealogy(topic_epochs, topics.curation)


@table_asset(
    tables.CONVERSATION_TOPICS,
    PLACE,
    upstream=Upstream(
        {
            "messages": clean_assets.messages,
            "message_embeddings": insight_assets.message_embeddings,
            "processing_errors": processing_errors.processing_errors,
        },
        wait_for=[topic_epochs.name, topic_names.name],
    ),
    code=[IN_FORCE],
    facts=PartitionFacts(version=version_in_force),
    spans_days=True,
)
def conversation_topics(messages: pa.Table, message_embeddings: pa.Table, topics: Topics) -> pa.Table:
    """The nearest topic in force on the day, as people curate it; null for a conversation that fits nowhere."""
    return topics.assign(messages, message_embeddings)


ASSETS = [topic_epochs, topic_names, discovered_topics, topic_genealogy, conversation_topics]
