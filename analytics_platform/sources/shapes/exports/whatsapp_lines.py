"""Lines of a WhatsApp chat that nobody typed: media that an export leaves out, deleted messages, and notices.

WhatsApp writes these lines in the language of the phone. Where it marks them, by angle brackets around the whole text
or by U+200E in front of it, the mark decides; elsewhere the words of the languages below do.
"""

# ruff: noqa: RUF001  (letters of other scripts look like Latin ones)

from __future__ import annotations

import re

LEFT_TO_RIGHT = "\u200e"
"""Begins a text that WhatsApp on an iPhone wrote itself."""

_KINDS = {
    "image": "image images photo photos picture bild bilder foto fotos imagen imagem immagine afbeelding obraz zdjęcie "
    "obrázek kép görüntü fotoğraf gambar изображение фото фотография зображення 画像 写真 图片 圖片 照片 사진 "
    "صورة תמונה",
    "video": "video videos vídeo vidéo videó wideo видео відео ビデオ 動画 视频 影片 동영상 비디오 فيديو סרטון",
    "audio": "audio áudio voice sprachnachricht аудио аудіо ses suara 音声 ボイスメッセージ 音频 語音 语音 오디오 صوت",
    "sticker": "sticker figurinha adesivo autocollant наклейка стикер ステッカー スタンプ 贴图 貼圖 스티커",
    "gif": "gif",
    "document": "document dokument documento документ belge dokumen 文書 文档 文件 문서",
    "contact": "contact kontakt contacto contatto contato kontaktkarte контакт kişi kontak 連絡先 联系人 연락처",
}
_KIND_OF_WORD = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_KIND_OF_ENDING = (
    dict.fromkeys(("jpg", "jpeg", "png", "heic"), "image")
    | dict.fromkeys(("mp4", "mov", "3gp", "mkv"), "video")
    | dict.fromkeys(("opus", "m4a", "mp3", "ogg", "aac", "amr", "wav"), "audio")
    | {"webp": "sticker", "vcf": "contact", "gif": "gif"}
)

_BRACKETED = re.compile(r"<([^<>@\n]{3,80})>")
_ATTACHED = re.compile(r"(\S[^\n<>()]{0,120}\.([A-Za-z0-9]{2,5})) \([^()\n]{3,40}\)")
_FILE_NAME = re.compile(r"[^<>\n]*?(\S+\.([A-Za-z0-9]{2,5}))")
_EDITED = re.compile(
    r"\s*<[^<>\n]*(?:edited|bearbeitet|edit[aoó]|modifié|modificat|bewerkt|edytowan|изменен|отредактирован|düzenlen|diedit"
    r"|redigera|redigeret|muokattu|upraven|szerkeszt|編集|编辑|編輯|편집)[^<>\n]*>$"
)
_MOST_MEDIA_WORDS = 4
"""Words of the longest line that stands for media, such as ``Contact card omitted``."""
_MOST_WORDS = 12
"""Words of the longest notice of a deleted message or a missed call."""

