"""The base of every response and event model: unknown fields are kept, never refused."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal, cast

import pydantic

from ._redact import concealed

_SHOWN_CHARS_MAX: Final = 200
_SHOWN_ELEMENTS_MAX: Final = 50


class BaseModel(pydantic.BaseModel):
    """A pydantic model that keeps the fields it does not know.

    They are attributes like the others, are found in `model_extra`, and come back from
    `to_dict` and `to_json`. `model_fields_set` names the fields that the server sent.

    `repr` and `print` cut long texts and lists, as a task may hold megabytes of base64, and hide
    the values of fields that are named like a secret; a notebook shows a task as a short report.
    """

    # The validators are built on first use: a program pays only for the types that it meets.
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(
        extra="allow", defer_build=True
    )

    def to_dict(
        self,
        *,
        mode: Literal["json", "python"] = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> dict[str, Any]:
        """Return the model as a dict, nested models too; as the server sent it by default.

        Args:
            mode: `json` for values that JSON has, `python` for Python's own.
            use_api_names: Use the names of the wire where they differ from the attributes'.
            exclude_unset: Leave out what the server did not send.
            exclude_defaults: Leave out what equals its default.
            exclude_none: Leave out what is None.
            warnings: Warn of values that do not fit their field's type.
        """
        return self.model_dump(
            mode=mode,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )

    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> str:
        """Return the model as JSON text; as the server sent it by default.

        Args:
            indent: Spaces per level; None for one compact line.
            use_api_names: Use the names of the wire where they differ from the attributes'.
            exclude_unset: Leave out what the server did not send.
            exclude_defaults: Leave out what equals its default.
            exclude_none: Leave out what is None.
            warnings: Warn of values that do not fit their field's type.
        """
        return self.model_dump_json(
            indent=indent,
            by_alias=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            warnings=warnings,
        )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        fields = list(super().__repr_args__())
        is_logprob = any(name == "logprob" for name, _ in fields)
        for name, value in fields:
            yield name, _shown(concealed(name or "", value, is_logprob=is_logprob))

    def _repr_html_(self) -> str | None:
        from ._html import html_of  # for notebooks only

        return html_of(self.to_dict(warnings=False))


class _Text(str):
    """A text whose `repr` is what it is: so much of it, and how much there is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(value: object) -> object:
    """Return what `repr` shows of a field; the same object if it is short."""
    match value:
        case str() if len(value) > _SHOWN_CHARS_MAX:
            return _Text(f"{value[:_SHOWN_CHARS_MAX]!r}... ({len(value)} characters)")
        case list():
            elements = cast("list[object]", value)
            shown = [_shown(element) for element in elements[:_SHOWN_ELEMENTS_MAX]]
            if (more := len(elements) - len(shown)) > 0:
                shown.append(_Text(f"... {more} more"))
            return shown
        case dict():
            fields = cast("dict[object, object]", value)
            is_logprob = "logprob" in fields
            return {
                name: _shown(concealed(str(name), field, is_logprob=is_logprob))
                for name, field in fields.items()
            }
        case _:
            return value
