"""A site's storage that speaks HTTP, with its faults."""

import threading
from http.server import BaseHTTPRequestHandler


class WebStorage(BaseHTTPRequestHandler):
    """A site's storage that speaks HTTP."""

    hung = threading.Event()
    done = threading.Event()

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/demo/a%20b.root")
            self.end_headers()
        elif self.path == "/demo/a%20b.root":
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"muons")
        elif self.path == "/escape":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
        elif self.path == "/hang":
            self.hung.set()
            self.done.wait(20)
        else:
            self.send_error(503, "pool node is down")

    def log_message(self, *_):
        pass
