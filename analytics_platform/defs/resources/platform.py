"""The platform: source, stores and insight engine, made from the settings and opened at first use."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, cached_property
from typing import Any

from pydantic import SecretStr

from analytics_platform.alerting import Alerts
from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.defs.resources.last_readings import LastReadings
from analytics_platform.defs.resources.llm_access import LlmAccess
from analytics_platform.defs.resources.llm_resource import Llm
from analytics_platform.defs.resources.topic_naming_resource import TopicNaming
from analytics_platform.defs.resources.topics_resource import Topics
from analytics_platform.defs.resources.translation_resource import Translations
from analytics_platform.errors import UserError
from analytics_platform.insights.learning.corrections_file import COLUMNS, read_corrections_files
from analytics_platform.insights.learning.training_files import Training, read_training
from analytics_platform.insights.llm.api.prices import load_prices
from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.topics.curation import Curation, read_curation, with_collection
from analytics_platform.settings.aws_secrets import SecretReferences
from analytics_platform.settings.llm_settings import LlmSettings
from analytics_platform.settings.loader import Settings, environment_name
from analytics_platform.sources.base import Progress, Source
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.sources.nocodb import CircuitChange, NocoClient
from analytics_platform.sources.nocodb.corrections_table import read_corrections_table
from analytics_platform.sources.nocodb.noco_api.retries import DEADLINE_SECONDS
from analytics_platform.sources.nocodb.source import NocoSource, NocoTables
from analytics_platform.sources.sample_source import sample_source
from analytics_platform.storage.entered_corrections import read_entered
from analytics_platform.storage.lake import S3_ATTEMPTS, Lake
from analytics_platform.storage.leases.exclusive_days import days_held
from analytics_platform.storage.mongo import EmbeddedMongo, MongoLlmStore, MongoStore
from analytics_platform.storage.mongo.collections import TOPIC_CURATION
from analytics_platform.storage.mongo.label_feedback import read_corrections
from analytics_platform.storage.mongo.topic_curation import read_curated_topics
from analytics_platform.storage.page_store import PageStore
from analytics_platform.storage.partitions import PartitionStore, StoreUnreachableError
from analytics_platform.storage.warehouse.marts_build import Marts
from analytics_platform.storage.warehouse.warehouse_file import Warehouse
from analytics_platform.system import interruption
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.outcomes import parse_outcomes
from analytics_platform.transform.privacy import Privacy

logger = logging.getLogger(__name__)

DAYS_WAIT_SECONDS = 3 * 3600.0
"""Seconds that a run waits for another run that works on one of its days."""


def _llm_config(settings: Settings) -> LlmConfig | None:
    """Return the configuration of the LLM tier without its key; None if no model is named."""
    if settings.llm_model is None:
        return None
    of_one_kind = {"llm_translate_to", "llm_translation_model", "llm_naming_model"}  # of questions
    named = LlmSettings.model_fields.keys() - of_one_kind
    told = {name.removeprefix("llm_"): getattr(settings, name) for name in named}
    return LlmConfig(**{**told, "api_key": SecretStr("")})  # the tier gets the key at its first use


class Platform:
    """The source, the stores, the engine and the alerts of one process; each is opened at first use.

    Args:
        settings: The settings.
        stages: Whether changed files of the source are staged. If not, the source reports its last staging, and no
            staging is made or removed.
    """

    def __init__(self, settings: Settings, *, stages: bool = True) -> None:
        self.settings = settings
        self._stages = stages
        self._reading = ExitStack()
        self._sources: dict[tuple[dt.date, dt.date], Source] = {}
        self._llm_access = LlmAccess(
            _llm_config(settings),
            api_key=lambda: SecretStr(self.secret("llm_api_key") or ""),
            open_store=lambda: MongoLlmStore(self.mongo),
        )
        self.llm = Llm(self._llm_access, settings.taxonomy_parts)
        self.translations = Translations(
            self._llm_access,
            settings.llm_translate_to,
            model=settings.llm_translation_model,
            tier=settings.engine_tier,
            device=settings.engine,
            detector=settings.language_detector,
        )
        self.topic_naming = TopicNaming(
            self._llm_access, settings.llm_translate_to, lambda: self.lake, settings.llm_naming_model
        )
        self._embedded: EmbeddedMongo | None = None
        self._looked = False
        self._warned: set[str] = set()

    @cached_property
    def _references(self) -> SecretReferences:
        settings, keys = self.settings, ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        held = {name: getattr(settings, name) for name in keys}
        options = {name: secret.get_secret_value() if secret else None for name, secret in held.items()}
        return SecretReferences({"region_name": settings.aws_region, **options})

    def secret(self, field: str) -> str | None:
        """Return the value of a secret setting. A reference to AWS is looked up at this call.

        Raises:
            SecretError: If the secret cannot be looked up.
        """
        configured: SecretStr | None = getattr(self.settings, field)
        return self._references.resolve(environment_name(field), configured.get_secret_value()) if configured else None

    @cached_property
    def cleaning(self) -> Cleaning:
        """The options of cleaning messages, from the settings."""
        settings = self.settings
        keys = {"key": self.secret("pseudonym_key"), "spans_key": self.secret("pii_spans_key")}
        given = {name: key.encode() for name, key in keys.items() if key}
        columns = settings.redact_column_set
        privacy = Privacy(settings.pii_kind_set, redact=settings.pii == "redact", columns=columns, **given)
        return Cleaning(privacy, settings.language_detector, parse_outcomes(settings.outcomes or ""))

    @property
    def insights(self) -> Insights:
        """A new insight resource with the model promoted now; each run gets its own."""
        settings = self.settings
        return Insights(
            settings.engine_tier,
            settings.engine,
            settings.taxonomy_parts,
            lambda: self.lake,
            self.training,
            settings.classifiers_dir,
        )

    @property
    def topics(self) -> Topics:
        """A new resource of the discovered topics; each run gets its own."""
        return Topics(lambda: self.lake, self._curation, are_named=self.topic_naming.is_on)

    def _curation(self) -> Curation:
        file = read_curation(self.settings.topics)
        return with_collection(file, self._curated_topics()) if self.has_documents else file

    def _curated_topics(self) -> list[dict[str, Any]]:
        """Return the documents of ``topic_curation``; those of the last reading while MongoDB does not answer."""
        place = TOPIC_CURATION.name
        try:
            documents = read_curated_topics(self.mongo)
        except StoreUnreachableError as error:
            told = f"{place} cannot be read, and what it said at the last reading holds meanwhile: {error.faults[0]}"
            if told not in self._warned:
                self._warned.add(told)
                logger.warning("%s", told)
            return self._last_readings.last_known(place)
        self._last_readings.remember(place, documents)
        return documents

    @property
    def _last_readings(self) -> LastReadings:
        return LastReadings(self.settings.home / "corrections", remembers=self._stages)

    def training(self) -> Training:
        """Return the labelled files of the settings; warn once of what is wrong with their rows.

        Raises:
            LabelFileError: If a file cannot be used.
        """
        training = read_training(self.settings.training, load_taxonomy(self.settings.taxonomy_parts))
        for problem in set(training.problems) - self._warned:
            logger.warning("%s", problem)
        self._warned.update(training.problems)
        return training

    @property
    def corrections(self) -> Corrections:
        """A new resource of the corrections; each run gets its own, which reads them once."""
        settings, places = self.settings, {"mongodb": self._corrections_of_mongo}
        places["command"] = lambda: read_entered(settings.entered_corrections)
        if settings.nocodb_corrections_table:
            places["nocodb"] = self._corrections_of_nocodb
        if settings.corrections:
            places["file"] = lambda: read_corrections_files(settings.corrections)
        return Corrections(
            places,
            self._last_readings,
            lambda: self.lake,
            lambda: load_taxonomy(settings.taxonomy_parts),
            self._warned,
        )

    def _corrections_of_mongo(self) -> list[dict[str, Any]]:
        return read_corrections(self.mongo) if self.has_documents else []

    @property
    def has_documents(self) -> bool:
        """Whether MongoDB may hold documents of people; an embedded server without data need not be started."""
        settings = self.settings
        return settings.has_mongo and (settings.mongo_uri is not None or settings.mongo_dir.exists())

    def _corrections_of_nocodb(self) -> list[dict[str, Any]]:
        with self.nocodb_client() as client:
            return read_corrections_table(client, self.settings.nocodb_corrections_table or "", COLUMNS)

    @property
    def source(self) -> Source:
        """The source of conversations.

        It is the same object until the last day moves on at midnight. After ``fresh_source`` it stays the same, so that
        a run keeps the days with which it began.
        """
        window = self.settings.first_day, self.settings.last_day
        if window not in self._sources and not self._looked:
            self._sources = {window: self._open_source(*window)}
        return next(iter(self._sources.values()))

    def _open_source(self, first_day: dt.date, last_day: dt.date) -> Source:
        if self.settings.source == "sample":
            return sample_source(self.settings.staging_dir, first_day=first_day, last_day=last_day, stages=self._stages)
        if self.settings.source == "nocodb":
            return self._nocodb(first_day, last_day)
        return FileSource(
            self.settings.source_path or "",
            mapping=self.settings.source_mapping,
            shape=self.settings.source_format,
            encoding=self.settings.source_encoding,
            prices=self._prices(),
            staging_dir=self.settings.staging_dir,
            first_day=first_day,
            last_day=last_day,
            stages=self._stages,
        )

    def _prices(self) -> dict[str, tuple[float, float]]:
        """Return the prices of models: those that are shipped, and those of the settings, which count before them.

        Raises:
            LlmError: Naming the file of the settings and the place in it.
        """
        lists = [load_prices(), *([load_prices(self.settings.prices)] if self.settings.prices else [])]
        return {model: (price.input, price.output) for one in lists for model, price in one.models.items()}

    def _nocodb(self, first_day: dt.date, last_day: dt.date) -> NocoSource:
        settings = self.settings
        url, messages = settings.nocodb_url or "", settings.nocodb_messages_table or ""  # the settings require both

        @cache
        def client() -> NocoClient:
            client = self.nocodb_client()
            client.circuit.subscribe(self._raise_outage)
            return client

        return NocoSource(
            client,
            NocoTables(messages, settings.nocodb_conversations_table),
            url=url,
            staging_dir=settings.staging_dir,
            first_day=first_day,
            last_day=last_day,
            mapping=settings.source_mapping,
            prices=self._prices(),
            discards=self._stages,
        )

    def nocodb_client(self, *, deadline_seconds: float = DEADLINE_SECONDS) -> NocoClient:
        """Return a new client of the NocoDB server that the settings name; whoever asks for it closes it.

        Args:
            deadline_seconds: Seconds for one request with all its retries and waits.
        """
        settings = self.settings
        return NocoClient(
            settings.nocodb_url or "",
            SecretStr(self.secret("nocodb_token") or ""),
            api_version=settings.nocodb_api_version,
            requests_per_second=settings.nocodb_requests_per_second,
            timeout_seconds=settings.nocodb_timeout_seconds,
            deadline_seconds=deadline_seconds,
        )

    def _raise_outage(self, change: CircuitChange) -> None:
        if change.after == "open":
            text = f"Requests failed repeatedly; the next one is sent at {change.retry_at:%H:%M:%S} UTC. {change.cause}"
            self.alerts.raise_alert("source_down", change.place, f"NocoDB at {change.place} does not answer", text)

    @cached_property
    def lake(self) -> Lake:
        """The Parquet lake; if machines may share it, it is written under leases."""
        settings = self.settings
        return Lake.open(
            settings.lake,
            endpoint_url=settings.aws_endpoint_url,
            region=settings.aws_region,
            access_key=self.secret("aws_access_key_id"),
            secret_key=self.secret("aws_secret_access_key"),
            session_token=self.secret("aws_session_token"),
            lease_seconds=settings.lease_seconds if settings.is_lake_shared else None,
        )

    @cached_property
    def mongo(self) -> MongoStore:
        """MongoDB: the server of ANALYTICS_MONGO_URI, or the embedded server.

        Raises:
            UserError: If the platform has no MongoDB.
        """
        if not self.settings.has_mongo:
            raise UserError("ANALYTICS_MONGO_URI=off: this platform has no MongoDB; unset it for the embedded server")
        uri = self.secret("mongo_uri")
        if uri is not None:
            return MongoStore(uri, self.settings.mongo_database, fence=self.lake.leases)
        embedded = EmbeddedMongo(self.settings.mongo_dir)
        store = MongoStore(embedded.acquire(), self.settings.mongo_database, embedded_in=embedded.directory)
        self._embedded = embedded
        interruption.before_forced_end(embedded.release)
        return store

    @property
    def mongo_if_any(self) -> MongoStore | None:
        """MongoDB; None if the platform has none."""
        return self.mongo if self.settings.has_mongo else None

    @property
    def pages(self) -> PageStore:
        """The HTML pages of the reports."""
        return PageStore(self.settings.reports_dir)

    @property
    def marts(self) -> Marts:
        """The warehouse over the lake.

        Each access makes a new object, because an object remembers the dbt project's version.
        """
        return Marts(
            warehouse=Warehouse(self.settings.warehouse_path),
            lake=self.lake,
            lake_uri=self.settings.lake,
            project_dir=self.settings.dbt_project_dir,
            target_dir=self.settings.home / "dbt",
            s3_options=self._s3_options(),
        )

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts of the home, raised with ``raise_alert(kind, key, title, text, link)`` by every process."""
        settings = self.settings
        return Alerts(
            settings.home / "alerts.sqlite", lambda: self.secret("alert_urls"), repeat_hours=settings.alert_repeat_hours
        )

    def _s3_options(self) -> dict[str, Any]:
        """Return the options with which ``s3fs`` reaches the lake."""
        options = {
            "key": self.secret("aws_access_key_id"),
            "secret": self.secret("aws_secret_access_key"),
            "token": self.secret("aws_session_token"),
            "endpoint_url": self.settings.aws_endpoint_url,
            "config_kwargs": {"retries": {"mode": "standard", "max_attempts": S3_ATTEMPTS}},
        }
        return {name: value for name, value in options.items() if value is not None}

    def close(self) -> None:
        """Close the LLM endpoint, the source and MongoDB. The embedded server stops with its last user."""
        self._llm_access.close()
        self._reading.close()
        if self._embedded is not None:
            self.mongo.close()
            self._embedded.release()
            self._embedded = None
            del self.mongo

    def fresh_source(self, on_progress: Progress | None = None) -> Source:
        """Return the source after reading its changes, once per process: until ``close``, a run sees one state of it.

        Raises:
            SourceError: If the source cannot be read.
        """
        if not self._looked:
            self._reading.enter_context(self.source.held())
            self._look(on_progress)
        return self.source

    @contextmanager
    def reading_source(self) -> Iterator[Source]:
        """Return a context that holds the source for a run, read once per process, and releases its state at the end.

        Raises:
            SourceError: If the source cannot be read.
        """
        with self.source.held():
            if not self._looked:
                self._look(None)
            yield self.source

    def _look(self, on_progress: Progress | None) -> None:
        self.source.refresh(on_progress=on_progress)
        self._looked = True

    def hold_days(self, first: str, last: str) -> AbstractContextManager[None]:
        """Return a context that keeps runs of all other processes away from days, and first waits for a run on them.

        Args:
            first: First day, ``YYYY-MM-DD``.
            last: Last day, inclusive.

        Raises:
            DaysBusyError: If another run still works on the days after three hours.
        """
        return days_held(self.settings.home, self.lake.leases, first, last, wait_seconds=DAYS_WAIT_SECONDS)

    def store(self, name: str) -> PartitionStore:
        """Return the store named ``lake``, ``mongo`` or ``pages``."""
        match name:
            case "lake":
                return self.lake
            case "pages":
                return self.pages
            case _:
                return self.mongo

    def recipe_resources(self) -> dict[str, Any]:
        """Return the resources of recipes, by parameter name."""
        return {
            "source": self.source,
            "source_name": self.source.name,
            "cleaning": self.cleaning,
            "insights": self.insights,
            "corrections": self.corrections,
            "topics": self.topics,
            "llm": self.llm,
            "translations": self.translations,
            "topic_naming": self.topic_naming,
        }

    def before_closing(self, do: Callable[[], None]) -> None:
        """Register a function that ``close`` calls first."""
        self._reading.callback(do)
