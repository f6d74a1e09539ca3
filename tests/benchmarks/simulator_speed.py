"""How many simple requests a second the simulator serves on one core.

Run by hand: ``python tests/benchmarks/simulator_speed.py [requests]``. The simulator runs as a process of its own; the load
comes over 8 kept-alive connections. "Per core" divides by the CPU time the simulator used, so a busy machine does not
blur it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request

import psutil

from simulator import USA

CONNECTIONS = 8
# Many at once create customers, which the lock on names would refuse.
SWITCHES = ("--set", "quota_enabled=false", "--set", "name_lock=off")


def main(requests: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", *SWITCHES], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[-1]
        token = connect(base_url)
        watched = psutil.Process(process.pid)
        for name, made in (("read", read), ("create", create), ("invoice", invoice), ("query", query)):
            before, started = sum(watched.cpu_times()[:2]), time.perf_counter()
            asyncio.run(load(base_url, [made(token, number) for number in range(requests)]))
            seconds, cpu = time.perf_counter() - started, sum(watched.cpu_times()[:2]) - before
            print(f"{name:8} {requests / seconds:8.0f} a second, {requests / cpu:8.0f} a second per core")
    finally:
        process.terminate()
        process.wait()


def connect(base_url: str) -> str:
    code = ask(f"{base_url}/_simulator/authorize", {"realm": USA, "client_id": "simulator-client"})["code"]
    request = urllib.request.Request(
        f"{base_url}/oauth2/v1/tokens/bearer",
        f"grant_type=authorization_code&code={code}".encode(),
        {"Authorization": "Basic c2ltdWxhdG9yLWNsaWVudDpzaW11bGF0b3Itc2VjcmV0"},
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["access_token"])


def ask(url: str, body: dict[str, str]) -> dict[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())) as response:
        return dict(json.load(response))


def head(token: str, method: str, path: str, kind: str, length: int) -> bytes:
    return (
        f"{method} /v3/company/{USA}/{path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def read(token: str, number: int) -> bytes:
    return head(token, "GET", "vendor/1?minorversion=75", "application/json", 0)


def create(token: str, number: int) -> bytes:
    body = json.dumps({"DisplayName": f"Customer {number}"}).encode()
    return head(token, "POST", f"customer?minorversion=75&requestid=c{number}", "application/json", len(body)) + body


def invoice(token: str, number: int) -> bytes:
    detail = {"ItemRef": {"value": "1"}, "Qty": 2, "UnitPrice": 50}
    line = {"Amount": 100, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    members = {"CustomerRef": {"value": "6"}, "DocNumber": f"B{number}", "Line": [line] * 3}
    body = json.dumps(members).encode()
    return head(token, "POST", f"invoice?minorversion=75&requestid=i{number}", "application/json", len(body)) + body


def query(token: str, number: int) -> bytes:
    body = f"select * from Customer where DisplayName = 'Customer {number}'".encode()
    return head(token, "POST", "query?minorversion=75", "application/text", len(body)) + body


async def load(base_url: str, wanted: list[bytes]) -> None:
    host, port = base_url.removeprefix("http://").split(":")
    waiting = iter(wanted)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for request in waiting:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                raise AssertionError(answer)
            await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
