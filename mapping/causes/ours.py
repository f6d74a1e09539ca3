"""Causes that we find ourselves: before anything is sent, or by comparing what QuickBooks has with what was sent."""

from __future__ import annotations

from typing import Final

from mapping.causes.cause import Who, Words

_ADMIN, _BOOKKEEPER, _OPERATOR, _NOBODY = Who.ADMIN, Who.BOOKKEEPER, Who.OPERATOR, Who.NOBODY

# `mapping.problems`: the record cannot be mapped.
MAPPING: Final = (
    Words(
        "no-tax-code", "{value} has no QuickBooks tax code",
        "A line's VAT rate has no row in Tax Code VAT Rates (EU and Canada need one for each).",
        "Add a row for the VAT rate to Tax Code VAT Rates.", _ADMIN, shared=True,
        without="lines without a VAT rate have no QuickBooks tax code",
    ),
    Words(
        "tax-code-inactive", "the QuickBooks tax code of a VAT rate is inactive",
        "A row of Tax Code VAT Rates names a tax code that is inactive in QuickBooks.",
        "Choose another tax code in the row, or make the old one active again in QuickBooks.", _ADMIN, shared=True,
    ),
    Words(
        "tax-code-unknown", "a VAT rate's tax code is unknown to the QuickBooks company",
        "A row of Tax Code VAT Rates names a tax code that the linked company does not have.",
        "Choose one of the company's tax codes in the row.", _ADMIN, shared=True,
    ),
    Words(
        "no-item", "Service {value} has no QuickBooks item",
        "A line's Service has no Item Service, and the Configuration has no Default Item ID.",
        "Add an Item Service for the Service, or choose a Default Item ID in the Configuration.", _ADMIN, shared=True,
        without="lines without a Service have no QuickBooks item",
    ),
    Words(
        "tax-not-booked", "tax was billed that QuickBooks would not book",
        "Kompass billed tax, but no tax codes are sent to this company: it has tax off, or its locale is the USA.",
        "USA: choose what happens to it under Billed tax (USA) in the Configuration. Elsewhere: turn on tax in QuickBooks, or take "
        "the tax off the invoice.", _ADMIN,
    ),
    Words(
        "tax-would-differ", "QuickBooks would book another tax for {value}",
        "The tax code of a VAT rate would charge another tax in QuickBooks than Kompass billed, by more than rounding. "
        "Nothing was sent.",
        "Choose the tax code of the right percent in the row of Tax Code VAT Rates, or correct the tax, the VAT rate or the date "
        "in Kompass; the message says which.", _ADMIN, shared=True,
        without="QuickBooks would book another tax for lines without a VAT rate",
    ),
    Words(
        "template-error", "the {field} fails",
        "A template of the Configuration cannot be filled in from this record; the message names its line.",
        "Correct the template, or fill in what it uses in Kompass.", _ADMIN, shared=True, without="a template fails",
    ),
    Words(
        "empty", "a template gives an empty {detail}",
        "A template gives nothing for this record, and QuickBooks needs a value there.",
        "Fill in what the template uses, or use another field in it.", _ADMIN,
    ),
    Words(
        "too-long", "too long for QuickBooks' {detail}",
        "A value has more characters than QuickBooks takes; nothing is ever cut off.",
        "Shorten it in Kompass, or in the template that makes it.", _ADMIN,
    ),
    Words(
        "name-characters", "a name has a character that QuickBooks does not allow",
        "QuickBooks does not take colons, tabs or line breaks in the names of customers.",
        "Change the name in Kompass, or replace the character in the template.", _ADMIN,
    ),
    Words(
        "control-character", "a text has an unprintable character",
        "A text has a character that cannot be printed, which QuickBooks does not take.",
        "Type the text again in Kompass without that character.", _ADMIN,
    ),
    Words(
        "bad-currency", "{value} is not a currency", "The currency is not an ISO code of three letters.",
        "Give the currency in Kompass as its ISO code, such as EUR.", _ADMIN,
    ),
    Words(
        "no-multicurrency", "the QuickBooks company does not keep {detail}",
        "The document is in another currency than the company's, and Multicurrency is off in QuickBooks.",
        "Turn on Multicurrency in QuickBooks (it cannot be turned off again), or bill in the home currency.", _BOOKKEEPER,
        shared=True,
    ),
    Words(
        "amount-too-fine", "an amount has more decimals than its currency",
        "An amount has more decimals than QuickBooks keeps for its currency.", "Round the amount in Kompass.", _ADMIN,
    ),
    Words(
        "amount-too-large", "an amount is too large for QuickBooks",
        "QuickBooks takes ten digits before the point.", "Correct the amount in Kompass, or bill it on several invoices.",
        _ADMIN,
    ),
    Words(
        "does-not-add-up", "its lines do not come to its total",
        "The lines of the invoice and its header disagree in Kompass.",
        "Save the invoice again in Kompass so that its amounts are computed again. If they still differ, ask Kompass support.",
        _ADMIN,
    ),
    Words(
        "negative-total", "its total has the wrong sign",
        "QuickBooks has no invoice below zero and no credit note above.",
        "Make it a credit note, or an invoice, in Kompass.", _ADMIN,
    ),
    Words("no-lines", "it has no lines", "QuickBooks needs at least one line.", "Allocate it to a quote item in Kompass.", _ADMIN),
    Words(
        "too-many-lines", "it has too many lines for QuickBooks",
        "QuickBooks takes 10,000 lines in a document, 750 when it is taxed.", "Bill it on several invoices.", _ADMIN,
    ),
    Words(
        "custom-field-unknown", "a Custom Field names what the QuickBooks company does not have",
        "A row of Custom Fields names a definition that the linked company does not have.",
        "Choose one of the company's custom fields in the row, or remove it.", _ADMIN, shared=True,
    ),
    Words(
        "too-many-custom-fields", "more Custom Fields are configured than QuickBooks takes",
        "QuickBooks takes three custom fields on a document.", "Remove rows from Custom Fields until three are left.", _ADMIN,
        shared=True,
    ),
)  # fmt: skip

