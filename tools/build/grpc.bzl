"""C++ code of gRPC services."""

def _import_path(file, root):
    """The name by which other .proto files import `file`."""
    if root and root != "." and file.path.startswith(root + "/"):
        return file.path[len(root) + 1:]
    if file.short_path.startswith("../"):
        # ../repository/path
        return file.short_path.split("/", 2)[2]
    return file.short_path

def _grpc_code_impl(ctx):
    proto = ctx.attr.proto[ProtoInfo]
    folder = "_grpc/" + ctx.label.name
    names = [_import_path(f, proto.proto_source_root) for f in proto.direct_sources]
    headers = []
    sources = []
    for name in names:
        stem = folder + "/" + name[:-len(".proto")]
        headers.append(ctx.actions.declare_file(stem + ".grpc.pb.h"))
        sources.append(ctx.actions.declare_file(stem + ".grpc.pb.cc"))
    first = headers[0].path
    out = first[:-len(names[0][:-len(".proto")] + ".grpc.pb.h")]

    args = ctx.actions.args()
    args.add_joined(
        proto.transitive_descriptor_sets,
        join_with = ":",
        format_joined = "--descriptor_set_in=%s",
    )
    args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    args.add(out, format = "--grpc_out=%s")
    args.add_all(names)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        tools = [ctx.executable._plugin],
        inputs = proto.transitive_descriptor_sets,
        outputs = headers + sources,
        arguments = [args],
        mnemonic = "GrpcCode",
        progress_message = "Generating gRPC code of %{label}",
    )
    return [
        DefaultInfo(files = depset(headers + sources)),
        OutputGroupInfo(headers = depset(headers), sources = depset(sources)),
    ]

_grpc_code = rule(
    implementation = _grpc_code_impl,
    attrs = {
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_protoc": attr.label(
            default = "//third_party:protoc",
            executable = True,
            cfg = "host",
        ),
        "_plugin": attr.label(
            default = "//third_party:grpc_cpp_plugin",
            executable = True,
            cfg = "host",
        ),
    },
)

def sallyport_grpc_library(name, proto, deps, **kwargs):
    """Stubs and services of a proto_library, as C++: include x.grpc.pb.h.

    What links it says runtime = "system".

    Args:
      name: the target's name; ends in _cc_grpc by convention.
      proto: the proto_library with the services; each of its files gets code.
      deps: the cc_proto_library of `proto`.
      **kwargs: as for cc_library.
    """
    _grpc_code(
        name = name + "_code",
        proto = proto,
        visibility = ["//visibility:private"],
    )
    for group in ("headers", "sources"):
        native.filegroup(
            name = "%s_%s" % (name, group),
            srcs = [":%s_code" % name],
            output_group = group,
            visibility = ["//visibility:private"],
        )
    native.cc_library(
        name = name,
        srcs = [":%s_sources" % name],
        hdrs = [":%s_headers" % name],
        copts = ["-w"],
        includes = ["_grpc/%s_code" % name],
        linkstatic = True,
        deps = deps + ["//third_party:grpc"],
        **kwargs
    )
