"""Text in the encodings of the world, most of all in short files."""

from __future__ import annotations

import pytest

from analytics_platform.operations.inspecting.inspection import inspect_files
from analytics_platform.sources.formats.encodings import encoding_of
from analytics_platform.sources.mapping import FieldMapping

HEADER = "conversation_id,role,text,timestamp\n"
SHORT = {
    "cp932": ["ランプが壊れています。どうすればいいですか", "申し訳ございません", "はい、届きました。"],
    "gb18030": ["我的台灯坏了，怎么办？", "我想退货，但是找不到订单"],
    "big5": ["我的檯燈壞了，怎麼辦？"],
    "cp949": ["램프가 고장났어요. 어떻게 하나요?"],
    "cp1251": ["Где мой заказ?", "Спасибо", "Здравствуйте, проверяем ваш заказ"],
    "koi8_r": ["Где мой заказ? Я жду уже неделю"],
    "cp1250": [
        "Gdzie jest moje zamówienie? Czekam już tydzień",
        "Dziękuję, wszystko działa",
        "Kde je moje objednávka? Příliš žluťoučký kůň",
        "Köszönöm, megérkezett a csomag Győrbe",
    ],
    "mac_roman": ["Wo ist meine Bestellung? Größe passt nicht für mich", "Où est ma commande ? J’attends déjà"],
    "cp1253": ["Πού είναι η παραγγελία μου;"],
    "cp1254": ["Siparişim nerede? Teşekkürler, güzel ışık"],
    "cp1252": [
        "Größe passt nicht",
        "¿Qué? El Niño, señor",
        "Où est-elle ? J’attends déjà",
        "São Paulo",
        "5 € für 30°C",
    ],
}


def table(text: str, conversation: str = "a") -> str:
    rows = (f'user,"{text}",2024-06-20T09:00:00Z', "agent,ok we look into it,2024-06-20T09:10:00Z")
    return HEADER + "".join(f"{conversation},{row}\n" for row in rows)


TEXTS = [(name, text) for name, texts in SHORT.items() for text in texts]


@pytest.fixture(scope="module")
def read_texts(read_together):
    """What is read of the texts, each in a file of its own."""
    files = {f"{number}.csv": table(text, f"a{number}").encode(name) for number, (name, text) in enumerate(TEXTS)}
    return [[row["text"] for row in rows] for rows in read_together(files).values()]


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_a_short_file_is_read_in_its_encoding(read_texts, encoding, text):
    """Short files in Shift-JIS, cp1250, cp1251, Mac Roman and GB18030 became signs of nowhere."""
    assert read_texts[TEXTS.index((encoding, text))] == [text, "ok we look into it"]


def test_an_encoding_that_a_person_states_wins(folder):
    content = table("Łódź").encode("cp1250")
    assert folder.rows_of("a.csv", content, encoding="cp1250").messages[0]["text"] == "Łódź"
    assert folder.rows_of("b.csv", content).messages[0]["text"] != "Łódź"


@pytest.mark.parametrize("rows_before", [0, 20_000])
def test_a_guessed_encoding_is_said(folder, rows_before):
    """`inspect` said ASCII of a file whose first umlaut stands far below its beginning."""
    before = "".join(f"c{number},user,hello there,2024-06-20T09:00:00Z\n" for number in range(rows_before))
    content = (HEADER + before + "z,user,Где мой заказ?,2024-06-20T09:00:00Z\n").encode("cp1251")
    (view,) = inspect_files(str(folder.write("a.csv", content)), FieldMapping(), whole=True)
    assert "cp1251" in view.what
    assert any("read as cp1251; ANALYTICS_SOURCE_ENCODING" in note for note in view.notes)


@pytest.mark.parametrize("text", ["\udcff", "\udcff\udcfe", "日本語 gr\udcfc\udcdfe, viele W\u00f6rter"])
def test_damage_in_utf8_is_no_other_encoding(text):
    assert encoding_of(table(text).encode("utf-8", "surrogateescape")) == "utf-8"
