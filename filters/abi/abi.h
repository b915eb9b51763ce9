// Envoy's dynamic-module C ABI, as far as Sallyport uses it, in our own words.
//
// Mirrors source/extensions/dynamic_modules/abi/abi.h of Envoy v1.40.0, whose
// version string is "v0.2.0". A module built for one minor version is promised
// to load in the next one too.
//
// Rules that hold for everything below, unless a line says otherwise:
//  * Hooks (envoy_dynamic_module_on_*) are ours and Envoy calls them.
//    Callbacks (envoy_dynamic_module_callback_*) are Envoy's and we call them;
//    the dynamic linker finds them in the Envoy program.
//  * A buffer that Envoy passes to a hook or writes into an out parameter is
//    Envoy's. It lives until the hook returns or until a callback that changes
//    the same object (a header, a filter state) is called, whichever is first.
//  * A buffer that we pass is copied before the callback returns.
//  * Pointers that a hook returns are ours. Envoy hands them back and never
//    looks through them.
//  * No exception may leave a hook.
//  * Threads: configurations are made on Envoy's main thread. Everything that
//    belongs to a connection or a stream happens on that connection's worker.
//    Configurations are destroyed on whichever thread drops the last use.

#ifndef SALLYPORT_FILTERS_ABI_ABI_H_
#define SALLYPORT_FILTERS_ABI_ABI_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sallyport::abi {

// What envoy_dynamic_module_on_program_init() answers. Envoy warns when it
// differs from its own.
inline constexpr char kVersion[] = "v0.2.0";

// envoy_dynamic_module_type_envoy_buffer: bytes that belong to Envoy. `ptr` may
// be null when `length` is 0.
struct EnvoyBuffer {
  const char* ptr;
  size_t length;
};

// envoy_dynamic_module_type_module_buffer: bytes that belong to us. A null
// `ptr` has a meaning of its own in http_set_header.
struct ModuleBuffer {
  const char* ptr;
  size_t length;
};

// envoy_dynamic_module_type_envoy_http_header: one header in Envoy's map. The
// name is lower-case.
struct EnvoyHeader {
  const char* key_ptr;
  size_t key_length;
  const char* value_ptr;
  size_t value_length;
};

// envoy_dynamic_module_type_module_http_header: one header of ours.
struct ModuleHeader {
  const char* key_ptr;
  size_t key_length;
  const char* value_ptr;
  size_t value_length;
};

// envoy_dynamic_module_type_http_header_type.
enum class HeaderMap : uint32_t {
  kRequest = 0,
  kRequestTrailers = 1,
  kResponse = 2,
  kResponseTrailers = 3,
};

// envoy_dynamic_module_type_log_level (spdlog's levels).
enum class LogLevel : uint32_t {
  kTrace = 0,
  kDebug = 1,
  kInfo = 2,
  kWarning = 3,
  kError = 4,
  kCritical = 5,
};

// envoy_dynamic_module_type_metrics_result.
enum class MetricsResult : uint32_t {
  kSuccess = 0,
  kMetricNotFound = 1,
  kInvalidLabels = 2,
  kFrozen = 3,
};

// envoy_dynamic_module_type_attribute_id: the ones we read.
enum class Attribute : uint32_t {
  // request.id (string): for a TCP connection, what tcp_proxy gives it when it
  // begins.
  kRequestId = 9,
  // request.protocol (string): "HTTP/1.1", "HTTP/2".
  kRequestProtocol = 10,
  // source.address (string): the client's, with the port.
  kSourceAddress = 24,
  // connection.mtls (bool): the peer presented a certificate.
  kConnectionMtls = 29,
  // connection.tls_version (string): "TLSv1.3".
  kConnectionTlsVersion = 31,
  // connection.sha256_peer_certificate_digest (string): of the peer's own
  // certificate, lower-case hexadecimal.
  kConnectionSha256PeerCertificate = 38,
};

// envoy_dynamic_module_type_on_http_filter_{request,response}_headers_status
// (FilterHeadersStatus of envoy/http/filter.h): the ones we answer.
enum class HeadersStatus : uint32_t {
  kContinue = 0,
  kStopIteration = 1,
  // As kStopIteration; the body and the trailers wait too. Envoy stops reading
  // from the client at the buffer limit.
  kStopAllIterationAndWatermark = 4,
};

