"""Read one file of any known format and shape as rows, and say what was recognised.

The file's content decides what it is; its name decides only where the content leaves a choice.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import BinaryIO, cast

import pyarrow as pa

from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.chat_lines import ChatColumns, chat_columns, read_chat_lines
from analytics_platform.sources.file_reading.date_orders import DateOrders
from analytics_platform.sources.file_reading.locating import BOOKS, JSON, known_formats
from analytics_platform.sources.file_reading.locating import VARIABLE as PATH_VARIABLE
from analytics_platform.sources.file_reading.nested_refusals import refuse_nested
from analytics_platform.sources.file_reading.other_formats import (
    header_of,
    is_web_page,
    refuse_other_format,
    refuse_other_text,
    refuse_web_page,
)
from analytics_platform.sources.file_reading.plain_tables import plain_table, with_usual_columns
from analytics_platform.sources.file_reading.recognised import CHATS, Recognised
from analytics_platform.sources.file_reading.text_chats import read_phone_chat, read_text_chat
from analytics_platform.sources.file_reading.unfolding import (
    holds_pages,
    names_wrapper,
    numbered,
    records_of,
    unfolded,
    unwrapped,
    with_mapping,
    with_plain_records,
)
from analytics_platform.sources.file_reading.written_lists import (
    candidate_columns,
    names_in_chats,
    transcripts,
    with_read_lists,
    with_read_transcripts,
    written_lists,
)
from analytics_platform.sources.formats.content import (
    OLE,
    PARQUET,
    SAMPLE_BYTES,
    ZIP,
    Content,
    SourceFile,
    open_content,
)
from analytics_platform.sources.formats.content import seekable as open_seekable
from analytics_platform.sources.formats.csv_dialect import below_titles, recognise_dialect
from analytics_platform.sources.formats.csv_rows import read_csv
from analytics_platform.sources.formats.encodings import AUTO_ENCODING, Utf8Stream, encoding_of, utf8
from analytics_platform.sources.formats.excel_rows import Sheet, filled_sheets, sheets_of
from analytics_platform.sources.formats.file_records import Record, Records, rows_of
from analytics_platform.sources.formats.html_tables import html_tables
from analytics_platform.sources.formats.json_rows import (
    JsonValues,
    json_layout,
    parse_json_lines,
    read_json_line_rows,
    read_json_lines,
    whole_lines,
)
from analytics_platform.sources.formats.parquet_rows import parquet_schema, read_parquet, read_parquet_records
from analytics_platform.sources.formats.quoted_lines import UnquotedLines, quotes_whole_lines
from analytics_platform.sources.mapping import VARIABLE as MAPPING_VARIABLE
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.role_vocabularies import tells_roles
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.catalogue import AUTO, ROWS, recognise_shape
from analytics_platform.sources.shapes.dotted import dotted_shape
from analytics_platform.sources.shapes.exports.exchanges import EXCHANGES
from analytics_platform.sources.shapes.exports.helpdesks import CHATWOOT
from analytics_platform.sources.shapes.exports.openai_messages import MESSAGES
from analytics_platform.sources.shapes.exports.slack import SLACK, with_channel
from analytics_platform.sources.shapes.nested import nested_shape
from analytics_platform.sources.shapes.shape import Context, Shape, is_list_of
from analytics_platform.sources.shapes.table_parts.column_names import column_form
from analytics_platform.sources.shapes.table_parts.table_roles import says_who_speaks

_WHOLE_SHAPES = (EXCHANGES, CHATWOOT)
"""Shapes that decide roles and texts even where a mapping names columns for them.

