"""The current ClickHouse behind the HTTP interface that its servers have, as far as the tests use it.

Usage: front.py FOLDER. Prints the port that it listens on; ends when standard input does.
"""

import gzip
import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

# Parameters of the interface itself, and settings of connections to other servers, of which there are none here; whatever
# else is there is a setting.
PARAMETERS = {"database", "query", "wait_end_of_query", "receive_timeout", "send_timeout"}

engine = session.Session(sys.argv[1])
# The engine has one session: one statement at a time.
turn = threading.Lock()


def carry_out(parameters, body):
    """What the statement answers. Rows of an insert are in the body when the statement is in the URL."""
    statement = parameters.get("query")
    rows = None
    if statement is None:
        statement = body.decode()
    else:
        rows = tempfile.NamedTemporaryFile(dir=sys.argv[1], delete=False)
        rows.write(body)
        rows.close()
        head, tail = statement.rsplit(" FORMAT ", 1)
        statement = f"{head} FROM INFILE '{rows.name}' FORMAT {tail}"
    # What stands for a name in braces.
    names = {name[len("param_"):]: value for name, value in parameters.items() if name.startswith("param_")}
    try:
        with turn:
            engine.query(f"USE `{parameters.get('database', 'default')}`")
            for name, value in parameters.items():
                if name not in PARAMETERS and not name.startswith("param_"):
                    engine.query(f"SET {name} = {value}" if value.isdecimal() else f"SET {name} = '{value}'")
            return engine.query(statement, params=names).bytes() or b""
    finally:
        if rows is not None:
            os.unlink(rows.name)


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            status, answer = 200, carry_out(parameters, body)
        except Exception as error:
            status, answer = 500, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
