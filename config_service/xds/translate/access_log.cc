#include "config_service/xds/translate/access_log.h"

#include <utility>

#include "absl/types/span.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "google/protobuf/struct.pb.h"

namespace sallyport::xds {
namespace {

using ::envoy::config::accesslog::v3::AccessLog;
using ::envoy::config::accesslog::v3::AccessLogFilter;
using ::envoy::config::accesslog::v3::ComparisonFilter;

// Keys of the runtime layer: percent of the lines that are written, and the
// status that requests have at least. A node that has no such layer writes all.
constexpr char kStdoutPercent[] = "sallyport.access_log.stdout";
constexpr char kMinStatus[] = "sallyport.access_log.min_status";
constexpr uint32_t kAll = 100;

struct Field {
  const char* name;
  const char* format;
};

// What comes from the client has a limit. Envoy writes JSON, and escapes it.
constexpr Field kConnectionFields[] = {
    {"kind", "connection"},
    {"start", "%START_TIME%"},
    {"client", "%DOWNSTREAM_REMOTE_ADDRESS%"},
    {"domain", "%REQUESTED_SERVER_NAME%"},
    {"failure", "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"},
    // NR: no filter chain, an SNI that nobody has.
    {"flags", "%RESPONSE_FLAGS%"},
    {"closed_by", "%CONNECTION_TERMINATION_DETAILS%"},
    // Of the handshake.
    {"reason", "%FILTER_STATE(sallyport.reason:PLAIN)%"},
    {"detail", "%FILTER_STATE(sallyport.detail:PLAIN)%"},
    {"truststore", "%FILTER_STATE(sallyport.truststore:PLAIN)%"},
    {"subject", "%FILTER_STATE(sallyport.subject:PLAIN)%"},
    {"issuer", "%FILTER_STATE(sallyport.issuer:PLAIN)%"},
    {"serial", "%FILTER_STATE(sallyport.serial:PLAIN)%"},
    {"fingerprint", "%FILTER_STATE(sallyport.fingerprint:PLAIN)%"},
    {"milliseconds", "%DURATION%"},
};

constexpr Field kRequestFields[] = {
    {"kind", "request"},
    {"start", "%START_TIME%"},
    {"client", "%DOWNSTREAM_REMOTE_ADDRESS%"},
    {"domain", "%REQUESTED_SERVER_NAME%"},
    {"host", "%REQ(:AUTHORITY):255%"},
    {"method", "%REQ(:METHOD):32%"},
    // As the client sent it, but for the query: secrets are in queries.
    {"path", "%PATH(NQ:ORIG_OR_PATH):1024%"},
    {"protocol", "%PROTOCOL%"},
    {"status", "%RESPONSE_CODE%"},
    {"details", "%RESPONSE_CODE_DETAILS%"},
    {"flags", "%RESPONSE_FLAGS%"},
    // The request's own verdict, or, when nothing has changed since, that of
    // the handshake.
    {"reason", R"(%COALESCE({"operators":[{"command":"DYNAMIC_METADATA",)"
               R"("param":"sallyport:reason"},{"command":"FILTER_STATE",)"
               R"("param":"sallyport.reason:PLAIN"}]})%)"},
    {"detail", "%DYNAMIC_METADATA(sallyport:detail)%"},
    {"truststore",
     R"(%COALESCE({"operators":[{"command":"DYNAMIC_METADATA",)"
     R"("param":"sallyport:truststore"},{"command":"FILTER_STATE",)"
     R"("param":"sallyport.truststore:PLAIN"}]})%)"},
    {"subject", "%DOWNSTREAM_PEER_SUBJECT%"},
    {"issuer", "%DOWNSTREAM_PEER_ISSUER%"},
    {"serial", "%DOWNSTREAM_PEER_SERIAL%"},
    {"fingerprint", "%DOWNSTREAM_PEER_FINGERPRINT_256%"},
    // trust_lost: an open stream that end_streams_after reset.
    {"ended", "%DYNAMIC_METADATA(sallyport:ended)%"},
    {"stage", "%METADATA(ROUTE:sallyport:stage)%"},
    {"route", "%ROUTE_NAME%"},
    {"backend", "%UPSTREAM_HOST%"},
    {"received", "%BYTES_RECEIVED%"},
    {"sent", "%BYTES_SENT%"},
    {"milliseconds", "%DURATION%"},
    {"request_id", "%REQ(X-REQUEST-ID):64%"},
    {"user_agent", "%REQ(USER-AGENT):256%"},
};

AccessLog Stdout(absl::Span<const Field> fields, AccessLogFilter filter) {
  envoy::extensions::access_loggers::stream::v3::StdoutAccessLog config;
  auto& json = *config.mutable_log_format()->mutable_json_format();
  for (const Field& field : fields) {
    (*json.mutable_fields())[field.name].set_string_value(field.format);
  }
  AccessLog log;
  log.set_name("envoy.access_loggers.stdout");
  *log.mutable_filter() = std::move(filter);
  *log.mutable_typed_config() = Pack(config);
  return log;
}

AccessLogFilter IfSwitchedOn() {
  AccessLogFilter filter;
  filter.mutable_runtime_filter()->set_runtime_key(kStdoutPercent);
  filter.mutable_runtime_filter()->mutable_percent_sampled()->set_numerator(
      kAll);
  return filter;
}

AccessLogFilter IfStatusIsHighEnough() {
  AccessLogFilter filter;
  auto& comparison = *filter.mutable_status_code_filter()->mutable_comparison();
  comparison.set_op(ComparisonFilter::GE);
  comparison.mutable_value()->set_runtime_key(kMinStatus);
  return filter;
}

}  // namespace

AccessLog ConnectionLog() { return Stdout(kConnectionFields, IfSwitchedOn()); }

AccessLog RequestLog() {
  AccessLogFilter both;
  *both.mutable_and_filter()->add_filters() = IfSwitchedOn();
  *both.mutable_and_filter()->add_filters() = IfStatusIsHighEnough();
  return Stdout(kRequestFields, std::move(both));
}

Translated TranslateRuntime(const domain::Fleet& fleet) {
  envoy::service::runtime::v3::Runtime runtime;
  runtime.set_name(std::string(kRuntimeLayer));
  auto& layer = *runtime.mutable_layer()->mutable_fields();
  const bool on = fleet.access_log.output == domain::AccessLog::Output::kStdout;
  layer[kStdoutPercent].set_number_value(on ? kAll : 0);
  layer[kMinStatus].set_number_value(fleet.access_log.min_status);
  return MakeTranslated(ResourceType::kRuntime, kRuntimeLayer, runtime);
}

}  // namespace sallyport::xds