A mapping cannot say that a row holds two messages, or that a private note is no answer.
"""


def date_orders(files: Sequence[SourceFile], mapping: FieldMapping) -> DateOrders:
    """Return what tells the order of dates in the files of a source; nothing is read before it is asked."""

    def times_of(file: SourceFile) -> Iterator[pa.Array]:
        for of_file, rows in read_rows(file, mapping):
            times = rows.columns.get(of_file.column_of("timestamp"))
            if times is not None:
                yield times

    return DateOrders(files, times_of)


def read_rows(
    file: SourceFile, mapping: FieldMapping, recognised: Recognised | None = None, dates: DateOrders | None = None
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield the rows of a file, batch by batch, in order, each with the mapping that applies to it.

    Args:
        file: The file.
        mapping: The field mapping of the source.
        recognised: Filled with what the file is.
        dates: Tells the order of dates that the file's first rows leave open.

    Raises:
        SourceError: If the file cannot be opened or read to its end, or is of no known format.
    """
    recognised = recognised if recognised is not None else Recognised()
    recognised.dates = None if dates is None else dates.beside(file)
    with open_content(file) as content:
        recognised.compression = content.compression
        start = content.peek(SAMPLE_BYTES)
        refuse_other_format(start, file)
        if start.startswith(PARQUET) or (file.suffix == ".parquet" and not start):
            yield from _parquet(file, content, mapping, recognised)
        elif start.startswith((ZIP, OLE)) or (file.suffix in BOOKS and not start):
            recognised.format = "workbook"
            with open_seekable(content) as stream:
                sheets = filled_sheets(stream, file.place, partial(_is_header, file, mapping))
                yield from _sheets(sheets, file, mapping, recognised)
        elif file.suffix == ".parquet":
            raise SourceError(
                f"{file.place}: cannot be read as Parquet (it begins with {start[:8]!r}); write the file again"
            )
        else:
            yield from _text(file, content, mapping, recognised)


_OF_ONE_MESSAGE = ("text", "message_id", "tokens", "input_tokens", "output_tokens", "cost")
"""Input columns of which a cell that covers several lines of a sheet counts once."""


