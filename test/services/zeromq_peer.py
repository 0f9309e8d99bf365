"""A peer by libzmq: TYPE bind|connect ADDRESS COUNT SIZE RUNS PAUSE_MS.

push, pub, dealer, req send COUNT messages of SIZE bytes in each of RUNS runs, a new socket for each run; dealer and req print
every answer's last frame. pull and sub print the last frame of COUNT messages, or nothing where SIZE is -1. The address in use
is the first line.
"""
import sys
import time
import zmq

given = sys.argv[1:]
kind, way, address, count, size, runs, pause = given + ["1", "0", "1", "0"][len(given) - 3:]
count, size, runs, pause = int(count), int(size), int(runs), int(pause) / 1000
context = zmq.Context()
window = 1000


def opened():
    socket = context.socket({"push": zmq.PUSH, "pub": zmq.PUB, "dealer": zmq.DEALER, "req": zmq.REQ,
                             "pull": zmq.PULL, "sub": zmq.SUB}[kind])
    socket.linger = -1
    socket.rcvtimeo = 60000
    socket.rcvhwm = socket.sndhwm = 0
    socket.set_hwm(0)
    if kind == "sub":
        socket.subscribe(b"")
    socket.bind(address) if way == "bind" else socket.connect(address)
    return socket


def say(line):
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def body(run, i):
    return b'{"topic":"t","data":"%d-%d-%s"}' % (run, i, b"x" * size)


def send_all(run):
    socket = opened()
    if run == 0:
        say(socket.last_endpoint)
    if kind == "pub":
        time.sleep(1)
    asked = 0
    for i in range(count):
        socket.send_multipart([b"", body(run, i)] if kind == "dealer" else [body(run, i)])
        asked += 1
        while kind == "req" and asked or kind == "dealer" and asked >= window:
            say(socket.recv_multipart()[-1])
            asked -= 1
        if pause:
            time.sleep(pause)
    while kind == "dealer" and asked:
        say(socket.recv_multipart()[-1])
        asked -= 1
    socket.close()


if kind in ("pull", "sub"):
    socket = opened()
    say(socket.last_endpoint)
    for _ in range(count):
        frames = socket.recv_multipart()
        if size >= 0:
            sys.stdout.buffer.write(frames[-1] + b"\n")
            if not socket.poll(0):
                sys.stdout.buffer.flush()
    sys.stdout.buffer.flush()
    socket.close()
else:
    for run in range(runs):
        send_all(run)
context.term()