# `mapping.conflicts` and `sync`: what QuickBooks has, and what Kompass says.
CONFLICTS: Final = (
    Words(
        "customer-exists", "may be a customer that QuickBooks has already",
        "The company had a customer or sub-customer of that name before it was linked. Nothing was made.",
        "Open Already in QuickBooks from Going live: link it, or send it as another one.", _ADMIN,
    ),
    Words(
        "document-exists", "may be in QuickBooks already",
        "The company had a document of that number, or of that customer, date and total, before it was linked. Nothing was made, so "
        "that nothing is booked twice.",
        "Open Already in QuickBooks from Going live: link it, or send it as another one.", _ADMIN,
    ),
    Words(
        "party-not-synced", "billed to a client that is not synced",
        "The document is billed to a client or project that was deleted in Kompass, or is not synced for another reason.",
        "Bill it to another client in Kompass, or bring that one back there.", _ADMIN,
    ),
    Words(
        "conflict:edited-in-qbo", "changed in QuickBooks and in Kompass",
        "A bookkeeper changed lines or tax by hand, and Kompass changed them too; neither is overwritten.",
        "Open it under Sync errors, compare both sides and choose which one is right.", _BOOKKEEPER,
    ),
    Words(
        "conflict:paid", "paid in QuickBooks before it changed in Kompass",
        "The amounts, date, customer or currency of an invoice changed in Kompass, or it was voided there, after a payment or "
        "credit was applied to it in QuickBooks.",
        "Undo the payment in QuickBooks and press Try again, or correct it with a credit note.", _BOOKKEEPER,
    ),
    Words(
        "conflict:credit-applied", "applied in QuickBooks before it changed in Kompass",
        "A credit note changed or was voided in Kompass after QuickBooks applied it to an invoice; the message names which.",
        "Undo the application in QuickBooks and press Try again, or correct it with another document.", _BOOKKEEPER,
    ),
    Words(
        "conflict:voided-in-qbo", "voided in QuickBooks alone",
        "A document was voided by hand in QuickBooks, and in Kompass it is not void.",
        "Void it in Kompass too, and raise a new invoice there if one is due. "
        "To leave it void in QuickBooks alone, press Keep what QuickBooks says under Sync errors.", _ADMIN,
    ),
    Words(
        "conflict:voided-before", "voided, and back in Kompass",
        "The document was voided in both, and Kompass brought it back; QuickBooks cannot.",
        "Raise a new invoice in Kompass.", _ADMIN,
    ),
    Words(
        "conflict:type-changed", "an invoice that became a credit note, or the other way round",
        "QuickBooks cannot turn one into the other. The sum of the former document stays in the books until a person takes it out.",
        "Open it under Sync errors and press Send what Kompass says: the former document is voided and the new one is created. Or "
        "delete the former document in QuickBooks and press Try again.", _BOOKKEEPER,
    ),
    Words(
        "not-taken:number", "QuickBooks gave another document number",
        "QuickBooks saved the document under another number than Kompass asked for, or without one: custom transaction numbers were "
        "switched in the company.",
        "Check Custom transaction numbers in QuickBooks (Account and settings, Sales), then press Try again; or open it under Sync "
        "errors and keep what QuickBooks says.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "not-taken:class", "QuickBooks did not take the class",
        "QuickBooks saved the document without the class of a line: class tracking was switched off or moved in the company.",
        "Check Track classes in QuickBooks (Account and settings, Advanced). Then open it under Sync errors and press Send what Kompass "
        "says, or keep what QuickBooks says.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "not-taken:tax-code", "QuickBooks did not take the tax code",
        "QuickBooks saved a line with another tax code than Kompass asked for: sales tax was switched off, or is automated.",
        "Check the sales tax settings in QuickBooks. Then open it under Sync errors and press Send what Kompass says, or keep what "
        "QuickBooks says.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "not-taken", "QuickBooks has another {field} than Kompass asked for",
        "QuickBooks answered that the record was saved, and the answer says something else than was asked for: another customer, "
        "date, item, amount or custom field.",
        "Check that setting in QuickBooks. Then open it under Sync errors and press Send what Kompass says, or keep what QuickBooks says.",
        _BOOKKEEPER, shared=True,
    ),
    Words(
        "conflict:keeps-changing", "changed in QuickBooks at each of our tries",
        "A person or an app in QuickBooks writes the object again and again.",
        "See who works on it in QuickBooks, then press Try again.", _BOOKKEEPER,
    ),
    Words(
        "conflict:currency", "linked by hand to a customer of another currency",
        "A customer that was linked by hand has another currency than Kompass bills in.",
        "Link it to a customer of the right currency, or remove the link and let Kompass create one.", _ADMIN,
    ),
    Words(
        "currency-changed", "its currency changed after it was sent",
        "QuickBooks never changes the currency of a document or customer.",
        "Void it in Kompass and raise a new invoice in the other currency.", _ADMIN,
    ),
    Words(
        "name-held-by-another", "another Kompass record has the name {value} in QuickBooks",
        "Two records of Kompass would have the same name in QuickBooks, which wants every name once.",
        "Give one of the two another name in Kompass, or a DisplayName override in the admin.", _ADMIN,
    ),
    Words(
        "conflict:in-doubt", "perhaps in QuickBooks already, edited since",
        "A call of ours went without an answer, and there is a new document that does not say whose it is: of the same customer, or "
        "with the same number. Or a new customer was renamed since.",
        "Open it under Sync errors: keep what QuickBooks says if it is this one; send what Kompass says if it is another.",
        _ADMIN,
    ),
    Words(
        "deleted-in-qbo", "deleted or made inactive in QuickBooks",
        "What we once sent is no longer there, so it cannot be updated.",
        "Make it active again in QuickBooks and press Try again, or press Recreate under Sync errors.", _BOOKKEEPER,
    ),
    Words(
        "keeps-failing", "no usable answer from Intuit, again and again",
        "This record's calls keep failing while others of the company go through.",
        "Look it up in QuickBooks; if it is missing there, press Try again.", _OPERATOR,
    ),
)  # fmt: skip

