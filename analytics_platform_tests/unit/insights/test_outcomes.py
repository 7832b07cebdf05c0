"""Urgency and resolution as the engine answers them, for conversations whose outcome two people would not dispute."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.engine import InsightEngine, build_engine

Build = Callable[[Sequence[Any]], pa.Table]
Judge = Callable[..., dict[str, Any]]
Turns = Sequence[tuple[str, str]]
"""Role and text of each message; ``u`` is the customer, ``a`` an agent, ``m`` an assistant."""
_ROLES = {"u": "user", "a": "agent", "m": "assistant"}


@pytest.fixture(scope="module", params=["demo", "general"])
def judge(request: pytest.FixtureRequest, build_messages: Build) -> Judge:
    """Label one conversation; the conversations of the parameter ``turns`` are labelled at once, for all tests."""
    engine = build_engine(taxonomy_path=(request.param,))

    def label(*conversations: Turns) -> list[dict[str, Any]]:
        said = [(f"c{n}", _ROLES[role], text) for n, turns in enumerate(conversations) for role, text in turns]
        rows = _labelled(engine, build_messages(said))
        return [rows[f"c{n}"] for n in range(len(conversations))]

    ours = (item for item in request.session.items if item.path == request.path and hasattr(item, "callspec"))
    known = list(
        dict.fromkeys(tuple(item.callspec.params["turns"]) for item in ours if "turns" in item.callspec.params)
    )
    rows = dict(zip(known, label(*known), strict=True)) if known else {}

    def run(*turns: tuple[str, str]) -> dict[str, Any]:
        return rows[turns] if turns in rows else label(turns)[0]

    return run


def _labelled(engine: InsightEngine, messages: pa.Table) -> dict[str, Any]:
    embeddings = engine.embed_messages(messages)
    rows = engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings))
    return {row["conversation_id"]: row for row in rows.to_pylist()}


def _reasons(row: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [reason for reason in row["reasons"] if reason["kind"] == kind]


_ADVICE = ("a", "please restart the device and try again")


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "does it work? works fine on my old laptop"), ("u", "does it work? it works fine on my old laptop")],
        [("u", "is there a charger that works great with the x31? solved it for the x30 already")],
        [("u", "perfect sound on windows, but how do i get any sound here?")],
        [("u", "how do i reset my password"), ("u", "thanks in advance")],
        [("u", "my invoice is wrong, can you fix it?"), ("u", "thank you very much")],
        [("u", "¿la aplicación funciona bien sin conexión? en mi otro teléfono ya funciona")],
        [("u", "Läuft das auch unter Linux? Unter Windows funktioniert es perfekt.")],
        [("u", "这个软件在平板上能正常使用吗？在电脑上已经可以了")],
        [("a", "Hi, how may I help?"), ("u", "it works on my phone, why does it not open on the tablet?")],
    ],
)
def test_an_unanswered_question_is_never_resolved(judge: Judge, turns: Turns) -> None:
    """A question with "works fine" in it was resolved with confidence 0.997."""
    row = judge(*turns)
    assert row["resolution"] == "unresolved"
    assert row["resolution_confidence"] > 0.7


@pytest.mark.parametrize(
    "turns",
    [
        [("a", "Hi, how may I help?"), ("u", "the screen stays dark since the update, otherwise I love the app")],
        [("a", "Welcome! You will be served soon."), ("u", "the second lamp is missing, the first one is perfect")],
    ],
)
def test_praise_beside_a_report_that_nobody_answered_resolves_nothing(judge: Judge, turns: Turns) -> None:
    """A greeting by a robot counted as an answer."""
    assert judge(*turns)["resolution"] == "unresolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "the export stops at 1000 rows"), _ADVICE, ("u", "that did it, all rows are there, thank you")],
        [("u", "der drucker druckt nicht"), _ADVICE, ("u", "jetzt funktioniert es, vielen dank")],
        [("u", "no puedo entrar en mi cuenta"), _ADVICE, ("u", "ya funciona, muchas gracias")],
        [("u", "打印机没有反应"), ("a", "请您重启一下打印机"), ("u", "可以了，谢谢")],
        [("u", "画面が真っ暗です"), ("a", "再起動してください"), ("u", "直りました、ありがとうございます")],
        [("u", "принтер не печатает"), _ADVICE, ("u", "заработало, спасибо")],
        [("u", "الطابعة لا تطبع"), _ADVICE, ("u", "تم حل المشكلة شكرا")],
        [("u", "please cancel my order"), ("a", "I have cancelled your order."), ("u", "great, bye")],
        [("u", "please cancel my order"), ("a", "Done, your order has been cancelled."), ("u", "no that's all")],
        [("u", "how do i map a drive?"), ("u", "never mind, found it in the manual")],
    ],
)
def test_what_the_customer_confirms_or_gets_done_is_resolved(judge: Judge, turns: Turns) -> None:
    assert judge(*turns)["resolution"] == "resolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "the wifi drops"), _ADVICE, ("u", "did that, still the same")],
        [("u", "das wlan bricht ab"), _ADVICE, ("u", "schon gemacht, hilft nicht")],
        [("u", "se corta el wifi"), _ADVICE, ("u", "ya lo hice y sigue igual")],
        [("u", "优惠券有问题"), ("a", "请您清除缓存"), ("u", "试过了，还是不行")],
        [
            ("u", "i want my money back"),
            ("a", "We are unable to refund this ticket."),
            ("u", "ok, thanks anyway"),
        ],
        [("u", "ich will mein geld zurück"), ("a", "Das ist leider nicht möglich."), ("u", "schade, danke trotzdem")],
        [("u", "我想退货"), ("a", "抱歉，已经超过七天，无法退货"), ("u", "好吧，谢谢")],
        [("u", "where is my parcel?"), ("a", "We will look into it and get back to you."), ("u", "thanks")],
        [("u", "my bill is wrong"), ("a", "Which month do you mean?")],
        [("u", "i want to talk to a real person"), ("a", "I can help with cards."), ("u", "no, a human agent please")],
        [("u", "that works? no. my screen is not working now"), _ADVICE, ("u", "it is not working now")],
    ],
)
def test_a_refusal_a_promise_or_a_failure_stays_unresolved(judge: Judge, turns: Turns) -> None:
    """Thanks behind a refusal counted as success, and languages other than English had no cues."""
    assert judge(*turns)["resolution"] == "unresolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "hello"), ("a", "hi, how can i help?")],
        [("u", "good night everyone")],
        [("u", "my laptop is slow"), _ADVICE, ("u", "i'll try that tonight")],
        [("u", "mein laptop ist langsam"), _ADVICE, ("u", "probiere ich gleich aus")],
    ],
)
def test_without_anything_to_tell_by_the_resolution_is_unclear(judge: Judge, turns: Turns) -> None:
    row = judge(*turns)
    assert row["resolution"] == "unclear"
    assert _reasons(row, "resolution") == []


def test_a_success_with_a_rest_is_partly_resolved(judge: Judge) -> None:
    row = judge(("u", "sync is broken"), ("a", "please reconnect"), ("u", "it works now but notes are missing"))
    assert row["resolution"] == "partly_resolved"


def test_a_full_answer_of_an_assistant_resolves_with_modest_confidence(judge: Judge) -> None:
    answer = (
        "A list can be changed after it is made, a tuple cannot be changed. So a tuple may be the key of a dictionary, "
        "and a list may not. Would you like an example of each of them?"
    )
    row = judge(("u", "what is the difference between a list and a tuple"), ("m", answer))
    assert row["resolution"] == "resolved"
    assert row["resolution_confidence"] < 0.95
    assert [reason["rule"] for reason in _reasons(row, "resolution")] == ["answered_at_length"]


_BOOKED = [("u", "book a table for two at eight"), ("a", "It is booked. Is there anything else I can help with?")]


@pytest.mark.parametrize(
    "turns",
    [
        [*_BOOKED, ("u", "no, not at the moment")],
        [*_BOOKED, ("u", "no, that would be enough for today"), ("a", "have a great day")],
        [("u", "can i smoke on the balcony?"), ("a", "no, smoking is not allowed"), ("u", "thanks, big help")],
    ],
)
def test_no_to_an_offer_and_no_as_an_answer_are_no_failure(judge: Judge, turns: Turns) -> None:
    """ "No, not at the moment" to "anything else?" was taken for a complaint, "not allowed" for a refusal."""
    assert judge(*turns)["resolution"] == "resolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "i want a new card"), ("a", "What is your customer number?"), ("u", "customer 55 12 31")],
        [("u", "my lamp came broken"), ("a", "Please send us a picture of it.")],
        [("u", "die lampe kam kaputt an"), ("a", "Bitte senden Sie uns ein Foto.")],
    ],
)
def test_details_asked_for_leave_the_matter_open(judge: Judge, turns: Turns) -> None:
    assert judge(*turns)["resolution"] == "unresolved"


def test_a_refusal_of_an_assistant_is_unresolved(judge: Judge) -> None:
    refusal = "I'm sorry, but I cannot help with finding the private address of a person, for reasons of privacy."
    assert judge(("u", "give me her home address"), ("m", refusal))["resolution"] == "unresolved"


@pytest.mark.parametrize(
    ("turns", "message", "words"),
    [
        ([("u", "no sound"), _ADVICE, ("u", "now it is working again")], "002", ["is working again"]),
        ([("u", "i want a refund"), ("a", "we are unable to do so"), ("u", "ok thanks")], "001", ["unable to"]),
        ([("u", "打印机没有反应"), ("a", "请您重启"), ("u", "可以了，谢谢")], "002", ["可以了"]),
    ],
)
def test_a_reason_quotes_the_words_that_decided_the_resolution(
    judge: Judge, turns: Turns, message: str, words: list[str]
) -> None:
    row = judge(*turns)
    reason = _reasons(row, "resolution")[0]
    expected = (f"{row['conversation_id']}-{message}", words, None)
    assert (reason["message_id"], reason["words"], reason["rule"]) == expected


@pytest.mark.parametrize(
    ("turns", "urgency"),
    [
        ([("u", "please hurry, my flight leaves in an hour and i need the ticket")], "high"),
        ([("u", "ich brauche das dringend noch heute")], "high"),
        ([("u", "necesito una respuesta lo antes posible, es urgente")], "high"),
        ([("u", "请尽快处理，今天之内必须寄出")], "high"),
        ([("u", "至急お願いします")], "high"),
        ([("u", "somebody stole my card and is paying with it, these payments are fraud")], "critical"),
        ([("u", "jemand hat mein konto gehackt")], "critical"),
        ([("u", "me robaron la tarjeta")], "critical"),
        ([("u", "我的卡被盗刷了")], "critical"),
        ([("u", "our shop is down for everyone, customers cannot pay and we are losing money")], "critical"),
        ([("u", "it is not urgent at all")], "low"),
        ([("u", "no hay prisa, cuando puedan")], "low"),
        ([("u", "das ist nicht dringend")], "low"),
        ([("u", "不着急，有空的时候看一下")], "low"),
        ([("u", "急ぎではありません")], "low"),
        ([("u", "we are at the desk, boarding closes in 25 min")], "high"),
        ([("u", "do you have a table for four tonight")], "normal"),
        ([("u", "WHERE IS THE MANUAL OF THE PRINTER!!!!")], "normal"),
        ([("u", "how do i add a second printer?")], "normal"),
    ],
)
def test_urgency_is_told_in_many_languages_and_shouting_weighs_little(judge: Judge, turns: Turns, urgency: str) -> None:
    """Of 905 conversations 890 were of normal urgency, and only English keywords told another one."""
    assert judge(*turns)["urgency"] == urgency


def test_urgency_is_that_of_the_customers_most_telling_message(judge: Judge) -> None:
    row = judge(("u", "hello"), ("u", "there is a problem and it is urgent"), ("a", "no rush"), ("u", "thanks, bye"))
    assert row["urgency"] == "high"
    assert [(reason["message_id"], reason["words"]) for reason in _reasons(row, "urgency")] == [("c0-001", ["urgent"])]


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "the app closes at once"), _ADVICE, ("u", last)]
        for last in (
            "leider ohne Erfolg, trotzdem danke",
            "sadly no improvement, but thank you",
            "sans succès malheureusement, merci quand même",
            "lamentablemente sin éxito, gracias de todos modos",
            "infelizmente sem sucesso, obrigado mesmo assim",
            "purtroppo senza successo, grazie comunque",
            "helaas zonder resultaat, toch bedankt",
            "niestety bez skutku, mimo to dziękuję",
            "maalesef sonuç değişmedi, yine de teşekkürler",
            "bohužel bez výsledku, přesto děkuji",
            "tyvärr ingen skillnad, tack ändå",
            "للأسف بدون فائدة، شكرا على كل حال",
            "很遗憾,没有效果,还是谢谢",
            "残念ながらだめでした。ありがとうございました",
            "아쉽게도 효과가 없네요. 그래도 감사합니다",
        )
    ],
)
def test_thanks_for_an_advice_that_failed_resolve_nothing(judge: Judge, turns: Turns) -> None:
    """Thanks at the end counted as success, although the customer says that the advice failed."""
    assert judge(*turns)["resolution"] == "unresolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "Můžu platit kartou?"), ("a", "Ano, na všech pokladnách."), ("u", "super, teď to chápu")],
        [("u", "Hur byter jag språk?"), ("a", "Inställningar > Språk."), ("u", "snyggt, nu syns det")],
        [("u", "wo finde ich meine rechnung"), ("a", "Unter Konto > Rechnungen."), ("u", "ah, jetzt sehe ich sie")],
        [("u", "écris un petit poème sur la lune"), ("m", "La lune dort, le chat la garde."), ("u", "je le garde !")],
        [("u", "convert 9 inches to cm"), ("m", "9 inches are 22.86 cm.")],
        [("u", "translate to english: ich komme leider später"), ("m", "Unfortunately I am coming later.")],
        [("u", "给猫起三个名字"), ("m", "咪咪、豆豆、雪球。")],
        [("u", "kde máte otevřeno v neděli"), ("a", "Otevřeno máme v Brně od devíti do šesti.")],
    ],
)
def test_an_answer_that_serves_the_customer_resolves_in_any_words(judge: Judge, turns: Turns) -> None:
    """Only listed phrases counted, so that a finished task and joy in other words were unclear or unresolved."""
    assert judge(*turns)["resolution"] == "resolved"


@pytest.mark.parametrize(
    "turns",
    [
        [("u", "what is the score right now"), ("m", "I have no access to live results."), ("u", "ok")],
        [("u", "připomeň mi zítra nákup"), ("m", "Bohužel takovou funkci nemám."), ("u", "ok")],
        [("u", "min pakke er væk"), ("a", "Vi har spurgt fragtfirmaet og venter på svar."), ("u", "ok")],
        [("u", "il corriere non arriva"), ("a", "Abbiamo chiesto al deposito."), ("u", "ok, allora aspetto")],
    ],
)
def test_taking_note_of_a_refusal_or_delay_resolves_nothing(judge: Judge, turns: Turns) -> None:
    """An "ok" counted as success whatever the agent had said in words of no list."""
    assert judge(*turns)["resolution"] == "unresolved"


def test_the_reason_of_an_unanswered_question_is_that_nobody_answered(judge: Judge) -> None:
    """The reason quoted the question's words, which do not say why the matter is open."""
    reasons = _reasons(judge(("u", "how do i reset the router in my office?")), "resolution")
    assert reasons[0]["rule"] == "unanswered"
    assert [reason["words"] for reason in reasons] == [[]] * len(reasons)