// envoy_dynamic_module_type_http_body_type: the ones we read.
enum class BodyType : uint32_t {
  // What came with this call of the body hook.
  kReceivedRequest = 0,
  // What earlier calls had Envoy keep.
  kBufferedRequest = 1,
};

// envoy_dynamic_module_type_http_callout_init_result.
enum class CalloutStart : uint32_t {
  kSuccess = 0,
  kMissingRequiredHeaders = 1,
  kClusterNotFound = 2,
  kDuplicateCalloutId = 3,
  // No healthy host, or one that cannot be reached now.
  kCannotCreateRequest = 4,
};

// envoy_dynamic_module_type_http_callout_result.
enum class CalloutResult : uint32_t {
  kSuccess = 0,
  kReset = 1,
  kExceedResponseBufferLimit = 2,
};

// envoy_dynamic_module_type_http_filter_stream_reset_reason.
enum class StreamReset : uint32_t {
  kLocalReset = 0,
  kLocalRefusedStreamReset = 1,
};

// envoy_dynamic_module_type_on_http_filter_{request,response}_body_status.
enum class BodyStatus : uint32_t {
  kContinue = 0,
  kStopIterationAndBuffer = 1,
  kStopIterationAndWatermark = 2,
  kStopIterationNoBuffer = 3,
};

// envoy_dynamic_module_type_on_http_filter_{request,response}_trailers_status.
enum class TrailersStatus : uint32_t {
  kContinue = 0,
  kStopIteration = 1,
};

// envoy_dynamic_module_type_on_network_filter_data_status.
enum class NetworkStatus : uint32_t {
  kContinue = 0,
  kStopIteration = 1,
};

// envoy_dynamic_module_type_network_connection_event.
enum class ConnectionEvent : uint32_t {
  kRemoteClose = 0,
  kLocalClose = 1,
  // With TLS: the handshake is done.
  kConnected = 2,
  kConnectedZeroRtt = 3,
};

// envoy_dynamic_module_type_network_connection_close_type
// (Network::ConnectionCloseType): the ones we use.
enum class CloseType : uint32_t {
  // At once; what is still to be written is dropped.
  kNoFlush = 1,
};

// envoy_dynamic_module_type_network_read_disable_status.
enum class ReadDisableStatus : uint32_t {
  kNoTransition = 0,
  kStillReadDisabled = 1,
  kTransitionedToReadEnabled = 2,
  kTransitionedToReadDisabled = 3,
};

// envoy_dynamic_module_type_cert_validator_validation_status.
enum class ValidationStatus : uint32_t {
  kSuccessful = 0,
  kFailed = 1,
};

// envoy_dynamic_module_type_cert_validator_client_validation_status.
enum class ClientValidation : uint32_t {
  kNotValidated = 0,
  kNoClientCertificate = 1,
  kValidated = 2,
  kFailed = 3,
};

// envoy_dynamic_module_type_cert_validator_validation_result: returned by value
// from do_verify_cert_chain. A field out of place would flip a decision, hence
// the assertions at the end.
struct ValidationResult {
  ValidationStatus status;
  ClientValidation detailed_status;
  uint8_t tls_alert;  // counts when has_tls_alert
  bool has_tls_alert;
};

// Bits of the answer of get_ssl_verify_mode (SSL_VERIFY_* of BoringSSL). 0
// would leave the verification hook uninstalled.
inline constexpr int kVerifyPeer = 1;
inline constexpr int kFailIfNoPeerCertificate = 2;

// Envoy's objects, opaque. The types keep them apart.

// A validator's configuration in Envoy. Of no use to us: the calls below that
// take a CertValidatorCall need the one of the handshake.
struct CertValidatorConfig;
// One call of do_verify_cert_chain; dead when that hook returns.
struct CertValidatorCall;
// An HTTP filter's configuration in Envoy; lives from http_filter_config_new to
// http_filter_config_destroy. Metrics are defined on it while config_new runs.
struct HttpFilterConfig;
// One stream's filter in Envoy; lives until http_filter_destroy.
struct HttpFilter;
// A network filter's configuration in Envoy; as HttpFilterConfig.
struct NetworkFilterConfig;
// One connection's filter in Envoy; lives until network_filter_destroy.
struct NetworkFilter;
// What wakes a network filter from another thread; ours to delete.
struct NetworkFilterScheduler;
// What posts events to one stream's worker; ours to delete.
struct HttpFilterScheduler;
struct HttpFilterConfigScheduler;

}  // namespace sallyport::abi