def _sheets(
    sheets: Sequence[Sheet], file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield the rows of the sheets with messages, one sheet after the other; row numbers go on in the next sheet."""
    if not sheets:
        return
    main = next((sheet for sheet in sheets if sheet.is_wanted), sheets[0])
    read = [sheet for sheet in sheets if sheet.is_wanted or set(sheet.names) == set(main.names)]
    if len(read) > 1:
        recognised.notes.append(f"{len(read)} sheets are read: {', '.join(sheet.name for sheet in read)}.")
    if left_out := [sheet.name for sheet in sheets if sheet not in read]:
        recognised.notes.append(f"Sheets without the columns of messages are left out: {', '.join(left_out)}.")
    first, before = 1, 0
    for sheet in read:
        of_sheet = Recognised(recognised.format, dates=recognised.dates)
        usual = with_usual_columns(sheet.names, mapping)
        single = {usual.column_of(name) for name in _OF_ONE_MESSAGE}
        if merged := [name for name in sheet.merged_names if name not in single]:
            of_sheet.notes.append(f"Merged cells count for each of their rows: {', '.join(merged)}.")
        for result in _table(sheet.rows(first, file.place, merged), file, mapping, of_sheet):
            recognised.shape, recognised.internal_notes = of_sheet.shape, before + of_sheet.internal_notes
            recognised.columns = {**of_sheet.columns, **recognised.columns}
            recognised.notes += [note for note in of_sheet.notes if note not in recognised.notes]
            yield result
        before = recognised.internal_notes
        recognised.unfolds = recognised.unfolds or of_sheet.unfolds
        first += sheet.height


def _is_header(file: SourceFile, mapping: FieldMapping, names: list[str]) -> bool:
    """Tell whether a line is the header of a table with all required columns, by the mapping or by usual names."""
    if file.shape != ROWS and _shape_of([dict.fromkeys(names)], replace(file, shape=AUTO), mapping) is not None:
        return True
    missing = with_usual_columns(names, mapping).missing_columns(names)
    return not missing or (missing == ["role"] and says_who_speaks(names))


def _parquet(
    file: SourceFile, content: Content, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    recognised.format = "Parquet"
    with open_seekable(content) as stream:
        schema = parquet_schema(stream, file.place)
        nested = any(pa.types.is_nested(kind) for kind in schema.types)
        wanted = any("." in name or "[" in name for name in mapping.columns.values())
        if nested or wanted or EXCHANGES.fits(dict.fromkeys(schema.names)):
            batches = read_parquet_records(stream, file.place)
            first = next(batches, Records([]))
            if wanted or _shape_of(first.values, file, mapping) is not None:
                yield from _records(chain([first], batches), file, mapping, recognised)
                return
            refuse_nested(first.values, schema.names, with_usual_columns(schema.names, mapping), file)
        yield from _table(read_parquet(stream, file.place), file, mapping, recognised)


def _text(
    file: SourceFile, content: Content, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    start = content.peek(SAMPLE_BYTES)
    encoding = encoding_of(start) if file.encoding == AUTO_ENCODING else file.encoding
    decoded = start.decode(encoding, "replace")
    returns_only = "\n" not in decoded and "\r" in decoded
    decoding = Utf8Stream(content.stream, newlines_for_returns=returns_only, stated=file.encoding)
    stream = utf8(decoding)
    try:
        for result in _text_rows(stream, file, mapping, recognised):
            recognised.note_encoding(decoding.encoding, is_stated=file.encoding != AUTO_ENCODING)
            yield result
    finally:  # a refusal, too, names the encoding
        recognised.note_encoding(decoding.encoding, is_stated=file.encoding != AUTO_ENCODING)


def _text_rows(
    stream: io.BufferedReader, file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    sample = stream.peek(SAMPLE_BYTES)[:SAMPLE_BYTES]
    if _is_json(sample, file):
        yield from _json(cast("BinaryIO", stream), sample, file, mapping, recognised)
    elif (chat := read_phone_chat(stream, sample, file, mapping, recognised)) is not None:
        yield from chat
    elif (record := read_text_chat(stream, sample, file, recognised)) is not None:
        yield from _records(iter([Records([record])]), file, mapping, recognised)
    elif is_web_page(sample):
        tables = html_tables(cast("BinaryIO", stream), file.place)
        sheets = sheets_of(tables, partial(_is_header, file, mapping))
        if not any(sheet.is_wanted for sheet in sheets):
            refuse_web_page(file)
        recognised.format = "tables of a web page (HTML)"
        yield from _sheets(sheets, file, mapping, recognised)
    else:
        if quotes_whole_lines(sample):
            recognised.notes.append("Each line stands in quotes as a whole; the quotes around it are left out.")
            stream = io.BufferedReader(UnquotedLines(stream), 1 << 20)
            sample = stream.peek(SAMPLE_BYTES)[:SAMPLE_BYTES]
        refuse_other_text(sample, file)
        dialect = below_titles(sample, recognise_dialect(sample), partial(_is_header, file, mapping))
        if file.suffix in {".txt", ""} and len(header_of(sample, dialect)) < 2:
            line = sample.lstrip().splitlines()[0][:60].decode("utf-8", "replace") if sample.strip() else ""
            raise SourceError(
                f"{PATH_VARIABLE}: {file.place} is of no known format: a text that is neither a table nor a chat of "
                f"WhatsApp (it begins with {line!r}); export a table or JSON: {known_formats()}"
            )
        recognised.format, recognised.separator = "CSV", dialect.separator_name
        yield from _table(read_csv(cast("BinaryIO", stream), file.place, dialect), file, mapping, recognised)


def _is_json(sample: bytes, file: SourceFile) -> bool:
    start = sample.lstrip()
    if not start:
        return file.suffix in JSON
    if start[:1] in {b"{", b"["}:
        return file.suffix in JSON or start[1:].lstrip()[:1] in {b'"', b"{", b"[", b"}", b"]"}
    return file.suffix in JSON and any(line.lstrip().startswith((b"{", b"[")) for line in start.splitlines()[:20])


def _json(
    stream: BinaryIO, sample: bytes, file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    if json_layout(sample) == "lines":
        recognised.format = "JSON lines"
        start = whole_lines(stream)
        first, batches = parse_json_lines(start), read_json_lines(stream)
        if not first.values:
            first = next(batches, Records([]))
            start = b""
        if len(first.values) != 1:
            if holds_pages(first, mapping):
                recognised.format = "JSON lines with a page each"
                yield from _records(unwrapped(chain([first], batches), mapping), file, mapping, recognised)
            else:
                rows = partial(read_json_line_rows, stream)
                chats = partial(read_chat_lines, start, stream) if start else None
                yield from _records(chain([first], batches), file, mapping, recognised, rows, chats)
            return
        second = next(batches, None)
        if second is None and not first.problems and not _is_message(first.values[0], mapping):
            recognised.format = "JSON"
            yield from _records(unwrapped(iter([first]), mapping), file, mapping, recognised)
        else:
            yield from _records(chain([first], [second] if second else [], batches), file, mapping, recognised)
    else:
        recognised.format = "JSON"
        values = JsonValues(stream, file.place, keeps_wrapping=names_wrapper(mapping))
        batches = iter(values)
        first = next(batches, Records([]))
        if values.is_in_list and len(first.values) > 1 and not holds_pages(first, mapping):
            yield from _records(chain([first], batches), file, mapping, recognised, quick_rows=values.rows)
        elif first.values:
            yield from _records(unwrapped(chain([first], batches), mapping), file, mapping, recognised)


def _is_message(record: Record, mapping: FieldMapping) -> bool:
    """Tell whether a record has a value of its own for each required column; a list in it holds no messages."""
    names = [name for name, value in record.items() if not isinstance(value, list | dict)]
    return not with_usual_columns(names, mapping).missing_columns(names)


def _records(
    batches: Iterator[Records],
    file: SourceFile,
    mapping: FieldMapping,
    recognised: Recognised,
    quick_rows: Callable[[Records, Collection[str]], Iterator[Rows]] | None = None,
    quick_chats: Callable[[ChatColumns, Context], Iterator[Rows]] | None = None,
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield the rows of records, in the shape that the first batch shows.

    Args:
        batches: The records.
        file: The file.
        mapping: The mapping of the source.
        recognised: Filled with the shape.
        quick_rows: Makes rows of the first batch, and of what follows it in the file, more quickly than ``batches``,
            where each record is a row.
        quick_chats: Makes rows of the same records, where each is a chat of a regular form.
    """
    first = next(batches, None)
    if first is None:
        return
    batches = chain([first], batches)
    read = _rewritten(first, batches, file, mapping, recognised)
    if read is not None:
        quick_rows = quick_chats = None
        first = next(read)
        batches = chain([first], read)
    shape = _shape_of(first.values, file, mapping)
    paths = list(mapping.columns.values())
    nested = _nested_shape(first.values, file, mapping) if shape is None else None
    if nested is not None:
        recognised.shape = nested.title
        context = Context(file)
        rows = numbered(unfolded(batches, nested, context, paths), paths)
        for result in plain_table(rows, file, mapping.with_auto_times(), recognised, nested=[]):
            recognised.note_times(context)
            recognised.unfolds = context.unfolds
            yield result
        return
    if shape is None:
        if recognise_shape(first.values) is SLACK:
            rows = numbered((with_channel(records, file) for records in batches), paths)
        else:
            rows = numbered(batches, paths) if quick_rows is None else quick_rows(first, paths)
        yield from plain_table(rows, file, mapping, recognised, nested=first.values)
        return
    recognised.shape = shape.title
    if shape.hint:
        recognised.notes.append(shape.hint)
    context = Context(file)
    form = chat_columns(first) if shape is MESSAGES and quick_chats is not None and not paths else None
    if form is not None and quick_chats is not None:
        rows = quick_chats(form, context)
    else:
        rows = numbered(unfolded(batches, shape, context, paths), paths)
    known = None if read is None else names_in_chats(first)
    for result in with_mapping(rows, mapping, recognised, whole=shape in _WHOLE_SHAPES, known=known):
        recognised.internal_notes = context.internal_notes
        recognised.note_times(context)
        recognised.unfolds = context.unfolds
        yield result
    recognised.records = context.number


def _rewritten(
    first: Records, batches: Iterator[Records], file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[Records] | None:
    """Return records out of the form in which a database stores them, and with chats that are text read.

    Returns:
        None if nothing needs to be changed.
    """
    stored = with_plain_records(first, batches) if file.shape == AUTO else None
    if stored is not None:
        first = next(stored)
        batches = chain([first], stored)
    read = _with_read_chats(first, batches, file, mapping, recognised)
    return read if read is not None or stored is None else batches


def _with_read_chats(
    first: Records, batches: Iterator[Records], file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[Records] | None:
    """Return records with the chats that a column has as text; None if no column has any."""
    names = dict.fromkeys(name for record in first.values for name in record)
    if file.shape == ROWS:
        return None
    if lists := written_lists(names, first, mapping):
        recognised.notes.append(f"The column {lists[0]} holds the messages of a conversation, written as a list.")
        return with_read_lists(batches, lists, mapping.columns)
    if chats := transcripts(names, first, mapping):
        recognised.notes.append(CHATS.format(column=chats[0]))
        return with_read_transcripts(batches, chats[0], mapping.columns)
    return None


def _shape_of(records: list[Record], file: SourceFile, mapping: FieldMapping) -> Shape | None:
    """Return the shape of a file's records; None for one message per record."""
    shape = dotted_shape(mapping.columns, MAPPING_VARIABLE)
    if shape is not None:
        return shape
    shape = recognise_shape(records, file.shape)
    stated = [mapping.columns[name] for name in ("role", "text") if name in mapping.columns]
    if shape is None or shape in _WHOLE_SHAPES or file.shape != AUTO or not stated:
        return shape
    columns = rows_of(Records(records[:50]), 1, stated).columns
    return None if any(name in columns for name in stated) else shape


def _is_nested(value: object) -> bool:
    """Tell whether a value is an object, or a list of parts that state no type, as Freshchat writes them."""
    return isinstance(value, dict) or is_list_of(value, lambda part: isinstance(part, dict) and "type" not in part)


def _nested_shape(records: list[Record], file: SourceFile, mapping: FieldMapping) -> Shape | None:
    """Return the shape of nested records; None where the mapping or the records themselves name role and text."""
    if file.shape != AUTO or recognise_shape(records) is not None:
        return None
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = with_usual_columns(names, mapping)
    flags = says_who_speaks(names)
    stated = {name for name in ("role", "text") if columns.column_of(name) in names or name in columns.constants}
    needed = {columns.column_of(name) for name in REQUIRED_INPUT}
    plain = not any(_is_nested(record.get(name)) for record in records[:50] for name in needed)
    if {"role", "text"} & mapping.columns.keys():
        return None
    is_message = "text" in stated and ("role" in stated or flags) and plain
    if is_message and not flags and "role" not in columns.constants:
        role = columns.column_of("role")
        is_message = tells_roles(column_form(role), [record.get(role) for record in records])
        return None if is_message else nested_shape(records, in_lists=True)
    return None if is_message else nested_shape(records)


def _table(
    batches: Iterator[Rows], file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    """Yield the rows of a table; a table of a shape that makes other rows of its rows is unfolded first."""
    first = next(batches, None)
    if first is None:
        return
    batches = chain([first], batches)
    has_shape = file.shape != ROWS and (
        _shape_of([dict.fromkeys(first.columns)], file, mapping) is not None
        or (candidate_columns(first.columns, mapping) and _holds_chats(records_of(first), first.columns, mapping))
    )
    if has_shape:
        yield from _records((records_of(rows) for rows in batches), file, mapping, recognised)
    else:
        yield from plain_table(batches, file, mapping, recognised)


def _holds_chats(records: Records, columns: Collection[str], mapping: FieldMapping) -> bool:
    return bool(written_lists(columns, records, mapping) or transcripts(columns, records, mapping))