# `mapping.cents`: QuickBooks has it, but totals it otherwise. Nothing waits for these.
DIFFERENCES: Final = (
    Words(
        "difference:tax-rounding", "tax is rounded by the line on one side, on the sum on the other",
        "Kompass rounds tax for each line and QuickBooks for each tax code on the sum of the lines, or the other way round.",
        "Nothing, or correct the tax of the document by those cents in QuickBooks: the correction stays until its lines change.",
        _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:tax-rate-by-date", "the tax code has another rate on the document's date",
        "The rate of a tax code changed, and QuickBooks takes the one of the document's date; Kompass billed another.",
        "Correct the date or the VAT rate in Kompass, or the tax of the document in QuickBooks.", _ADMIN, shared=True,
    ),
    Words(
        "difference:tax-rate", "a tax code's rate is another than the VAT rate's",
        "A row of Tax Code VAT Rates names a tax code whose rate in QuickBooks is not the VAT rate that Kompass bills.",
        "Choose the tax code of the right rate in Tax Code VAT Rates, then have the documents sent again.", _ADMIN, shared=True,
    ),
    Words(
        "difference:automated-tax", "QuickBooks computes the sales tax",
        "The company has automated sales tax: QuickBooks found a tax that Kompass did not bill.",
        "Mark the customer or the item as not taxable in QuickBooks, or bill the tax in Kompass too.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:edited-in-qbo", "lines or tax were changed by hand in QuickBooks",
        "A bookkeeper changed the lines or the tax of a document, and neither side overwrote the other.",
        "Make Kompass and QuickBooks say the same, on whichever side is wrong.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:left-out", "contact details were left out",
        "An email address, phone number, web address, postal address or note is not one that QuickBooks takes. The record is in "
        "QuickBooks without it.",
        "Correct it in Kompass: the message says which value of which record. It is sent then.", _ADMIN, shared=True,
    ),
    Words(
        "difference:number", "QuickBooks gave another number than Kompass",
        "The document is in QuickBooks under a number of its own: custom transaction numbers were switched off or on there.",
        "If Kompass is to number the documents: turn on Custom transaction numbers in QuickBooks (Account and settings, Sales), then "
        "send the record again. Otherwise nothing.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:class", "QuickBooks dropped the class",
        "The document is in QuickBooks without the class that Kompass sent: class tracking was switched off or moved there.",
        "Turn on class tracking in QuickBooks (Account and settings, Advanced) and send the record again, or remove the classes in the "
        "Configuration.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:not-taken", "QuickBooks saved something else than Kompass asked for",
        "QuickBooks answered that the record was saved, and the answer says something else; the message names both.",
        "Check that setting in QuickBooks, then send the record again.", _BOOKKEEPER, shared=True,
    ),
    Words(
        "difference:net", "QuickBooks comes to another net amount",
        "The lines come to another net amount in QuickBooks than in Kompass.",
        "Compare the lines of the document on both sides; a discount or a rounding may have been added in QuickBooks.",
        _BOOKKEEPER, shared=True,
    ),
)  # fmt: skip

