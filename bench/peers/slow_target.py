"""`python -m bench.peers.slow_target PORT SECONDS`: a releases endpoint that takes its time, as one across a network does."""

from __future__ import annotations

import asyncio
import json
import sys


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next((line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")), "0")
            sent = await reader.readexactly(int(length))
            status, answer = "200 OK", b"[]"
            if sent:
                await asyncio.sleep(float(sys.argv[2]))
                status, answer = "201 Created", json.dumps({"version": json.loads(sent)["version"]}).encode()
            told = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write(told.encode() + answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
