"""The base class of every error that a person can act on, and the tree of the public error classes.

::

    UserError                           a person can act on it; shown without a trace
    ├── AlertError                      alerting.channels
    ├── BackupError                     operations.backup_archive
    ├── CurationError                   insights.topics.curation
    ├── DaskError                       defs.executors.dask_cluster
    ├── DbtError                        storage.warehouse.dbt_project
    ├── DiscoveryError                  operations.discovering.topic_file
    ├── DiskFullError                   system.disk_full
    ├── EmbeddedMongoError              storage.mongo.embedded
    ├── EvaluationError                 insights.quality.evaluate
    ├── HistoryError                    defs.resources.dagster_instance
    ├── HomeRemovedError                system.home
    ├── LabelFileError                  insights.learning.label_files
    ├── LakeError                       storage.lake.parquet_lake
    │   ├── DamagedPartitionError
    │   └── LakeUnreachableError        also a StoreUnreachableError
    ├── LeaseLostError                  storage.leases.held_lease
    ├── LlmError                        insights.llm.config
    ├── ManifestError                   storage.warehouse.dbt_project
    ├── MartsFailedError                storage.warehouse.marts_build
    ├── MissingDaysError                storage.warehouse.marts_build
    ├── MongoStoreError                 storage.mongo.mongo_errors
    │   └── MongoUnreachableError       also a StoreUnreachableError
    ├── PageStoreError                  storage.page_store
    ├── PlaceError                      system.home
    ├── RevealError                     operations.reveal
    ├── SealError                       transform.pii.sealing
    ├── SecretError                     settings.aws_secrets
    ├── SettingsError                   settings.loader
    ├── SimilarError                    operations.similar
    ├── SourceError                     sources.base
    │   ├── NoMessagesError
    │   ├── NothingUsableError
    │   └── NocoError                   sources.nocodb.noco_api.nocodb_errors
    │       ├── NocoAuthError
    │       ├── NocoBusyError
    │       ├── NocoCircuitOpenError
    │       ├── NocoContractError
    │       ├── NocoNotFoundError
    │       ├── NocoRateLimitError
    │       ├── NocoRequestError
    │       └── NocoServerError
    ├── StoreUnreachableError           storage.partitions
    │   └── LeasesUnreachableError      storage.leases.registers
    ├── TaxonomyError                   insights.taxonomies.taxonomy_file
    ├── TierError                       insights.tiers.tier
    ├── TopicError                      operations.discovering.topic_list
    ├── TopicLabelError                 operations.discovering.topic_label
    ├── TopicModelError                 insights.discovery.topic_model
    ├── TranslationError                operations.translation
    ├── UnknownPartitionError           operations.why
    └── WarehouseError                  storage.warehouse.warehouse_file
        ├── DamagedWarehouseError
        └── WarehouseBusyError

All other error classes of the package derive from built-in exceptions, such as ``model.table.SchemaError`` from
``ValueError``.
"""

from __future__ import annotations

from analytics_platform.system.plain_text import on_one_line


class UserError(Exception):
    """An error that a person can act on. It is shown without a trace.

    Args:
        *faults: One sentence for each fault, usually a single one: what is wrong, where, and what to do. A fault may
            quote file names and other foreign text; line ends and control characters are escaped when the error is
            shown.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults, one line each."""
        return tuple(on_one_line(str(fault)) for fault in self.args)

    def __str__(self) -> str:
        """Return the faults, one line each."""
        return "\n".join(self.faults)
