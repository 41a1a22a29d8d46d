"""Keys are stored as hashes; sessions hang on their key."""

from __future__ import annotations

import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sfumato.errors import RequestError, StorageError
from sfumato.server.keys import SESSION_SECONDS, KeyStore, RateLimit


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    """No keys yet."""
    return KeyStore(tmp_path)


def test_a_secret_finds_its_key_and_is_stored_nowhere(keys: KeyStore) -> None:
    key, secret = keys.add("phone", ("read",))
    assert keys.find(secret) == key
    assert keys.find(secret + "x") is None
    text = keys.path.read_text()
    assert secret not in text and secret.removeprefix("sf-") not in text
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_every_secret_is_another(keys: KeyStore) -> None:
    secrets = {keys.add(f"key {n}")[1] for n in range(20)}
    assert len(secrets) == 20
    assert all(keys.find(secret) is not None for secret in secrets)


def test_a_change_within_one_tick_of_the_clock_is_seen(keys: KeyStore) -> None:
    _, first = keys.add("one")
    stamp = keys.path.stat().st_mtime_ns
    assert keys.find(first) is not None
    KeyStore(keys.path.parent).revoke("one")
    _, second = KeyStore(keys.path.parent).add("two")  # as long a list as before
    os.utime(keys.path, ns=(stamp, stamp))
    assert keys.find(first) is None
    assert keys.find(second) is not None


def test_keys_made_at_the_same_time_are_all_kept(keys: KeyStore) -> None:
    stores = [keys, KeyStore(keys.path.parent)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: stores[n % 2].add(f"key {n}")[1], range(16)))
    assert all(keys.find(secret) is not None for secret in made)


def test_a_change_waits_for_that_of_another_process(keys: KeyStore) -> None:
    fcntl = pytest.importorskip("fcntl")
    keys.add("one")
    with keys.path.with_name(".keys.json.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        adding = threading.Thread(target=keys.add, args=("two",))
        adding.start()
        adding.join(0.3)
        assert adding.is_alive()
        assert [key.name for key in keys.known()] == ["one"]  # readers do not wait
    adding.join(30)
    assert [key.name for key in keys.known()] == ["one", "two"]


def test_another_process_sees_a_new_key(keys: KeyStore) -> None:
    other = KeyStore(keys.path.parent)
    assert other.known() == ()
    _, secret = keys.add("phone")
    assert other.find(secret) is not None


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "two\nlines", "\x1b[31m"])
def test_names_that_cannot_be_shown_are_refused(keys: KeyStore, name: str) -> None:
    with pytest.raises(RequestError, match="is no name for a key"):
        keys.add(name)


def test_a_name_is_used_once(keys: KeyStore) -> None:
    keys.add("phone")
    with pytest.raises(RequestError, match="There is a key named 'phone'"):
        keys.add(" phone ")
    with pytest.raises(RequestError, match="no scope 'fly'"):
        keys.add("other", ("fly",))


def test_revoking_takes_a_name_or_an_id(keys: KeyStore) -> None:
    first, secret = keys.add("first")
    keys.add("second")
    assert keys.revoke(first.id) == first
    assert keys.find(secret) is None
    assert [key.name for key in keys.known()] == ["second"]
    keys.revoke("second")
    with pytest.raises(RequestError, match="There is no key 'second'"):
        keys.revoke("second")


def test_a_damaged_list_is_an_error_and_not_an_empty_one(keys: KeyStore) -> None:
    keys.path.write_text('[{"id": "x"}]')
    with pytest.raises(StorageError, match="cannot be read"):
        keys.known()


def test_a_session_is_its_keys_until_it_ends(
    keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = keys.add("phone")
    session = keys.make_session(key)
    assert secret not in session
    assert keys.find_session(session) == key
    later = time.time() + SESSION_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert keys.find_session(session) is None


def test_a_session_cannot_be_made_or_stretched_by_others(keys: KeyStore) -> None:
    key, _ = keys.add("phone")
    identity, ends, signature = keys.make_session(key).split(".")
    other, _ = keys.add("other")
    for forged in (
        f"{identity}.{int(ends) + 1}.{signature}",
        f"{other.id}.{ends}.{signature}",
        f"{identity}.{ends}.",
        f"{identity}.{ends}",
        f"{identity}.²²²²²²²²²².{signature}",
        f"{identity}.{'9' * 400}.{signature}",
        "",
        "..",
        "é.é.é",
    ):
        assert keys.find_session(forged) is None, forged


def test_a_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = RateLimit(60)
    assert [limit.allows("a") for _ in range(11)] == [True] * 10 + [False]
    assert limit.allows("b")
    now[0] += 1.5
    assert [limit.allows("a") for _ in range(2)] == [True, False]
