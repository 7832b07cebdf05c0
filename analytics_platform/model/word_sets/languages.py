"""Languages by the codes and names with which sources state them."""

from __future__ import annotations

UNKNOWN = "und"
"""Code of a text whose language is not known."""

_CODES = (
    "aa aar; ab abk; ae ave; af afr; ak aka; am amh; an arg; ar ara; as asm; av ava; ay aym; az aze; ba bak; be bel; "
    "bg bul; bi bis; bm bam; bn ben; bo bod tib; br bre; bs bos; ca cat; ce che; ch cha; co cos; cr cre; cs ces cze; "
    "cu chu; cv chv; cy cym wel; da dan; de deu ger; dv div; dz dzo; ee ewe; el ell gre; en eng; eo epo; es spa; et "
    "est; eu eus baq; fa fas per; ff ful; fi fin; fj fij; fo fao; fr fra fre; fy fry; ga gle; gd gla; gl glg; gn grn; "
    "gu guj; gv glv; ha hau; he heb iw; hi hin; ho hmo; hr hrv; ht hat; hu hun; hy hye arm; hz her; ia ina; id ind "
    "in; ie ile; ig ibo; ii iii; ik ipk; io ido; is isl ice; it ita; iu iku; ja jpn; jv jav jw; ka kat geo; kg kon; "
    "ki kik; kj kua; kk kaz; kl kal; km khm; kn kan; ko kor; kr kau; ks kas; ku kur; kv kom; kw cor; ky kir; la lat; "
    "lb ltz; lg lug; li lim; ln lin; lo lao; lt lit; lu lub; lv lav; mg mlg; mh mah; mi mri mao; mk mkd mac; ml mal; "
    "mn mon; mr mar; ms msa may; mt mlt; my mya bur; na nau; nb nob; nd nde; ne nep; ng ndo; nl nld dut; nn nno; no "
    "nor; nr nbl; nv nav; ny nya; oc oci; oj oji; om orm; or ori; os oss; pa pan; pi pli; pl pol; ps pus; pt por; qu "
    "que; rm roh; rn run; ro ron rum mo; ru rus; rw kin; sa san; sc srd; sd snd; se sme; sg sag; sh hbs; si sin; sk "
    "slk slo; sl slv; sm smo; sn sna; so som; sq sqi alb; sr srp; ss ssw; st sot; su sun; sv swe; sw swa; ta tam; te "
    "tel; tg tgk; th tha; ti tir; tk tuk; tl tgl; tn tsn; to ton; tr tur; ts tso; tt tat; tw twi; ty tah; ug uig; uk "
    "ukr; ur urd; uz uzb; ve ven; vi vie; vo vol; wa wln; wo wol; xh xho; yi yid ji; yo yor; za zha; zh zho chi cmn; "
    "zu zul"
)
"""ISO 639-1 codes, each with its ISO 639-3 code, and the older codes of ISO 639-2 and ISO 639-1."""
_WITHOUT_SHORT_CODE = (
    "als arz ast azb bar bcl bpy bxr cbk ceb chr ckb cnr csb diq dsb eml fil frr fur gom gsw haw hif hmn hsb ilo jbo "
    "kab kok krc lez lij lmo lrc ltg mai mhr min mni mrj mwl myv mzn nah nap nds new pam pap pcm pfl pms pnb rue sah "
    "sat scn sco sgs shn smn szl tet tpi tyv udm vec vep vls vro war wuu xal xmf yue zea zgh"
)
"""ISO 639-3 codes of languages that have none in ISO 639-1."""
_NAMES = {
    "afrikaans": "af", "albanian": "sq", "amharic": "am", "arabic": "ar", "armenian": "hy", "azerbaijani": "az",
    "basque": "eu", "belarusian": "be", "bengali": "bn", "bosnian": "bs", "bulgarian": "bg", "burmese": "my",
    "catalan": "ca", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en",
    "esperanto": "eo", "estonian": "et", "finnish": "fi", "french": "fr", "galician": "gl", "georgian": "ka",
    "german": "de", "greek": "el", "gujarati": "gu", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "icelandic": "is", "indonesian": "id", "irish": "ga", "italian": "it", "japanese": "ja", "kannada": "kn",
    "kazakh": "kk", "khmer": "km", "korean": "ko", "lao": "lo", "latin": "la", "latvian": "lv", "lithuanian": "lt",
    "macedonian": "mk", "malay": "ms", "malayalam": "ml", "marathi": "mr", "mongolian": "mn", "nepali": "ne",
    "norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "punjabi": "pa", "romanian": "ro",
    "russian": "ru", "serbian": "sr", "sinhala": "si", "slovak": "sk", "slovenian": "sl", "somali": "so",
    "spanish": "es", "swahili": "sw", "swedish": "sv", "tagalog": "tl", "tamil": "ta", "telugu": "te", "thai": "th",
    "turkish": "tr", "ukrainian": "uk", "urdu": "ur", "uzbek": "uz", "vietnamese": "vi", "welsh": "cy",
    "yoruba": "yo", "zulu": "zu",
}  # fmt: skip
"""English names of languages, as data sets state them, and their ISO 639-1 codes."""

LANGUAGES: dict[str, str] = (
    {word: codes.split()[0] for codes in _CODES.split(";") for word in codes.split()}
    | {code: code for code in _WITHOUT_SHORT_CODE.split()}
    | _NAMES
)
"""Code or English name of a language, in lower case, to its ISO 639-1 code, or else its ISO 639-3 code."""