// Hooks are the only symbols that the shared object exports.
#define SALLYPORT_ABI_EXPORT __attribute__((visibility("default")))

extern "C" {

// --- Hooks: every module -----------------------------------------------------

// Called once, when the shared object is loaded. A text that lives on; null
// refuses the load.
SALLYPORT_ABI_EXPORT const char* envoy_dynamic_module_on_program_init();

// --- Hooks: certificate validator --------------------------------------------
// source/extensions/transport_sockets/tls/cert_validator/dynamic_modules/.

// Main thread. One call for each TLS context. `config` is the value of the
// configured Any: JSON for a google.protobuf.Struct, the bytes of a StringValue
// or BytesValue. Null refuses the update; Envoy then keeps the last good one
// and never calls destroy for it.
SALLYPORT_ABI_EXPORT const void*
envoy_dynamic_module_on_cert_validator_config_new(
    sallyport::abi::CertValidatorConfig* envoy_config,
    sallyport::abi::EnvoyBuffer name, sallyport::abi::EnvoyBuffer config);

// Any thread: the one that drops the last connection of the TLS context.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_cert_validator_config_destroy(
    const void* validator);

// Worker; several workers at once for one validator. `certificates` is the
// peer's chain in DER, its own certificate first. Not called on a resumed
// session, nor when the peer sends no certificate. `host_name` is the SNI on
// the server side. `is_server`: we are the TLS server.
SALLYPORT_ABI_EXPORT sallyport::abi::ValidationResult
envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
    sallyport::abi::CertValidatorCall* call, const void* validator,
    sallyport::abi::EnvoyBuffer* certificates, size_t num_certificates,
    sallyport::abi::EnvoyBuffer host_name, bool is_server);

// Main thread, after config_new. kVerifyPeer, with kFailIfNoPeerCertificate or
// without.
SALLYPORT_ABI_EXPORT int
envoy_dynamic_module_on_cert_validator_get_ssl_verify_mode(
    const void* validator, bool handshaker_provides_certificates);

// Main thread, after config_new. What goes into the session context, so that a
// session is resumed only where all of it is equal. `out_digest` must point at
// bytes that live as long as the validator.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_cert_validator_update_digest(
    const void* validator, sallyport::abi::ModuleBuffer* out_digest);

// --- Hooks: HTTP filter ------------------------------------------------------
// source/extensions/filters/http/dynamic_modules/. Envoy refuses the module
// when one of these is missing.

// Main thread. As cert_validator_config_new.
SALLYPORT_ABI_EXPORT const void* envoy_dynamic_module_on_http_filter_config_new(
    sallyport::abi::HttpFilterConfig* envoy_config,
    sallyport::abi::EnvoyBuffer name, sallyport::abi::EnvoyBuffer config);
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_config_destroy(
    const void* config);

// Main thread. The configuration of a route (typed_per_filter_config,
// DynamicModuleHttpFilterPerRoute); `name` is its per_route_config_name. Null
// refuses the route configuration.
SALLYPORT_ABI_EXPORT const void*
envoy_dynamic_module_on_http_filter_per_route_config_new(
    sallyport::abi::EnvoyBuffer name, sallyport::abi::EnvoyBuffer config);
// Any thread.
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_per_route_config_destroy(
    const void* config);

// Worker, one for each stream. Null makes Envoy end the stream.
SALLYPORT_ABI_EXPORT const void* envoy_dynamic_module_on_http_filter_new(
    const void* config, sallyport::abi::HttpFilter* envoy_filter);

SALLYPORT_ABI_EXPORT sallyport::abi::HeadersStatus
envoy_dynamic_module_on_http_filter_request_headers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    bool end_of_stream);
SALLYPORT_ABI_EXPORT sallyport::abi::BodyStatus
envoy_dynamic_module_on_http_filter_request_body(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    bool end_of_stream);
SALLYPORT_ABI_EXPORT sallyport::abi::TrailersStatus
envoy_dynamic_module_on_http_filter_request_trailers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter);
SALLYPORT_ABI_EXPORT sallyport::abi::HeadersStatus
envoy_dynamic_module_on_http_filter_response_headers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    bool end_of_stream);
SALLYPORT_ABI_EXPORT sallyport::abi::BodyStatus
envoy_dynamic_module_on_http_filter_response_body(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    bool end_of_stream);
SALLYPORT_ABI_EXPORT sallyport::abi::TrailersStatus
envoy_dynamic_module_on_http_filter_response_trailers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter);

