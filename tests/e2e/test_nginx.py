"""The nginx example, run by Debian's nginx: TLS in front, the runbook's curl as printed."""

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.runbook_rig import patient
from tests.ports import free_ports
from tests.unit.api.rig import HALT, Site, site

ROOT = Path(__file__).parents[2]
NAME = "api.edgefactory.local"
NGINX = os.environ.get("NGINX") or shutil.which("nginx")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="no nginx: `apt-get install nginx-light`, or NGINX"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the runbook calls curl"),
]


def certificate(folder: Path) -> None:
    subject = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "chain.pem"))
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1")
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)  # noqa: S603 - our own arguments


@contextmanager
def proxy(folder: Path, port: int, behind: int) -> Generator[None]:
    """Run nginx on the example, with its paths and ports replaced and nothing else."""
    certificate(folder)
    text = (ROOT / "deploy" / "nginx-edgeguard.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/edgeguard", str(folder)),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    ):
        assert old in text
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid;\ndaemon off;\nmaster_process off;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([*command, "-e", str(folder / "error.log")], stderr=out)  # noqa: S603 - the configured binary
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def curl(folder: Path, port: int, path: str, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(  # noqa: S603 - curl with our own arguments
        [
            *("curl", "-s", "-w", "\n%{http_code}", "--cacert", str(folder / "chain.pem")),
            *("--resolve", f"{NAME}:{port}:127.0.0.1", "--noproxy", "*"),
            f"https://{NAME}:{port}{path}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    body, _, status = result.stdout.rpartition("\n")
    return int(status), body


def shutdown(folder: Path, port: int, *headers: str) -> tuple[int, str]:
    named = [text for header in headers for text in ("-H", header)]
    body = json.dumps({"reason": "description", "scope": "all"})
    arguments = ("-X", "POST", *named, "-d", body)
    return curl(folder, port, "/emergency/shutdown", *arguments)


def test_the_runbooks_curl_through_nginx_and_tls(tmp_path: Path) -> None:
    """Halts by the name of the runbook; Host, Origin and rights are judged behind the proxy."""
    with site() as here:
        (port,) = free_ports(1)
        with proxy(tmp_path, port, here.port):
            patient(lambda: curl(tmp_path, port, "/health")[0], "an answer through the proxy")
            through(tmp_path, port, here)


def through(folder: Path, port: int, here: Site) -> None:
    assert curl(folder, port, "/health")[0] == 200
    bearer = f"Authorization: Bearer {HALT}"
    status, body = shutdown(folder, port, bearer)
    assert (status, json.loads(body)["halt"]["id"]) == (200, "H1")
    assert [order.reason for order in here.control.orders] == ["description"]
    assert shutdown(folder, port)[0] == 401
    assert shutdown(folder, port, bearer, "Origin: https://example.invalid")[0] == 403
    assert shutdown(folder, port, bearer, "Host: example.invalid")[0] == 403
    assert curl(folder, port, "/emergency/shutdown", "-H", bearer)[0] == 405
    huge = ("-X", "POST", "-H", bearer, "-d", "x" * 100_000)
    assert curl(folder, port, "/emergency/shutdown", *huge)[0] == 413
    assert len(here.control.orders) == 1
