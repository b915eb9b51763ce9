// Arbitrary bytes as each of the module's configurations, through the hooks as
// Envoy calls them.
//
// Invariants: what is refused is said in one printable line that holds no text
// of the input that could be a key; what is accepted refuses a client that
// nobody has judged. Configurations that name files are left out: those are
// read (filters/cert_validator/followed_file_test.cc).

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"
#include "filters/shim/config.h"
#include "filters/shim/fake_envoy.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"
#include "proto/sallyport/filter/v1/config.pb.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport {
namespace {

using fuzz::Require;
using fuzz::RequirePrintable;
using shim::Envoy;

// Runs of this length could be part of a key: base64 in lines of 64 has longer
// ones all the time. The name of a field that does not exist has to be said;
// words of that length are left out there, too.
constexpr size_t kSecretLength = 20;
constexpr size_t kFieldNameLength = 41;

// The runs of letters and digits in `text` that no name of a field or of a type
// looks like: of `length`, with capitals, small letters and digits.
std::vector<absl::string_view> PossibleSecrets(absl::string_view text,
                                               size_t length) {
  std::vector<absl::string_view> found;
  size_t start = 0;
  bool upper = false;
  bool lower = false;
  bool digit = false;
  for (size_t i = 0; i <= text.size(); ++i) {
    const unsigned char c = i < text.size() ? text[i] : ' ';
    if (std::isalnum(c) == 0) {
      if (i - start >= length && upper && lower && digit) {
        found.push_back(text.substr(start, length));
      }
      start = i + 1;
      upper = lower = digit = false;
      continue;
    }
    upper |= std::isupper(c) != 0;
    lower |= std::islower(c) != 0;
    digit |= std::isdigit(c) != 0;
  }
  return found;
}

void CheckLog(const shim::LogCapture& log, absl::string_view input,
              bool accepted) {
  int errors = 0;
  for (const auto& line : log.Lines()) {
    RequirePrintable(line.text, "a line of the log");
    errors += line.level == abi::LogLevel::kError ? 1 : 0;
  }
  if (accepted) return;
  Require(errors == 1, absl::StrCat("one error says why, not ", errors));
  const std::string text = log.Text();
  const size_t length = absl::StrContains(text, "the JSON does not fit")
                            ? kFieldNameLength
                            : kSecretLength;
  for (const absl::string_view secret : PossibleSecrets(input, length)) {
    Require(!absl::StrContains(text, secret),
            absl::StrCat("the log holds what could be a secret: ", text));
  }
}

// Whether a field called "file" is set, anywhere.
bool NamesAFile(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->name() == "file") return true;
    if (field->cpp_type() !=
        google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    const int size =
        field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (NamesAFile(field->is_repeated()
                         ? reflection.GetRepeatedMessage(message, field, i)
                         : reflection.GetMessage(message, field))) {
        return true;
      }
    }
  }
  return false;
}

void TestValidator(absl::string_view bytes) {
  filter::v1::TruststoreValidator config;
  if (shim::ReadConfig(bytes, config).ok() && NamesAFile(config)) return;
  const shim::LogCapture log;
  const void* validator = envoy_dynamic_module_on_cert_validator_config_new(
      nullptr, Envoy("sallyport.truststore"), Envoy(bytes));
  CheckLog(log, bytes, validator != nullptr);
  if (validator == nullptr) return;
  // Nobody has this certificate.
  shim::FakeConnection connection;
  shim::FakeHandshake handshake(&connection);
  abi::EnvoyBuffer certificate = Envoy("no certificate");
  envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
      handshake.call(), validator, &certificate, 1, Envoy("api.example.com"),
      true);
  Require(connection.filter_state["sallyport.reason"] != "TRUSTED",
          "what is no certificate is not trusted");
  abi::ModuleBuffer digest{nullptr, 0};
  envoy_dynamic_module_on_cert_validator_update_digest(validator, &digest);
  Require(digest.length == 32, "the digest");
  envoy_dynamic_module_on_cert_validator_config_destroy(validator);
}

void TestEntry(absl::string_view bytes) {
  filter::v1::RegistryEntry config;
  if (shim::ReadConfig(bytes, config).ok() && NamesAFile(config)) return;
  const shim::LogCapture log;
  const void* entry = envoy_dynamic_module_on_cert_validator_config_new(
      nullptr, Envoy("sallyport.registry"), Envoy(bytes));
  CheckLog(log, bytes, entry != nullptr);
  if (entry == nullptr) return;
  shim::FakeConnection connection;
  shim::FakeHandshake handshake(&connection);
  abi::EnvoyBuffer certificate = Envoy("no certificate");
  Require(envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
              handshake.call(), entry, &certificate, 1,
              Envoy("api.example.com"), true)
                  .status == abi::ValidationStatus::kFailed,
          "an entry of the registry lets nobody in");
  envoy_dynamic_module_on_cert_validator_config_destroy(entry);
}

