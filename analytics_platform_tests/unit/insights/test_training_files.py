"""Labelled files teach; what cannot be used of them is named and counted."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.heads.training_set import training_sets_of
from analytics_platform.insights.learning.label_files import LabelFileError
from analytics_platform.insights.learning.training_files import NOTHING, Training, read_training
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy, load_taxonomy
from analytics_platform.insights.tiers.tier import choose

ROWS = {
    "text": ["where is my parcel", "it is still not here", "the bill is too high", "what do you charge", "sing a song"],
    "label": ["delivery", "delivery", "billing", "billing", "oos"],
}


@pytest.fixture
def taxonomy(tmp_path: Path) -> Taxonomy:
    path = tmp_path / "own.yaml"
    path.write_text(
        "topics:\n"
        "  - {label: delivery, description: parcels, examples: [my parcel is late]}\n"
        "  - {label: billing, description: bills, examples: [my bill is wrong, zzyzx]}\n"
        "intents:\n"
        "  - {label: ask, description: asks, examples: [what is it]}\n"
    )
    return load_taxonomy(path)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_equal_files_of_any_format_teach_the_same(tmp_path: Path, taxonomy: Taxonomy) -> None:
    table = pa.table(ROWS)
    pq.write_table(table, tmp_path / "a.parquet")
    pa_csv.write_csv(table, tmp_path / "a.csv")
    lines = "".join(f'{{"label": "{row["label"]}", "text": "{row["text"]}"}}\n' for row in table.to_pylist())
    files = [tmp_path / "a.parquet", tmp_path / "a.csv", write(tmp_path, "a.jsonl", lines)]
    files.append(
        write(
            tmp_path, "b.csv", "Text;LABEL\r\n" + "".join(f"{t};{x}\r\n" for t, x in zip(*ROWS.values(), strict=True))
        )
    )
    read = [read_training([path], taxonomy) for path in files]
    assert [one.version for one in read] == [read[0].version] * len(files)
    assert [one.texts for one in read] == [read[0].texts] * len(files)
    assert set(read[0].texts["topic"]) >= {("sing a song", "other"), ("where is my parcel", "delivery")}
    assert read_training([files[0], files[1]], taxonomy).version == read[0].version
    assert all(one.problems == () for one in read)


def test_rows_that_cannot_be_used_are_named_and_counted(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = write(
        tmp_path,
        "bad.csv",
        "text,conversation_id,kind,label\n"
        "where is it,,topic,delivery\n"
        "one,two\n"
        "no label,,topic,\n"
        ",,topic,billing\n"
        "x,,mood,billing\n"
        ",c1,Urgency,high\n"
        '"two\nlines",,,billing\n',
    )
    training = read_training([path], taxonomy)
    (problem,) = training.problems
    assert problem.startswith(f"{path}: 4 rows left out (row 2: 2 cells, and the header has 4; row 3: label is missing")
    assert training.texts["topic"] == (("where is it", "delivery"), ("two\nlines", "billing"))
    assert [(row["conversation_id"], row["kind"], row["label"]) for row in training.conversations] == [
        ("c1", "urgency", "high")
    ]


def test_labels_that_the_taxonomy_lacks_are_one_error_with_their_number(tmp_path: Path, taxonomy: Taxonomy) -> None:
    text = "text,label\n" + "a,warranty\nb,warranty\nc,spare_parts\nd,billing\n"
    with pytest.raises(LabelFileError) as caught:
        read_training([write(tmp_path, "labels.csv", text)], taxonomy)
    (fault,) = caught.value.faults
    assert fault == (
        f"{tmp_path}/labels.csv: column label has 2 labels that the taxonomy lacks: topic 'warranty' (2 rows, first in "
        "row 1), topic 'spare_parts' (1 row: row 3); add topics and intents to a file of "
        "ANALYTICS_TAXONOMY, or correct the rows"
    )


def test_a_column_that_begins_late_in_json_lines_is_read(tmp_path: Path, taxonomy: Taxonomy) -> None:
    """DuckDB took the columns of a sample of rows, so a correction of the last rows became a topic."""
    lines = '{"text": "where is my parcel", "label": "delivery"}\n' * 30_000
    last = '{"text": "how much is it", "label": "ask", "kind": "intent"}\n'
    training = read_training([write(tmp_path, "labels.jsonl", lines + last)], taxonomy)
    assert training.texts["intent"] == (("how much is it", "ask"),)


@pytest.mark.parametrize("odd", ["null", "[1]", "3", "broken", '{"": "x", "a/b": {"c": 1}}'])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_odd_line_leaves_the_other_json_lines_usable(
    tmp_path: Path, taxonomy: Taxonomy, odd: str, is_first: bool
) -> None:
    """One list among the lines, or an unnamed key, made DuckDB see no columns in the file."""
    lines = ['{"text": "too dear", "label": "billing"}', '{"Text": "late again", "Label": "delivery"}']
    lines.insert(0 if is_first else 1, odd)
    training = read_training([write(tmp_path, "labels.jsonl", "\n".join(lines))], taxonomy)
    assert set(training.texts["topic"]) == {("too dear", "billing"), ("late again", "delivery")}
    (problem,) = training.problems
    assert f"1 row left out (row {1 if is_first else 2}: " in problem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "row,text,label\n7,too dear,billing\n"),
        ("a.jsonl", '{"row": 7, "text": "too dear", "label": "billing"}'),
    ],
)
def test_a_file_with_a_column_named_row_is_read(tmp_path: Path, taxonomy: Taxonomy, name: str, text: str) -> None:
    """The number of a row in its file was a second column of the same name."""
    assert read_training([write(tmp_path, name, text)], taxonomy).texts["topic"] == (("too dear", "billing"),)


@pytest.mark.parametrize(
    "message",
    [
        "My name is Ann Lee, where is my parcel?",
        "my card is 4111 1111 1111 1111",
        "ann.lee@example.com",
        "+49 170 1234567",
        "私の荷物はまだ届いていません",
        "where_is_my_parcel_" * 3,
        "Ann Lee",
    ],
)
def test_an_unknown_label_that_may_be_a_message_is_not_quoted(tmp_path: Path, taxonomy: Taxonomy, message: str) -> None:
    """With swapped columns, whole messages of customers stood on the screen and in logs."""
    text = f'text,label\nwhere is it,delivery\nbilling,"{message}"\n'
    with pytest.raises(LabelFileError) as caught:
        read_training([write(tmp_path, "labels.csv", text)], taxonomy)
    (fault,) = caught.value.faults
    assert message not in fault
    assert f"topic a value of {len(message)} characters (1 row: row 2); add" in fault
    assert fault.endswith("or correct the rows: the columns text and label may be swapped")


@pytest.mark.parametrize("label", ["card_arrival", "Refund", "billing question", "spare parts/tools", "Rückgabe"])
def test_an_unknown_label_that_looks_like_a_name_is_quoted(tmp_path: Path, taxonomy: Taxonomy, label: str) -> None:
    with pytest.raises(LabelFileError) as caught:
        read_training([write(tmp_path, "labels.csv", f"text,label\nwhere is it,{label}\n")], taxonomy)
    assert f"topic {label!r} (1 row: row 1)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("labels.csv", "text,topic\na,b\n", "lacks the column label"),
        ("labels.csv", "words,label\na,b\n", "lacks the column text"),
        ("labels.csv", "text,label\n", "has no rows"),
        ("labels.csv", "", "cannot be read as csv"),
        ("labels.xlsx", "x", "the name must end in .csv"),
        ("labels.parquet", "x", "cannot be read as parquet"),
        ("labels.jsonl", "[", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, taxonomy: Taxonomy, name: str, text: str, fault: str
) -> None:
    with pytest.raises(LabelFileError) as caught:
        read_training([write(tmp_path, name, text)], taxonomy)
    (line,) = caught.value.faults
    assert line.startswith(f"{tmp_path}/{name}: {fault}")


def test_a_file_of_another_encoding_says_how_to_save_it(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("text,label\nGrüße,billing\n".encode("latin-1"))
    with pytest.raises(LabelFileError, match="save the file as UTF-8"):
        read_training([path], taxonomy)


def test_the_last_row_of_a_text_counts_and_goes_before_the_taxonomys_example(
    tmp_path: Path, taxonomy: Taxonomy
) -> None:
    path = write(tmp_path, "labels.csv", "text,label\nzzyzx,billing\nzzyzx,delivery\n")
    training = read_training([path], taxonomy)
    assert training.texts["topic"] == (("zzyzx", "delivery"),)
    assert training.problems[0].startswith("ANALYTICS_TRAINING: 1 row left out, because a later row has another label")
    training_set = training_sets_of(taxonomy, labelled=training.texts)["topic"]
    pairs = zip(training_set.texts, training_set.taught_labels, strict=True)
    assert [label for text, label in pairs if text == "zzyzx"] == ["delivery"]


@pytest.mark.slow
def test_labelled_texts_teach_the_engine_and_are_named_in_what_depends_on_them(tmp_path: Path) -> None:
    """A text whose words the taxonomy lacks had no chance of its label."""
    own = write(
        tmp_path,
        "own.yaml",
        "extends: [base]\n"
        "topics:\n"
        "  - {label: delivery, description: parcels, examples: [my parcel is late]}\n"
        "  - {label: billing, description: bills, examples: [my bill is wrong]}\n",
    )
    text = "text,label\n" + "".join(f"the zorblax {word} the frumious,billing\n" for word in ("of", "and", "beside"))
    training = read_training([write(tmp_path, "labels.csv", text)], load_taxonomy(own))
    plain, taught = build_engine(taxonomy_path=own), build_engine(taxonomy_path=own, training=training)
    answer = taught.classify_texts("topic", ["the zorblax of the frumious"])
    assert answer.labels[choose(answer.confidence, answer.labels.index("other"))[0]] == "billing"
    assert answer.confidence.max() > plain.classify_texts("topic", ["the zorblax of the frumious"]).confidence.max()
    assert plain.version != taught.version
    assert taught.versions["training"] == training.version
    assert "training" not in plain.versions


def test_one_text_in_five_can_judge_what_has_not_learnt_it() -> None:
    pairs = tuple((f"text {number}", "billing") for number in range(200))
    feelings = tuple((f"feeling {number}", "negative") for number in range(200))
    training = Training("v", {"topic": pairs, "sentiment": feelings})
    held = {row["messages"][0]["text"] for row in training.gold().to_pylist() if row["kind"] == "topic"}
    learnt = {text for text, _ in training.without_held_out().texts["topic"]}
    assert held | learnt == {text for text, _ in pairs}
    assert not held & learnt
    assert 20 <= len(held) <= 60
    assert 20 <= training.gold()["label"].to_pylist().count("negative") <= 60
    assert training.without_held_out() != training
    assert NOTHING.gold().num_rows == 0
