#include "config_service/xds/server/request.h"

#include <climits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace sallyport::xds {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Fields walks through a message's fields, in place.
class Fields {
 public:
  explicit Fields(absl::string_view bytes)
      : bytes_(bytes),
        in_(reinterpret_cast<const uint8_t*>(bytes.data()),
            static_cast<int>(bytes.size())) {}

  // Moves to the next field; false at the end of the message, or when it is
  // malformed (see ok()).
  bool Next() {
    if (!ok_) return false;
    const int position = in_.CurrentPosition();
    const uint32_t tag = in_.ReadTag();
    if (tag == 0) {
      // The end is where nothing is left; a zero, or what is no tag, is an
      // error.
      ok_ = position == static_cast<int>(bytes_.size());
      return false;
    }
    field_ = WireFormatLite::GetTagFieldNumber(tag);
    is_bytes_ = WireFormatLite::GetTagWireType(tag) ==
                WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    value_ = absl::string_view();
    number_ = 0;
    if (field_ == 0) return Fail();
    if (is_bytes_) {
      uint32_t size;
      if (!in_.ReadVarint32(&size) ||
          size > bytes_.size() - static_cast<size_t>(in_.CurrentPosition())) {
        return Fail();
      }
      value_ = bytes_.substr(static_cast<size_t>(in_.CurrentPosition()), size);
      return in_.Skip(static_cast<int>(size)) || Fail();
    }
    if (WireFormatLite::GetTagWireType(tag) ==
        WireFormatLite::WIRETYPE_VARINT) {
      return in_.ReadVarint64(&number_) || Fail();
    }
    return WireFormatLite::SkipField(&in_, tag) || Fail();
  }

  bool ok() const { return ok_; }
  // The number of a length-delimited field, else 0; its value.
  int bytes_field() const { return is_bytes_ ? field_ : 0; }
  absl::string_view bytes() const { return value_; }
  // The number of any other field, else 0; its value if it is a varint.
  int other_field() const { return is_bytes_ ? 0 : field_; }
  uint64_t number() const { return number_; }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }

  const absl::string_view bytes_;
  CodedInputStream in_;
  bool ok_ = true;
  int field_ = 0;
  bool is_bytes_ = false;
  absl::string_view value_;
  uint64_t number_ = 0;
};

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("The request is malformed: ", what, "."));
}

// envoy.type.v3.SemanticVersion as "1.40.0".
absl::StatusOr<std::string> SemanticVersionText(absl::string_view bytes) {
  uint32_t parts[3] = {0, 0, 0};
  Fields fields(bytes);
  while (fields.Next()) {
    const int field = fields.other_field();
    if (field >= 1 && field <= 3) {
      parts[field - 1] = static_cast<uint32_t>(fields.number());
    }
  }
  if (!fields.ok()) return Malformed("node.user_agent_build_version.version");
  return absl::StrCat(parts[0], ".", parts[1], ".", parts[2]);
}

// envoy.config.core.v3.Node: id 1, cluster 2, user_agent_name 6,
// user_agent_version 7, user_agent_build_version 8 (BuildVersion: version 1).
absl::Status ParseNode(absl::string_view bytes, NodeFields* node) {
  Fields fields(bytes);
  while (fields.Next()) {
    switch (fields.bytes_field()) {
      case 1:
        node->id = fields.bytes();
        break;
      case 2:
        node->cluster = fields.bytes();
        break;
      case 6:
        node->user_agent_name = fields.bytes();
        break;
      case 7:
        node->user_agent_version = std::string(fields.bytes());
        break;
      case 8: {
        Fields build(fields.bytes());
        while (build.Next()) {
          if (build.bytes_field() != 1) continue;
          SALLYPORT_ASSIGN_OR_RETURN(node->user_agent_version,
                                     SemanticVersionText(build.bytes()));
        }
        if (!build.ok()) return Malformed("node.user_agent_build_version");
        break;
      }
      default:
        break;
    }
  }
  return fields.ok() ? absl::OkStatus() : Malformed("node");
}

// google.rpc.Status: code 1, message 2.
absl::Status ParseErrorDetail(absl::string_view bytes, Request* request) {
  request->refused = true;
  Fields fields(bytes);
  while (fields.Next()) {
    if (fields.bytes_field() == 2) request->error_message = fields.bytes();
  }
  return fields.ok() ? absl::OkStatus() : Malformed("error_detail");
}

// An entry of a map<string, string>: key 1, value 2.
absl::Status ParseMapEntry(
    absl::string_view bytes,
    std::pair<absl::string_view, absl::string_view>* entry) {
  Fields fields(bytes);
  while (fields.Next()) {
    if (fields.bytes_field() == 1) entry->first = fields.bytes();
    if (fields.bytes_field() == 2) entry->second = fields.bytes();
  }
  return fields.ok() ? absl::OkStatus()
                     : Malformed("initial_resource_versions");
}

absl::Status CheckSize(absl::string_view bytes) {
  if (bytes.size() < INT_MAX) return absl::OkStatus();
  return absl::InvalidArgumentError("The request is larger than 2 GiB.");
}

}  // namespace

absl::StatusOr<Request> ParseDeltaRequest(absl::string_view bytes) {
  SALLYPORT_RETURN_IF_ERROR(CheckSize(bytes));
  Request request;
  Fields fields(bytes);
  while (fields.Next()) {
    switch (fields.bytes_field()) {
      case 1:
        request.has_node = true;
        SALLYPORT_RETURN_IF_ERROR(ParseNode(fields.bytes(), &request.node));
        break;
      case 2:
        request.type_url = fields.bytes();
        break;
      case 3:
        request.subscribe.push_back(fields.bytes());
        break;
      case 4:
        request.unsubscribe.push_back(fields.bytes());
        break;
      case 5:
        SALLYPORT_RETURN_IF_ERROR(
            ParseMapEntry(fields.bytes(), &request.versions.emplace_back()));
        break;
      case 6:
        request.nonce = fields.bytes();
        break;
      case 7:
        SALLYPORT_RETURN_IF_ERROR(ParseErrorDetail(fields.bytes(), &request));
        break;
      default:
        break;
    }
  }
  if (!fields.ok()) return Malformed("it is no DeltaDiscoveryRequest");
  return request;
}

absl::StatusOr<Request> ParseSotwRequest(absl::string_view bytes) {
  SALLYPORT_RETURN_IF_ERROR(CheckSize(bytes));
  Request request;
  Fields fields(bytes);
  while (fields.Next()) {
    switch (fields.bytes_field()) {
      case 1:
        request.version_info = fields.bytes();
        break;
      case 2:
        request.has_node = true;
        SALLYPORT_RETURN_IF_ERROR(ParseNode(fields.bytes(), &request.node));
        break;
      case 3:
        request.names.push_back(fields.bytes());
        break;
      case 4:
        request.type_url = fields.bytes();
        break;
      case 5:
        request.nonce = fields.bytes();
        break;
      case 6:
        SALLYPORT_RETURN_IF_ERROR(ParseErrorDetail(fields.bytes(), &request));
        break;
      default:
        break;
    }
  }
  if (!fields.ok()) return Malformed("it is no DiscoveryRequest");
  return request;
}

}  // namespace sallyport::xds
