"""Turns a discovered topic into a label of a taxonomy file."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import yaml

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.operations.discovering.label_examples import label_examples
from analytics_platform.operations.discovering.topic_list import ListedTopic, list_topics
from analytics_platform.storage.partitions import PartitionStore

EXAMPLES = 10
"""Most examples of the new label."""
_NO_LETTERS = re.compile(r"[^a-z0-9]+")


class TopicLabelError(UserError, ValueError):
    """The label cannot be written; the message names the file and what to do."""


def write_label(lake: PartitionStore, topic_id: str, label: str | None, out: Path) -> str:
    """Write a taxonomy file with one topic: the discovered topic, its terms and the openings of its conversations.

    Args:
        lake: The store of the topics.
        topic_id: The discovered topic.
        label: Name of the label; made of the topic's name when None.
        out: The file, which must not exist. It extends the pack ``base``.

    Returns:
        The label.

    Raises:
        TopicError: If the topic is not stored.
        TopicLabelError: If the file exists or cannot be written, or the topic gives no valid label.
    """
    [topic] = list_topics(lake, examples=EXAMPLES, topic_id=topic_id)
    if out.exists():
        raise TopicLabelError(f"{out}: exists; name a new file, and copy the label from it into your own")
    content = label_file(topic, label)
    try:
        write_atomically(out, content.encode())
        written = load_taxonomy((str(out),)).topics
    except OSError as error:
        raise TopicLabelError(f"{out}: cannot be written: {error.strerror or error}") from error
    except UserError:
        out.unlink(missing_ok=True)
        raise
    return written[0].label


def label_file(topic: ListedTopic, label: str | None) -> str:
    """Return the content of the taxonomy file."""
    if not topic.examples:
        raise TopicLabelError(f"{topic.topic_id}: the messages of its conversations are not stored any more")
    examples = label_examples(topic.examples)
    if not examples:
        raise TopicLabelError(
            f"{topic.topic_id}: its conversations begin with greetings and thanks alone, which teach a label nothing; "
            "choose another topic"
        )
    name = label or _NO_LETTERS.sub("_", _plain(topic.name)).strip("_") or topic.topic_id.replace("-", "_")
    entry = {"label": name, "description": f"Discovered topic {topic.topic_id}: {topic.name}.", "examples": examples}
    said = yaml.safe_dump({"extends": ["base"], "topics": [entry]}, allow_unicode=True, sort_keys=False, width=120)
    return f"# Written by `analytics topic-label {topic.topic_id}`; read the examples before you use it.\n{said}"


def _plain(name: str) -> str:
    """Return a name in lower case without accents."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
