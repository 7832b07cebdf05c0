"""Names of columns, words for roles, codes of languages and times as people of several countries write them."""

from __future__ import annotations

import json

import pytest

ROW = "7,Kunde,Wo ist die Lampe?,2024-06-20 10:00\n7,Agent,Sie ist unterwegs,2024-06-20 10:05\n"


@pytest.mark.parametrize(
    "header",
    [
        "Ticketnummer,Autor,Kommentar,Erstellt am",
        "N° ticket,Auteur,Commentaire,Créé le",
        "Número de ticket,Autor,Comentario,Fecha de creación",
        "Numero ticket,Autore,Commento,Data creazione",
        "Número do ticket,Autor,Comentário,Criado em",
        "Ticketnummer,Auteur,Opmerking,Aangemaakt op",
        "Numer zgłoszenia,Autor,Treść,Data utworzenia",
        "numero_ticket,AUTEUR,contenu,date-heure",
    ],
)
def test_columns_are_known_by_their_names_in_seven_languages(folder, header):
    """A ticket table with the headers of a German help desk was refused for lack of a column of texts."""
    rows = folder.rows_of("a.csv", f"{header}\n{ROW}").messages
    assert [(row["conversation_id"], row["role"]) for row in rows] == [("7", "user"), ("7", "agent")]
    assert rows[0]["text"] == "Wo ist die Lampe?"


@pytest.mark.parametrize(
    ("name", "public", "note"),
    [
        ("Öffentlich", "ja", "nein"), ("Publique", "oui", "non"), ("Público", "sí", "no"), ("Pubblico", "sì", "no"),
        ("Openbaar", "ja", "nee"), ("Publiczny", "tak", "nie"),
    ],
)  # fmt: skip
def test_internal_notes_are_known_by_their_column_in_six_languages(folder, name, public, note):
    """Internal notes of a German help desk were answers to the customer."""
    content = (
        f"conversation_id,role,text,timestamp,{name}\n"
        f"7,user,hello,2024-06-20 10:00,{public}\n7,agent,careful,2024-06-20 10:05,{note}\n"
    )
    assert [row["role"] for row in folder.rows_of("a.csv", content).messages] == ["user", "system"]


@pytest.mark.parametrize(
    ("word", "role"), [("Human:", "user"), ("Assistant :", "assistant"), ("Assignee", "agent"), ("Reporter", "user")]
)
def test_role_words_with_a_colon_and_of_trackers_are_known(folder, word, role):
    content = f"conversation_id,role,text,timestamp\n7,{word},hello,2024-06-20 10:00\n"
    assert [row["role"] for row in folder.rows_of("a.csv", content).messages] == [role]


@pytest.mark.parametrize(
    ("stated", "kept"),
    [("deu", "deu"), ("ger", "ger"), ("de-DE", "de-DE"), ("German", "German"), ("ceb", "ceb"), ("und", "und"),
     ("xx", None), ("qqq", None), ("good", None)],
)  # fmt: skip
def test_codes_of_no_language_are_null_and_counted(folder, stated, kept):
    """The language 'xx' stood beside de and en in every chart."""
    row = {"conversation_id": "c", "role": "user", "text": "x", "timestamp": "2024-01-05T10:00:00Z", "language": stated}
    (found,) = folder.rows_of("a.jsonl", json.dumps(row)).messages
    assert found["language"] == kept
    repairs = {one.column: one.rows for one in folder.source("a.jsonl").summary().repairs}
    assert repairs == ({} if kept else {"language": 1})
    assert kept or json.loads(found["extra"]) == {"unreadable.language": stated}


@pytest.mark.parametrize(
    ("stated", "time"),
    [
        ("45457.5", "2024-06-14 12:00:00"),
        ("45457.427083333", "2024-06-14 10:15:00"),
        ('"45457,25"', "2024-06-14 06:00:00"),
        ("45457", "2024-06-14 00:00:00"),
    ],
)
def test_day_numbers_of_a_spreadsheet_are_times(folder, stated, time):
    """45457.5 was a time of 1970-01-01, so the row lay outside the days kept."""
    content = f"conversation_id,role,text,timestamp\n7,user,hello,{stated}\n"
    (row,) = folder.rows_of("a.csv", content).messages
    assert f"{row['timestamp']:%Y-%m-%d %H:%M:%S}" == time


def test_a_day_number_is_a_local_time(folder):
    mapping = folder.write("mapping.yaml", "timezone: Europe/Berlin")
    content = "conversation_id,role,text,timestamp\n7,user,hello,45457.5\n"
    (row,) = folder.rows_of("a.csv", content, mapping=mapping).messages
    assert row["timestamp"].hour == 10
