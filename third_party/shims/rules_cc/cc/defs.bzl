"""The rules_cc names that Bazel 4.2 loads, all of them built in."""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_libc_top_alias = native.cc_libc_top_alias
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_alias = native.cc_toolchain_alias
cc_toolchain_suite = native.cc_toolchain_suite
objc_library = native.objc_library

def cc_flags_supplier(name, **kwargs):
    native.filegroup(name = name)

def compiler_flag(name, **kwargs):
    native.config_setting(name = name, values = {"cpu": "none"})
