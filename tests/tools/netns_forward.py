#!/usr/bin/env python3
"""Forwards a free port of 127.0.0.1 to an address inside the network namespace of a process.

netns_forward.py PID HOST:PORT

Prints the port. Ends with the process.
"""
import ctypes
import os
import select
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000


def enter_network_of(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        sys.exit(f"netns_forward: setns: {os.strerror(ctypes.get_errno())}")
    os.close(descriptor)


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # The other direction was faster.


def serve(client, target):
    with client:
        try:
            server = socket.create_connection(target, timeout=10)
        except OSError:
            return
        with server:
            server.settimeout(None)
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join()


def accept_all(listener, target):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, target), daemon=True).start()


def main():
    pid = int(sys.argv[1])
    host, port = sys.argv[2].rsplit(":", 1)
    process = os.pidfd_open(pid)
    # A socket stays in the namespace it was made in: this one in ours, those of later threads in PID's.
    listener = socket.create_server(("127.0.0.1", 0))
    enter_network_of(pid)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept_all, args=(listener, (host, int(port))), daemon=True).start()
    end = select.poll()
    end.register(process, select.POLLIN)
    end.poll()


main()