# Before a record is a record.
DECODING: Final = tuple(
    Words(cause, headline, what, remedy, _OPERATOR)
    for cause, headline, what, remedy in (
        (
            "garbage", "unreadable bytes on Kompass's topic", "The bytes are no Avro event.",
            "Find out which program writes such records to the topic.",
        ),
        (
            "truncated", "events cut short on Kompass's topic", "The bytes end before the event does.",
            "Find out which program writes such records to the topic.",
        ),
        (
            "trailing-bytes", "events with too many bytes on Kompass's topic", "Bytes follow the event.",
            "Find out which program writes such records to the topic.",
        ),
        (
            "too-large", "events larger than 2 MiB", "An event has 2 MiB at most.",
            "Find out which program writes such records to the topic.",
        ),
        (
            "unknown-schema", "events of an unknown schema",
            "The event's schema is neither shipped with this version nor in the registry.",
            "Register the schema, or update this program; then replay the dead letters.",
        ),
        (
            "incompatible-schema", "events of a schema that cannot be read",
            "The event's schema cannot be resolved to the one that this version reads.",
            "Have the schema changed compatibly, or update this program; then replay the dead letters.",
        ),
        (
            "wrong-kind", "events on the wrong topic", "The topic carries events of another kind.",
            "Correct the producer.",
        ),
        (
            "unstorable", "events that the database cannot hold",
            "The event holds something that Postgres refuses, such as a NUL character or a date out of range.",
            "Have the value corrected in Kompass; its next event replaces this one.",
        ),
        (
            "undecodable", "events that cannot be read", "The event cannot be read; the message says why.",
            "Find out which program writes such records to the topic.",
        ),
    )
)  # fmt: skip