// Worker: what http_filter_scheduler_commit posted, unless the filter is gone.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_scheduled(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t event_id);

// Main thread: what http_filter_config_scheduler_commit posted, unless the
// configuration is gone. Envoy does not insist on it.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_config_scheduled(
    sallyport::abi::HttpFilterConfig* envoy_config, const void* config,
    uint64_t event_id);

// Worker; before destroy and before access logs are written.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_stream_complete(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter);
// Worker; the last call for a filter.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_destroy(
    const void* filter);

// Worker: the end of a callout, unless the filter is gone by then. A time-out
// is kSuccess with a 504 that Envoy made itself. Null and 0 where there is
// nothing.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_http_callout_done(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t callout_id, sallyport::abi::CalloutResult result,
    sallyport::abi::EnvoyHeader* headers, size_t num_headers,
    sallyport::abi::EnvoyBuffer* body_chunks, size_t num_body_chunks);

// Answers to calls that we never make; Envoy insists on the symbols.
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_http_stream_headers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t stream_id, sallyport::abi::EnvoyHeader* headers,
    size_t num_headers, bool end_of_stream);
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_http_stream_data(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t stream_id, const sallyport::abi::EnvoyBuffer* data,
    size_t num_chunks, bool end_of_stream);
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_http_stream_trailers(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t stream_id, sallyport::abi::EnvoyHeader* trailers,
    size_t num_trailers);
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_http_stream_complete(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t stream_id);
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_http_filter_http_stream_reset(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter,
    uint64_t stream_id, uint32_t reason);
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter);
SALLYPORT_ABI_EXPORT void
envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
    sallyport::abi::HttpFilter* envoy_filter, const void* filter);

// --- Hooks: network filter ---------------------------------------------------
// source/extensions/filters/network/dynamic_modules/. Envoy refuses the module
// when one of these is missing, but for _scheduled.

// Main thread. As cert_validator_config_new.
SALLYPORT_ABI_EXPORT const void*
envoy_dynamic_module_on_network_filter_config_new(
    sallyport::abi::NetworkFilterConfig* envoy_config,
    sallyport::abi::EnvoyBuffer name, sallyport::abi::EnvoyBuffer config);
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_network_filter_config_destroy(
    const void* config);

// Worker, one for each connection, before the filters after ours exist. Null
// makes Envoy close the connection.
SALLYPORT_ABI_EXPORT const void* envoy_dynamic_module_on_network_filter_new(
    const void* config, sallyport::abi::NetworkFilter* envoy_filter);

// Worker. The connection is accepted; with TLS the handshake is still to come.
// kStopIteration: the filters after ours are not told before
// network_filter_continue_reading, network_filter_inject_read_data, or a read
// that answers kContinue.
SALLYPORT_ABI_EXPORT sallyport::abi::NetworkStatus
envoy_dynamic_module_on_network_filter_new_connection(
    sallyport::abi::NetworkFilter* envoy_filter, const void* filter);
// Worker. Data from the client: `data_length` bytes are in the read buffer.
SALLYPORT_ABI_EXPORT sallyport::abi::NetworkStatus
envoy_dynamic_module_on_network_filter_read(
    sallyport::abi::NetworkFilter* envoy_filter, const void* filter,
    size_t data_length, bool end_stream);
// Worker. Data for the client.
SALLYPORT_ABI_EXPORT sallyport::abi::NetworkStatus
envoy_dynamic_module_on_network_filter_write(
    sallyport::abi::NetworkFilter* envoy_filter, const void* filter,
    size_t data_length, bool end_stream);
// Worker. Comes within a callback too, when that closes the connection.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_network_filter_event(
    sallyport::abi::NetworkFilter* envoy_filter, const void* filter,
    sallyport::abi::ConnectionEvent event);
// Worker: what network_filter_scheduler_commit asked for.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_network_filter_scheduled(
    sallyport::abi::NetworkFilter* envoy_filter, const void* filter,
    uint64_t event_id);
// Worker; the last call for a filter.
SALLYPORT_ABI_EXPORT void envoy_dynamic_module_on_network_filter_destroy(
    const void* filter);

// --- Callbacks: logging ------------------------------------------------------
// source/extensions/dynamic_modules/abi_impl.cc. Any thread.

// Writes one line to Envoy's logger `dynamic_modules`.
void envoy_dynamic_module_callback_log(sallyport::abi::LogLevel level,
                                       sallyport::abi::ModuleBuffer message);
