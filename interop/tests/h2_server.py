#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""A server of hyper-h2, which checks all that a client sends: the files of a folder, and what is
uploaded.

    h2_server.py PORT FOLDER      until its standard input ends; 1 if a client broke a rule
"""

import os
import pathlib
import socket
import sys
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

broken = []


class Connection:
    def __init__(self, peer, folder):
        self.peer = peer
        self.folder = folder
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.requests = {}  # stream → its fields
        self.bodies = {}  # stream → what was uploaded
        self.answers = {}  # stream → what is still to be sent

    def serve(self):
        try:
            self.h2.initiate_connection()
            self.flush()
            while data := self.peer.recv(65536):
                for event in self.h2.receive_data(data):
                    self.on(event)
                self.send_bodies()
                self.flush()
        except h2.exceptions.ProtocolError as error:
            broken.append(error)
            print(f"a client broke a rule: {error!r}", file=sys.stderr)
        except OSError:
            pass
        finally:
            self.peer.close()

    def flush(self):
        self.peer.sendall(self.h2.data_to_send())

    def on(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.requests[stream] = dict(event.headers)
            self.bodies[stream] = b""
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[stream] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            self.answer(stream)
        elif isinstance(event, h2.events.StreamReset):
            self.answers.pop(stream, None)

    def answer(self, stream):
        request = self.requests.pop(stream)
        method, path = request[b":method"], request[b":path"].decode()
        body, status = self.bodies.pop(stream), "200"
        if method != b"POST":
            file = self.folder / path.lstrip("/")
            status, body = ("200", file.read_bytes()) if file.is_file() else ("404", b"")
        end = method == b"HEAD"
        fields = [(":status", status), ("content-length", str(len(body)))]
        self.h2.send_headers(stream, fields, end_stream=end)
        if not end:
            self.answers[stream] = body

    def send_bodies(self):
        for stream, body in list(self.answers.items()):
            while body:
                room = self.h2.local_flow_control_window(stream)
                room = min(room, self.h2.max_outbound_frame_size)
                if room <= 0:
                    break
                self.h2.send_data(stream, body[:room])
                body = body[room:]
            if body:
                self.answers[stream] = body
                continue
            self.h2.send_headers(stream, [("x-checked", "yes")], end_stream=True)
            del self.answers[stream]


def main(port, folder):
    listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def accept():
        while True:
            peer, _ = listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(peer, folder).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(1 if broken else 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
