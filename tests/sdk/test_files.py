"""Files in messages: what becomes of a path, of bytes, of an open file."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from agentlin_client import omit
from agentlin_client._files import (
    file_from_path,
    holds_files,
    to_content_item,
    to_message_content,
    with_files,
)
from agentlin_client.types import MessageContentParam, MessageItem, TextContentItem
from tests.sdk import wire
from tests.sdk.conftest import Sdk

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
MP3 = b"\xff\xfb\x90\x64" + b"sound"


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def image(content: bytes, media_type: str) -> dict[str, Any]:
    url = f"data:{media_type};base64,{coded(content)}"
    return {"type": "input_image", "image_url": {"url": url}}


def sound(content: bytes, encoding: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": coded(content), "format": encoding}}


def attachment(name: str, content: bytes, url: str | None = None) -> dict[str, Any]:
    url = url or f"attachment:{name}"
    file = {"file_url": url, "filename": name, "file_data": coded(content)}
    return {"type": "file", "file": file}


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "item"),
    [
        ("a.png", PNG, image(PNG, "image/png")),
        ("a.JPG", JPEG, image(JPEG, "image/jpeg")),
        ("a.webp", b"?", image(b"?", "image/webp")),
        ("a.wav", WAV, sound(WAV, "wav")),
        ("a.mp3", b"ID3 tagged", sound(b"ID3 tagged", "mp3")),
        ("a.mp3", b"\x00 padded", sound(b"\x00 padded", "mp3")),
        ("a.ogg", b"OggS", attachment("a.ogg", b"OggS")),
        ("a.svg", b"<svg/>", attachment("a.svg", b"<svg/>")),
        ("a.pdf", b"%PDF-1.7", attachment("a.pdf", b"%PDF-1.7")),
        ("ID.txt", b"ID3 is a tag", attachment("ID.txt", b"ID3 is a tag")),
        ("LICENSE", b"MIT", attachment("LICENSE", b"MIT")),
        ("über uns.md", b"#", attachment("über uns.md", b"#", "attachment:%C3%BCber%20uns.md")),
    ],
)
def test_a_path_becomes_the_item_that_its_extension_says(
    tmp_path: Path, name: str, content: bytes, item: dict[str, Any]
) -> None:
    assert to_content_item(write(tmp_path, name, content)) == item


def test_of_images_and_sounds_the_bytes_say_what_they_are_whatever_the_name(tmp_path: Path) -> None:
    assert to_content_item(write(tmp_path, "a.png", JPEG)) == image(JPEG, "image/jpeg")
    assert to_content_item(write(tmp_path, "a.wav", MP3)) == sound(MP3, "mp3")
    assert to_content_item(("photo", PNG)) == image(PNG, "image/png")


@pytest.mark.parametrize(
    ("content", "item"),
    [
        (PNG, image(PNG, "image/png")),
        (JPEG, image(JPEG, "image/jpeg")),
        (b"GIF89a...", image(b"GIF89a...", "image/gif")),
        (b"RIFF1234WEBPVP8 ", image(b"RIFF1234WEBPVP8 ", "image/webp")),
        (b"\x00\x00\x00\x1cftypavif", image(b"\x00\x00\x00\x1cftypavif", "image/avif")),
        (WAV, sound(WAV, "wav")),
        (MP3, sound(MP3, "mp3")),
        (b"%PDF-1.7", attachment("file.pdf", b"%PDF-1.7")),
        (b"PK\x03\x04zip", attachment("file.zip", b"PK\x03\x04zip")),
        ("Grüße".encode(), attachment("file.txt", "Grüße".encode())),
        ("Grüße".encode("utf-16"), attachment("file.bin", "Grüße".encode("utf-16"))),
        (b"\x00\x01\x02", attachment("file.bin", b"\x00\x01\x02")),
        (b"LIST1234WAVE", attachment("file.txt", b"LIST1234WAVE")),
        (bytearray(PNG), image(PNG, "image/png")),
    ],
)
def test_bytes_without_a_name_are_known_by_how_they_begin(
    content: bytes, item: dict[str, Any]
) -> None:
    assert to_content_item(content) == item


def test_an_open_file_is_read_from_where_it_stands_and_named_as_it_is(tmp_path: Path) -> None:
    with write(tmp_path, "a.csv", b"head\n1,2").open("rb") as file:
        file.readline()
        assert to_content_item(file) == attachment("a.csv", b"1,2")
    assert to_content_item(io.BytesIO(PNG)) == image(PNG, "image/png")
    assert to_content_item(("b.csv", io.BytesIO(b"1"))) == attachment("b.csv", b"1")


def test_file_from_path_gives_name_and_content_as_the_published_client_does(tmp_path: Path) -> None:
    path = write(tmp_path, "a.png", PNG)
    assert file_from_path(str(path)) == file_from_path(path) == ("a.png", PNG)
    assert to_message_content(file_from_path(path)) == [image(PNG, "image/png")]


def test_a_content_of_one_file_or_with_files_in_it_becomes_a_valid_list(tmp_path: Path) -> None:
    path = write(tmp_path, "a.png", PNG)
    item = image(PNG, "image/png")
    assert to_message_content(path) == [item]
    assert to_message_content(["What is this?", path, WAV]) == [
        "What is this?",
        item,
        sound(WAV, "wav"),
    ]
    assert to_message_content(("What is this?", path)) == ["What is this?", item]
    assert to_message_content(iter([path])) == [item]
    validate = TypeAdapter[Any](MessageContentParam).validate_python
    for content in (path, [path, b"text"], WAV):
        validate(to_message_content(content))


@pytest.mark.parametrize(
    "content", ["text", "", {"type": "wish"}, {"text": "Hi"}, {"type": []}, 7, None]
)
def test_what_is_no_list_and_no_file_is_left_to_the_server(content: object) -> None:
    assert to_message_content(content) is content


TEXT = {"type": "input_text", "text": "Hi"}


@pytest.mark.parametrize("content", [TEXT, TextContentItem.model_validate(TEXT)])
def test_one_content_item_is_a_message_of_one_item(content: Any) -> None:
    assert to_message_content(content) == [content]
    for body in (
        {"user_message_content": content},
        {"history_messages": [{"type": "message", "role": "user", "message_content": content}]},
    ):
        assert holds_files(body)
        sent = json.dumps(with_files(body), default=lambda model: model.to_dict())
        assert json.dumps([TEXT]) in sent
    assert not holds_files({"user_message_content": [content]})


@pytest.mark.anyio
async def test_a_create_takes_one_content_item(sdk: Sdk) -> None:
    sdk.server.script(wire.answer(wire.task()))
    item = TextContentItem.model_validate(TEXT)
    await sdk.done(sdk.client().tasks.create(stream=False, user_message_content=item))
    assert json.loads(sdk.server.requests[0].body)["user_message_content"] == [TEXT]


@pytest.mark.parametrize(
    ("file", "error", "words"),
    [
        (b"", ValueError, "the file without a name is empty"),
        (("a.txt", b""), ValueError, r"the file a\.txt is empty"),
        (io.StringIO("text"), TypeError, "binary mode"),
        (("a.txt", io.StringIO("text")), TypeError, r"reading a\.txt gave str"),
        (Path("nowhere.png"), FileNotFoundError, r"nowhere\.png"),
        (Path(), OSError, "directory"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(
    file: Any, error: type[Exception], words: str
) -> None:
    for body in ({"user_message_content": file}, {"user_message_content": [file]}):
        assert holds_files(body)
        with pytest.raises(error, match=words):
            with_files(body)


def test_a_tuple_in_a_message_that_is_no_file_is_refused(tmp_path: Path) -> None:
    body: dict[str, object] = {"user_message_content": [("a.png", tmp_path / "a.png")]}
    assert holds_files(body)
    with pytest.raises(TypeError, match="its name, and its bytes"):
        with_files(body)


def body_of(content: object) -> dict[str, object]:
    item = {"type": "message", "role": "user", "message_content": content}
    result = {"type": "tool_result", "call_id": "c", "message_content": content, "block_list": []}
    return {
        "user_message_content": content,
        "history_messages": [item, {"role": "user", "content": "Hi"}],
        "thought_messages": (result,),
        "tool_results": iter([result]),
        "workspace_dir": Path("here"),
        "env": omit,
    }


def test_files_are_found_in_every_message_of_a_body_and_nothing_else_changes() -> None:
    body = body_of([PNG])
    changed: dict[str, Any] = with_files(body)
    expected = [image(PNG, "image/png")]
    assert changed["user_message_content"] == expected
    assert changed["history_messages"][0]["message_content"] == expected
    assert changed["history_messages"][1] == {"role": "user", "content": "Hi"}
    assert changed["thought_messages"][0]["message_content"] == expected
    assert changed["tool_results"][0]["message_content"] == expected
    assert changed["workspace_dir"] == Path("here")
    assert changed["env"] is omit
    first: Any = body["history_messages"]
    assert first[0]["message_content"] == [PNG]


@pytest.mark.parametrize("name", ["history_messages", "thought_messages", "tool_results"])
def test_a_file_in_any_list_of_messages_is_noticed(name: str) -> None:
    item = {"type": "message", "role": "user", "message_content": ["See:", PNG]}
    assert holds_files({name: [item]})
    assert not holds_files({name: [item | {"message_content": ["See:"]}]})
    assert not holds_files({name: [item | {"message_content": "See"}]})
    assert holds_files({name: iter([item])})


def test_a_body_without_files_is_not_touched() -> None:
    model = MessageItem(type="message", role="user", message_content="Hi")
    text = {"type": "text", "text": "Hi"}
    body: Mapping[str, object] = {
        "user_message_content": ["Hi", text],
        "history_messages": [model, {"role": "user", "content": [text]}],
        "thought_messages": omit,
        "tool_results": None,
    }
    assert not holds_files(body)
    assert not holds_files({"user_message_content": "Hi", "workspace_dir": Path("here")})
    assert not holds_files({})
    assert with_files(body) == body


def test_a_chat_message_takes_no_files() -> None:
    body: dict[str, object] = {"history_messages": [{"role": "user", "content": [PNG]}]}
    assert holds_files(body)
    with pytest.raises(TypeError, match="make it an item"):
        with_files(body)


def test_what_comes_out_is_json(tmp_path: Path) -> None:
    content = with_files({"user_message_content": [write(tmp_path, "a", b"\xff\x00"), WAV]})
    assert json.loads(json.dumps(content)) == content


@pytest.mark.anyio
async def test_a_create_sends_files_and_reads_each_once_however_often_it_is_sent(
    sdk: Sdk, tmp_path: Path
) -> None:
    sdk.server.script(wire.refusal(503), wire.answer(wire.task()))
    file = io.BytesIO(b"1,2")
    await sdk.done(
        sdk.client().tasks.create(
            stream=False,
            user_message_content=["Compare:", write(tmp_path, "a.png", PNG), ("b.csv", file)],
        )
    )
    first, second = (json.loads(request.body) for request in sdk.server.requests)
    assert first == second
    assert first["user_message_content"] == [
        "Compare:",
        image(PNG, "image/png"),
        attachment("b.csv", b"1,2"),
    ]


@pytest.mark.anyio
async def test_a_file_that_is_missing_is_python_s_own_error_and_nothing_is_sent(sdk: Sdk) -> None:
    with pytest.raises(FileNotFoundError):
        await sdk.done(
            sdk.client().tasks.create(stream=True, user_message_content=Path("nowhere.png"))
        )
    assert sdk.server.requests == []