// Whether such a line would be written; costs next to nothing.
bool envoy_dynamic_module_callback_log_enabled(sallyport::abi::LogLevel level);

// --- Callbacks: certificate validator ----------------------------------------
// Only within do_verify_cert_chain, with its own first argument.

// The text that ends up in %DOWNSTREAM_TRANSPORT_FAILURE_REASON% when the
// handshake is refused.
void envoy_dynamic_module_callback_cert_validator_set_error_details(
    sallyport::abi::CertValidatorCall* call, sallyport::abi::ModuleBuffer text);
// A string in the connection's filter state, read-only, for the connection's
// life. False: there is no connection to write to.
bool envoy_dynamic_module_callback_cert_validator_set_filter_state(
    sallyport::abi::CertValidatorCall* call, sallyport::abi::ModuleBuffer key,
    sallyport::abi::ModuleBuffer value);

// --- Callbacks: HTTP filter --------------------------------------------------
// source/extensions/filters/http/dynamic_modules/abi_impl.cc. Only on the
// stream's worker, within one of its hooks.

// How many headers the map has, pseudo headers and repeated ones counted; 0
// when there is no such map.
size_t envoy_dynamic_module_callback_http_get_headers_size(
    sallyport::abi::HttpFilter* filter, sallyport::abi::HeaderMap map);
// Fills `out_headers`, which has room for as many as get_headers_size said.
bool envoy_dynamic_module_callback_http_get_headers(
    sallyport::abi::HttpFilter* filter, sallyport::abi::HeaderMap map,
    sallyport::abi::EnvoyHeader* out_headers);
// The value at `index` of the header `key` (lower-case). `out_count`, when not
// null, gets the number of values. False: there is none at that index.
bool envoy_dynamic_module_callback_http_get_header(
    sallyport::abi::HttpFilter* filter, sallyport::abi::HeaderMap map,
    sallyport::abi::ModuleBuffer key, sallyport::abi::EnvoyBuffer* out_value,
    size_t index, size_t* out_count);
// Replaces all values of `key`; removes them when `value.ptr` is null.
bool envoy_dynamic_module_callback_http_set_header(
    sallyport::abi::HttpFilter* filter, sallyport::abi::HeaderMap map,
    sallyport::abi::ModuleBuffer key, sallyport::abi::ModuleBuffer value);
// Adds a value beside those that are there.
bool envoy_dynamic_module_callback_http_add_header(
    sallyport::abi::HttpFilter* filter, sallyport::abi::HeaderMap map,
    sallyport::abi::ModuleBuffer key, sallyport::abi::ModuleBuffer value);
// A local reply. `details` becomes %RESPONSE_CODE_DETAILS%. The hook that calls
// it returns kStopIteration. For a gRPC request Envoy answers with HTTP 200,
// `body` as grpc-message and the grpc-status of `headers`; without one there it
// is 0, that is OK, whatever the status code.
void envoy_dynamic_module_callback_http_send_response(
    sallyport::abi::HttpFilter* filter, uint32_t status_code,
    sallyport::abi::ModuleHeader* headers, size_t num_headers,
    sallyport::abi::ModuleBuffer body, sallyport::abi::ModuleBuffer details);

// A response, in place of the next filters': `headers` with :status, then the
// body. The stream may be gone when the call that ends it returns.
void envoy_dynamic_module_callback_http_send_response_headers(
    sallyport::abi::HttpFilter* filter, sallyport::abi::ModuleHeader* headers,
    size_t num_headers, bool end_of_stream);
void envoy_dynamic_module_callback_http_send_response_data(
    sallyport::abi::HttpFilter* filter, sallyport::abi::ModuleBuffer data,
    bool end_of_stream);

// A string of the stream's filter state, in which that of its connection is
// visible. False: there is none.
bool envoy_dynamic_module_callback_http_get_filter_state_bytes(
    sallyport::abi::HttpFilter* filter, sallyport::abi::ModuleBuffer key,
    sallyport::abi::EnvoyBuffer* out_value);
// Sets one of the stream, read-only: a key is set once.
bool envoy_dynamic_module_callback_http_set_filter_state_bytes(
    sallyport::abi::HttpFilter* filter, sallyport::abi::ModuleBuffer key,
    sallyport::abi::ModuleBuffer value);
// A string in the stream's dynamic metadata, for access logs:
// %DYNAMIC_METADATA(ns:key)%.
void envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
    sallyport::abi::HttpFilter* filter, sallyport::abi::ModuleBuffer ns,
    sallyport::abi::ModuleBuffer key, sallyport::abi::ModuleBuffer value);
