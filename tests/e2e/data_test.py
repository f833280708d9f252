"""Finding and downloading ratings, against a web server of the test's own."""

import functools
import hashlib
import http.server
import io
import os
import shutil
import socketserver
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

from support import launcher_data as data
from support import main


class Downloads(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rowhouse-data-"))
        self.addCleanup(shutil.rmtree, self.folder)
        handler = functools.partial(QuietHandler, directory=self.folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}/ml-100k.zip"
        self.target = self.folder / "cache" / "ml-100k"
        no_proxy = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
        no_proxy.start()
        self.addCleanup(no_proxy.stop)

    def publish(self, *names):
        """Puts an archive with these members on the server; its MD5."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as members:
            for name in names:
                members.writestr(f"ml-100k/{name}", f"text of {name}")
        (self.folder / "ml-100k.zip").write_bytes(archive.getvalue())
        return hashlib.md5(archive.getvalue()).hexdigest()

    def fails(self, url, md5, *words):
        with self.assertRaises(data.DownloadFailed) as caught:
            data.download(url, md5, self.target)
        for word in (url, *words):
            self.assertIn(word, str(caught.exception))
        self.assertFalse(self.target.exists())
        self.assertFalse(list(self.folder.glob("cache/*")), "nothing half done is left")

    def test_keeps_ratings_titles_and_terms(self):
        data.download(self.url, self.publish("u.data", "u.item", "README", "u.user"), self.target)
        self.assertEqual((self.target / "u.data").read_text(), "text of u.data")
        self.assertEqual(sorted(os.listdir(self.target)), ["README", "u.data", "u.item"])

    def test_refuses_a_wrong_checksum(self):
        self.publish("u.data", "u.item", "README")
        self.fails(self.url, "0" * 32, "has MD5")

    def test_refuses_an_archive_without_ratings(self):
        self.fails(self.url, self.publish("README"), "cannot be unpacked", "u.data")

    def test_says_that_it_is_not_found(self):
        self.fails(self.url, "0" * 32, "the server answers 404")

    def test_says_that_nobody_answers(self):
        self.fails("http://127.0.0.1:9/ml-100k.zip", "0" * 32, "cannot be fetched", "online")


    def test_says_that_it_is_no_web_server(self):
        server = socketserver.TCPServer(("127.0.0.1", 0), Stranger)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.fails(f"http://127.0.0.1:{server.server_address[1]}/ml-100k.zip", "0" * 32, "cannot be fetched", "SSH-2.0")


class Stranger(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"SSH-2.0-OpenSSH\r\n")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Find(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rowhouse-data-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.said = []
        self.project = self.folder / "near" / "project"
        self.project.mkdir(parents=True)
        clean = {"XDG_CACHE_HOME": str(self.folder / "cache"), "ROWHOUSE_DATA": ""}
        patch = mock.patch.dict(os.environ, clean)
        patch.start()
        self.addCleanup(patch.stop)

    def ratings(self, *parts):
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\t1\t5\t0\n")
        return path

    def find(self, explicit=None, consent=data.Consent()):
        return data.find(explicit, consent, self.project, self.said.append)

    def test_order(self):
        cached = self.ratings("cache", "rowhouse", "ml-100k", "u.data")
        self.assertEqual(self.find().ratings, cached)
        near = self.ratings("near", "shared", "data", "ml-100k", "u.data")
        self.assertEqual(self.find().ratings, near)
        named = self.ratings("elsewhere", "ratings.csv")
        os.environ["ROWHOUSE_DATA"] = str(named.parent)
        self.assertEqual(self.find().ratings, named)
        explicit = self.ratings("mine.dat")
        self.assertEqual(self.find(explicit).ratings, explicit)

    def test_titles_stand_beside_ratings(self):
        ratings = self.ratings("a", "ml-100k", "u.data")
        self.assertIsNone(self.find(ratings.parent).items)
        items = self.ratings("a", "ml-100k", "u.item")
        self.assertEqual(self.find(self.folder / "a").items, items)

    def test_names_what_leads_nowhere(self):
        places = ((self.folder, "", "--data"), (None, "/nowhere", "$ROWHOUSE_DATA"))
        for explicit, environment, source in places:
            os.environ["ROWHOUSE_DATA"] = environment
            with self.assertRaises(data.JobFailed) as caught:
                self.find(explicit)
            self.assertIn(source, str(caught.exception))

    def test_nobody_there_to_agree_means_no_download(self):
        self.assertIsNone(self.find())
        self.assertIn("GroupLens", self.said[0])
        self.assertIn("--accept-licence", self.said[1])

    def test_offline_says_what_to_do(self):
        with mock.patch.object(data, "URL", "http://127.0.0.1:9/ml-100k.zip"):
            self.assertIsNone(self.find(consent=data.Consent(given=True)))
        self.assertIn("cannot be fetched", self.said[-1])
        self.assertIn("--data", self.said[-1])


if __name__ == "__main__":
    main()
