"""The words with which chat platforms, help desks and LLM formats say who speaks, in English and other languages."""

# ruff: noqa: RUF001  (letters of other scripts look like Latin ones)

from __future__ import annotations

import unicodedata
from functools import cache

from analytics_platform.model.tables.raw_tables import ROLES

_WORDS = {
    "user": "user human customer client end-user enduser visitor contact requester reporter lead guest "
    "consumer buyer caller prompter incoming inbound in user-message user-prompt message-to-operator "
    "offline-message",
    "assistant": "assistant ai bot gpt claude chatgpt model llm chatbot chat-bot virtual-assistant virtual-agent "
    "answer-bot ai-agent bing bard gemini function-call tool-call tool-calls api-message ai-response bot-message "
    "assistant-message",
    "agent": "agent assignee admin operator support support-agent customer-support human-agent live-agent "
    "representative rep staff employee team teammate team-member advisor moderator technician csr outgoing outbound "
    "out outbound-reply outbound-api business message-to-visitor agent-message",
    "system": "system developer activity event notification system-message",
    "tool": "tool function function-response tool-response tool-result tool-output observation ipython",
}

# A word that means several roles, in one language or in two, is left out: it is told as unknown.
_WORDS_OF_LANGUAGES = {
    "user": (
        "kunde kundin nutzer nutzerin benutzer benutzerin besucher besucherin "  # German, Danish, Norwegian
        "endbenutzer endbenutzerin endnutzer endnutzerin endkunde endkundin anfragender anfragende "  # German
        "utilisateur-final demandeur usuario-final solicitante usuário-final utilizador-final utente-finale "
        "richiedente eindgebruiker aanvrager slutanvändare slutbruger sluttbruker użytkownik-końcowy "
        "конечный-пользователь "
        "cliente clienta usuario usuaria visitante usuário usuária utilizador utente "  # Spanish, Portuguese, Italian
        "cliente utilisateur utilisatrice visiteur "  # French
        "klant gebruiker bezoeker kund användare bruger bruker asiakas käyttäjä "  # Dutch, Nordic
        "klient klientka użytkownik zákazník uživatel používateľ ügyfél felhasználó utilizator "  # Central Europe
        "müşteri kullanıcı pelanggan pengguna "  # Turkish, Indonesian, Malay
        "khách-hàng người-dùng "  # Vietnamese
        "клиент клиентка покупатель пользователь клієнт користувач потребител "
        "πελάτης χρήστης "  # Greek
        "عميل العميل مستخدم المستخدم مشتری کاربر לקוח לקוחה משתמש "  # Arabic, Persian, Hebrew
        "ग्राहक उपयोगकर्ता ลูกค้า ผู้ใช้ "  # Hindi, Thai
        "客户 顾客 用户 客戶 顧客 用戶 使用者 最终用户 終端使用者 "  # Chinese
        "エンドユーザー エンドユーザ お客様 お客さま ユーザー ユーザ 利用者 고객 고객님 사용자"  # Japanese, Korean
    ),
    "assistant": (
        "assistent assistentin assistente assistante asistente asistent asystent asszisztens asistan asisten "
        "robô botti trợ-lý ассистент асистент бот чат-бот βοηθός مساعد المساعد دستیار עוזר בוט "
        "सहायक ผู้ช่วย 助手 机器人 機器人 智能助手 アシスタント ボット チャットボット 어시스턴트 챗봇 봇"
    ),
    "agent": (
        "bearbeiter bearbeiterin mitarbeiter mitarbeiterin sachbearbeiter sachbearbeiterin berater beraterin "  # German
        "agente operador operadora asesor asesora atendente operatore operatrice "  # Spanish, Portuguese, Italian
        "conseiller conseillère opérateur opératrice "  # French
        "medewerker handläggare medarbetare medarbejder medarbeider asiakaspalvelija "  # Dutch, Nordic
        "konsultant pracownik operátor ügyintéző temsilci müşteri-temsilcisi agen petugas nhân-viên "
        "оператор агент сотрудник співробітник "
        "موظف الموظف وكيل اپراتور נציג נציגה एजेंट พนักงาน เจ้าหน้าที่ "
        "客服 人工客服 客服人员 客服人員 坐席 オペレーター オペレータ 担当者 상담원 상담사"
    ),
    "system": "système sistema systeem järjestelmä система نظام 系统 系統 システム 시스템",
}


def plain_word(word: str) -> str:
    """Return a role word as it is compared.

    Without blanks around it and a colon after it, in lower case, with characters of one width.
    """
    return unicodedata.normalize("NFKC", word).strip().rstrip(": ").lower()


@cache
def default_role_words() -> dict[str, str]:
    """Return each known word in lower case and its role; parts of a word are joined in every way that platforms use."""
    own = {role: role for role in ROLES}
    return words_of_languages() | ENGLISH | own


@cache
def words_of_languages() -> dict[str, str]:
    """Return the known words of other languages than English and their roles, with and without accents."""
    words = _joined(_WORDS_OF_LANGUAGES)
    return {_without_accents(word): role for word, role in words.items()} | words


def _joined(words_of_roles: dict[str, str]) -> dict[str, str]:
    return {
        plain_word(word.replace("-", joint)): role
        for role, words in words_of_roles.items()
        for word in words.split()
        for joint in ("-", "_", " ", "")
    }


def _without_accents(word: str) -> str:
    """Return a Latin word without accents, as systems write it that know ASCII only; any other word as it is."""
    if not word.isascii() and unicodedata.name(word[0], "").startswith("LATIN"):
        parts = unicodedata.normalize("NFD", word.replace("ı", "i"))
        return "".join(part for part in parts if not unicodedata.combining(part))
    return word


ENGLISH = _joined(_WORDS)
"""The known words of English, of platforms and of LLM formats."""