// False: the attribute is not known for this stream.
bool envoy_dynamic_module_callback_http_filter_get_attribute_bool(
    sallyport::abi::HttpFilter* filter, sallyport::abi::Attribute attribute,
    bool* out_value);
// The same for a string.
bool envoy_dynamic_module_callback_http_filter_get_attribute_string(
    sallyport::abi::HttpFilter* filter, sallyport::abi::Attribute attribute,
    sallyport::abi::EnvoyBuffer* out_value);

// Sends a request to the cluster of that name. `headers` has :method, :path and
// host or :authority. http_callout_done is called with `out_callout_id` when it
// ends, possibly before this returns; not when this returns anything but
// kSuccess. A stream's end ends its callouts.
sallyport::abi::CalloutStart
envoy_dynamic_module_callback_http_filter_http_callout(
    sallyport::abi::HttpFilter* filter, uint64_t* out_callout_id,
    sallyport::abi::ModuleBuffer cluster, sallyport::abi::ModuleHeader* headers,
    size_t num_headers, sallyport::abi::ModuleBuffer body,
    uint64_t timeout_milliseconds);
// Lets the request go on that a hook stopped. The next filters run before it
// returns, and the filter may be destroyed.
void envoy_dynamic_module_callback_http_filter_continue_decoding(
    sallyport::abi::HttpFilter* filter);

// A body, in pieces. kReceivedRequest only within the body hook.
size_t envoy_dynamic_module_callback_http_get_body_size(
    sallyport::abi::HttpFilter* filter, sallyport::abi::BodyType type);
size_t envoy_dynamic_module_callback_http_get_body_chunks_size(
    sallyport::abi::HttpFilter* filter, sallyport::abi::BodyType type);
// Fills `out_chunks`, which has room for as many as get_body_chunks_size said.
bool envoy_dynamic_module_callback_http_get_body_chunks(
    sallyport::abi::HttpFilter* filter, sallyport::abi::BodyType type,
    sallyport::abi::EnvoyBuffer* out_chunks);

// What per_route_config_new returned for the most specific part of the route
// (route, virtual host, route configuration) that has one; null when none has,
// or there is no route. Lives as long as the hook that asks.
const void* envoy_dynamic_module_callback_get_most_specific_route_config(
    sallyport::abi::HttpFilter* filter);

// Has Envoy choose the route again, by the request's present headers, when it
// is asked for next. What get_most_specific_route_config returned is not to be
// used any more.
void envoy_dynamic_module_callback_http_clear_route_cache(
    sallyport::abi::HttpFilter* filter);

// Resets the stream: RST_STREAM, or the end of an HTTP/1 connection. `details`
// as in send_response. The filter may be destroyed before it returns.
void envoy_dynamic_module_callback_http_filter_reset_stream(
    sallyport::abi::HttpFilter* filter, sallyport::abi::StreamReset reason,
    sallyport::abi::ModuleBuffer details);
// Ends the connection without an answer: GOAWAY, if the protocol has it, and a
// close; with `graceful` only once open streams have ended. The filter may be
// destroyed before it returns.
void envoy_dynamic_module_callback_http_filter_send_go_away_and_close(
    sallyport::abi::HttpFilter* filter, bool graceful);

// A scheduler for the stream. Worker; commit from any thread: it makes Envoy
// call http_filter_scheduled with `event_id` on the worker, or not at all when
// the filter is gone by then.
sallyport::abi::HttpFilterScheduler*
envoy_dynamic_module_callback_http_filter_scheduler_new(
    sallyport::abi::HttpFilter* filter);
void envoy_dynamic_module_callback_http_filter_scheduler_delete(
    sallyport::abi::HttpFilterScheduler* scheduler);
void envoy_dynamic_module_callback_http_filter_scheduler_commit(
    sallyport::abi::HttpFilterScheduler* scheduler, uint64_t event_id);

// A scheduler for the configuration. New: within http_filter_config_new;
// commit from any thread: it makes Envoy call http_filter_config_scheduled with
// `event_id` on the main thread, or not at all when the configuration is gone
// by then.
sallyport::abi::HttpFilterConfigScheduler*
envoy_dynamic_module_callback_http_filter_config_scheduler_new(
    sallyport::abi::HttpFilterConfig* config);
