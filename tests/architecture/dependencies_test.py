"""Rooms use only what the design allows them."""

import pathlib
import re
import tempfile
import unittest

import dependencies

# The test reads the tree itself: the link that Bazel made leads there.
ROOT = pathlib.Path(__file__).resolve().parents[2]


class TheTree(unittest.TestCase):
    def test_no_room_uses_what_it_may_not(self):
        found = dependencies.errors(ROOT)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_the_edges_that_must_be_there_are_seen(self):
        # A reader that finds nothing would find nothing wrong either.
        counts = dependencies.counts(ROOT)
        for (user, used), number in sorted(counts.items()):
            print("%-24s -> %-24s %4d" % (user, used, number))
        for user, used in (
            ("pki/x509", "base"),
            ("pki/truststore", "pki/x509"),
            ("pki/chain", "pki/truststore"),
            ("filters/shim", "filters/abi"),
            ("filters/forwarding", "proto/sallyport/filter"),
            ("filters/cert_validator", "pki/chain"),
            ("filters/mtls_http", "filters/forwarding"),
            ("cli", "pki/chain"),
        ):
            self.assertGreater(counts[user, used], 1, (user, used))

    def test_one_file_touches_the_path_builder(self):
        _, included = dependencies.edges(ROOT)
        users = {
            e.file for e in included if re.search(r"pki/path_builder\.h$", e.used) and not e.is_test
        }
        self.assertEqual(users, {"pki/chain/verify.cc"})


class TheReader(unittest.TestCase):
    """Forbidden edges in a tree made for it are found, with file and line."""

    def errors_of(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return dependencies.errors(folder)

    def assert_error(self, files, *starts):
        found = self.errors_of(files)
        self.assertEqual([e.split(";")[0] for e in found], list(starts))

    def test_nothing_wrong(self):
        self.assert_error({
            "base/text.h": "",
            "pki/x509/BUILD.bazel": 'cc_library(\n    name = "x509",\n    deps = ["//base:text"],\n)\n',
            "pki/x509/a.cc": '#include <openssl/x509.h>\n#include "base/text.h"\n',
        })

    def test_labels(self):
        for room, label in (
            ("base", "//pki/x509"),
            ("pki/x509", "//pki/chain"),
            ("pki/chain", "//proto/sallyport/filter/v1:config_cc_proto"),
            ("filters/mtls_http", "//config_service/domain"),
            ("filters/abi", "//base:text"),
            ("filters/cert_validator", "//filters/mtls_http"),
            ("config_service/domain", "//filters/shim:log"),
            ("cli", "//filters/shim:config"),
            ("cli", "//tests/lib:harness"),
        ):
            user = dependencies.room_of(room)
            with self.subTest(room=room, label=label):
                self.assert_error(
                    {
                        room + "/BUILD.bazel":
                            "# comment\ncc_library(\n    name = \"x\",\n    deps = [\n"
                            '        "%s",\n    ],\n)\n' % label
                    },
                    "%s/BUILD.bazel:5: %s uses %s" % (room, user, label[2:].split(":")[0]),
                )

    def test_third_party_labels(self):
        self.assert_error(
            {"filters/shim/BUILD.bazel": 'cc_library(\n    deps = ["//third_party:grpc"],\n)\n'},
            "filters/shim/BUILD.bazel:2: filters/shim uses third_party:grpc",
        )
        self.assert_error(
            {"cli/BUILD.bazel": 'cc_binary(\n    deps = ["//third_party/envoy_api:resources_cc_proto"],\n)\n'},
            "cli/BUILD.bazel:2: cli uses third_party:envoy_api",
        )
        self.assert_error(
            {"cli/BUILD.bazel": 'cc_binary(\n    deps = ["@boringssl//:crypto"],\n)\n'},
            "cli/BUILD.bazel:2: cli uses @boringssl//:crypto",
        )

    def test_visibility_is_no_use(self):
        self.assert_error({
            "base/BUILD.bazel":
                'package(default_visibility = ["//filters:__subpackages__"])\n'
                'cc_library(\n    visibility = [\n        "//filters:__subpackages__",\n    ],\n'
                '    deps = ["//third_party:absl"],\n)\n'
        })

    def test_only_tests_may_use_testing(self):
        self.assert_error(
            {
                "pki/chain/BUILD.bazel":
                    'cc_library(\n    deps = ["//pki/testing:make"],\n)\n\n'
                    'sallyport_cc_test(\n    deps = ["//pki/testing:make"],\n)\n'
            },
            "pki/chain/BUILD.bazel:2: pki/chain uses pki/testing",
        )

    def test_includes(self):
        for file, header in (
            ("base/a.h", "pki/x509/certificate.h"),
            ("pki/truststore/a.cc", "pki/chain/verify.h"),
            ("filters/forwarding/a.cc", "filters/abi/abi.h"),
            ("filters/abi/abi.h", "openssl/x509.h"),
            ("filters/mtls_http/a.cc", "openssl/sha.h"),
            ("filters/mtls_http/a.cc", "grpcpp/grpcpp.h"),
            ("cli/a.cc", "google/protobuf/message.h"),
            ("pki/chain/other.cc", "third_party_boringssl/pki/path_builder.h"),
            ("pki/x509/a.cc", "third_party_boringssl/pki/trust_store_in_memory.h"),
            ("filters/shim/a.cc", "third_party_boringssl/pki/cert_errors.h"),
            ("pki/truststore/a.cc", "fstream"),
            ("config_service/domain/a.cc", "filters/shim/log.h"),
            ("config_service/api/a.cc", "envoy/config/listener/v3/listener.pb.h"),
            ("config_service/server/a.cc", "httplib.h"),
            ("filters/shim/a.cc", "third_party/httplib/httplib.h"),
        ):
            with self.subTest(file=file, header=header):
                used = header.split("/")[0]
                self.assert_error(
                    {
                        file: "// a\n\n#include <%s>\n" % header,
                        # The folder that is named exists.
                        used + "/README.md": "",
                        ("pki" if used == "pki" else "filters") + "/x509/x.h": "",
                    } if used not in ("filters", "pki") else {
                        file: '// a\n\n#include "%s"\n' % header, header: "",
                    },
                    *["%s:3: %s uses %s" % (file, dependencies.room_of(file), header)]
                )

    def test_tests_may_include_more(self):
        self.assert_error({"filters/forwarding/a_test.cc": "#include <openssl/x509.h>\n"})

    def test_a_new_folder_must_be_made_a_room(self):
        self.assert_error(
            {"helpers/a.cc": "#include <string>\n"},
            "helpers/a.cc:1: this folder is no room: add it to ROOMS",
        )


if __name__ == "__main__":
    unittest.main()
