"""Checks of a command's inputs that are possible before any work starts."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.availability import require_available
from analytics_platform.insights.learning.corrections_file import read_corrections_files
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.topics.curation import read_curation
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.mapping import load_mapping
from analytics_platform.storage.mongo import require_mongo_address
from analytics_platform.storage.warehouse.dbt_project import require_project
from analytics_platform.system.home import require_folder


def require_inputs(platform: Platform, *, source_files: bool = True) -> None:
    """Refuse every wrong setting and file that can be detected before any work. No store is contacted, nothing is made.

    The checks cover the taxonomy, files of labels, corrections and topics, the engine, the folders of home, lake and
    dbt project, the address of MongoDB, the field mapping, the source path, the keys, and the files of the LLM.

    Args:
        platform: The platform whose settings are checked.
        source_files: Refuse also a source path that matches no file. False for the daemon, since files may come later.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    settings = platform.settings
    platform.training()  # with the taxonomy
    read_corrections_files(settings.corrections)
    read_curation(settings.topics)
    require_available(settings.engine_tier, settings.engine)
    require_places(settings.home, settings.lake, settings.dbt_project_dir)
    if settings.has_mongo and (uri := platform.secret("mongo_uri")):
        require_mongo_address(uri)
    if source_files:
        require_source(platform)
    else:
        load_mapping(settings.source_mapping)
    if platform.llm.is_on:
        if not settings.has_mongo:
            raise UserError(
                "ANALYTICS_LLM_MODEL: an LLM needs MongoDB, which keeps its paid answers and the ledger of its calls; "
                "unset ANALYTICS_LLM_MODEL, or unset ANALYTICS_MONGO_URI, which is off"
            )
        platform.llm.require_usable()
    platform.translations.require_usable()
    platform.topic_naming.require_usable()
    _ = platform.cleaning


def require_places(home: Path, lake: str, dbt_project_dir: Path) -> None:
    """Refuse a home or a local lake that is not and cannot become a folder, and a folder without a dbt project.

    Args:
        home: The home.
        lake: URI or path of the lake.
        dbt_project_dir: Folder of the dbt project.

    Raises:
        UserError: Naming the variable and the place.
    """
    require_folder("ANALYTICS_HOME", home)
    if "://" not in lake:
        require_folder("ANALYTICS_LAKE_URI", Path(lake))
    require_project(dbt_project_dir)


def require_source(platform: Platform) -> None:
    """Refuse a wrong field mapping and source files that do not exist.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    settings = platform.settings
    load_mapping(settings.source_mapping)
    if settings.source == "files":
        find_files(settings.source_path or "")


def require_llm(platform: Platform) -> None:
    """Refuse a wrong taxonomy, and an unusable prompt, price list or tokenizer of the LLM.

    Raises:
        UserError: If no model is named, or a file is wrong; names the file and the place in it.
    """
    load_taxonomy(platform.settings.taxonomy_parts)
    platform.llm.require_usable()
    platform.translations.require_usable()
    platform.topic_naming.require_usable()
