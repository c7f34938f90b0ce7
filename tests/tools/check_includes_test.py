#!/usr/bin/env python3
"""Proves that check_includes.py finds each kind of violation, and nothing where there is none."""

import os
import tempfile
import unittest

import check_includes

LEFT_OVER = "TO" + "DO"


def findings(path, text, long_files=()):
    """What is found in a tree that has this one file."""
    with tempfile.TemporaryDirectory() as root:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full))
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        return check_includes.check_tree(root, set(long_files))


class CheckIncludesTest(unittest.TestCase):
    def assert_found(self, path, text, line, words):
        found = findings(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:{line}: "), found)
        self.assertIn(words, found[0])

    def assert_fine(self, path, text, long_files=()):
        self.assertEqual(findings(path, text, long_files), [])

    def test_arrows_between_folders(self):
        for path, header in [
            ("base/a.cc", "esc/value.h"),
            ("esc/a.cc", "fuse/volume.h"),
            ("esc/a.cc", "esc/eval/syntax.h"),
            ("esc/eval/a.cc", "esc/devserver/server.h"),
            ("fuse/a.cc", "csi/volume_service.h"),
            ("csi/a.cc", "fuse/volume.h"),
            ("csi/a.cc", "agent/volume/volume_manager.h"),
            ("agent/cache/a.cc", "agent/volume/volume.h"),
            ("agent/cache/a.cc", "fuse/volume.h"),
            ("agent/store/a.cc", "csi/volume_service.h"),
            ("agent/a.cc", "tests/fakes/fake_clock.h"),
        ]:
            self.assert_found(path, f'\n#include "{header}"\n', 2, "must not include")

    def test_includes_that_are_fine(self):
        for path, header in [
            ("base/a.cc", "base/a.h"),
            ("esc/eval/a.cc", "esc/value.h"),
            ("esc/devserver/a.cc", "esc/eval/syntax.h"),
            ("agent/volume/a.cc", "fuse/volume.h"),
            ("agent/app.cc", "csi/node_service.h"),
            ("tests/unit/esc/a.cc", "tests/fakes/fake_clock.h"),
        ]:
            self.assert_fine(path, f'#include "{header}"\n#include <vector>\n')

    def test_includes_are_relative_to_the_root(self):
        self.assert_found("esc/a.cc", '#include "value.h"\n', 1, "from the root")
        self.assert_found("esc/a.cc", '#include "../base/result.h"\n', 1, "from the root")

    def test_libraries_have_their_folders(self):
        for path, header in [
            ("esc/a.cc", "<grpcpp/grpcpp.h>"),
            ("agent/a.cc", "<grpcpp/grpcpp.h>"),
            ("agent/a.cc", '"csi/proto/csi.pb.h"'),
            ("agent/volume/a.cc", "<fuse3/fuse_lowlevel.h>"),
            ("csi/a.cc", "<fuse_lowlevel.h>"),
            ("base/http.cc", "<curl/curl.h>"),
            ("esc/client.cc", "<curl/curl.h>"),
            ("agent/app.cc", "<spdlog/spdlog.h>"),
            ("base/json.cc", "<spdlog/spdlog.h>"),
            ("fuse/a.cc", "<nlohmann/json.hpp>"),
            ("csi/a.cc", "<yaml-cpp/yaml.h>"),
            ("csi/a.cc", "<httplib.h>"),
            ("esc/a.cc", "<CLI/CLI.hpp>"),
            ("base/a.cc", "<prometheus/registry.h>"),
            ("fuse/a.cc", "<openssl/evp.h>"),
            ("esc/a.cc", "<gtest/gtest.h>"),
        ]:
            self.assert_found(path, f"#include {header}\n", 1, "may be included only in")

    def test_libraries_where_they_belong(self):
        for path, header in [
            ("csi/a.cc", "<grpcpp/grpcpp.h>"),
            ("csi/a.cc", '"csi/proto/csi.pb.h"'),
            ("fuse/a.cc", "<fuse3/fuse_lowlevel.h>"),
            ("base/curl_transport.cc", "<curl/curl.h>"),
            ("base/log.cc", "<spdlog/spdlog.h>"),
            ("esc/devserver/a.cc", "<httplib.h>"),
            ("tests/component/a.cc", "<grpcpp/grpcpp.h>"),
        ]:
            self.assert_fine(path, f"#include {header}\n")

    def test_pragma_once(self):
        self.assert_found("base/a.h", "int x;\n", 1, "#pragma once")
        self.assert_found("base/a.h", "#ifndef A_H\n#define A_H\n#endif\n", 1, "#pragma once")
        self.assert_fine("base/a.h", "// What it is for.\n#pragma once\n")

    def test_long_files(self):
        text = "int x;\n" * 401
        self.assert_found("base/a.cc", text, 1, "401 lines")
        self.assert_fine("base/a.cc", text, ["base/a.cc"])
        self.assert_fine("base/a.cc", "int x;\n" * 400)
        self.assertIn("take it off", findings("base/a.cc", "int x;\n", ["base/a.cc"])[0])

    def test_exceptions_need_a_reason(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# comment\nbase/a.cc: one table\nbase/b.cc\nbase/c.cc:\n")
            file.flush()
            self.assertEqual(check_includes.read_exceptions(file.name), {"base/a.cc"})

    def test_code_rules(self):
        for code, words in [
            ('std::cout << "x";', "does not print"),
            ('std::cerr << "x";', "does not print"),
            ('printf("x");', "does not print"),
            ('std::fprintf(stderr, "x");', "does not print"),
            ("std::thread t(f);", "StartThread"),
            ("std::jthread t(f);", "StartThread"),
            ("threads.push_back(std::jthread([] {}));", "StartThread"),
            ("auto f = std::async(g);", "StartThread"),
            ("std::mutex m;", "Mutex"),
            ("std::condition_variable cv;", "Mutex"),
            ("std::this_thread::sleep_for(x);", "wait on"),
            ("usleep(5);", "wait on"),
            ("} catch (...) {", "catch-all"),
            ("} catch (const std::exception& e) {", "caught at one function"),
            ("using namespace std;", "name what you use"),
        ]:
            self.assert_found("esc/a.cc", f"int x;\n  {code}\n", 2, words)

    def test_code_that_is_fine(self):
        for code in [
            "std::jthread thread_;",
            "std::vector<std::jthread> threads_;",
            "std::thread::hardware_concurrency();",
            'std::snprintf(b, n, "x");',
            "clock.SleepUntil(t, stop);",
            "// std::cout << x; catch (...)",
            "/* std::thread t; */",
            'const char* text = "std::cout catch (...) sleep_for";',
            'const char* text = R"(std::cout " catch (...))";',
            "const char quote = '\"'; const long n = 1'000'000;",
        ]:
            self.assert_fine("esc/a.cc", code + "\n")

    def test_printing_is_for_programs(self):
        self.assert_fine("agent/command/status.cc", "std::cout << 1;\n")
        self.assert_found("agent/volume/a.cc", "std::cout << 1;\n", 1, "does not print")

    def test_left_overs(self):
        self.assert_found("esc/a.cc", f"// {LEFT_OVER}: more\n", 1, LEFT_OVER)

    def test_commented_includes_do_not_count(self):
        self.assert_fine("esc/a.cc", '// #include "fuse/volume.h"\n')


if __name__ == "__main__":
    unittest.main()
