"""The example daemon under load on loopback, while targets die and bits flip beneath it."""

import asyncio
import importlib.util
import random
from pathlib import Path

import pytest

import reed
from reed.files import medium
from store_folders import data_of, flip, folders, shard_files

aiohttp = pytest.importorskip("aiohttp", reason="the example daemon needs aiohttp")
from aiohttp import web  # noqa: E402

SPECIFICATION = importlib.util.spec_from_file_location(
    "http_store", Path(__file__).resolve().parent.parent / "examples" / "http_store.py")
http_store = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(http_store)

SEED = 5


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(medium, "fsync", lambda descriptor: None)
    with reed.Store.create(folders(tmp_path, 6), code=reed.ReedSolomon(4, 2), block_size=4096,
                           allow_shared_devices=True, reserve_bytes=0, threads=2) as made:
        yield made


def serve(store, scenario, **options):
    """Runs a coroutine of (session, base URL) against the daemon on a free port."""
    async def main():
        runner = web.AppRunner(http_store.make_app(store, **options))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as session:
                return await scenario(session, f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(main(), 240))


async def answer(response):
    async with response as opened:
        return opened.status, await opened.read(), opened.headers


async def finished_scrub(session, base):
    await session.post(f"{base}/scrub")
    await asyncio.sleep(0.05)
    while True:
        async with session.get(f"{base}/scrub") as response:
            state = await response.json()
        if not state["running"] and (state["last"] or state["error"]):
            return state
        await asyncio.sleep(0.05)


def test_objects_ranges_and_errors(store):
    data = data_of(1, 100_000)

    async def scenario(session, base):
        url = f"{base}/objects/photos/1 a"
        status, _, headers = await answer(session.put(url, data=data))
        assert status == 201
        assert (await answer(session.get(url)))[:2] == (200, data)
        for text, status, part in (
                ("bytes=0-0", 206, data[:1]), ("bytes=99990-", 206, data[99990:]),
                ("bytes=-5", 206, data[-5:]), ("bytes=10-200000", 206, data[10:]),
                ("bytes=5-9", 206, data[5:10]), ("lines=1-2", 200, data), ("bytes=-", 200, data),
                ("bytes=-0", 416, None), ("bytes=100000-", 416, None), ("bytes=9-5", 416, None)):
            found = await answer(session.get(url, headers={"Range": text}))
            assert found[0] == status and (part is None or found[1] == part), text
        found = await answer(session.get(url, headers={"Range": "bytes=5-9"}))
        assert found[2]["Content-Range"] == "bytes 5-9/100000"
        assert found[2]["ETag"] == headers["ETag"]
        head = await answer(session.head(url))
        assert head[0] == 200 and head[2]["Content-Length"] == "100000" and head[1] == b""
        assert (await answer(session.put(f"{base}/objects/empty", data=b"")))[0] == 201
        assert (await answer(session.get(f"{base}/objects/empty")))[:2] == (200, b"")
        assert (await answer(session.delete(url)))[0] == 204
        assert (await answer(session.get(url)))[0] == 404
        assert (await answer(session.delete(url)))[0] == 404

    serve(store, scenario)


def test_what_is_lost_is_an_error_and_never_a_short_answer(store, tmp_path):
    store.put("key", data_of(2, 8 << 20))
    for path in shard_files(tmp_path)[:3]:
        flip(path, path.stat().st_size - 5000)

    async def scenario(session, base):
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
            await answer(session.get(f"{base}/objects/key"))
        found = await answer(session.get(f"{base}/objects/key", headers={"Range": "bytes=-40000"}))
        assert found[0] == 500 and b"BeyondRepair" in found[1]

    serve(store, scenario)


def test_a_scrub_is_stopped_and_started(store, tmp_path):
    for number in range(8):
        store.put(f"key{number}", data_of(number, 20_000))
    flip(shard_files(tmp_path)[0])

    async def scenario(session, base):
        async def state_when(is_there):
            while True:
                async with session.get(f"{base}/scrub") as response:
                    state = await response.json()
                if is_there(state):
                    return state
                await asyncio.sleep(0.05)

        await session.post(f"{base}/scrub")
        await state_when(lambda state: state["done"])
        await session.delete(f"{base}/scrub")
        state = await state_when(lambda state: not state["running"])
        assert state["error"].startswith("Cancelled") and state["done"] < state["total"] == 8

    serve(store, scenario, rate_limit=100_000)

    async def again(session, base):
        state = await finished_scrub(session, base)
        assert state["last"]["status"] == "clean" and state["done"] == state["total"] == 8

    serve(store, again)


