"""Look-ups and sparse Adagrad steps of PyTorch, timed for rowhouse-bench.

torch_steps.py SOCKET ROWS DIM BATCH_ROWS THREADS: connects to the Unix socket and answers each request (a kind,
0 for look-ups and 1 for steps, and a number of seconds) with rows a second. A step is what the server does for a
push: the accumulators and weights of the batch's rows, from a gradient that is there already.
"""

import socket
import struct
import sys
import time

import torch


class Model:
    def __init__(self, rows, dim, batch_rows):
        self.embedding = torch.nn.Embedding(rows, dim, sparse=True)
        self.optimizer = torch.optim.Adagrad(self.embedding.parameters(), lr=0.01)
        self.batches = torch.randperm(rows).split(batch_rows)[: rows // batch_rows]
        self.gradients = torch.randn(batch_rows, dim)
        self.next = 0

    def batch(self):
        self.next = (self.next + 1) % len(self.batches)
        return self.batches[self.next]

    def look_up(self):
        with torch.no_grad():
            self.embedding(self.batch())

    def step(self):
        weight = self.embedding.weight
        weight.grad = torch.sparse_coo_tensor(self.batch().unsqueeze(0), self.gradients, weight.shape)
        self.optimizer.step()


def rate(run, batch_rows, seconds):
    begin = time.perf_counter()
    rows = 0
    while time.perf_counter() - begin < seconds:
        run()
        rows += batch_rows
    return rows / (time.perf_counter() - begin)


def main():
    path, rows, dim, batch_rows, threads = sys.argv[1], *map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    model = Model(rows, dim, batch_rows)
    kinds = [model.look_up, model.step]
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        while len(request := peer.recv(16, socket.MSG_WAITALL)) == 16:
            kind, seconds = struct.unpack("<Qd", request)
            peer.sendall(struct.pack("<d", rate(kinds[kind], batch_rows, seconds)))


if __name__ == "__main__":
    main()
