"""Secrets: what issuers' tokens look like, and how people give passwords away."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.pii import find_pii, redact
from analytics_platform.transform.pii.secret_tokens import read_forms

FORMS = read_forms()
BASE64 = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SURROUNDINGS = st.sampled_from(["", "the key is ", "key: ", "(", "é ", "token=", "密钥", "see:\n"])
ENDS = st.sampled_from(["", " thanks", ".", ",", ")", "\n", "谢谢", "!"])


def redacted(text: str) -> str:
    texts = pa.array([text])
    return str(redact(texts, find_pii(texts, {"SECRET"}))[0].as_py())


@pytest.mark.parametrize(
    "text",
    [
        "dapi1234567890abcdef1234567890abcdef",
        "key-1234567890abcdef1234567890abcdef",
        "key-3ax6xnjp29jd6fds4gc373sgvjxteol0",
        "hvs.CAESIJ1234567890abcdefghijklmnop",
        "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
        f"AccountKey={BASE64}",
        f"DefaultEndpointsProtocol=https;AccountName=foo;AccountKey={BASE64};EndpointSuffix=core.windows.net",
        f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={BASE64}",
        "Server=tcp:x.example.net;Database=db;User Id=bob;Password=Abc!23def;Encrypt=true;",
    ],
)
def test_the_whole_of_a_secret_is_taken_out(text: str) -> None:
    """Databricks, Mailgun, Vault, Discord and Azure secrets reached the tables."""
    assert redacted(f"use {text} please") == "use <SECRET> please"


@given(st.data(), SURROUNDINGS, ENDS)
def test_a_token_of_any_issuer_is_found_whole_in_any_text(data: st.DataObject, before: str, after: str) -> None:
    """Forms were kept one by one, and most issuers had none."""
    row = data.draw(st.sampled_from(FORMS))
    token = data.draw(st.from_regex(re.compile(row["form"], re.ASCII), fullmatch=True))
    left = redacted(before + token + after)
    assert token not in left
    assert "<SECRET>" in left


@given(st.data())
def test_the_hint_of_an_issuer_matches_its_tokens(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(FORMS))
    token = data.draw(st.from_regex(re.compile(row["form"], re.ASCII), fullmatch=True))
    assert pc.match_substring_regex(pa.array([token]), row["hint"])[0].as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mein Passwort lautet Sommer2024!", "Mein Passwort lautet <SECRET>"),
        ("Das Kennwort für mein Konto ist Sommer2024", "Das Kennwort für mein Konto ist <SECRET>"),
        ("mon mot de passe est Soleil2024!", "mon mot de passe est <SECRET>"),
        ("la contraseña de mi cuenta es Verano2024!", "la contraseña de mi cuenta es <SECRET>"),
        ("la mia password è Estate2024", "la mia password è <SECRET>"),
        ("a minha senha é Verao2024", "a minha senha é <SECRET>"),
        ("mijn wachtwoord is Zomer2024", "mijn wachtwoord is <SECRET>"),
        ("moje hasło to Lato2024!", "moje hasło to <SECRET>"),
        ("mitt lösenord är Sommar2024", "mitt lösenord är <SECRET>"),
        ("şifrem Yaz2024!", "şifrem <SECRET>"),
        ("мой пароль Лето2024", "мой пароль <SECRET>"),
        ("пароль это Лето2024", "пароль это <SECRET>"),
        ("パスワードは Natsu2024! です", "パスワードは <SECRET> です"),
        ("我的密码是abc12345谢谢", "我的密码是<SECRET>谢谢"),
        ("mein Kennwort war bisher Blume77$", "mein Kennwort war bisher <SECRET>"),
        ("Passwort -> Katze!99", "Passwort -> <SECRET>"),
        ("le mdp c'est Toto1234!", "le mdp c'est <SECRET>"),
        ("пароль теперь Vesna2025!", "пароль теперь <SECRET>"),
        ('password = "My Pass 42!"', 'password = "<SECRET>"'),
        ("my password's hunter2", "my password's <SECRET>"),
        ("my password is P@ssword", "my password is <SECRET>"),
        ("the passcode is 839201", "the passcode is <SECRET>"),
        ("비밀번호는 Yeoreum2024 입니다", "비밀번호는 <SECRET> 입니다"),
    ],
)
def test_a_password_is_found_after_the_verb_of_its_language(text: str, expected: str) -> None:
    """Only a colon after the word, or English, gave a password away."""
    assert redacted(text) == expected


@pytest.mark.parametrize("mark", ["!", "?", "!!", "$", "*", "#1!"])
def test_marks_at_the_end_of_a_password_go_with_it(mark: str) -> None:
    """The last character of a password stood in the tables."""
    assert redacted(f"my password is hunter2{mark}") == "my password is <SECRET>"
    assert redacted(f"password: Tr0ub4dor{mark}.") == "password: <SECRET>."


@pytest.mark.parametrize(
    "text",
    [
        "my password manager is 1Password",
        "the password is base64 encoded",
        "the password is wrong!",
        "is the password case-sensitive?",
        "Mein Passwort lautet anders als gestern",
        "mot de passe oublié le 12 mars",
        "monkey-business, api-key rotation and task-manager",
        "spring-key-value store, hvs and dapi drivers",
        "boarding pass: GATE12",
    ],
)
def test_talk_about_passwords_and_keys_stays(text: str) -> None:
    assert redacted(text) == text