void envoy_dynamic_module_callback_http_filter_config_scheduler_delete(
    sallyport::abi::HttpFilterConfigScheduler* scheduler);
void envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
    sallyport::abi::HttpFilterConfigScheduler* scheduler, uint64_t event_id);

// Defines a counter with labels, within http_filter_config_new only.
sallyport::abi::MetricsResult
envoy_dynamic_module_callback_http_filter_config_define_counter(
    sallyport::abi::HttpFilterConfig* config, sallyport::abi::ModuleBuffer name,
    sallyport::abi::ModuleBuffer* label_names, size_t num_labels,
    size_t* out_id);
// Adds to it. As many label values as names, in the same order.
sallyport::abi::MetricsResult
envoy_dynamic_module_callback_http_filter_increment_counter(
    sallyport::abi::HttpFilter* filter, size_t id,
    sallyport::abi::ModuleBuffer* label_values, size_t num_labels,
    uint64_t value);
// The same without a stream; main thread.
sallyport::abi::MetricsResult
envoy_dynamic_module_callback_http_filter_config_increment_counter(
    sallyport::abi::HttpFilterConfig* config, size_t id,
    sallyport::abi::ModuleBuffer* label_values, size_t num_labels,
    uint64_t value);

// --- Callbacks: network filter -----------------------------------------------
// source/extensions/filters/network/dynamic_modules/abi_impl.cc. Only on the
// connection's worker, within one of its hooks, unless a line says otherwise.

// Lets the filters after ours begin; what was read already goes to them.
void envoy_dynamic_module_callback_network_filter_continue_reading(
    sallyport::abi::NetworkFilter* filter);
// Gives `data` to the filters after ours as if the client had sent it. They
// begin if they have not.
void envoy_dynamic_module_callback_network_filter_inject_read_data(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::ModuleBuffer data,
    bool end_stream);
// Whether Envoy reads from the client. It counts how often reading was
// switched off, and reads when every one was taken back.
bool envoy_dynamic_module_callback_network_filter_read_enabled(
    sallyport::abi::NetworkFilter* filter);
sallyport::abi::ReadDisableStatus
envoy_dynamic_module_callback_network_filter_read_disable(
    sallyport::abi::NetworkFilter* filter, bool disable);
// Closes the connection. `details` becomes %CONNECTION_TERMINATION_DETAILS%.
// The event hook is called before this returns.
void envoy_dynamic_module_callback_network_filter_close_with_details(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::CloseType type,
    sallyport::abi::ModuleBuffer details);

bool envoy_dynamic_module_callback_network_filter_is_ssl(
    sallyport::abi::NetworkFilter* filter);
// The SNI, when a tls_inspector saw it.
bool envoy_dynamic_module_callback_network_filter_get_requested_server_name(
    sallyport::abi::NetworkFilter* filter,
    sallyport::abi::EnvoyBuffer* out_name);
// The client's address and port; the listener's. Text form, IPv6 without
// brackets. False: it is no IP address.
bool envoy_dynamic_module_callback_network_filter_get_remote_address(
    sallyport::abi::NetworkFilter* filter,
    sallyport::abi::EnvoyBuffer* out_address, uint32_t* out_port);
bool envoy_dynamic_module_callback_network_filter_get_local_address(
    sallyport::abi::NetworkFilter* filter,
    sallyport::abi::EnvoyBuffer* out_address, uint32_t* out_port);
// False: the attribute is not known for this connection.
bool envoy_dynamic_module_callback_network_filter_get_attribute_bool(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::Attribute attribute,
    bool* out_value);
bool envoy_dynamic_module_callback_network_filter_get_attribute_string(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::Attribute attribute,
    sallyport::abi::EnvoyBuffer* out_value);

// A string of the connection's filter state. False: there is none.
bool envoy_dynamic_module_callback_network_get_filter_state_bytes(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::ModuleBuffer key,
    sallyport::abi::EnvoyBuffer* out_value);
// Sets one, read-only: a key is set once.
bool envoy_dynamic_module_callback_network_set_filter_state_bytes(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::ModuleBuffer key,
    sallyport::abi::ModuleBuffer value);
// As http_set_dynamic_metadata_string, for the connection.
void envoy_dynamic_module_callback_network_set_dynamic_metadata_string(
    sallyport::abi::NetworkFilter* filter, sallyport::abi::ModuleBuffer ns,
    sallyport::abi::ModuleBuffer key, sallyport::abi::ModuleBuffer value);

