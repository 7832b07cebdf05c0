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


OTHERS = (
    "Nº ticket,Autor,Mensaje,Fecha y hora", "N° de ticket,De,Message,Date", "ID conversation,Auteur,Contenu,Créé le",
    "Numero ticket,Mittente,Messaggio,Data e ora", "Ticketnummer,Afzender,Bericht,Tijdstip",
    "Тикет,Автор,Сообщение,Дата и время", "問い合わせ番号,送信者,本文,作成日時", "チケットID,送信者,メッセージ,日時",
    "工单号,发送者,消息内容,发送时间", "Ticket,Author,Comment,Message created",
)  # fmt: skip


def test_further_names_of_columns_are_known(read_together):
    """Tables with these headers were refused, though their languages are among those that are promised."""
    files = {
        f"{number}.csv": f"{header}\n{number},Kunde,Hallo,2024-06-20 10:00\n{number},Agent,Ja,2024-06-20 10:05\n"
        for number, header in enumerate(OTHERS)
    }
    for name, rows in read_together(files).items():
        assert [(row["role"], row["text"], str(row["timestamp"])[11:16]) for row in rows] == [
            ("user", "Hallo", "10:00"), ("agent", "Ja", "10:05")
        ], name  # fmt: skip


@pytest.mark.parametrize(
    ("flag", "of_customer"),
    [
        ("Is Incoming", True), ("is_from_customer", True), ("sent_by_customer", True),
        ("outgoing", False), ("sent_by_agent", False), ("is_from_agent", False),
    ],
)  # fmt: skip
def test_further_flags_tell_who_speaks(said, flag, of_customer):
    rows = said(
        f"chat_id,{flag},message,created_at\n1,{of_customer},hi,2024-05-01 09:15\n"
        f"1,{not of_customer},yo,2024-05-01 09:16\n"
    )
    assert [row["role"] for row in rows] == ["user", "agent"]


def test_a_column_of_german_texts_says_not_who_speaks(said):
    rows = said("chat_id,is_agent,message,de,created_at\n1,false,hi,hallo,2024-05-01 09:15\n")
    assert [(row["role"], row["text"]) for row in rows] == [("user", "hi")]
