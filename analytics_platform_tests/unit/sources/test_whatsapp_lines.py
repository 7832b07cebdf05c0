"""Lines of WhatsApp chats that nobody typed, in the languages of phones."""

from __future__ import annotations

import pytest

ASKED = "[12.03.24, 10:15:01] Anna: Ist die Lampe da?\n"
ANSWERED = "12.03.24, 10:16 - Laden: Ja\n"


def chat(folder, *lines: str):
    return folder.rows_of("_chat.txt", "\n".join(lines) + "\n").messages


MEDIA = {
    "<Media omitted>": "[media]",
    "<Medien ausgeschlossen>": "[media]",
    "<Multimedia omitido>": "[media]",
    "<Médias omis>": "[media]",
    "<Media omessi>": "[media]",
    "<Mídia oculta>": "[media]",
    "<Media weggelaten>": "[media]",
    "<Pominięto multimedia>": "[media]",
    "<Без медиафайлов>": "[media]",
    "<メディアは含まれていません>": "[media]",
    "<attached: 00000012-PHOTO-2024-03-12.jpg>": "[image]",
    "<Anhang: 00000013-Rechnung.pdf>": "[file: 00000013-Rechnung.pdf]",
    "IMG-20240312-WA0001.jpg (Datei angehängt)": "[image]",
    "PTT-20240312-WA0002.opus (file attached)\nplease listen": "[audio]\nplease listen",
    "\u200eimage omitted": "[image]",
    "\u200eBild weggelassen": "[image]",
    "\u200evídeo omitido": "[video]",
    "\u200eaudio omesso": "[audio]",
    "\u200e画像は省略されました": "[image]",
    "Ja, gern \u200e<This message was edited>": "Ja, gern",
    "Sí \u200e<Se editó este mensaje.>": "Sí",
    "image omitted": "image omitted",
    "<3 <3": "<3 <3",
    "die Option <verbose> fehlt": "die Option <verbose> fehlt",
}
NOTICES = (
    "This message was deleted", "You deleted this message.", "Diese Nachricht wurde gelöscht.",
    "Se eliminó este mensaje.", "Ce message a été supprimé", "Questo messaggio è stato eliminato",
    "Mensagem apagada", "Dit bericht is verwijderd", "Ta wiadomość została usunięta", "Данное сообщение удалено",
    "このメッセージは削除されました", "此消息已删除", "\u200eVerpasster Sprachanruf",
)  # fmt: skip


@pytest.fixture(scope="module")
def answers(read_together):
    """Chats of a question and one of the lines, each in a file of its own."""
    lines = (*MEDIA, *NOTICES)
    asked = f"{ASKED}[12.03.24, 10:16:02] Laden: "
    read = read_together({f"{number}/_chat.txt": f"{asked}{line}\n" for number, line in enumerate(lines)})
    return dict(zip(lines, read.values(), strict=True))


@pytest.mark.parametrize("line", MEDIA)
def test_media_are_markers_and_no_words(answers, line):
    """'<Media omitted>' counted as words, as German or English, and as a sentiment."""
    rows = answers[line]
    assert [row["text"] for row in rows] == ["Ist die Lampe da?", MEDIA[line]]
    assert rows[1]["role"] == "agent"


@pytest.mark.parametrize("line", NOTICES)
def test_a_notice_of_the_app_is_no_message_of_anybody(answers, line):
    """'Diese Nachricht wurde gelöscht' was an answer, which ended a wait."""
    rows = answers[line]
    assert [row["role"] for row in rows] == ["user", "system"]
    assert rows[1]["agent_id"] is None


def test_the_notice_of_encryption_makes_nobody_the_customer(folder):
    """On an iPhone the notice has the name of the chat as sender, who became the customer."""
    notice = (
        "\u200eNachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt. Niemand kann sie lesen, auch WhatsApp nicht."
    )
    rows = chat(folder, f"[12.03.24, 10:14:00] Lampen Shop: {notice}", ASKED.strip(), "[12.03.24, 10:16:02] Laden: Ja")
    assert [row["role"] for row in rows] == ["system", "user", "agent"]
    assert rows[1]["user_id"] == "Anna"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("20/06/2024 à 08:00 - ", "20/06/2024 à 13:05 - "),
        ("20.6.2024 klo 8.00 - ", "20.6.2024 klo 13.05 - "),
        ("2024. 06. 20. 8:00 - ", "2024. 06. 20. 13:05 - "),
        ("2024-06-20 8 h 00 - ", "2024-06-20 13 h 05 - "),
        ("20.06.24 г., 8:00 ч. - ", "20.06.24 г., 13:05 ч. - "),
        ("2024/6/20 上午8:00 - ", "2024/6/20 下午1:05 - "),
        ("[2024. 6. 20. 오전 8:00:00] ", "[2024. 6. 20. 오후 1:05:00] "),
        ("\u200f20\u200f/6\u200f/2024, 8:00 ص - ", "\u200f20\u200f/6\u200f/2024, 1:05 م - "),
        ("٢٠\u200f/٦\u200f/٢٠٢٤، ٨:٠٠ ص - ", "٢٠\u200f/٦\u200f/٢٠٢٤، ١:٠٥ م - "),
        ("20/6/24, 8:00 π.μ. - ", "20/6/24, 1:05 μ.μ. - "),
        ("2024. 6. 20. 오전 8:00, ", "2024. 6. 20. 오후 1:05, "),
        ("20/6/2567 08:00 - ", "20/6/2567 13:05 - "),
    ],
    ids=[
        "French",
        "Finnish",
        "Hungarian",
        "Quebec",
        "Bulgarian",
        "Chinese",
        "Korean",
        "Arabic",
        "digits",
        "Greek",
        "Korean with a comma",
        "Thai",
    ],
)
def test_dates_of_more_locales_begin_messages(folder, question, answer):
    """These chats were refused as texts of no known format, or as CSV files that lack columns."""
    found = folder.rows_of("chat.txt", f"{question}Mia: Hello\nthere\n{answer}Shop: Hi\n")

    assert [(row["role"], row["text"]) for row in found.messages] == [("user", "Hello\nthere"), ("agent", "Hi")]
    assert [f"{row['timestamp']:%Y-%m-%d %H:%M}" for row in found.messages] == ["2024-06-20 08:00", "2024-06-20 13:05"]


@pytest.mark.parametrize(("half", "day"), [("AM", "2024-05-06"), ("am", "2024-06-05"), ("a. m.", "2024-06-05")])
def test_only_american_halves_of_a_day_put_the_month_first(folder, half, day):
    """Phones in India, Australia and Latin America write the day first, and am in small letters."""
    found = folder.rows_of("chat.txt", f"5/6/24, 8:00 {half} - Mia: Hello\n5/6/24, 8:05 {half} - Shop: Hi\n")

    assert list(found.days) == [day]