// Defines a counter, within network_filter_config_new only. It has no labels.
sallyport::abi::MetricsResult
envoy_dynamic_module_callback_network_filter_config_define_counter(
    sallyport::abi::NetworkFilterConfig* config,
    sallyport::abi::ModuleBuffer name, size_t* out_id);
sallyport::abi::MetricsResult
envoy_dynamic_module_callback_network_filter_increment_counter(
    sallyport::abi::NetworkFilter* filter, size_t id, uint64_t value);

// What can wake the filter; null when there is no worker for it.
sallyport::abi::NetworkFilterScheduler*
envoy_dynamic_module_callback_network_filter_scheduler_new(
    sallyport::abi::NetworkFilter* filter);
// Any thread, also when the filter is gone: calls network_filter_scheduled on
// its worker soon, if it still lives then. Not after scheduler_delete.
void envoy_dynamic_module_callback_network_filter_scheduler_commit(
    sallyport::abi::NetworkFilterScheduler* scheduler, uint64_t event_id);
// Any thread.
void envoy_dynamic_module_callback_network_filter_scheduler_delete(
    sallyport::abi::NetworkFilterScheduler* scheduler);

}  // extern "C"

namespace sallyport::abi {

static_assert(sizeof(void*) == 8 && sizeof(size_t) == 8,
              "Envoy's release binaries are 64-bit");

static_assert(sizeof(EnvoyBuffer) == 16 && offsetof(EnvoyBuffer, ptr) == 0 &&
              offsetof(EnvoyBuffer, length) == 8);
static_assert(sizeof(ModuleBuffer) == 16 && offsetof(ModuleBuffer, ptr) == 0 &&
              offsetof(ModuleBuffer, length) == 8);
static_assert(sizeof(EnvoyHeader) == 32 &&
              offsetof(EnvoyHeader, key_ptr) == 0 &&
              offsetof(EnvoyHeader, key_length) == 8 &&
              offsetof(EnvoyHeader, value_ptr) == 16 &&
              offsetof(EnvoyHeader, value_length) == 24);
static_assert(sizeof(ModuleHeader) == 32 &&
              offsetof(ModuleHeader, key_ptr) == 0 &&
              offsetof(ModuleHeader, key_length) == 8 &&
              offsetof(ModuleHeader, value_ptr) == 16 &&
              offsetof(ModuleHeader, value_length) == 24);
static_assert(sizeof(ValidationResult) == 12 &&
              alignof(ValidationResult) == 4 &&
              offsetof(ValidationResult, status) == 0 &&
              offsetof(ValidationResult, detailed_status) == 4 &&
              offsetof(ValidationResult, tls_alert) == 8 &&
              offsetof(ValidationResult, has_tls_alert) == 9 &&
              sizeof(bool) == 1);

// All are passed and returned as C passes them.
static_assert(std::is_trivially_copyable_v<EnvoyBuffer> &&
              std::is_standard_layout_v<EnvoyBuffer>);
static_assert(std::is_trivially_copyable_v<ModuleBuffer> &&
              std::is_standard_layout_v<ModuleBuffer>);
static_assert(std::is_trivially_copyable_v<EnvoyHeader> &&
              std::is_standard_layout_v<EnvoyHeader>);
static_assert(std::is_trivially_copyable_v<ModuleHeader> &&
              std::is_standard_layout_v<ModuleHeader>);
static_assert(std::is_trivially_copyable_v<ValidationResult> &&
              std::is_standard_layout_v<ValidationResult>);
// C enumerations are four bytes wide here.
static_assert(sizeof(HeaderMap) == 4 && sizeof(LogLevel) == 4 &&
              sizeof(MetricsResult) == 4 && sizeof(Attribute) == 4 &&
              sizeof(HeadersStatus) == 4 && sizeof(StreamReset) == 4 &&
              sizeof(BodyStatus) == 4 && sizeof(TrailersStatus) == 4 &&
              sizeof(ValidationStatus) == 4 && sizeof(ClientValidation) == 4 &&
              sizeof(NetworkStatus) == 4 && sizeof(ConnectionEvent) == 4 &&
              sizeof(CloseType) == 4 && sizeof(ReadDisableStatus) == 4 &&
              sizeof(BodyType) == 4 && sizeof(CalloutStart) == 4 &&
              sizeof(CalloutResult) == 4);

}  // namespace sallyport::abi

#endif  // SALLYPORT_FILTERS_ABI_ABI_H_
