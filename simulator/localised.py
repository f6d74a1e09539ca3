"""Messages in the company's language. Intuit translates them, so a client may not read anything but the code."""

from __future__ import annotations

import re

# Prefix in English → in French. The first two are real samples; the others follow their form.
_FRENCH = {
    "Duplicate Name Exists Error": "Nom en double",
    "The name supplied already exists.": "Ce nom existe déjà.",
    "Duplicate Document Number Error": "Numéro de document en double",
    "Stale Object Error": "Erreur d'objet périmé",
    "Object Not Found": "Objet introuvable",
    "Invalid Reference Id": "Identifiant de référence non valide",
    "Request has invalid or unsupported property": "La demande comporte une propriété non valide ou non prise en charge",
    "Required param missing, need to supply the required value for the API": "Paramètre obligatoire manquant",
    "A business validation error has occurred while processing your request": "Une erreur de validation est survenue",
    "Business Validation Error": "Erreur de validation",
    "You must specify a different number. This number has already been used.": (
        "Vous devez indiquer un autre numéro. Ce numéro est déjà utilisé."
    ),
}
_PATTERN = re.compile("|".join(re.escape(key) for key in sorted(_FRENCH, key=len, reverse=True)))
LANGUAGES = ("en", "fr")


def translate(text: str, language: str) -> str:
    """`text` with the phrases that Intuit translates replaced; identifiers and numbers stay."""
    if language == "en":
        return text
    return _PATTERN.sub(lambda match: _FRENCH[match.group()], text)
