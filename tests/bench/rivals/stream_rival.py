"""The same streams read with aiohttp, as the benchmark clients of LLM servers do; one JSON line of CPU a chunk.

usage: stream_rival.py PORT STREAMS TARGET BODY
"""
import asyncio
import json
import resource
import sys

import aiohttp


async def stream(session, url, body, delay):
    await asyncio.sleep(delay)
    events = 0
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                events += 1
    return events


async def main(port, streams, target, body):
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        url = f"http://127.0.0.1:{port}{target}"
        return sum(await asyncio.gather(*(stream(session, url, body, k / streams) for k in range(streams))))


port, streams, target, body = sys.argv[1:5]
begin = resource.getrusage(resource.RUSAGE_SELF)
events = asyncio.run(main(int(port), int(streams), target, body.encode()))
end = resource.getrusage(resource.RUSAGE_SELF)
cpu = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
print(json.dumps({"type": "bench", "name": "stream_aiohttp", "amount": events, "unit": "chunks",
                  "cpu_s": round(cpu, 6), "per_s": events / cpu}))
