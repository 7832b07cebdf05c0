"""Write `function_words.txt`: function words of 27 languages, by which reasons leave out "the" and "all".

The lists are those of the package `stop-words` (BSD-3-Clause): Snowball's lists as release 2018.7.23 has them, and the
lists of Hebrew, Japanese and Chinese of release 2025.11.4. The later English list has 1,333 words, among them
"bill", "help" and "problem", which are no function words.

    pip install --no-deps --target snowball stop-words==2018.7.23
    pip install --no-deps --target later stop-words==2025.11.4
    python training/outcomes/function_words.py snowball later
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

TARGET = Path(__file__).parents[2] / "analytics_platform/insights/reasons/function_words.txt"

SNOWBALL = {
    "ar": "arabic", "bg": "bulgarian", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "en": "english",
    "es": "spanish", "fi": "finnish", "fr": "french", "hi": "hindi", "hu": "hungarian", "id": "indonesian",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sk": "slovak", "sv": "swedish", "tr": "turkish", "uk": "ukrainian",
}  # fmt: skip
LATER = {"he": "hebrew", "ja": "japanese", "zh": "chinese"}
MORE = {
    "en": "can will just now also im ive id ill dont didnt doesnt cant wont isnt wasnt thats whats us may might must "
    "shall within upon yet",
    "ja": "を が へ も で に の は か ね よ て た です ます",
    "zh": "吗 呢 我们 你们 他们 这个 那个 一个 请 就",
    "de": "für mal",
    "nl": "we jullie",
}
"""Words that the lists lack: contractions as people write them, and particles."""


def main() -> None:
    """Merge the lists of two unpacked releases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snowball", type=Path, help="folder of release 2018.7.23")
    parser.add_argument("later", type=Path, help="folder of release 2025.11.4")
    given = parser.parse_args()
    lines = []
    for folder, languages in ((given.snowball, SNOWBALL), (given.later, LATER)):
        for code, name in languages.items():
            text = (folder / "stop_words/stop-words" / f"{name}.txt").read_text(encoding="utf-8")
            if code == "tr":  # the file was decoded as Latin-1 once
                text = text.encode("latin-1", "ignore").decode("iso8859-9")
            words = {*re.sub(r'[",^]', " ", text.lower()).split(), *MORE.get(code, "").split()}
            lines.append(f"{code} {' '.join(sorted(words))}\n")
    TARGET.write_text("".join(sorted(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