def test_the_change_of_sentiment_is_the_customers_end_minus_opening(judge: Judge) -> None:
    turns = [("u", "this is terrible, i hate it"), ("a", "i love it"), ("u", "wow, this is wonderful, i love it")]
    assert judge(*turns)["sentiment_change"] > 0.5
    assert judge(*turns[::-1])["sentiment_change"] < -0.5
    assert judge(*turns[:2])["sentiment_change"] is None


def test_confidence_in_outcomes_of_the_gold_is_near_the_share_that_is_right(build_messages: Build) -> None:
    """Confidence in the urgency was 0.97 on average where 0.78 were right."""
    folder = Path(__file__).parents[3] / "training" / "gold"
    lines = (folder / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
    written = [row for row in map(json.loads, lines) if "messages" in row]
    with (folder / "gold.csv").open(encoding="utf-8") as file:
        truth = {row["id"]: row for row in csv.DictReader(file)}
    engine = build_engine(taxonomy_path=("general",))
    said = [(row["id"], one["role"], one["text"]) for row in written for one in row["messages"]]
    rows = _labelled(engine, build_messages(said))
    for kind in ("urgency", "resolution"):
        right = np.mean([rows[name][kind] == truth[name][kind] for name in rows])
        sure = np.mean([rows[name][f"{kind}_confidence"] for name in rows])
        assert sure == pytest.approx(right, abs=0.08)


def test_keywords_of_a_taxonomy_are_cues(tmp_path: Any, build_messages: Build) -> None:
    """Keywords of urgencies and resolutions that a file declares must count beside the shipped cues."""
    path = tmp_path / "own.yaml"
    path.write_text(
        """
extends: [base]
topics: [{label: boats, description: Boats., examples: [a boat]}]
urgencies: [{label: critical, keywords: [mayday]}]
resolutions: [{label: resolved, keywords: [shipshape]}]
""",
        encoding="utf-8",
    )
    engine = build_engine(taxonomy_path=path)
    turns = [("c", "user", "mayday, we take on water"), ("c", "agent", "pump"), ("c", "user", "shipshape")]
    row = _labelled(engine, build_messages(turns))["c"]
    assert (row["urgency"], row["resolution"]) == ("critical", "resolved")


_DRILL = [("u", "any idea where the manual of the drill is"), ("a", "It is in the lid of the case.")]
_FENCE = [("u", "suggest a colour for my fence"), ("m", "Sage green, slate grey or barn red.")]


@pytest.mark.parametrize(
    "turns",
    [
        [*_DRILL, ("u", "so it is, hidden in the lid")],
        [*_FENCE, ("u", "barn red, decided")],
        [*_DRILL, ("u", "so it is, hidden in the lid"), ("a", "Many look for it there last.")],
    ],
)
def test_first_and_last_messages_together_decide_where_no_words_do(judge: Judge, turns: Turns) -> None:
    """A remark that takes up an answer was a further question that nobody answered."""
    row = judge(*turns)
    assert row["resolution"] == "resolved"
    assert [reason["rule"] for reason in _reasons(row, "resolution")] == ["first_and_last_messages"]
    assert _reasons(row, "resolution")[0]["message_id"].endswith(f"-{len(turns) - 1:03}")
