"""The checks themselves can fail: each is shown a bad tree, and a good one."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECKS = Path(__file__).resolve().parent
PROJECT = CHECKS.parents[1]


class Tree(unittest.TestCase):
    """A small source tree that a test fills."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="rowhouse-checks-"))
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def check(self, script, *arguments):
        command = [sys.executable, "-B", CHECKS / script, self.root, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def assert_refused(self, run, *words):
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)


class IncludeDirection(Tree):
    def refuses(self, path, included, *words):
        self.write("common/types.h", "#pragma once\n")
        self.write(path, f"#include {included}\n")
        self.assert_refused(self.check("include_direction.py"), f"{path}:1", *words)

    def test_accepts_includes_along_the_arrows(self):
        self.write("common/types.h", "#pragma once\n#include <vector>\n")
        self.write("storage/rows.h", '#include "common/types.h"\n')
        self.write("storage/rows.cc", '#include "storage/rows.h"\n#include <rocksdb/db.h>\n')
        self.write("ps/net/session.h", '#include <boost/asio.hpp>\n#include "storage/rows.h"\n')
        self.write("worker/client.cc", '#include "common/types.h"\n')
        run = self.check("include_direction.py")
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_refuses_common_on_storage(self):
        self.refuses("common/a.cc", '"storage/rows.h"', "must not depend on storage")

    def test_refuses_storage_on_ps(self):
        self.refuses("storage/a.h", '"ps/shard.h"', "must not depend on ps")

    def test_refuses_worker_on_storage(self):
        self.refuses("worker/a.h", '"storage/rows.h"', "must not depend on storage")

    def test_refuses_worker_on_ps(self):
        self.refuses("worker/a.cc", '"ps/shard.h"', "must not depend on ps")

    def test_refuses_ps_on_worker(self):
        self.refuses("ps/a.cc", '"worker/client.h"', "must not depend on worker")

    def test_refuses_tests_in_the_product(self):
        self.refuses("ps/a.cc", '"tests/unit/help.h"', "must not depend on tests")

    def test_refuses_asio_outside_net(self):
        self.refuses("ps/a.cc", "<boost/asio/ip/tcp.hpp>", "boost/asio")

    def test_refuses_beast_outside_net(self):
        self.refuses("worker/netting/a.cc", "<boost/beast/http.hpp>", "boost/beast")

    def test_refuses_rocksdb_outside_storage(self):
        self.refuses("ps/a.cc", "<rocksdb/db.h>", "rocksdb/db.h")

    def test_refuses_cereal_outside_wire(self):
        self.refuses("common/a.h", "<cereal/cereal.hpp>", "cereal")

    def test_refuses_includes_relative_to_the_file(self):
        self.write("common/wire/frame.h", "#pragma once\n")
        self.refuses("common/wire/a.cc", '"frame.h"', "from the root")

    def test_refuses_public_header_that_shows_rocksdb(self):
        self.write("storage/rows.h", "#include <rocksdb/db.h>\n")
        run = self.check("include_direction.py")
        self.assert_refused(run, "storage/rows.h", "shows rocksdb/db.h")

    def test_refuses_public_header_that_shows_asio_through_another(self):
        self.write("ps/net/session.h", "#include <boost/asio.hpp>\n")
        self.write("ps/middle.h", '#include "ps/net/session.h"\n')
        self.write("ps/server.h", '#include "ps/middle.h"\n')
        run = self.check("include_direction.py")
        self.assert_refused(run, "ps/server.h: a public header that shows boost/asio.hpp")

    def test_refuses_to_check_nothing(self):
        self.assert_refused(self.check("include_direction.py"), "found nothing")


class RegisteredTests(Tree):
    def check_against(self, *registered):
        self.write("list.txt", "".join(f"{name}\n" for name in registered))
        return self.check("registered_tests.py", self.root / "list.txt")

    def test_accepts_what_is_registered(self):
        self.write("tests/unit/a_test.cc", "")
        self.assertEqual(self.check_against("tests/unit/a_test.cc").returncode, 0)

    def test_refuses_a_file_that_no_program_has(self):
        self.write("tests/unit/a_test.cc", "")
        self.write("tests/unit/b_test.cc", "")
        self.assert_refused(self.check_against("tests/unit/a_test.cc"), "tests/unit/b_test.cc")

    def test_refuses_a_registered_file_that_is_gone(self):
        self.write("tests/unit/a_test.cc", "")
        run = self.check_against("tests/unit/a_test.cc", "tests/unit/gone_test.cc")
        self.assert_refused(run, "tests/unit/gone_test.cc: registered, but not there")


class Format(Tree):
    def setUp(self):
        super().setUp()
        shutil.copy(PROJECT / ".clang-format", self.root)

    def test_accepts_formatted_sources(self):
        self.write("common/a.h", "#pragma once\n\nint F(int x);\n")
        self.assertEqual(self.check("format.py").returncode, 0)

    def test_refuses_others(self):
        self.write("common/a.h", "#pragma once\n\nint  F( int x );\n")
        self.assert_refused(self.check("format.py"), "common/a.h: not formatted")


class CMakeChecks(Tree):
    """The checks that are part of configuring and building, in a project of their own."""

    def project(self, *lines):
        head = ("cmake_minimum_required(VERSION 3.25)", "project(canary LANGUAGES CXX)")
        self.write("CMakeLists.txt", "\n".join((*head, *lines)))
        return self.cmake("-G", "Ninja", "-S", self.root, "-B", self.root / "build")

    def cmake(self, *arguments):
        return subprocess.run(["cmake", *arguments], capture_output=True, text=True, check=False)

    def headers(self, text):
        self.write("common/good.h", "#pragma once\n#include <vector>\nstd::vector<int> F();\n")
        self.write("common/tested.h", text)
        configured = self.project(
            f"include({CHECKS}/headers_alone.cmake)",
            "rowhouse_check_headers_alone(headers ${CMAKE_SOURCE_DIR} common)",
        )
        self.assertEqual(configured.returncode, 0, configured.stderr)
        return self.cmake("--build", self.root / "build")

    def test_headers_that_compile_alone_build(self):
        run = self.headers('#pragma once\n#include "common/good.h"\n')
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_a_header_that_needs_another_does_not(self):
        run = self.headers("#pragma once\nstd::vector<int> G();\n")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("common/tested.h", run.stdout + run.stderr)

    def configure_with_tests(self):
        return self.project(
            f"include({CHECKS}/test_folders.cmake)",
            "rowhouse_refuse_unregistered_tests(${CMAKE_SOURCE_DIR}/tests unit e2e)",
        )

    def test_registered_folders_configure(self):
        self.write("tests/unit/deep/a_test.cc", "")
        self.write("tests/e2e/b_test.py", "")
        run = self.configure_with_tests()
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_test_in_another_folder_stops_the_configure_step(self):
        self.write("tests/units/a_test.cc", "")
        run = self.configure_with_tests()
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("units/a_test.cc", run.stderr)


if __name__ == "__main__":
    unittest.main()