# Of the whole company, and what ends without action.
STATES: Final = (
    Words(
        "disconnected", "the connection to QuickBooks is lost",
        "Intuit no longer lets Kompass into the company: it was disconnected in QuickBooks, the authorisation ended, or the "
        "admin who authorised it lost their role.",
        "Run Authorize with QuickbooksOnline on the Configuration. Everything that waits is then sent.", _ADMIN,
        shared=True, codes=("100", "110", "120", "140", "3100", "3200", "3202"),
    ),
    Words(
        "subscription-ended", "the QuickBooks subscription has ended",
        "Intuit takes no more data for the company: its trial or subscription ended, or a payment failed.",
        "Renew the QuickBooks subscription. Everything that waits is then sent, within the hour.", _BOOKKEEPER,
        shared=True, codes=("6190",),
    ),
    Words(
        "withdrawn", "taken back in Kompass, still in QuickBooks",
        "The document was sent, then rejected, deleted, excluded or turned into another type in Kompass. Nothing is changed in the "
        "books without a person.",
        "Void or delete it in QuickBooks if it should not be there, or approve it again in Kompass.", _BOOKKEEPER,
    ),
    Words(
        "throttled", "Intuit asked us to wait",
        "Too many calls in a minute, or Intuit moves or repairs the company.", "Nothing: it goes a minute later.", _NOBODY,
        codes=("130", "150", "3001"),
    ),
    Words(
        "no-budget", "this month's metered reads are spent",
        "It needs a read from QuickBooks (to compare with a bookkeeper's edit, or to look up a call without an answer), and Intuit "
        "allows the app only so many a month. Writes that need no read go on.",
        "Nothing: it goes with the new month; the operator can raise the budget.", _OPERATOR, shared=True,
    ),
    Words(
        "no-answer", "Intuit did not answer",
        "The call may have arrived or not: it is sent again under the same request id, or looked up.",
        "Nothing: the next call or look-up settles it.", _NOBODY, codes=("600", "10000"),
    ),
    Words(
        "refused-for-now", "QuickBooks does not take it at the moment",
        "QuickBooks refused it with an answer that may pass: please try again, an operation it does not know for a while, a page that is "
        "not there. It is tried again for hours, and a create is looked for in QuickBooks before it is sent again.",
        "Nothing: it is tried again. It becomes a sync error when QuickBooks takes other records and not this one.", _NOBODY,
    ),
    Words(
        "batch-refused", "its batch was refused as a whole",
        "Intuit refused a request of many records, and did none of it: they go in halves until the one to blame is alone.",
        "Nothing: it goes in a moment.", _NOBODY,
    ),
    Words("unreachable", "Intuit cannot be reached", "Nothing left this machine.", "Nothing: it is tried again.", _NOBODY),
    Words(
        "stale", "it was changed in QuickBooks meanwhile", "It is read again and compared before anything is written.",
        "Nothing: the comparison settles it, or it becomes one of the conflicts above.", _NOBODY, codes=("5010",),
    ),
    Words(
        "token-expired", "the access token is renewed", "An access token lives an hour.", "Nothing: it goes in a moment.", _NOBODY,
    ),
    Words(
        "dependency", "it waits for its customer or project",
        "What it depends on is not in QuickBooks: it waits under that cause, without a call and without a mail of its own.",
        "Fix that cause.", _ADMIN, shared=True,
    ),
    Words(
        "name-in-use", "another record still has its name",
        "Another record of Kompass has the name in QuickBooks and gets another one: this one waits for that, and goes then. Where "
        "several exchange their names, one of them gets a temporary name first.",
        "Nothing: it goes when the other one has its new name.", _NOBODY,
    ),
    Words(
        "number-in-use", "another document still has its number",
        "Another document of Kompass has the number in QuickBooks and gets another one: this one waits for that, and goes then. "
        "Where several exchange their numbers, one of them gets a temporary number first.",
        "Nothing: it goes when the other one has its new number.", _NOBODY,
    ),
    Words(
        "not-enabled", "the Configuration is not enabled", "Nothing is sent, and nothing is lost, before it is.",
        "Tick Enable on the Configuration.", _ADMIN, shared=True,
    ),
)  # fmt: skip
