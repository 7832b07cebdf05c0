"""Which language a text gets."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.transform import language
from analytics_platform.transform.language import detect_languages, normalise_codes


def detect(text: str, stated: str | None = None) -> str:
    return str(detect_languages(pa.array([text]), pa.array([stated], pa.string()))[0].as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("could you please tell me how to install this driver?", "en"),
        ("por favor, me ajude a instalar o sistema no meu computador", "pt"),
        ("egal, hab ich da auch nie dran rumgefummelt", "de"),
        ("ПОЖАЛУЙСТА ПОМОГИТЕ", "ru"),
        ("請問我要怎麼安裝這個程式", "zh"),
        ("nick: danke für die schnelle hilfe, http://example.com/an-english-path", "de"),
        ("the driver works, merci beaucoup pour votre aide à tous", "fr"),
        ("COULD YOU PLEASE HELP ME WITH MY PRINTER", "en"),
        ("perfect, that is all", "en"),
        ("it's broken", "en"),
        ("where is order 7F3K-2290?", "en"),
        ("tom_42, danke für die schnelle hilfe", "de"),
    ],
)
def test_a_clear_text_gets_its_language(text: str, expected: str) -> None:
    assert detect(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "wait a sec",
        ";)",
        "xkcd qwrt zzgh plkj mnbv",
        "12345 67890 12345 67890",
        "😀😀😀😀😀😀😀😀",
        "<EMAIL> <PHONE> <URL>",
        "https://example.com/eine/lange/adresse",
        "9f86d081884c7d659a2feaa0c55ad015",
        "3b241101-e2bb-4255-8caf-4136c566a962",
        "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQpvZiBzb21lIGxlbmd0aA==",
        "\ufffdn\ufffdre\ufffd p\ufffdlat\ufffd g\ufffdrde\ufffd",
    ],
)
def test_a_short_or_unclear_text_is_unknown(text: str) -> None:
    assert detect(text) == "und"


@pytest.mark.parametrize(
    ("stated", "code"), [("pt-BR", "pt"), (" DE ", "de"), ("en_US", "en"), ("yue", "yue"), ("Spanish", "es")]
)
def test_what_the_source_states_wins(stated: str, code: str) -> None:
    assert detect("could you please tell me how to install this driver?", stated) == code


@pytest.mark.parametrize("stated", ["und", "Plain English", "", "e", "12"])
def test_what_is_no_language_code_counts_as_not_stated(stated: str) -> None:
    assert normalise_codes(pa.array([stated])).to_pylist() == [None]
    assert detect("could you please tell me how to install this driver?", stated) == "en"


def test_a_column_keeps_its_order() -> None:
    texts = pa.array(
        ["ok", "wo finde ich bitte die Einstellungen für den Drucker?", "ok", "where are the printer settings?"]
    )
    stated = pa.array([None, None, "fr", None], pa.string())
    assert detect_languages(texts, stated).to_pylist() == ["und", "de", "fr", "en"]


def test_the_careful_detector_knows_languages_that_the_fast_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lingua = pytest.importorskip("lingua", reason="lingua is an extra")
    three = [lingua.Language.ENGLISH, lingua.Language.ZULU, lingua.Language.GERMAN]  # all of them take long to load
    monkeypatch.setattr(language, "_lingua", lingua.LanguageDetectorBuilder.from_languages(*three).build)
    texts = pa.array(["Ngiyabonga kakhulu ngosizo lwakho namhlanje", "where are the printer settings?", "12 😀"])
    unstated = pa.nulls(3, pa.string())
    assert detect_languages(texts, unstated, "careful").to_pylist() == ["zu", "en", "und"]
    assert detect_languages(texts, unstated)[0].as_py() != "zu"


def test_an_empty_column_stays_empty() -> None:
    assert len(detect_languages(pa.array([], pa.string()), pa.array([], pa.string()))) == 0


CHAT = {
    "en": ["my order never arrived", "can you help me please", "I want a refund", "thanks, that worked"],
    "es": ["mi pedido no ha llegado", "¿me puedes ayudar?", "quiero un reembolso", "gracias, funcionó"],
    "fr": ["ma commande n'est pas arrivée", "pouvez-vous m'aider ?", "je veux un remboursement", "merci, ça marche"],
    "de": [
        "meine Bestellung ist nicht da",
        "können Sie mir helfen?",
        "ich möchte mein Geld zurück",
        "danke, das hat geklappt",
    ],
    "pt": ["meu pedido não chegou", "você pode me ajudar?", "quero meu dinheiro de volta", "obrigado, funcionou"],
    "it": ["il mio ordine non è arrivato", "mi puoi aiutare?", "voglio un rimborso", "grazie, ha funzionato"],
    "ru": ["мой заказ не пришёл", "вы можете мне помочь?", "хочу вернуть деньги", "спасибо, заработало"],
    "tr": ["siparişim gelmedi", "yardım eder misiniz?", "para iadesi istiyorum", "teşekkürler, oldu"],
    "vi": ["đơn hàng của tôi chưa đến", "bạn có thể giúp tôi không?", "tôi muốn hoàn tiền", "cảm ơn, được rồi"],
    "id": ["pesanan saya belum datang", "bisa bantu saya?", "saya mau uang kembali", "terima kasih, sudah bisa"],
    "hi": ["मेरा ऑर्डर नहीं आया", "क्या आप मेरी मदद कर सकते हैं?", "मुझे पैसे वापस चाहिए", "धन्यवाद, हो गया"],
    "mr": ["माझी ऑर्डर आली नाही", "तुम्ही मला मदत कराल का?", "मला परतावा हवा आहे", "धन्यवाद, झाले"],
    "bn": ["আমার অর্ডার আসেনি", "আপনি কি সাহায্য করতে পারেন?", "আমি টাকা ফেরত চাই"],
    "ur": ["میرا آرڈر نہیں آیا", "کیا آپ میری مدد کر سکتے ہیں؟", "مجھے پیسے واپس چاہیے"],
    "ar": ["طلبي لم يصل", "هل يمكنك مساعدتي؟", "أريد استرداد أموالي", "شكرا، لقد نجح"],
    "zh": ["我的订单没有到", "你能帮我吗？", "我要退款", "谢谢，可以了"],
    "ja": ["注文が届きません", "助けてもらえますか？", "返金してください", "ありがとう、動きました"],
    "ko": ["주문이 안 왔어요", "도와주실 수 있나요?", "환불해 주세요", "감사합니다, 됐어요"],
    "ta": ["என் ஆர்டர் வரவில்லை", "எனக்கு உதவ முடியுமா?", "பணத்தை திரும்ப வேண்டும்"],
    "te": ["నా ఆర్డర్ రాలేదు", "మీరు నాకు సహాయం చేయగలరా?", "నాకు డబ్బు తిరిగి కావాలి"],
}
"""What customers write to a support desk, in the large languages."""


def test_short_messages_of_the_large_languages_are_told_apart() -> None:
    texts, codes = zip(*((text, code) for code, lines in CHAT.items() for text in lines), strict=True)
    found = detect_languages(pa.array(texts), pa.nulls(len(texts), pa.string())).to_pylist()
    wrong = [(text, answer) for text, code, answer in zip(texts, codes, found, strict=True) if code != answer]
    assert len(wrong) <= 0.03 * len(texts), wrong


def test_languages_that_are_nearly_one_do_not_make_each_other_doubtful() -> None:
    assert detect("我要退款") == "zh"
    assert detect("tidak berfungsi") == "id"


@pytest.mark.parametrize(
    ("stated", "code"), [("deu", "de"), ("ger", "de"), ("fra-CA", "fr"), ("zho", "zh"), ("xx", None), ("qqq", None)]
)
def test_codes_of_three_letters_are_those_of_two_and_unknown_ones_are_null(stated: str, code: str | None) -> None:
    """``deu`` and ``de`` were two languages, and ``xx`` was one."""
    assert normalise_codes(pa.array([stated])).to_pylist() == [code]
