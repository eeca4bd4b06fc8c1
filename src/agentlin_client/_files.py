"""Files in messages: a path, bytes or an open file becomes the content item that fits it.

What a file is, its extension says; where that says image, sound or nothing, the bytes have the
last word, because a data URL that lies about its content is refused by models.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias, TypeGuard, cast
from urllib.parse import quote

from .types._discriminate import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES
from .types.content_params import (
    AudioContentItemParam,
    ContentItemParam,
    FileContentItemParam,
    ImageContentItemParam,
)

FileContent: TypeAlias = bytes | bytearray | IO[bytes]
"""The bytes of a file, or a file that is open for reading bytes, from where it stands."""
FileInput: TypeAlias = PathLike[str] | FileContent | tuple[str, FileContent]
"""A file to send: a path, content, or the name to send with the content."""

_IMAGES: Final[Mapping[str, str]] = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
_SOUNDS: Final[Mapping[str, Literal["wav", "mp3"]]] = {"mp3": "mp3", "wav": "wav"}
_SIGNATURES: Final = (
    # Where in the file, what stands there, extension.
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"BM", "bmp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (8, b"WEBP", "webp"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypheic", "heic"),
    (8, b"WAVE", "wav"),
    (0, b"ID3", "mp3"),
    (0, b"%PDF-", "pdf"),
    (0, b"PK\x03\x04", "zip"),
)
_NAME_AND_CONTENT: Final = 2
_IN_RIFF: Final = frozenset({"webp", "wav"})
_CONTENT_TYPES: Final = frozenset({*TEXT_TYPES, *IMAGE_TYPES, *AUDIO_TYPES, "file"})
_MESSAGE_LISTS: Final = ("history_messages", "thought_messages", "tool_results")


def file_from_path(path: str | PathLike[str]) -> tuple[str, bytes]:
    """Read a file; return its name and its content, ready to be sent.

    Raises:
        OSError: It can't be read: FileNotFoundError, IsADirectoryError, PermissionError.
    """
    file = Path(path)
    return file.name, file.read_bytes()


def holds_files(body: Mapping[str, object]) -> bool:
    """Whether a request's body has to go through `with_files`; costs nothing worth measuring.

    True also for turns that come from an iterator: nobody knows before they have come.
    """
    content = body.get("user_message_content")
    if not isinstance(content, str) and _content_has_file(content):
        return True
    return any(_turns_have_file(turns) for name in _MESSAGE_LISTS if (turns := body.get(name)))


def with_files(body: Mapping[str, object]) -> dict[str, object]:
    """Return the body with every file in it read and made a content item; reads from disk.

    Files are found in `user_message_content` and in the `message_content` of turns and results.

    Raises:
        OSError: A file can't be read.
        TypeError: A file was opened as text, or stands where a message takes none.
        ValueError: A file is empty.
    """
    changed = dict(body)
    if (content := body.get("user_message_content")) is not None:
        changed["user_message_content"] = to_message_content(content)
    for name in _MESSAGE_LISTS:
        turns = body.get(name)
        if isinstance(turns, Iterable) and not isinstance(turns, str | Mapping):
            changed[name] = [_turn_with_files(turn) for turn in cast("Iterable[object]", turns)]
    return changed


def to_message_content(content: object) -> object:
    """Return the content of a message with every file in it as a content item.

    Args:
        content: A FileInput, or a sequence of them among texts and content items. A tuple of a
            text and bytes is a file with its name, not a sequence. One content item becomes a
            list of one, as servers take lists only. All else is returned as it is.

    Raises:
        OSError: A file can't be read.
        TypeError: A file was opened as text.
        ValueError: A file is empty.
    """
    if _is_content_item(content):
        return [content]
    if isinstance(content, str | Mapping):
        return cast("object", content)
    if _is_file(content):
        return [to_content_item(content)]
    if not isinstance(content, Iterable) or hasattr(cast("object", content), "model_dump"):
        return cast("object", content)  # a model is iterable, but holds no elements
    elements = cast("Iterable[object]", content)
    return [to_content_item(one) if _is_file_element(one) else one for one in elements]


def to_content_item(file: FileInput) -> ContentItemParam:
    """Return the content item for a file.

    Images become `input_image` with a data URL, wav and mp3 `input_audio`, and everything else
    `file`, its content as base64 in `file_data` and its type told by the extension of its
    `filename`. `file_url`, which the contract requires, is then `attachment:<filename>`: a URL
    that can't be fetched, so that nobody takes it for a place of the same name.

    Raises:
        OSError: The file can't be read.
        TypeError: The file was opened as text.
        ValueError: The file is empty.

    >>> to_content_item(("notes.txt", b"Hi"))["file"]["file_data"]
    'SGk='
    """
    name, content = _read(file)
    if not content:
        raise ValueError(f"the file {name or 'without a name'} is empty")
    kind = _kind(name, content)
    if (media_type := _IMAGES.get(kind)) is not None:
        url = f"data:{media_type};base64,{_base64(content)}"
        return ImageContentItemParam(type="input_image", image_url={"url": url})
    if (sound := _SOUNDS.get(kind)) is not None:
        return AudioContentItemParam(
            type="input_audio", input_audio={"data": _base64(content), "format": sound}
        )
    name = name or f"file.{kind}"
    return FileContentItemParam(
        type="file",
        file={
            "file_url": f"attachment:{quote(name)}",
            "filename": name,
            "file_data": _base64(content),
        },
    )


def _read(file: FileInput) -> tuple[str, bytes]:
    if isinstance(file, PathLike):
        return file_from_path(file)
    if isinstance(file, tuple) and not _is_named_file(cast("object", file)):
        raise TypeError("a tuple in a message must be a file: its name, and its bytes or open file")
    name, content = cast("tuple[str, Any]", file if isinstance(file, tuple) else ("", file))
    data: Any = content if isinstance(content, bytes | bytearray) else content.read()
    if not isinstance(data, bytes | bytearray):
        raise TypeError(
            f"reading {name or 'the file'} gave {type(data).__name__}, not bytes: "
            "open it in binary mode, e.g. open(path, 'rb')"
        )
    # A file that was made from a descriptor has a number for a name.
    named: object = name or getattr(content, "name", "")
    return (Path(named).name if isinstance(named, str) else ""), bytes(data)


def _kind(name: str, content: bytes) -> str:
    """Return the extension that says what the file is, in lower case; `bin` if nothing does."""
    extension = Path(name).suffix[1:].lower()
    if extension in _IMAGES or extension in _SOUNDS or not extension:
        return _sniff(content) or extension or ("txt" if _is_text(content) else "bin")
    return extension


def _sniff(content: bytes) -> str | None:
    for offset, signature, kind in _SIGNATURES:
        if content.startswith(signature, offset) and (
            kind not in _IN_RIFF or content.startswith(b"RIFF")
        ):
            return kind
    # A frame of MPEG layer III without a tag before it: eleven bits set, then the layer.
    is_mp3 = len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2  # noqa: PLR2004
    return "mp3" if is_mp3 else None


def _is_text(content: bytes) -> bool:
    try:
        return "\x00" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _base64(content: bytes) -> str:
    return b2a_base64(content, newline=False).decode("ascii")


def _is_file(value: object) -> TypeGuard[FileInput]:
    """Whether a whole content is one file; a text beside a path is a sequence of the two."""
    is_tuple = isinstance(value, tuple)
    return _is_named_file(cast("object", value)) if is_tuple else _is_file_element(value)


def _is_named_file(value: object) -> bool:
    parts = cast("tuple[object, ...]", value)
    return (
        len(parts) == _NAME_AND_CONTENT
        and isinstance(parts[0], str)
        and (isinstance(parts[1], bytes | bytearray) or hasattr(parts[1], "read"))
    )


def _is_file_element(value: object) -> TypeGuard[FileInput]:
    """Whether an element of a content is a file; content has no tuples but those of files."""
    if isinstance(value, str | dict):  # nearly always, and quicker than what follows
        return False
    return isinstance(value, bytes | bytearray | tuple | PathLike) or hasattr(value, "read")


def _is_content_item(value: object) -> bool:
    """Whether it is one content item, a dict or a model."""
    if isinstance(value, Mapping):
        kind = cast("Mapping[str, object]", value).get("type")
    else:
        kind = getattr(value, "type", None)
    return isinstance(kind, str) and kind in _CONTENT_TYPES


def _content_has_file(content: object) -> bool:
    """Whether `to_message_content` would change it: a file in it, or an item without a list."""
    if _is_content_item(content):
        return True
    if isinstance(content, str | Mapping):
        return False
    if _is_file(content):
        return True
    if isinstance(content, list | tuple):
        return any(map(_is_file_element, cast("Sequence[object]", content)))
    # An iterator can be looked through only once, by `with_files`.
    return isinstance(content, Iterable)


def _turns_have_file(turns: object) -> bool:
    if not isinstance(turns, list | tuple):
        return True
    return any(_turn_has_file(turn) for turn in cast("Sequence[object]", turns))


def _turn_has_file(turn: object) -> bool:
    if not isinstance(turn, Mapping):
        return False  # a model, which holds no file
    fields = cast("Mapping[str, object]", turn)
    content = fields.get("message_content") or fields.get("content")
    return bool(content) and not isinstance(content, str) and _content_has_file(content)


def _turn_with_files(turn: object) -> object:
    if not _turn_has_file(turn):
        return turn
    fields = cast("Mapping[str, object]", turn)
    if "message_content" not in fields:
        if _is_content_item(fields.get("content")):
            return fields
        raise TypeError(
            "a chat message takes no files: make it an item, "
            '{"type": "message", "role": ..., "message_content": [...]}'
        )
    return {**fields, "message_content": to_message_content(fields["message_content"])}
