"""The subcommands about labels and topics: `correct`, `train`, `evaluate`, `discover`, `topic-label`."""

from __future__ import annotations

from contextlib import closing
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from analytics_platform.cli.arguments import AsJson, OnDevice
from analytics_platform.errors import UserError
from analytics_platform.settings.loader import load_settings
from analytics_platform.system.output import print_figures, print_json, print_result

app = typer.Typer()


@app.command()
def correct(
    conversation_id: Annotated[str, typer.Argument(help="A stored conversation.")],
    topic: Annotated[str | None, typer.Option(help="The right primary topic; other when none fits.")] = None,
    intent: Annotated[str | None, typer.Option(help="The right intent; other when none fits.")] = None,
    sentiment: Annotated[str | None, typer.Option(help="negative, neutral or positive.")] = None,
    urgency: Annotated[str | None, typer.Option(help="low, normal, high or critical.")] = None,
    resolution: Annotated[str | None, typer.Option(help="resolved, partly_resolved, unresolved or unclear.")] = None,
    author: Annotated[str | None, typer.Option(help="Who corrects; by default the user of this machine.")] = None,
    note: Annotated[str | None, typer.Option(help="Why the label is wrong.")] = None,
    as_json: AsJson = False,
) -> None:
    """Correct labels of a conversation; they hold from the next `analytics run` on."""
    settings = load_settings()
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.operations.correct import correct as correct_conversation

    given = {"topic": topic, "intent": intent, "sentiment": sentiment, "urgency": urgency, "resolution": resolution}
    labels = {kind: label.strip() for kind, label in given.items() if label is not None}
    with closing(Platform(settings, stages=False)) as platform:
        corrected = correct_conversation(platform, conversation_id, labels, author or _user(), note)
    if as_json:
        print_json(corrected.as_json())
        return
    told = ", ".join(f"{kind} {label}" for kind, label in corrected.labels.items())
    print_result(f"{corrected.conversation_id} of {corrected.date}: {told}, corrected by {corrected.author}")
    print_result("`analytics run` shows it; `analytics train` learns topics and intents from it")


def _user() -> str:
    try:
        return getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        raise UserError("--author: this machine's user has no name; name the author") from None


@app.command()
def train(as_json: AsJson = False) -> None:
    """Learn from the corrections of labels: fit a model, evaluate it on gold labels, promote it when it is no worse."""
    settings = load_settings()
    from analytics_platform.cli.console import print_troubles, trained_lines
    from analytics_platform.cli.graph_commands import train_model
    from analytics_platform.defs.resources.platform import Platform

    with closing(Platform(settings)) as platform:
        training = train_model(platform)
    if as_json:
        print_json(training)
    else:
        for line in trained_lines(training):
            print_result(line)
        print_troubles(failures=training["failures"])
    if training["failures"]:
        raise typer.Exit(1)


@app.command("evaluate")
def evaluate_command(
    test: Annotated[Path, typer.Option(help="Parquet file with columns text and label to score.")],
    train: Annotated[Path | None, typer.Option(help="Parquet file with columns text and label to fit on.")] = None,
    taxonomy: Annotated[
        str | None, typer.Option(help="Packs and files of labels, instead of --train; by default ANALYTICS_TAXONOMY.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of label without --train: topic, the default, intent or sentiment.")
    ] = None,
    tier: Annotated[str, typer.Option(help="static, cascade or transformer.")] = "static",
    device: OnDevice = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="With --train: fit on the whole file, however long and much memory it takes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Label the texts of a file as the platform labels messages, and compare with the file's labels.

    With --train, the classifier is fitted on another file; otherwise the taxonomy's labels are used as they are.
    """
    settings = load_settings()
    from analytics_platform.cli.graphless import score, score_taxonomy

    if train is not None:
        for option, value in (("--taxonomy", taxonomy), ("--kind", kind)):
            if value is not None:
                raise UserError(f"--train and {option} exclude each other: the labels are those of the --train file")
        result = score(train, test, tier, device or settings.engine, whole=whole, quiet=as_json)
    else:
        if whole:
            raise UserError("--whole needs --train: a taxonomy is always learnt as a whole")
        device = device or settings.engine
        result = score_taxonomy(settings, taxonomy, test, tier, kind or "topic", device, quiet=as_json)
    if as_json:
        print_json(result)
    else:
        print_figures(result)


@app.command("discover")
def discover_command(
    texts: Annotated[Path, typer.Option(help="Parquet file with a column text.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write: row, topic_id, parent_id, name, confidence.")],
    previous: Annotated[
        Path | None, typer.Option(help="Result of an earlier call, whose topics and ids are continued.")
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(
            help="transformer, static, or cascade, the default: transformer up to 150,000 different texts, "
            "else static. With --previous, by default the tier of the earlier result."
        ),
    ] = None,
    device: OnDevice = None,
    as_json: AsJson = False,
) -> None:
    """Find the topics of a file's texts without being told their number or names.

    topic_id is null for a text that fits nowhere. With --previous, known topics keep their ids, and new ones are born
    only from enough texts that are unlike all known ones.
    """
    settings = load_settings()
    from dataclasses import asdict

    from analytics_platform.cli.console import stage_progress
    from analytics_platform.operations.discovering.topic_file import discover_file

    with stage_progress(quiet=as_json) as on_stage:
        figures = asdict(discover_file(texts, out, previous, tier, device=device or settings.engine, on_stage=on_stage))
    if as_json:
        print_json(figures)
        return
    largest = figures.pop("largest")
    print_figures(figures)
    for name, rows in largest:
        print_result(f"{rows:8,} {name}")


@app.command("topic-label")
def topic_label(
    topic_id: Annotated[str, typer.Argument(help="A discovered topic, as `analytics topics` lists it.")],
    out: Annotated[Path, typer.Option(help="YAML file to write, which must not exist.")],
    label: Annotated[str | None, typer.Option(help="Name of the label; by default made of the topic's name.")] = None,
) -> None:
    """Turn a discovered topic into a label of a taxonomy, with the openings of its conversations as examples."""
    settings = load_settings()
    from analytics_platform.defs.resources.platform import Platform
    from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
    from analytics_platform.operations.discovering.topic_label import write_label

    with closing(Platform(settings)) as platform:
        written = write_label(platform.lake, topic_id, label, out)
    known = {one.label for one in load_taxonomy(settings.taxonomy_parts).topics}
    extends = ", which the taxonomy has: the examples add to its own" if written in known else ""
    print_result(f"{out}: label {written}{extends}")
    taxonomy = ",".join([*settings.taxonomy_parts, str(out)])
    print_result(f"read its examples, then add it to the taxonomy: ANALYTICS_TAXONOMY={taxonomy}")