def test_a_scrub_that_fails_is_told_and_the_next_one_runs(store, monkeypatch):
    store.put("key", data_of(1, 20_000))
    actual = reed.Store.scrub
    failures = [RuntimeError("of a kind that nobody foresaw")]

    def scrub(self, **options):
        if failures:
            raise failures.pop()
        return actual(self, **options)

    monkeypatch.setattr(reed.Store, "scrub", scrub)

    async def scenario(session, base):
        for _ in range(100):
            await session.post(f"{base}/scrub")
            await asyncio.sleep(0.05)
            async with session.get(f"{base}/scrub") as response:
                state = await response.json()
            if state["error"]:
                break
        assert state["error"] == "RuntimeError: of a kind that nobody foresaw"
        state = await finished_scrub(session, base)
        assert state["last"]["status"] == "clean" and state["error"] is None

    serve(store, scenario)


def test_no_wrong_answer_under_load_and_damage(store, tmp_path):
    """One target dies and returns, another one rots: within what 4+2 covers, all the time."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    sent = {f"own/{number}": set() for number in range(4)} | {"shared": set()}
    now = {}
    counts = {"exact": 0, "refused": 0, "wrong": 0}
    disks = [tmp_path / f"disk{number}" for number in range(6)]

    def judge(key, status, body, allowed, part=slice(None)):
        if status in (200, 206):
            ok = any(body == data[part] for data in allowed)
            counts["exact" if ok else "wrong"] += 1
        elif status == 404:
            counts["exact" if None in allowed else "wrong"] += 1
        else:
            counts["refused"] += 1

    async def write(session, base, key):
        """Puts, reads back and deletes one key; nobody else writes it."""
        for _ in range(8):
            data = rng.randbytes(rng.choice((1, 5_000, 60_000)))
            sent[key].add(data)
            status, _, _ = await answer(session.put(f"{base}/objects/{key}", data=data))
            allowed = {data} if status == 201 else {data, now.get(key)}
            status, body, _ = await answer(session.get(f"{base}/objects/{key}"))
            judge(key, status, body, {item for item in allowed if item is not None}
                  | ({None} if None in allowed else set()))
            now[key] = data
            if key != "shared" and rng.random() < 0.2:
                status, _, _ = await answer(session.delete(f"{base}/objects/{key}"))
                if status == 204:
                    now[key] = None
                    status, body, _ = await answer(session.get(f"{base}/objects/{key}"))
                    judge(key, status, body, {None})

    async def read(session, base):
        """Reads what others write: some version, whole, and never between two."""
        for _ in range(25):
            part = slice(rng.choice((0, 1000)), None)
            headers = {"Range": f"bytes={part.start}-"} if part.start else {}
            status, body, _ = await answer(session.get(f"{base}/objects/shared", headers=headers))
            if status == 416:
                continue  # that version is shorter
            judge("shared", status, body, sent["shared"], part)

    async def harm(done):
        """Disk 0 goes and comes back; shards on disk 1 rot."""
        away = tmp_path / "away"
        while not done.is_set():
            disks[0].rename(away)
            for path in shard_files(disks[1]):
                if rng.random() < 0.3:
                    flip(path, rng.randrange(1 << 30))
            await asyncio.sleep(0.3)
            away.rename(disks[0])
            await asyncio.sleep(0.2)

    async def scenario(session, base):
        data = rng.randbytes(60_000)
        sent["shared"].add(data)
        now["shared"] = data
        assert (await answer(session.put(f"{base}/objects/shared", data=data)))[0] == 201
        done = asyncio.Event()
        harming = asyncio.create_task(harm(done))
        await asyncio.gather(*(write(session, base, key) for key in sent),
                             *(read(session, base) for _ in range(3)))
        done.set()
        await harming
        for _ in range(2):
            state = await finished_scrub(session, base)
        assert state["error"] is None and state["last"]["status"] == "clean", state
        for key, data in now.items():
            status, body, _ = await answer(session.get(f"{base}/objects/{key}"))
            if status == 404:
                assert data is None, key
            else:
                assert status == 200 and body in sent[key], key

    serve(store, scenario)
    print(counts)
    assert counts["wrong"] == 0 and counts["exact"] > 60
    assert store.audit().verdict == "healthy"
