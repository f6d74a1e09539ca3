"""Causes that QuickBooks gives, by fault code: Intuit's page "Handling common errors". Messages are localised, codes are not."""

from __future__ import annotations

from typing import Final

from mapping.causes.cause import Who, Words

_ADMIN, _BOOKKEEPER, _OPERATOR = Who.ADMIN, Who.BOOKKEEPER, Who.OPERATOR

_REPORT = (
    "Give the code and the intuit_tid to the operator of the sync: the program sent what QuickBooks does not take."
)
_VALUE = "Correct the value that QuickBooks names, in Kompass. It is then sent again."

REFUSALS: Final = (
    Words(
        "name-taken", "the name is taken in QuickBooks",
        "A customer, vendor or employee of that name is in QuickBooks already; all three share one list of names.",
        "If it is the same customer, link it by hand under Customers, and a sub-customer under Projects; if not, rename one of the two "
        "or give a DisplayName override.",
        _ADMIN, codes=("6240",),
    ),
    Words(
        "number-taken", "the number is taken in QuickBooks",
        "Another document has that number, and the company warns of duplicate numbers.",
        "If it is the same document, link it by hand on the invoice's page, by the document's Id in QuickBooks. If not, "
        "give one of the two another number.", _BOOKKEEPER,
        codes=("6140",),
    ),
    Words(
        "inactive-or-deleted", "something it uses is inactive or deleted in QuickBooks",
        "Something it uses, or the object itself, was deleted, merged or made inactive in QuickBooks.",
        "Make it active again in QuickBooks, or choose another one: an item or class in the mapping; a customer or sub-customer by "
        "hand, under Customers or Projects.", _BOOKKEEPER, codes=("610",),
        refused="something it uses, or the object itself, was deleted or made inactive in QuickBooks",
    ),
    Words(
        "invalid-reference", "it refers to something QuickBooks does not have",
        "It refers to something QuickBooks does not have, that is inactive, or that is a category.",
        "Check the item, class and tax code mappings, and choose ones that are active; link a customer or sub-customer by hand to "
        "another one, under Customers or Projects.", _ADMIN, codes=("2500",),
        refused="it refers to something QuickBooks does not have, or that is inactive, or a category",
    ),
    Words(
        "customer-inactive", "its customer is inactive in QuickBooks",
        "The customer it is billed to is missing or inactive in QuickBooks.",
        "Make the customer active again in QuickBooks and press Try again, or link it by hand to another one, under Customers or "
        "Projects.", _BOOKKEEPER, codes=("6250",),
        refused="the customer it is billed to is missing or inactive in QuickBooks",
    ),
    Words(
        "books-closed", "the books of its period are closed",
        "The document's date lies in a period for which the books are closed in QuickBooks.",
        "Reopen the period in QuickBooks, or date the document after the closing date.", _BOOKKEEPER, shared=True,
        codes=("6200", "6210"), refused="its date lies in a period for which the books are closed in QuickBooks",
    ),
    Words(
        "amount-mismatch", "QuickBooks calculates another amount",
        "QuickBooks calculates another amount from quantity and unit price.",
        "Check quantity and unit price of its lines in Kompass.", _ADMIN, codes=("6070",),
        refused="QuickBooks calculates another amount from quantity and unit price",
    ),
    Words(
        "tax-refused", "QuickBooks wants other tax codes",
        "A line's tax code is missing, unknown, or not of the kind that the company's country takes (in the USA only TAX and NON).",
        "Check Tax Code VAT Rates and the Configuration's Locale.", _ADMIN, codes=("6100", "6160", "6170", "6230"),
        refused="QuickBooks does not take the tax codes of its lines",
    ),
    Words(
        "stock-item", "an item is counted as stock in QuickBooks",
        "A line sells an item of type Inventory: it needs a quantity, and a date from when the stock was first counted.",
        "Choose an item of type Service or Non-inventory for the Service, or give the line a quantity and a unit price in Kompass.",
        _ADMIN, codes=("6270", "6520"), refused="QuickBooks counts one of its items as stock and does not take the line",
    ),
    Words(
        "item-without-account", "an item has no income account in QuickBooks",
        "A line sells an item that has no income account in QuickBooks: QuickBooks cannot book its sale.",
        "Edit the Product/Service in QuickBooks: tick that it is sold, select its income account, then press Try again.", _BOOKKEEPER,
        codes=("2390",), refused="one of its items has no income account in QuickBooks",
    ),
    Words(
        "business-rule", "a rule of the QuickBooks company forbids it",
        "A rule of the company is not met: tax on every line, a total below zero, a setting. The message of QuickBooks says which.",
        "Do what QuickBooks says in the message, in Kompass or in QuickBooks, then press Try again.", _BOOKKEEPER, codes=("6000",),
        refused="a rule of the QuickBooks company forbids it",
    ),
    Words(
        "value-refused", "QuickBooks does not take a value",
        "A value has the wrong length or form: text, date, number, amount, quantity, web or email address, currency.",
        _VALUE, _ADMIN,
        codes=("2040", "2050", "2060", "2070", "2090", "2100", "2110", "2140", "2160", "2200", "2210", "2220", "2290"),
        refused="QuickBooks does not take one of its values",
    ),
    Words(
        "custom-field-refused", "QuickBooks does not take a custom field",
        "A custom field is switched off in QuickBooks, or is not a text.",
        "Check Custom Fields in Kompass against the custom fields of the company.", _ADMIN, shared=True, codes=("3000",),
        refused="QuickBooks does not take one of its custom fields",
    ),
    Words(
        "no-permission", "the QuickBooks user who authorised Kompass may not do it",
        "The QuickBooks user who authorised Kompass may not do this in the company.",
        "Give that user the rights of a company admin in QuickBooks, or authorise again as one who has them.", _BOOKKEEPER,
        shared=True, codes=("5020",), refused="the QuickBooks user who authorised Kompass may not do this",
    ),
    Words(
        "feature-off", "the QuickBooks company lacks a feature it needs",
        "The company's plan or settings lack what this needs: multicurrency, classes, sub-customers, custom fields.",
        "Turn the feature on in QuickBooks, or stop using it in the Configuration.", _BOOKKEEPER, shared=True, codes=("5030",),
        refused="the QuickBooks company lacks a feature that it needs",
    ),
    Words(
        "nested-too-deep", "its customer is nested too deep in QuickBooks",
        "QuickBooks nests customers five levels deep at most.",
        "Move the parent customer to a higher level in QuickBooks.", _BOOKKEEPER, codes=("6180",),
        refused="QuickBooks nests customers five levels deep at most",
    ),
    Words(
        "parent-refused", "QuickBooks does not take its parent customer",
        "The parent customer of a sub-customer is missing, inactive, or its own sub-customer.",
        "Look at the parent customer in QuickBooks: it must be active and must not be a sub-customer of this one.", _BOOKKEEPER,
        codes=("700", "900", "6130", "6150"), refused="QuickBooks does not take its parent customer",
    ),
    Words(
        "still-used", "other documents prevent it in QuickBooks",
        "A payment, a deposit, an open balance or a linked document keeps QuickBooks from changing it.",
        "Undo what QuickBooks names there, then press Try again; or correct it with a credit note.", _BOOKKEEPER,
        codes=("620", "800", "6220", "6280", "6450", "6470", "6540"),
        refused="a payment, deposit or linked document in QuickBooks prevents it",
    ),
    Words(
        "delivery-email", "QuickBooks wants an email address to send it to",
        "The company sends its documents by email and this one has no address.",
        "Fill in the client's accounts email in Kompass.", _ADMIN, codes=("6420", "6440"),
        refused="QuickBooks wants an email address to send it to",
    ),
    Words(
        "duplicate-object", "QuickBooks has it already",
        "QuickBooks says that it has this object already.",
        "Look for it in QuickBooks; a customer can be linked by hand under Customers, a sub-customer under Projects.", _ADMIN,
        codes=("630", "2600"),
        refused="QuickBooks says that it has it already",
    ),
    Words(
        "broken-document", "a document in QuickBooks breaks every question about it",
        "A document of the company has an email address that was typed wrongly by hand; QuickBooks refuses every query that returns it, so "
        "an earlier call for this record cannot be looked up.",
        "Correct the email address of the newest documents in QuickBooks, then press Try again.", _BOOKKEEPER, codes=("4002",),
        refused="a document in QuickBooks has an email address that keeps Kompass from looking for it",
    ),
    Words(
        "request-refused", "QuickBooks does not take the program's request",
        "The request itself is at fault: an operation, a member, an Id or a form that QuickBooks does not know.",
        _REPORT, _OPERATOR, shared=True,
        codes=("500", "1040", "2010", "2020", "2030", "2130", "2170", "4000", "4001", "6080", "10100"),
        refused="QuickBooks does not take the program's request",
    ),
    Words(
        "fault", "QuickBooks refuses it (code {detail})",
        "QuickBooks refuses it with a code that this version does not know, or without one.",
        "Fix what QuickBooks names, in Kompass or in QuickBooks, then press Try again.", _ADMIN,
        codes=("10200",), refused="QuickBooks refused it",
    ),
)  # fmt: skip