void TestFilter(absl::string_view bytes) {
  shim::FakeHttpFilterConfig envoy;
  const void* filter = nullptr;
  {
    const shim::LogCapture log;
    filter = envoy_dynamic_module_on_http_filter_config_new(
        envoy.config(), Envoy("sallyport.mtls"), Envoy(bytes));
    CheckLog(log, bytes, filter != nullptr);
  }
  if (filter == nullptr) return;
  envoy.frozen = true;
  filter::v1::MutualTls config;
  const bool asks = shim::ReadConfig(bytes, config).ok() &&
                    config.client_certificate() != filter::v1::NOT_ASKED;
  shim::FakeConnection connection;
  shim::FakeStream stream(&envoy, &connection);
  stream.request_headers = {{":method", "GET"},
                            {":path", "/a"},
                            {":scheme", "https"},
                            {":authority", "api.example.com"}};
  const void* instance =
      envoy_dynamic_module_on_http_filter_new(filter, stream.filter());
  const bool goes_on =
      envoy_dynamic_module_on_http_filter_request_headers(
          stream.filter(), instance, true) == abi::HeadersStatus::kContinue;
  Require(!goes_on || !asks, "a client that nobody has judged does not go on");
  Require(goes_on ||
              (stream.response.has_value() && (stream.response->status == 403 ||
                                               stream.response->status == 421)),
          "it gets 403, or 421 where the domain is another");
  envoy_dynamic_module_on_http_filter_destroy(instance);
  envoy_dynamic_module_on_http_filter_config_destroy(filter);
}

void TestRoute(absl::string_view bytes) {
  const shim::LogCapture log;
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy("sallyport.mtls"), Envoy(bytes));
  CheckLog(log, bytes, route != nullptr);
  if (route != nullptr) {
    envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
  }
}

// An authorizer or an integration: nothing goes on, and nobody is called, for a
// request that no sallyport.mtls has let in.
template <typename Config, typename Route>
void TestFunctions(const char* name, absl::string_view bytes) {
  Config config;
  if (shim::ReadConfig(bytes, config).ok() &&
      config.function().lambda().has_credentials()) {
    return;  // they are in files
  }
  shim::FakeHttpFilterConfig envoy;
  const void* filter = nullptr;
  {
    const shim::LogCapture log;
    filter = envoy_dynamic_module_on_http_filter_config_new(
        envoy.config(), Envoy(name), Envoy(bytes));
    CheckLog(log, bytes, filter != nullptr);
  }
  if (filter != nullptr) {
    envoy.frozen = true;
    const shim::LogCapture log;
    shim::FakeConnection connection;
    shim::FakeStream stream(&envoy, &connection);
    stream.request_headers = {
        {":method", "GET"}, {":path", "/a"}, {":authority", "api.example.com"}};
    const void* instance =
        envoy_dynamic_module_on_http_filter_new(filter, stream.filter());
    envoy_dynamic_module_on_http_filter_request_headers(stream.filter(),
                                                        instance, true);
    Require(stream.response.has_value() && stream.response->status == 500,
            "it gets 500");
    Require(stream.callouts.empty(), "nobody is called");
    envoy_dynamic_module_on_http_filter_destroy(instance);
    envoy_dynamic_module_on_http_filter_config_destroy(filter);
  }
  Route route_config;
  if (shim::ReadConfig(bytes, route_config).ok() &&
      absl::StrContains(route_config.ShortDebugString(), "credentials")) {
    return;
  }
  const shim::LogCapture log;
  const void* route = envoy_dynamic_module_on_http_filter_per_route_config_new(
      Envoy(name), Envoy(bytes));
  CheckLog(log, bytes, route != nullptr);
  if (route != nullptr) {
    envoy_dynamic_module_on_http_filter_per_route_config_destroy(route);
  }
}

void TestTcp(absl::string_view bytes) {
  shim::FakeNetworkFilterConfig envoy;
  const shim::LogCapture log;
  const void* filter = envoy_dynamic_module_on_network_filter_config_new(
      envoy.config(), Envoy("sallyport.mtls_tcp"), Envoy(bytes));
  CheckLog(log, bytes, filter != nullptr);
  if (filter != nullptr) {
    envoy_dynamic_module_on_network_filter_config_destroy(filter);
  }
}

}  // namespace
}  // namespace sallyport

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  sallyport::TestValidator(bytes);
  sallyport::TestEntry(bytes);
  sallyport::TestFilter(bytes);
  sallyport::TestRoute(bytes);
  sallyport::TestTcp(bytes);
  sallyport::TestFunctions<sallyport::filter::v1::Authorizer,
                           sallyport::filter::v1::AuthorizerRoute>(
      "sallyport.authorizer", bytes);
  sallyport::TestFunctions<sallyport::filter::v1::LambdaProxy,
                           sallyport::filter::v1::LambdaProxyRoute>(
      "sallyport.lambda", bytes);
  return 0;
}
