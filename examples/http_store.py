"""A small HTTP daemon around ``reed.Store``, on aiohttp: how a service embeds the store.

    pip install 'reed-storage[examples]'
    python examples/http_store.py disk0 disk1 disk2 --port 8080 --scrub-hours 24

The folders are the targets of a store (`reed store create` makes one).

    PUT    /objects/KEY   201, or 503: nothing was committed, or nobody can say yet
    GET    /objects/KEY   200, with Range 206; HEAD too. The ETag is the object's digest
    DELETE /objects/KEY   204
    GET    /scrub         how far the scrub is and what the last one found
    POST   /scrub         starts one now; DELETE /scrub stops it

Two rules make it safe. Every byte of an answer was proved before it is sent; where that fails after
the headers went out, the connection is cut, so that a client never takes a part for the whole. And
each answer is one version of the object, whatever is put meanwhile.
"""

import argparse
import asyncio
import contextlib
import re
import tempfile
import threading
import traceback

from aiohttp import web

import reed

STORE = web.AppKey("store", reed.Store)
SPOOL_BYTES = 8 << 20  # of an upload kept in memory; what is more goes to a temporary file
NOW_UNAVAILABLE = (reed.Uncertain, reed.QuorumNotReached, reed.StoreBusy, reed.LeaseHeld)


def refusal(error: Exception) -> web.Response:
    """What the client gets for an error of the store."""
    status = (404 if isinstance(error, reed.ObjectNotFound) else
              400 if isinstance(error, reed.InvalidParameter) else
              503 if isinstance(error, NOW_UNAVAILABLE) else 500)
    return web.json_response({"error": type(error).__name__, "message": str(error)}, status=status)


# ---- objects -------------------------------------------------------------------------------------


async def put_object(request: web.Request) -> web.Response:
    """The body is received whole before the store sees it: a slow client holds nothing up."""
    store = request.app[STORE]
    stop = threading.Event()
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as body:
        async for chunk in request.content.iter_any():
            body.write(chunk)
        body.seek(0)
        work = asyncio.ensure_future(asyncio.to_thread(
            store.put, request.match_info["key"], body, cancel=stop.is_set))
        try:
            report = await asyncio.shield(work)
        except asyncio.CancelledError:
            # The daemon stops; the file must stay open until the thread has heard of it.
            stop.set()
            await asyncio.wait([work])
            raise
        except (reed.ReedError, OSError) as error:
            return refusal(error)
    return web.json_response(report.as_dict() | {"degraded": report.degraded}, status=201,
                             headers={"ETag": f'"{report.object.digest}"'})


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, end) of a Range header with one range; None for the whole. Raises
    HTTPRequestRangeNotSatisfiable."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if match is None or match[0] == "bytes=-":
        return None  # RFC 9110: what is not understood is ignored
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return start, end


async def get_object(request: web.Request) -> web.StreamResponse:
    store = request.app[STORE]
    opened = store.open_object(request.match_info["key"])
    try:
        found = await asyncio.to_thread(opened.__enter__)
    except (reed.ReedError, OSError) as error:
        return refusal(error)
    try:
        return await send(request, found)
    finally:
        await asyncio.shield(asyncio.to_thread(opened.__exit__, None, None, None))


async def send(request: web.Request, found) -> web.StreamResponse:
    """Answers with an open object, or a range of it."""
    size = found.info.size
    part = wanted_range(request.headers.get("Range"), size)
    start, end = part or (0, size)
    chunks = found.chunks(start, end)
    try:
        # The first piece before the headers: what cannot be read has a status of its own.
        piece = None if request.method == "HEAD" else await asyncio.to_thread(next, chunks, None)
    except (reed.ReedError, OSError) as error:
        return refusal(error)
    response = web.StreamResponse(status=206 if part else 200, headers={
        "ETag": f'"{found.info.digest}"', "Accept-Ranges": "bytes"})
    response.content_length = end - start
    if part:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    await response.prepare(request)
    try:
        while piece is not None:
            await response.write(piece)
            piece = await asyncio.to_thread(next, chunks, None)
    except ConnectionError:
        return response  # the client is gone
    except (reed.ReedError, OSError) as error:
        # Fewer bytes than promised and a cut connection: no client takes that for the object.
        request.app.logger.error("%s: cut off: %s", found.info.key, error)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