_DELETED = frozenset(
    text.casefold()
    for text in (
        "This message was deleted", "You deleted this message", "This message was deleted by admin",
        "Diese Nachricht wurde gelöscht", "Du hast diese Nachricht gelöscht", "Sie haben diese Nachricht gelöscht",
        "Se eliminó este mensaje", "Este mensaje fue eliminado", "Eliminaste este mensaje", "Este mensaje se eliminó",
        "Ce message a été supprimé", "Vous avez supprimé ce message", "Tu as supprimé ce message",
        "Questo messaggio è stato eliminato", "Hai eliminato questo messaggio",
        "Mensagem apagada", "Esta mensagem foi apagada", "Essa mensagem foi apagada", "Você apagou esta mensagem",
        "Apagou esta mensagem", "Eliminou esta mensagem", "Esta mensagem foi eliminada",
        "Dit bericht is verwijderd", "U hebt dit bericht verwijderd", "Je hebt dit bericht verwijderd",
        "Ta wiadomość została usunięta", "Usunięto tę wiadomość", "Usunąłeś tę wiadomość", "Usunęłaś tę wiadomość",
        "Данное сообщение удалено", "Вы удалили данное сообщение", "Это сообщение удалено", "Сообщение удалено",
        "Це повідомлення видалено", "Ви видалили це повідомлення", "Bu mesaj silindi", "Bu mesajı sildiniz",
        "Pesan ini telah dihapus", "Anda menghapus pesan ini", "Mesej ini telah dipadamkan",
        "Det här meddelandet har tagits bort", "Du tog bort det här meddelandet", "Denne besked blev slettet",
        "Du slettede denne besked", "Denne meldingen ble slettet", "Du slettet denne meldingen",
        "Tämä viesti poistettiin", "Poistit tämän viestin", "Tato zpráva byla odstraněna",
        "Tuto zprávu jste odstranili",
        "Táto správa bola odstránená", "Ezt az üzenetet törölték", "Törölted ezt az üzenetet",
        "Acest mesaj a fost șters", "Ați șters acest mesaj", "Αυτό το μήνυμα διαγράφηκε", "Διαγράψατε αυτό το μήνυμα",
        "このメッセージは削除されました", "メッセージを削除しました", "此消息已删除", "您已删除这条消息",
        "此訊息已刪除",
        "您已刪除此訊息", "你已刪除此訊息", "삭제된 메시지입니다", "이 메시지는 삭제되었습니다",
        "메시지를 삭제했습니다",
        "تم حذف هذه الرسالة", "لقد حذفت هذه الرسالة", "הודעה זו נמחקה", "מחקת הודעה זו", "यह संदेश हटाया गया था",
        "यह मैसेज डिलीट किया गया", "ข้อความนี้ถูกลบแล้ว", "Tin nhắn này đã bị xóa",
    )
)  # fmt: skip
_ENCRYPTED = re.compile(
    r"end-to-end|ende-zu-ende|bout en bout|extremo a extremo|punto a punto|ponta a ponta|eind-tot-eind|szyfrowan"
    r"|сквозн|наскрізн|uçtan uca|エンドツーエンド|端到端|端對端|종단|end-til-end|ende-til-ende|päästä päähän"
    r"|koncové|koncovým|végpontok közötti|capăt la capăt|التام بين الطرفين|מקצה לקצה|एंड-टू-एंड|đầu cuối",
    re.IGNORECASE,
)
_WHATSAPP = re.compile("whatsapp|ватсап|واتساب|וואטסאפ|व्हाट्सऐप", re.IGNORECASE)


def is_notice(text: str, *, is_marked: bool) -> bool:
    """Tell whether a text with a sender is WhatsApp's own: a deleted message, a missed call, or about encryption.

    Args:
        text: The text without invisible characters.
        is_marked: Whether U+200E stood in front of it.
    """
    if text.strip().rstrip(".。!").casefold() in _DELETED:
        return True
    if _ENCRYPTED.search(text) and (is_marked or _WHATSAPP.search(text)):
        return True
    is_short = len(text.split()) <= _MOST_WORDS and "\n" not in text and "://" not in text
    return is_marked and is_short and media_marker(text, is_marked=True) is None


def media_marker(text: str, *, is_marked: bool) -> str | None:
    """Return the marker of media that the first line of a text stands for; None if somebody wrote the line.

    Args:
        text: The line without invisible characters, such as ``<Media omitted>``, ``image omitted``,
            ``<attached: 0001-PHOTO.jpg>`` or ``IMG-1.jpg (file attached)``.
        is_marked: Whether U+200E stood in front of it.
    """
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed and "://" not in text:
        named = _FILE_NAME.fullmatch(bracketed.group(1))
        return _file_marker(named.group(1), named.group(2)) if named else "[media]"
    attached = _ATTACHED.fullmatch(text)
    if attached:
        return _file_marker(attached.group(1), attached.group(2))
    words = [word.strip(".,:").casefold() for word in text.split()]
    if not is_marked or len(words) > _MOST_MEDIA_WORDS:
        return None
    kind = next((_KIND_OF_WORD[word] for word in words if word in _KIND_OF_WORD), None)
    kind = kind or next((kind for word, kind in _KIND_OF_WORD.items() if not word.isascii() and word in text), None)
    return f"[{kind}]" if kind else None


def _file_marker(name: str, ending: str) -> str:
    kind = _KIND_OF_ENDING.get(ending.lower())
    return f"[{kind}]" if kind else f"[file: {name}]"


def said(text: str, *, is_marked: bool) -> str:
    """Return a message's text with markers for its media, and without WhatsApp's note that it was edited."""
    first, newline, rest = text.partition("\n")
    marker = media_marker(first.strip(), is_marked=is_marked)
    return _EDITED.sub("", f"{first if marker is None else marker}{newline}{rest}")
