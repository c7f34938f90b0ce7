#!/usr/bin/env python3
"""A name server and a TLS front, for tests that look names up and check certificates for real.

  names_and_tls.py NAME CERTIFICATE KEY BACKEND_PORT

Answers every question for NAME's IPv4 address on 127.0.0.1:53 with 127.0.0.1, others with NXDOMAIN,
and passes on what arrives by TLS on 127.0.0.1:443 to BACKEND_PORT. For a network namespace of the
test's own: the ports are fixed, since libc and https know no others. Prints "ready" when it listens.
"""

import socket
import ssl
import struct
import sys
import threading


def answer(question, name):
    """A DNS answer to one packet (RFC 1035, 4.1)."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind = struct.unpack("!H", question[at + 1:at + 3])[0]
    known = ".".join(labels).lower() == name
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    found = known and kind == 1
    header = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, int(found), 0, 0)
    return header + question[12:at + 5] + (record if found else b"")


def serve_names(server, name):
    while True:
        question, client = server.recvfrom(512)
        server.sendto(answer(question, name), client)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    # So that the other direction ends, too.
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve_client(context, client, port):
    try:
        with context.wrap_socket(client, server_side=True) as front, \
                socket.create_connection(("127.0.0.1", port)) as back:
            other = threading.Thread(target=copy, args=(back, front))
            other.start()
            copy(front, back)
            other.join()
    except OSError:
        client.close()  # such as a client that does not trust the certificate


def main():
    name, certificate, key, port = sys.argv[1:]
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    front = socket.create_server(("127.0.0.1", 443))
    threading.Thread(target=serve_names, args=(names, name.lower()), daemon=True).start()
    print("ready", flush=True)
    while True:
        client, _ = front.accept()
        threading.Thread(target=serve_client, args=(context, client, int(port)), daemon=True).start()


if __name__ == "__main__":
    main()
