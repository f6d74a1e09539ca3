"""Forms that notice when another person saved after they were opened.

A form carries what its fields were when it was opened. It is refused when the row holds something else by now: the page says what changed,
by whom and when, and keeps what was typed; the other fields show what is saved now. The fields are compared and not the row's version,
which the pipeline raises too.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.forms.models import model_to_dict
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.formats import date_format

from admin.quickbooks_online.list_fields import QuickbooksField
from admin.quickbooks_online.models import Configuration

if TYPE_CHECKING:
    AnyModelForm = forms.ModelForm[Any]
else:
    AnyModelForm = forms.ModelForm

NAME = "opened"
_SALT = "quickbooks_online.opened"
_LONGEST = 80
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the fields of a form were when it was opened."""

    at: dt.datetime
    values: dict[str, Any]

    def signed(self) -> str:
        return signing.dumps([self.at.isoformat(), self.values], salt=_SALT, compress=True)

    @classmethod
    def parse(cls, text: str) -> Opened | None:
        """Give what a form was sent with; None when it is not ours."""
        try:
            at, values = signing.loads(text, salt=_SALT)
        except signing.BadSignature:
            return None
        return cls(dt.datetime.fromisoformat(at), values)


class OpenedField(forms.CharField):
    """A hidden field, new each time the form is shown."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class OpenedForm(AnyModelForm):
    """A form of a row that several people may save."""

    locks = True
    """The row is locked until it is saved. Not where another connection writes it."""

    opened = OpenedField()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.initial[NAME] = Opened(timezone.now(), self._values(self.instance)).signed()

    def _values(self, row: models.Model) -> dict[str, Any]:
        found = model_to_dict(row, [name for name in self.fields if name != NAME])
        return {name: _plain(value) for name, value in found.items()}

    @cached_property
    def _was(self) -> Opened | None:
        return Opened.parse(str(self.data.get(self.add_prefix(NAME)) or "")) if self.is_bound else None

    def _untouched(self) -> bool:
        """Whether a row of a list comes back as it was opened: another person's change of it stays."""
        if not self.prefix or self._was is None:
            return False
        posted = {name: self._bound(name) for name in self._was.values if name in self.fields}
        return all(value == self._was.values[name] for name, value in posted.items())

    def _bound(self, name: str) -> Any:
        return _plain(self.fields[name].widget.value_from_datadict(self.data, self.files, self.add_prefix(name)))

    @cached_property
    def changed_data(self) -> list[str]:
        return [] if self._untouched() else super().changed_data

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk and self._was is not None and not self._untouched():
            self._compare(self._was)
        return cleaned

    def _compare(self, was: Opened) -> None:
        rows = type(self.instance)._default_manager.filter(pk=self.instance.pk)
        row = (rows.select_for_update() if self.locks else rows).first()
        if row is None:
            raise ValidationError("This row was deleted after you opened the page. Nothing was saved.")
        now = self._values(row)
        changes = [
            f"{self.fields[name].label or name}: {self._words(name, before)} → {self._words(name, now[name])}"
            for name, before in was.values.items()
            if name in now and now[name] != before
        ]
        if changes:
            self._take_over(was, now)
            self.initial[NAME] = Opened(timezone.now(), now).signed()
            raise ValidationError(
                f"Nothing was saved: {who_changed(row, since=was.at)} after you opened this page. Changed: "
                f"{'; '.join(changes)}. Your entries are kept below; what you did not touch is as it is now. Check them, then save again."
            )

    def _take_over(self, was: Opened, now: dict[str, Any]) -> None:
        """Show another person's value in the fields that this person did not touch, so that saving again takes nothing back."""
        data: dict[str, Any] = self.data.copy()  # type: ignore[attr-defined]
        for name, before in was.values.items():
            field = self.fields.get(name)
            if field is None or name not in now or now[name] == before:
                continue
            if (self._bound(name) or "") != (field.prepare_value(before) or ""):
                continue
            value, key = field.prepare_value(now[name]), self.add_prefix(name)
            if value in (None, False):
                data.pop(key, None)
            else:
                data[key] = "on" if value is True else value
        self.data = data

    def _words(self, name: str, value: Any) -> str:
        field = self.fields[name]
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(field, QuickbooksField):
            value = field.label_of(str(value or ""))
        elif isinstance(field, forms.ChoiceField):
            value = dict(_flat(field.choices)).get(str(value or ""), value)
        if isinstance(value, list):
            value = ", ".join(str(one) for one in value)
        text = str(value or "") or "empty"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _flat(choices: Any) -> list[tuple[str, str]]:
    return [(str(key), str(label)) for key, label in choices]


def _plain(value: Any) -> Any:
    """Give a value of a row as a form is sent with it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value)


def stamp(**values: Any) -> str:
    """Give what a page is opened with that shows these values."""
    return Opened(timezone.now(), values).signed()


def overtaken(row: models.Model, sent: str, **now: Any) -> str:
    """Say who changed what a page showed of a row; empty when nobody did, or the page does not say what it was opened with."""
    was = Opened.parse(sent)
    if was is None or was.values == now:
        return ""
    return f"Nothing was changed: {who_changed(row, since=was.at)} after you opened this page."


def stamp_of(row: models.Model) -> str:
    """Give what a page is opened with that deletes a row: what the row holds, and when it was shown."""
    return Opened(timezone.now(), {"held": _digest(row)}).signed()


def changed_since(row: models.Model, stamp: str) -> str:
    """Say who changed a row after its page was opened; empty when nobody did, or the page does not say what it was opened with."""
    was = Opened.parse(stamp)
    return "" if was is None or was.values["held"] == _digest(row) else who_changed(row, since=was.at)


def _digest(row: models.Model) -> str:
    """What people write of a row; its version and moments are the database's."""
    written = [
        field.name for field in row._meta.fields if field.editable and not isinstance(field, models.DateTimeField)
    ]
    return salted_hmac(_SALT, repr(sorted(model_to_dict(row, written).items()))).hexdigest()


def of_row(row: models.Model) -> Q:
    """Give the condition that an entry of Django's log is about this row."""
    return Q(content_type=ContentType.objects.get_for_model(row, for_concrete_model=False), object_id=str(row.pk))


def who_changed(row: models.Model, *, since: dt.datetime) -> str:
    """Say who changed a row lately, and when: ``bob changed it at 13:02 on 27 Nov 2026``."""
    own = of_row(row)
    if (configuration_id := getattr(row, "configuration_id", None)) is not None:
        # An import is logged with its Configuration.
        own |= Q(content_type=ContentType.objects.get_for_model(Configuration), object_id=str(configuration_id))
    entry = LogEntry.objects.filter(own, action_time__gte=since).select_related("user").order_by("-action_time").first()
    if entry is None:
        return "it was changed"
    moment = timezone.localtime(entry.action_time)
    name = entry.user.get_full_name() or entry.user.get_username()
    return f"{name} changed it at {date_format(moment, 'H:i')} on {date_format(moment, 'j M Y')}"