async def delete_object(request: web.Request) -> web.Response:
    try:
        await asyncio.to_thread(request.app[STORE].delete, request.match_info["key"])
    except (reed.ReedError, OSError) as error:
        return refusal(error)
    return web.Response(status=204)


# ---- the scrub in the background -----------------------------------------------------------------


class Scrubber:
    """Takes targets back, scrubs and repairs, every so often and when it is asked to."""

    def __init__(self, store: reed.Store, interval_hours: float, rate_limit: float | None):
        self._store = store
        self._interval = interval_hours * 3600
        self._rate_limit = rate_limit
        self._wanted = asyncio.Event()
        self._stop = threading.Event()
        self.state = {"running": False, "done": 0, "total": None, "last": None, "error": None}

    def start(self) -> None:
        self._wanted.set()

    def cancel(self) -> None:
        self._stop.set()

    def _progress(self, done: int, total: int | None) -> None:
        self.state |= {"done": done, "total": total}

    def _work(self) -> dict:
        self._store.reconcile(cancel=self._stop.is_set)
        report = self._store.scrub(repair=True, rate_limit=self._rate_limit,
                                   progress=self._progress, cancel=self._stop.is_set)
        return report.as_dict() | {"status": report.status}

    async def run(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._interval)
            self._wanted.clear()
            self._stop.clear()
            self.state |= {"running": True, "done": 0, "total": None, "error": None}
            try:
                self.state["last"] = await asyncio.to_thread(self._work)
            except Exception as error:
                # Whatever it was: told to whoever asks, and the next one tries again. A scrubber
                # that ended here would never be missed.
                if not isinstance(error, (reed.ReedError, OSError)):
                    traceback.print_exc()
                self.state["error"] = f"{type(error).__name__}: {error}"
            finally:
                self.state["running"] = False


SCRUBBER = web.AppKey("scrubber", Scrubber)


async def scrub_state(request: web.Request) -> web.Response:
    return web.json_response(request.app[SCRUBBER].state)


async def scrub_start(request: web.Request) -> web.Response:
    request.app[SCRUBBER].start()
    return web.Response(status=202)


async def scrub_stop(request: web.Request) -> web.Response:
    request.app[SCRUBBER].cancel()
    return web.Response(status=202)


def make_app(store: reed.Store, *, scrub_hours: float = 24.0,
             rate_limit: float | None = None) -> web.Application:
    """The application; it does not close the store."""
    app = web.Application(client_max_size=0)
    app[STORE] = store
    app.add_routes([
        web.put("/objects/{key:.+}", put_object), web.get("/objects/{key:.+}", get_object),
        web.delete("/objects/{key:.+}", delete_object), web.get("/scrub", scrub_state),
        web.post("/scrub", scrub_start), web.delete("/scrub", scrub_stop)])

    async def scrubbing(app: web.Application):
        scrubber = app[SCRUBBER] = Scrubber(store, scrub_hours, rate_limit)
        task = asyncio.create_task(scrubber.run())
        yield
        scrubber.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(scrubbing)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a reed store over HTTP.")
    parser.add_argument("targets", nargs="+", help="folders of the store")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--scrub-hours", type=float, default=24.0)
    parser.add_argument("--scrub-bytes-per-second", type=float, default=None)
    options = parser.parse_args()
    with reed.Store.open(options.targets) as store:
        web.run_app(make_app(store, scrub_hours=options.scrub_hours,
                             rate_limit=options.scrub_bytes_per_second),
                    host=options.host, port=options.port)


if __name__ == "__main__":
    main()
