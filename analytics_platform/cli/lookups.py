"""The subcommands that read from the lake and print: `similar`, `why`, `topics`, `reveal` and `translation`.

They change no stored data.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Annotated, Any

import typer

from analytics_platform.cli.arguments import AsJson, From, To, read_day, read_range
from analytics_platform.errors import UserError
from analytics_platform.settings.loader import load_settings
from analytics_platform.system.output import print_json, print_result

app = typer.Typer()

OfDay = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", help="The conversation's day; by default all days are searched.")
]


@app.command()
def similar(
    conversation_id: Annotated[str | None, typer.Argument(help="A stored conversation.")] = None,
    text: Annotated[str | None, typer.Option(help="A text, instead of a conversation.")] = None,
    topic: Annotated[str | None, typer.Option(metavar="ID", help="A discovered topic, instead of these.")] = None,
    first: From = None,
    last: To = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Largest number of conversations to print.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the conversations that are most similar to one of them, to a text, or to a discovered topic."""
    settings, _, _ = read_range(first, last)
    if sum(given is not None for given in (conversation_id, text, topic)) != 1:
        raise UserError("similar: needs exactly one of CONVERSATION_ID, --text and --topic")
    from analytics_platform.cli.console import similar_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.similar import find_similar

    with closing(Platform(settings)) as platform:
        matches = find_similar(
            platform, first, last, limit, conversation_id=conversation_id, topic_id=topic, text=text or ""
        )
    _print_found(matches.as_json(), similar_lines(matches), as_json=as_json)


@app.command()
def why(
    day: Annotated[str, typer.Argument(metavar="YYYY-MM-DD", help="The day.")],
    asset: Annotated[str, typer.Argument(help="The table, e.g. conversation_insights.")],
    as_json: AsJson = False,
) -> None:
    """Say what a day of a table was computed from, whether it is stale, and what has changed since."""
    settings = load_settings()
    read_day("why", day)
    if not str(settings.first_day) <= day <= str(settings.last_day):
        raise UserError(
            f"why {day}: outside the daily partitions, {settings.first_day} to {settings.last_day} "
            f"(from ANALYTICS_START_DATE on; the end: {settings.last_day_reason})"
        )
    from analytics_platform.operations.table_names import may_be_table, names_of_assets, unknown_table

    if not may_be_table(asset, settings.dbt_project_dir):  # before the imports below, which take seconds
        raise UserError(unknown_table(asset, names_of_assets(settings.dbt_project_dir)))
    from analytics_platform.cli.console import why_lines
    from analytics_platform.cli.preparing import prepare
    from analytics_platform.defs.assets.everyday import recipes_of
    from analytics_platform.defs.resources.instance_folder import open_instance
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.why import explain
    from analytics_platform.storage.warehouse.dbt_project import mart_names

    prepare(settings)
    with closing(Platform(settings, stages=False)) as platform, open_instance(settings.dagster_home) as instance:
        marts = mart_names(settings.dbt_project_dir)
        explanation = explain(platform, recipes_of(settings), marts, instance, day, asset)
    _print_found(explanation.as_json(), why_lines(explanation), as_json=as_json)


@app.command()
def topics(
    every: Annotated[bool, typer.Option("--all", help="Also list topics that are dead, merged or hidden.")] = False,
    examples: Annotated[int, typer.Option(min=0, max=10, help="Largest number of examples of a topic.")] = 2,
    as_json: AsJson = False,
) -> None:
    """List the discovered topics: size, id, name, and how some of their conversations begin."""
    settings = load_settings()
    from analytics_platform.cli.console import topic_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.discovering.topic_list import list_topics

    with closing(Platform(settings)) as platform:
        listed = list_topics(platform.lake, examples=examples, every=every)
    _print_found({"topics": [topic.as_json() for topic in listed]}, topic_lines(listed), as_json=as_json)


@app.command()
def reveal(
    conversation_id: Annotated[str, typer.Argument(help="A stored conversation.")],
    date: OfDay = None,
    as_json: AsJson = False,
) -> None:
    """Print a conversation with its personal data put back; needs ANALYTICS_PII_SPANS_KEY."""
    settings = load_settings()
    read_day("--date", date)
    from analytics_platform.cli.console import revealed_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.reveal import reveal as reveal_conversation

    with closing(Platform(settings)) as platform:
        revealed = reveal_conversation(platform, conversation_id, date)
    _print_found(revealed.as_json(), revealed_lines(revealed), as_json=as_json)


@app.command()
def translation(
    conversation_id: Annotated[str, typer.Argument(help="A stored conversation.")],
    date: OfDay = None,
    as_json: AsJson = False,
) -> None:
    """Print a conversation's messages, each with its translation; needs ANALYTICS_TRANSLATE_TO for its run."""
    settings = load_settings()
    read_day("--date", date)
    from analytics_platform.cli.console import translated_lines
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.translation import translation_of

    with closing(Platform(settings, stages=False)) as platform:
        translated = translation_of(platform, conversation_id, date)
    _print_found(translated.as_json(), translated_lines(translated), as_json=as_json)


def _print_found(found: dict[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print what was found, as JSON or as lines: results, since messages may be kept as a log."""
    if as_json:
        print_json(found)
        return
    for line in lines:
        print_result(line)
