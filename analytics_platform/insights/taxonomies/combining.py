"""Combining the parts of a taxonomy, packs and files, into one content whose mistakes still have a file and a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from analytics_platform.insights.taxonomies.pack_files import pack_names, part_file
from analytics_platform.insights.taxonomies.taxonomy_file import TaxonomyError, TaxonomyFile
from analytics_platform.system.yaml_file import Location

LABEL_SECTIONS = ("topics", "intents", "urgencies", "resolutions")
RULES = "rules"
Content: TypeAlias = dict[str, list[dict[str, Any]]]
"""Labels and rules, as mappings, by section."""
EXTENDS, WITHOUT = "extends", "without"
_SECTION_OF = {"topic": "topics", "intent": "intents"}
"""The section of each kind whose labels can be removed."""
_UNITED = ("examples", "keywords")
"""Lists of a label that are united; of every other field the later part's value is used."""


def read_taxonomy_parts(parts: Iterable[str | Path]) -> list[TaxonomyFile]:
    """Read the files of some parts, each after the parts that it extends, and each file once.

    Args:
        parts: Names of packs and paths of files.

    Raises:
        TaxonomyError: If a file cannot be read, is not YAML, or extends something that does not exist.
    """
    read: dict[Path, TaxonomyFile] = {}
    begun: set[Path] = set()  # files that extend each other are read once each

    def add(path: Path) -> None:
        place = path.resolve()
        if place in begun:
            return
        begun.add(place)
        file = TaxonomyFile.read(path)
        for further in _extended(file):
            add(further)
        read[place] = file

    for part in parts:
        add(part if isinstance(part, Path) else part_file(part))
    return list(read.values())


def taxonomy_content(parts: Sequence[str]) -> list[bytes]:
    """Return the names of some parts and the bytes of their files; files that are missing or wrong are left out."""
    try:
        paths = [file.path for file in read_taxonomy_parts(parts)]
    except TaxonomyError:
        paths = [path for path in map(part_file, parts) if _is_file(path)]
    return [*(part.encode() for part in parts), *(path.read_bytes() for path in paths)]


def _extended(file: TaxonomyFile) -> list[Path]:
    """Return the files that a file extends; relative paths start from its folder."""
    named = file.content.get(EXTENDS) if isinstance(file.content, dict) else None
    if not isinstance(named, list) or not all(isinstance(name, str) and name.strip() for name in named):
        return []  # the validation of the file names a wrong form
    found = [part_file(name.strip(), file.path.parent) for name in named]
    missing: list[tuple[Location, str]] = [
        ((EXTENDS, place), f"{named[place]} is neither an existing file nor one of the packs {', '.join(pack_names())}")
        for place, path in enumerate(found)
        if not _is_file(path)
    ]
    if missing:
        raise TaxonomyError(*file.problems(missing))
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


@dataclass
class Combined:
    """The content of all parts, and the origin of each label and rule.

    Attributes:
        content: Labels and rules by section.
        origins: File and place of each item, by its section and name; of an item of several files, the last of them.
    """

    content: Content = field(default_factory=dict)
    origins: dict[tuple[str, str], tuple[TaxonomyFile, int]] = field(default_factory=dict)

    def problems(self, mistakes: Iterable[tuple[Location, str]], last: TaxonomyFile) -> list[str]:
        """Return one line per mistake, naming the file and the line of the label or rule.

        Args:
            mistakes: Location in ``content`` and description of each mistake.
            last: The file to name for a mistake without a label or rule, such as a missing section.
        """
        by_file: dict[Path, tuple[TaxonomyFile, list[tuple[Location, str]]]] = {}
        for location, message in mistakes:
            file, place = last, location
            if len(location) > 1:
                section, number, *rest = location
                item = self.content[str(section)][int(number)]
                file, number = self.origins[str(section), _name(item)]
                place = (section, number, *rest)
            by_file.setdefault(file.path, (file, []))[1].append((place, message))
        return [line for file, found in by_file.values() for line in file.problems(found)]


