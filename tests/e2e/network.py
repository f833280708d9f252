"""Hosts made of network namespaces, joined by a bridge that stands in a namespace of its own.

Nothing of the machine's own network is touched: the bridge, too, lives in a namespace, and deleting
the namespaces takes all links along.
"""

import os
import subprocess
import unittest
import uuid


class Network:
    """A switch and hosts 10.77.0.1, 10.77.0.2, ... that reach each other through it alone."""

    def __init__(self, names):
        if os.geteuid() != 0:
            raise unittest.SkipTest("skipped: network namespaces need root")
        self._tag = f"rh{uuid.uuid4().hex[:6]}"
        self._switch = f"{self._tag}-switch"
        self._made = []
        try:
            self._make(names)
        except subprocess.CalledProcessError as error:
            self.remove()
            if "ermitted" in error.stderr or "ermission" in error.stderr:
                reason = f"skipped: no right to make network namespaces ({error.stderr.strip()})"
                raise unittest.SkipTest(reason) from error
            raise AssertionError(f"{error.cmd}: {error.stderr}") from error

    def address(self, name):
        return f"10.77.0.{self._names.index(name) + 1}"

    def inside(self, name):
        """What to put before a command to run it on host `name`."""
        return _inside(f"{self._tag}-{name}")

    def remove(self):
        while self._made:
            _ip("netns", "del", self._made.pop())

    def _make(self, names):
        self._names = list(names)
        self._add_namespace(self._switch)
        _ip_in(self._switch, "link", "add", "bridge", "type", "bridge")
        _ip_in(self._switch, "link", "set", "bridge", "up")
        for number, name in enumerate(self._names):
            self._add_host(f"{self._tag}-{name}", f"port{number}", self.address(name))

    def _add_namespace(self, namespace):
        _ip("netns", "add", namespace)
        self._made.append(namespace)
        _ip_in(namespace, "link", "set", "lo", "up")

    def _add_host(self, host, port, address):
        self._add_namespace(host)
        cable = ["type", "veth", "peer", "name", port, "netns", self._switch]
        _ip_in(host, "link", "add", "eth0", *cable)
        _ip_in(self._switch, "link", "set", port, "master", "bridge", "up")
        _ip_in(host, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip_in(host, "link", "set", "eth0", "up")


def _inside(namespace):
    # Not "ip netns exec": that wants a mount namespace too, which not every container grants.
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def _run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def _ip(*arguments):
    _run("ip", *arguments)


def _ip_in(namespace, *arguments):
    _run(*_inside(namespace), "ip", *arguments)
