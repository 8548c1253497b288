"""The smallest service that answers with a verified model: `GET /healthz`, and `POST /predict` with rows as JSON.

It stands for your own application. SEALIFT_MODEL names the model, PORT where it listens.
"""

import json
import os
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sealift

_MOST_BYTES = 1024 * 1024
MODEL = sealift.load(os.environ["SEALIFT_MODEL"])


class Handler(BaseHTTPRequestHandler):
    """Answers one request; the model is shared by all threads."""

    timeout = 30

    def do_GET(self) -> None:
        """Say which model version answers."""
        if self.path != "/healthz":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "GET /healthz or POST /predict"})
            return
        self._answer(HTTPStatus.OK, {"model": MODEL.name, "version": str(MODEL.version), "digest": MODEL.digest})

    def do_POST(self) -> None:
        """Answer rows; what the caller did wrong is said to the caller."""
        if self.path != "/predict":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "GET /healthz or POST /predict"})
            return
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= _MOST_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"expected at most {_MOST_BYTES} bytes"})
            return
        try:
            labels = MODEL.predict(json.loads(self.rfile.read(size)))
        except (ValueError, sealift.InputError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._answer(HTTPStatus.OK, {"predictions": labels.tolist()})

    def _answer(self, status: HTTPStatus, document: object) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