def combine(files: Sequence[TaxonomyFile], defaults: Mapping[str, Any]) -> Combined:
    """Combine valid parts in their order; a later part extends and overrides the earlier ones.

    A label stays at its first place. Its examples and keywords are united; its description, ``social`` and
    ``stakes`` are the last ones stated. An example that a later part gives to another label is that label's alone. A
    rule replaces an earlier rule of its name. ``without`` removes labels of earlier parts with the rules for these
    labels, and rules.

    Args:
        files: The parts, whose content has the right form.
        defaults: Sections for the first part if it lacks them.

    Raises:
        TaxonomyError: If ``without`` names something that no earlier part has, or a part takes the last example of an
            earlier label.
    """
    combined = Combined()
    for place, file in enumerate(files):
        content = file.content or {}
        mistakes = list(_remove(combined.content, content.get(WITHOUT) or {}))
        if mistakes:
            raise TaxonomyError(*file.problems(mistakes))
        for section in (*LABEL_SECTIONS, RULES):
            if section in content:
                _add(combined, section, content[section], file)
                if section != RULES:
                    mistakes += [((section, *place), what) for place, what in _move_examples(combined, section, file)]
            elif not place and section in defaults:
                _add(combined, section, defaults[section])
        if mistakes:
            raise TaxonomyError(*file.problems(mistakes))
    return combined


def _remove(content: Content, without: Mapping[str, list[str]]) -> Iterator[tuple[Location, str]]:
    """Remove labels and rules in place; yield each name that nothing has."""
    for section, names in without.items():
        items = content.get(section, [])
        present = {_name(item) for item in items}
        for place, name in enumerate(names):
            if name not in present:
                one = section.removesuffix("s")
                yield (WITHOUT, section, place), f"{name} is no {one} of the parts before this one"
        content[section] = [item for item in items if _name(item) not in names]
        if section != RULES:
            rules = content.get(RULES, [])
            content[RULES] = [
                rule for rule in rules if _SECTION_OF.get(rule["kind"]) != section or rule["label"] not in names
            ]


def _add(combined: Combined, section: str, items: Sequence[dict[str, Any]], file: TaxonomyFile | None = None) -> None:
    """Add the items of one section; ``file`` is None for defaults, which have no mistakes."""
    target = combined.content.setdefault(section, [])
    places = {_name(item): place for place, item in enumerate(target)}
    for number, item in enumerate(items):
        name = _name(item)
        if file:
            combined.origins[section, name] = (file, number)
        if name not in places:
            places[name] = len(target)
            target.append(dict(item))
        elif section == RULES:
            target[places[name]] = dict(item)
        else:
            before = target[places[name]]
            united = {key: list(dict.fromkeys([*before.get(key, ()), *item.get(key, ())])) for key in _UNITED}
            target[places[name]] = {**before, **item, **{key: values for key, values in united.items() if values}}


def plain_example(example: object) -> str:
    """Return an example in the form in which equal examples are equal: case and blanks do not count."""
    return " ".join(str(example).casefold().split())


def _move_examples(combined: Combined, section: str, file: TaxonomyFile) -> Iterator[tuple[Location, str]]:
    """Remove the examples of a part's labels from all other labels, in place; yield each label that has none left."""
    labels, added = combined.content[section], file.content[section]
    owner = {
        plain_example(example): (_name(label), number)
        for number, label in enumerate(added)
        for example in label.get("examples", ())
    }
    for label in labels:
        name, examples = _name(label), label.get("examples", [])
        kept = [example for example in examples if owner.get(plain_example(example), (name,))[0] == name]
        if examples and not kept:
            taker, number = owner[plain_example(examples[0])]
            yield (number, "examples"), f"{taker} takes the last example of {name}; give {name} another one"
        if len(kept) < len(examples):
            label["examples"] = kept


def _name(item: Mapping[str, Any]) -> str:
    return str(item["label"] if "name" not in item else item["name"])
