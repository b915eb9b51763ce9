#include "filters/shim/fake_envoy.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "filters/abi/drain_body.h"
#include "filters/shim/buffers.h"

namespace sallyport::shim {
namespace {

constexpr uint64_t kAlive = 0xa11fe0000a11fe;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fake Envoy: misuse: %s\n", what);
  std::abort();
}

absl::Mutex& LogMutex() {
  static auto& mu = *new absl::Mutex;
  return mu;
}

struct LogState {
  bool capturing = false;
  abi::LogLevel level = abi::LogLevel::kTrace;
  std::vector<LogCapture::Line> lines;
};

LogState& Log() {
  static auto& state = *new LogState;
  return state;
}

std::string Copy(const abi::ModuleBuffer& buffer) {
  Check(buffer.ptr != nullptr || buffer.length == 0, "null buffer with length");
  return buffer.ptr == nullptr ? "" : std::string(buffer.ptr, buffer.length);
}

std::vector<std::string> CopyAll(const abi::ModuleBuffer* buffers, size_t n) {
  std::vector<std::string> out;
  for (size_t i = 0; i < n; ++i) out.push_back(Copy(buffers[i]));
  return out;
}

}  // namespace

LogCapture::LogCapture(abi::LogLevel level) {
  absl::MutexLock lock(&LogMutex());
  Check(!Log().capturing, "two LogCaptures at once");
  Log() = LogState{true, level, {}};
}

LogCapture::~LogCapture() {
  absl::MutexLock lock(&LogMutex());
  Log() = LogState{};
}

std::vector<LogCapture::Line> LogCapture::Lines() const {
  absl::MutexLock lock(&LogMutex());
  return Log().lines;
}

int LogCapture::Count(absl::string_view text,
                      absl::optional<abi::LogLevel> level) const {
  int n = 0;
  for (const Line& line : Lines()) {
    if (absl::StrContains(line.text, text) &&
        (!level.has_value() || line.level == *level)) {
      ++n;
    }
  }
  return n;
}

std::string LogCapture::Text() const {
  std::string out;
  for (const Line& line : Lines()) absl::StrAppend(&out, line.text, "\n");
  return out;
}

FakeHandshake::FakeHandshake(FakeConnection* on)
    : connection(on), alive_(kAlive) {}
FakeHandshake::~FakeHandshake() { alive_ = 0; }
FakeHandshake& FakeHandshake::From(abi::CertValidatorCall* call) {
  auto* out = reinterpret_cast<FakeHandshake*>(call);
  Check(out != nullptr && out->alive_ == kAlive, "handshake is not alive");
  return *out;
}

struct PostedEvents {
  absl::Mutex mu;
  std::vector<uint64_t> events ABSL_GUARDED_BY(mu);
};

namespace {
std::vector<uint64_t> Take(const std::shared_ptr<PostedEvents>& posted) {
  if (posted == nullptr) return {};
  absl::MutexLock lock(&posted->mu);
  return std::exchange(posted->events, {});
}
}  // namespace

std::vector<uint64_t> FakeHttpFilterConfig::TakeEvents() {
  return Take(scheduler);
}

FakeHttpFilterConfig::FakeHttpFilterConfig() : alive_(kAlive) {}
FakeHttpFilterConfig::~FakeHttpFilterConfig() { alive_ = 0; }
FakeHttpFilterConfig& FakeHttpFilterConfig::From(
    abi::HttpFilterConfig* config) {
  auto* out = reinterpret_cast<FakeHttpFilterConfig*>(config);
  Check(out != nullptr && out->alive_ == kAlive, "config is not alive");
  return *out;
}

// Over all counters' values: workers share them.
absl::Mutex& CounterMutex() {
  static auto& mu = *new absl::Mutex;
  return mu;
}

uint64_t FakeHttpFilterConfig::Value(
    absl::string_view name, const std::vector<std::string>& labels) const {
  absl::MutexLock lock(&CounterMutex());
  for (const Counter& counter : counters) {
    if (counter.name != name) continue;
    const auto it = counter.values.find(labels);
    return it == counter.values.end() ? 0 : it->second;
  }
  return 0;
}

FakeStream::FakeStream(FakeHttpFilterConfig* of, FakeConnection* on)
    : config(of), connection(on), alive_(kAlive) {}
FakeStream::~FakeStream() {
  ScrambleHandedOut();
  alive_ = 0;
}
FakeStream& FakeStream::From(abi::HttpFilter* filter) {
  auto* out = reinterpret_cast<FakeStream*>(filter);
  Check(out != nullptr && out->alive_ == kAlive, "stream is not alive");
  return *out;
}

std::vector<std::string> FakeStream::Values(absl::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : request_headers) {
    if (absl::EqualsIgnoreCase(key, name)) out.push_back(value);
  }
  return out;
}

FakeStream::Headers& FakeStream::MapFor(abi::HeaderMap map) {
  switch (map) {
    case abi::HeaderMap::kRequest:
      return request_headers;
    case abi::HeaderMap::kRequestTrailers:
      return request_trailers;
    default:
      Check(false, "header map that the module must not touch");
      std::abort();
  }
}

absl::string_view FakeStream::HandOut(const std::string& text) {
  handed_out_.push_back(std::make_unique<std::string>(text));
  return *handed_out_.back();
}

std::vector<uint64_t> FakeStream::TakeEvents() { return Take(scheduler); }

void FakeStream::ScrambleHandedOut() {
  for (auto& text : handed_out_) std::fill(text->begin(), text->end(), '#');
}

FakeNetworkFilterConfig::FakeNetworkFilterConfig() : alive_(kAlive) {}
FakeNetworkFilterConfig::~FakeNetworkFilterConfig() { alive_ = 0; }
FakeNetworkFilterConfig& FakeNetworkFilterConfig::From(
    abi::NetworkFilterConfig* config) {
  auto* out = reinterpret_cast<FakeNetworkFilterConfig*>(config);
  Check(out != nullptr && out->alive_ == kAlive, "config is not alive");
  return *out;
}

uint64_t FakeNetworkFilterConfig::Value(absl::string_view name) const {
  for (const Counter& counter : counters) {
    if (counter.name == name) return counter.value;
  }
  return 0;
}

uint64_t FakeNetworkFilterConfig::Total() const {
  uint64_t total = 0;
  for (const Counter& counter : counters) total += counter.value;
  return total;
}

// Outlives the connection, as Envoy's schedulers do.
struct FakeTcpConnection::Wakeups {
  absl::Mutex mu;
  std::vector<uint64_t> events ABSL_GUARDED_BY(mu);
  int schedulers ABSL_GUARDED_BY(mu) = 0;
};

FakeTcpConnection::FakeTcpConnection(FakeNetworkFilterConfig* of,
                                     FakeConnection* on)
    : config(of),
      connection(on),
      wakeups_(std::make_shared<Wakeups>()),
      alive_(kAlive) {}
FakeTcpConnection::~FakeTcpConnection() {
  ScrambleHandedOut();
  alive_ = 0;
}
FakeTcpConnection& FakeTcpConnection::From(abi::NetworkFilter* filter) {
  auto* out = reinterpret_cast<FakeTcpConnection*>(filter);
  Check(out != nullptr && out->alive_ == kAlive, "connection is not alive");
  return *out;
}

void FakeTcpConnection::UpstreamConnects() {
  Check(read_disabled_ > 0, "reading is switched on more often than off");
  --read_disabled_;
}

void FakeTcpConnection::BeginProxy() {
  if (proxy_began || closed_with.has_value()) return;
  proxy_began = true;
  if (on_proxy_begins) on_proxy_begins();
}

std::vector<uint64_t> FakeTcpConnection::TakeScheduled() {
  absl::MutexLock lock(&wakeups_->mu);
  std::vector<uint64_t> out;
  out.swap(wakeups_->events);
  return out;
}

int FakeTcpConnection::num_schedulers() const {
  absl::MutexLock lock(&wakeups_->mu);
  return wakeups_->schedulers;
}

absl::string_view FakeTcpConnection::HandOut(const std::string& text) {
  handed_out_.push_back(std::make_unique<std::string>(text));
  return *handed_out_.back();
}

void FakeTcpConnection::ScrambleHandedOut() {
  for (auto& text : handed_out_) std::fill(text->begin(), text->end(), '#');
}

}  // namespace sallyport::shim

// The callbacks.

using sallyport::shim::Copy;
using sallyport::shim::CopyAll;
using sallyport::shim::FakeHandshake;
using sallyport::shim::FakeHttpFilterConfig;
using sallyport::shim::FakeNetworkFilterConfig;
using sallyport::shim::FakeStream;
using sallyport::shim::FakeTcpConnection;
using sallyport::shim::PostedEvents;
namespace sabi = sallyport::abi;

namespace {
std::string& BodyOf(FakeStream& stream, sabi::BodyType type) {
  return type == sabi::BodyType::kReceivedRequest ? stream.received_body
                                                  : stream.buffered_body;
}
}  // namespace

extern "C" {

void envoy_dynamic_module_callback_log(sabi::LogLevel level,
                                       sabi::ModuleBuffer message) {
  absl::MutexLock lock(&sallyport::shim::LogMutex());
  auto& state = sallyport::shim::Log();
  if (!state.capturing) {
    std::fprintf(stderr, "[log %u] %s\n", static_cast<unsigned>(level),
                 Copy(message).c_str());
    return;
  }
  if (level >= state.level) state.lines.push_back({level, Copy(message)});
}

bool envoy_dynamic_module_callback_log_enabled(sabi::LogLevel level) {
  absl::MutexLock lock(&sallyport::shim::LogMutex());
  auto& state = sallyport::shim::Log();
  return state.capturing ? level >= state.level
                         : level >= sabi::LogLevel::kWarning;
}

void envoy_dynamic_module_callback_cert_validator_set_error_details(
    sabi::CertValidatorCall* call, sabi::ModuleBuffer text) {
  FakeHandshake::From(call).error_details = Copy(text);
}

bool envoy_dynamic_module_callback_cert_validator_set_filter_state(
    sabi::CertValidatorCall* call, sabi::ModuleBuffer key,
    sabi::ModuleBuffer value) {
  FakeHandshake& handshake = FakeHandshake::From(call);
  if (handshake.throws) throw std::bad_alloc();
  if (handshake.connection == nullptr || key.ptr == nullptr ||
      value.ptr == nullptr) {
    return false;
  }
  auto& state = handshake.connection->filter_state;
  // Read-only: Envoy ends the process in a debug build when it is set twice.
  sallyport::shim::Check(state.count(Copy(key)) == 0,
                         "filter state is set a second time");
  state[Copy(key)] = Copy(value);
  return true;
}

size_t envoy_dynamic_module_callback_http_get_headers_size(
    sabi::HttpFilter* filter, sabi::HeaderMap map) {
  FakeStream& stream = FakeStream::From(filter);
  if (stream.throws) throw std::bad_alloc();
  return stream.MapFor(map).size();
}

bool envoy_dynamic_module_callback_http_get_headers(sabi::HttpFilter* filter,
                                                    sabi::HeaderMap map,
                                                    sabi::EnvoyHeader* out) {
  FakeStream& stream = FakeStream::From(filter);
  if (stream.fails_get_headers) return false;
  size_t i = 0;
  for (const auto& [key, value] : stream.MapFor(map)) {
    const absl::string_view k = stream.HandOut(key);
    const absl::string_view v = stream.HandOut(value);
    out[i++] = sabi::EnvoyHeader{k.data(), k.size(), v.data(), v.size()};
  }
  return true;
}

bool envoy_dynamic_module_callback_http_get_header(
    sabi::HttpFilter* filter, sabi::HeaderMap map, sabi::ModuleBuffer key,
    sabi::EnvoyBuffer* out_value, size_t index, size_t* out_count) {
  FakeStream& stream = FakeStream::From(filter);
  size_t count = 0;
  bool found = false;
  *out_value = {nullptr, 0};
  for (const auto& [k, v] : stream.MapFor(map)) {
    if (!absl::EqualsIgnoreCase(k, Copy(key))) continue;
    if (count++ == index) {
      const absl::string_view text = stream.HandOut(v);
      *out_value = {text.data(), text.size()};
      found = true;
    }
  }
  if (out_count != nullptr) *out_count = count;
  return found;
}

bool envoy_dynamic_module_callback_http_set_header(sabi::HttpFilter* filter,
                                                   sabi::HeaderMap map,
                                                   sabi::ModuleBuffer key,
                                                   sabi::ModuleBuffer value) {
  FakeStream& stream = FakeStream::From(filter);
  const std::string name = Copy(key);
  auto& headers = stream.MapFor(map);
  const bool remove = value.ptr == nullptr;
  const std::string text = Copy(value);
  stream.ScrambleHandedOut();
  headers.erase(std::remove_if(headers.begin(), headers.end(),
                               [&](const auto& header) {
                                 return absl::EqualsIgnoreCase(header.first,
                                                               name);
                               }),
                headers.end());
  if (!remove) headers.emplace_back(name, text);
  return true;
}

bool envoy_dynamic_module_callback_http_add_header(sabi::HttpFilter* filter,
                                                   sabi::HeaderMap map,
                                                   sabi::ModuleBuffer key,
                                                   sabi::ModuleBuffer value) {
  FakeStream& stream = FakeStream::From(filter);
  const std::string name = Copy(key);
  const std::string text = Copy(value);
  stream.ScrambleHandedOut();
  stream.MapFor(map).emplace_back(name, text);
  return true;
}

void envoy_dynamic_module_callback_http_send_response(
    sabi::HttpFilter* filter, uint32_t status_code, sabi::ModuleHeader* headers,
    size_t num_headers, sabi::ModuleBuffer body, sabi::ModuleBuffer details) {
  FakeStream& stream = FakeStream::From(filter);
  sallyport::shim::Check(!stream.response.has_value(), "two responses");
  FakeStream::Response response;
  response.status = status_code;
  for (size_t i = 0; i < num_headers; ++i) {
    response.headers.emplace_back(
        std::string(headers[i].key_ptr, headers[i].key_length),
        std::string(headers[i].value_ptr, headers[i].value_length));
  }
  response.body = Copy(body);
  response.details = Copy(details);
  stream.response = response;
}

void envoy_dynamic_module_callback_http_send_response_headers(
    sabi::HttpFilter* filter, sabi::ModuleHeader* headers, size_t num_headers,
    bool end_of_stream) {
  FakeStream& stream = FakeStream::From(filter);
  sallyport::shim::Check(!stream.response.has_value(), "two responses");
  FakeStream::Response response;
  for (size_t i = 0; i < num_headers; ++i) {
    const std::string name(headers[i].key_ptr, headers[i].key_length);
    const std::string value(headers[i].value_ptr, headers[i].value_length);
    if (name == ":status") {
      response.status = static_cast<uint32_t>(std::stoul(value));
    } else {
      response.headers.emplace_back(name, value);
    }
  }
  sallyport::shim::Check(response.status != 0, "a response without :status");
  stream.response = response;
  stream.response_ended = end_of_stream;
}

void envoy_dynamic_module_callback_http_send_response_data(
    sabi::HttpFilter* filter, sabi::ModuleBuffer data, bool end_of_stream) {
  FakeStream& stream = FakeStream::From(filter);
  sallyport::shim::Check(stream.response.has_value() && !stream.response_ended,
                         "data of no response");
  stream.response->body += Copy(data);
  stream.response_ended = end_of_stream;
}

bool envoy_dynamic_module_callback_http_get_filter_state_bytes(
    sabi::HttpFilter* filter, sabi::ModuleBuffer key,
    sabi::EnvoyBuffer* out_value) {
  FakeStream& stream = FakeStream::From(filter);
  const auto of_stream = stream.filter_state.find(Copy(key));
  if (of_stream != stream.filter_state.end()) {
    const absl::string_view text = stream.HandOut(of_stream->second);
    *out_value = {text.data(), text.size()};
    return true;
  }
  if (stream.connection == nullptr) return false;
  const auto it = stream.connection->filter_state.find(Copy(key));
  if (it == stream.connection->filter_state.end()) return false;
  const absl::string_view text = stream.HandOut(it->second);
  *out_value = {text.data(), text.size()};
  return true;
}

bool envoy_dynamic_module_callback_http_set_filter_state_bytes(
    sabi::HttpFilter* filter, sabi::ModuleBuffer key,
    sabi::ModuleBuffer value) {
  FakeStream& stream = FakeStream::From(filter);
  const std::string name = Copy(key);
  sallyport::shim::Check(stream.filter_state.count(name) == 0,
                         "filter state is set a second time");
  stream.filter_state[name] = Copy(value);
  stream.ScrambleHandedOut();
  return true;
}

sabi::CalloutStart envoy_dynamic_module_callback_http_filter_http_callout(
    sabi::HttpFilter* filter, uint64_t* out_callout_id,
    sabi::ModuleBuffer cluster, sabi::ModuleHeader* headers, size_t num_headers,
    sabi::ModuleBuffer body, uint64_t timeout_milliseconds) {
  FakeStream& stream = FakeStream::From(filter);
  if (stream.callout_start != sabi::CalloutStart::kSuccess) {
    return stream.callout_start;
  }
  FakeStream::Callout callout;
  callout.id = 100 + stream.callouts.size();
  callout.cluster = Copy(cluster);
  for (size_t i = 0; i < num_headers; ++i) {
    callout.headers.emplace_back(
        std::string(headers[i].key_ptr, headers[i].key_length),
        std::string(headers[i].value_ptr, headers[i].value_length));
  }
  callout.body = Copy(body);
  callout.timeout_ms = timeout_milliseconds;
  stream.callouts.push_back(callout);
  *out_callout_id = callout.id;
  if (stream.on_callout) stream.on_callout(callout);
  return sabi::CalloutStart::kSuccess;
}

void envoy_dynamic_module_callback_http_filter_continue_decoding(
    sabi::HttpFilter* filter) {
  ++FakeStream::From(filter).continued;
}

bool envoy_dynamic_module_callback_http_drain_body(sabi::HttpFilter* filter,
                                                   sabi::BodyType type,
                                                   size_t num_bytes) {
  std::string& body = BodyOf(FakeStream::From(filter), type);
  body.erase(0, num_bytes);
  return true;
}

size_t envoy_dynamic_module_callback_http_get_body_size(
    sabi::HttpFilter* filter, sabi::BodyType type) {
  return BodyOf(FakeStream::From(filter), type).size();
}

size_t envoy_dynamic_module_callback_http_get_body_chunks_size(
    sabi::HttpFilter* filter, sabi::BodyType type) {
  const size_t size = BodyOf(FakeStream::From(filter), type).size();
  return size > 1 ? 2 : size;
}

bool envoy_dynamic_module_callback_http_get_body_chunks(
    sabi::HttpFilter* filter, sabi::BodyType type, sabi::EnvoyBuffer* out) {
  const std::string& body = BodyOf(FakeStream::From(filter), type);
  if (body.empty()) return false;
  // In two pieces, if it has as many bytes.
  const size_t first = body.size() > 1 ? body.size() / 2 : 1;
  out[0] = {body.data(), first};
  if (body.size() > 1) out[1] = {body.data() + first, body.size() - first};
  return true;
}

void envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
    sabi::HttpFilter* filter, sabi::ModuleBuffer ns, sabi::ModuleBuffer key,
    sabi::ModuleBuffer value) {
  FakeStream& stream = FakeStream::From(filter);
  const std::string name = absl::StrCat(Copy(ns), ":", Copy(key));
  const std::string text = Copy(value);
  stream.ScrambleHandedOut();
  stream.metadata[name] = text;
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_bool(
    sabi::HttpFilter* filter, sabi::Attribute attribute, bool* out_value) {
  FakeStream& stream = FakeStream::From(filter);
  if (attribute != sabi::Attribute::kConnectionMtls ||
      stream.connection == nullptr || !stream.connection->mtls.has_value()) {
    return false;
  }
  *out_value = *stream.connection->mtls;
  return true;
}

bool envoy_dynamic_module_callback_http_filter_get_attribute_string(
    sabi::HttpFilter* filter, sabi::Attribute attribute,
    sabi::EnvoyBuffer* out_value) {
  FakeStream& stream = FakeStream::From(filter);
  if (attribute == sabi::Attribute::kSourceAddress ||
      attribute == sabi::Attribute::kRequestProtocol) {
    const absl::string_view known = stream.HandOut(
        attribute == sabi::Attribute::kSourceAddress ? stream.source_address
                                                     : stream.protocol);
    *out_value = {known.data(), known.size()};
    return !known.empty();
  }
  if (attribute != sabi::Attribute::kConnectionSha256PeerCertificate ||
      stream.connection == nullptr || stream.connection->peer_sha256.empty()) {
    return false;
  }
  const absl::string_view text = stream.HandOut(stream.connection->peer_sha256);
  *out_value = {text.data(), text.size()};
  return true;
}

const void* envoy_dynamic_module_callback_get_most_specific_route_config(
    sabi::HttpFilter* filter) {
  return FakeStream::From(filter).route_config;
}

void envoy_dynamic_module_callback_http_clear_route_cache(
    sabi::HttpFilter* filter) {
  FakeStream& stream = FakeStream::From(filter);
  ++stream.route_clears;
  if (stream.choose_route) stream.route_config = stream.choose_route(stream);
}

void envoy_dynamic_module_callback_http_filter_reset_stream(
    sabi::HttpFilter* filter, sabi::StreamReset /*reason*/,
    sabi::ModuleBuffer details) {
  FakeStream& stream = FakeStream::From(filter);
  sallyport::shim::Check(!stream.reset.has_value(), "two resets");
  stream.reset = Copy(details);
}

void envoy_dynamic_module_callback_http_filter_send_go_away_and_close(
    sabi::HttpFilter* filter, bool /*graceful*/) {
  FakeStream::From(filter).closed = true;
}

sabi::HttpFilterScheduler*
envoy_dynamic_module_callback_http_filter_scheduler_new(
    sabi::HttpFilter* filter) {
  FakeStream& stream = FakeStream::From(filter);
  if (stream.scheduler == nullptr) {
    stream.scheduler = std::make_shared<PostedEvents>();
  }
  return reinterpret_cast<sabi::HttpFilterScheduler*>(
      new std::shared_ptr<PostedEvents>(stream.scheduler));
}

void envoy_dynamic_module_callback_http_filter_scheduler_delete(
    sabi::HttpFilterScheduler* scheduler) {
  delete reinterpret_cast<std::shared_ptr<PostedEvents>*>(scheduler);
}

void envoy_dynamic_module_callback_http_filter_scheduler_commit(
    sabi::HttpFilterScheduler* scheduler, uint64_t event_id) {
  auto& fake = **reinterpret_cast<std::shared_ptr<PostedEvents>*>(scheduler);
  absl::MutexLock lock(&fake.mu);
  fake.events.push_back(event_id);
}

sabi::HttpFilterConfigScheduler*
envoy_dynamic_module_callback_http_filter_config_scheduler_new(
    sabi::HttpFilterConfig* config) {
  FakeHttpFilterConfig& fake = FakeHttpFilterConfig::From(config);
  if (fake.scheduler == nullptr) {
    fake.scheduler = std::make_shared<PostedEvents>();
  }
  return reinterpret_cast<sabi::HttpFilterConfigScheduler*>(
      new std::shared_ptr<PostedEvents>(fake.scheduler));
}

void envoy_dynamic_module_callback_http_filter_config_scheduler_delete(
    sabi::HttpFilterConfigScheduler* scheduler) {
  delete reinterpret_cast<std::shared_ptr<PostedEvents>*>(scheduler);
}

void envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
    sabi::HttpFilterConfigScheduler* scheduler, uint64_t event_id) {
  auto& fake = **reinterpret_cast<std::shared_ptr<PostedEvents>*>(scheduler);
  absl::MutexLock lock(&fake.mu);
  fake.events.push_back(event_id);
}

sabi::MetricsResult
envoy_dynamic_module_callback_http_filter_config_define_counter(
    sabi::HttpFilterConfig* config, sabi::ModuleBuffer name,
    sabi::ModuleBuffer* label_names, size_t num_labels, size_t* out_id) {
  FakeHttpFilterConfig& fake = FakeHttpFilterConfig::From(config);
  if (fake.frozen) return sabi::MetricsResult::kFrozen;
  fake.counters.push_back({Copy(name), CopyAll(label_names, num_labels), {}});
  *out_id = fake.counters.size();
  return sabi::MetricsResult::kSuccess;
}

sabi::MetricsResult envoy_dynamic_module_callback_http_filter_increment_counter(
    sabi::HttpFilter* filter, size_t id, sabi::ModuleBuffer* label_values,
    size_t num_labels, uint64_t value) {
  return envoy_dynamic_module_callback_http_filter_config_increment_counter(
      FakeStream::From(filter).config->config(), id, label_values, num_labels,
      value);
}

sabi::MetricsResult
envoy_dynamic_module_callback_http_filter_config_increment_counter(
    sabi::HttpFilterConfig* config, size_t id, sabi::ModuleBuffer* label_values,
    size_t num_labels, uint64_t value) {
  auto& counters = FakeHttpFilterConfig::From(config).counters;
  if (id == 0 || id > counters.size()) {
    return sabi::MetricsResult::kMetricNotFound;
  }
  auto& counter = counters[id - 1];
  if (counter.labels.size() != num_labels) {
    return sabi::MetricsResult::kInvalidLabels;
  }
  absl::MutexLock lock(&sallyport::shim::CounterMutex());
  counter.values[CopyAll(label_values, num_labels)] += value;
  return sabi::MetricsResult::kSuccess;
}

void envoy_dynamic_module_callback_network_filter_continue_reading(
    sabi::NetworkFilter* filter) {
  FakeTcpConnection::From(filter).BeginProxy();
}

void envoy_dynamic_module_callback_network_filter_inject_read_data(
    sabi::NetworkFilter* filter, sabi::ModuleBuffer data, bool end_stream) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (fake.closed_with.has_value()) return;
  sallyport::shim::Check(!end_stream, "the module ends no stream");
  if (fake.holds_back) return;
  const bool drops = !fake.proxy_began && fake.read_disabled_ > 0;
  fake.BeginProxy();
  if (!drops) fake.proxied += Copy(data);
}

bool envoy_dynamic_module_callback_network_filter_read_enabled(
    sabi::NetworkFilter* filter) {
  return FakeTcpConnection::From(filter).reads();
}

sabi::ReadDisableStatus
envoy_dynamic_module_callback_network_filter_read_disable(
    sabi::NetworkFilter* filter, bool disable) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  const bool before = fake.reads();
  if (disable) {
    ++fake.read_disabled_;
  } else {
    fake.UpstreamConnects();
  }
  if (before == fake.reads()) {
    return fake.reads() ? sabi::ReadDisableStatus::kNoTransition
                        : sabi::ReadDisableStatus::kStillReadDisabled;
  }
  return fake.reads() ? sabi::ReadDisableStatus::kTransitionedToReadEnabled
                      : sabi::ReadDisableStatus::kTransitionedToReadDisabled;
}

void envoy_dynamic_module_callback_network_filter_close_with_details(
    sabi::NetworkFilter* filter, sabi::CloseType type,
    sabi::ModuleBuffer details) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  sallyport::shim::Check(type == sabi::CloseType::kNoFlush,
                         "another way to close than at once");
  if (fake.closed_with.has_value()) return;
  fake.closed_with = Copy(details);
  if (fake.on_close) fake.on_close();
}

bool envoy_dynamic_module_callback_network_filter_is_ssl(
    sabi::NetworkFilter* filter) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (fake.throws) throw std::bad_alloc();
  return fake.is_ssl;
}

bool envoy_dynamic_module_callback_network_filter_get_requested_server_name(
    sabi::NetworkFilter* filter, sabi::EnvoyBuffer* out_name) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  const absl::string_view text = fake.HandOut(fake.server_name);
  *out_name = {text.data(), text.size()};
  return !text.empty();
}

bool envoy_dynamic_module_callback_network_filter_get_remote_address(
    sabi::NetworkFilter* filter, sabi::EnvoyBuffer* out_address,
    uint32_t* out_port) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  const absl::string_view text = fake.HandOut(fake.remote_address);
  *out_address = {text.data(), text.size()};
  *out_port = fake.remote_port;
  return !text.empty();
}

bool envoy_dynamic_module_callback_network_filter_get_local_address(
    sabi::NetworkFilter* filter, sabi::EnvoyBuffer* out_address,
    uint32_t* out_port) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  const absl::string_view text = fake.HandOut(fake.local_address);
  *out_address = {text.data(), text.size()};
  *out_port = fake.local_port;
  return !text.empty();
}

bool envoy_dynamic_module_callback_network_filter_get_attribute_bool(
    sabi::NetworkFilter* filter, sabi::Attribute attribute, bool* out_value) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (attribute != sabi::Attribute::kConnectionMtls ||
      fake.connection == nullptr || !fake.connection->mtls.has_value()) {
    return false;
  }
  *out_value = *fake.connection->mtls;
  return true;
}

bool envoy_dynamic_module_callback_network_filter_get_attribute_string(
    sabi::NetworkFilter* filter, sabi::Attribute attribute,
    sabi::EnvoyBuffer* out_value) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  std::string value;
  if (attribute == sabi::Attribute::kConnectionTlsVersion) {
    value = fake.tls_version;
  } else if (attribute == sabi::Attribute::kRequestId) {
    value = fake.proxy_began || fake.has_request_id ? "an id" : "";
  }
  if (value.empty()) return false;
  const absl::string_view text = fake.HandOut(value);
  *out_value = {text.data(), text.size()};
  return true;
}

bool envoy_dynamic_module_callback_network_get_filter_state_bytes(
    sabi::NetworkFilter* filter, sabi::ModuleBuffer key,
    sabi::EnvoyBuffer* out_value) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (fake.throws) throw std::bad_alloc();
  if (fake.connection == nullptr) return false;
  const auto it = fake.connection->filter_state.find(Copy(key));
  if (it == fake.connection->filter_state.end()) return false;
  const absl::string_view text = fake.HandOut(it->second);
  *out_value = {text.data(), text.size()};
  return true;
}

bool envoy_dynamic_module_callback_network_set_filter_state_bytes(
    sabi::NetworkFilter* filter, sabi::ModuleBuffer key,
    sabi::ModuleBuffer value) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (fake.connection == nullptr) return false;
  auto& state = fake.connection->filter_state;
  sallyport::shim::Check(state.count(Copy(key)) == 0,
                         "filter state is set a second time");
  const std::string text = Copy(value);
  fake.ScrambleHandedOut();
  state[Copy(key)] = text;
  return true;
}

void envoy_dynamic_module_callback_network_set_dynamic_metadata_string(
    sabi::NetworkFilter* filter, sabi::ModuleBuffer ns, sabi::ModuleBuffer key,
    sabi::ModuleBuffer value) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  const std::string name = absl::StrCat(Copy(ns), ":", Copy(key));
  const std::string text = Copy(value);
  fake.ScrambleHandedOut();
  fake.metadata[name] = text;
}

sabi::MetricsResult
envoy_dynamic_module_callback_network_filter_config_define_counter(
    sabi::NetworkFilterConfig* config, sabi::ModuleBuffer name,
    size_t* out_id) {
  FakeNetworkFilterConfig& fake = FakeNetworkFilterConfig::From(config);
  if (fake.frozen) return sabi::MetricsResult::kFrozen;
  fake.counters.push_back({Copy(name), 0});
  *out_id = fake.counters.size();
  return sabi::MetricsResult::kSuccess;
}

sabi::MetricsResult
envoy_dynamic_module_callback_network_filter_increment_counter(
    sabi::NetworkFilter* filter, size_t id, uint64_t value) {
  auto& counters = FakeNetworkFilterConfig::From(
                       FakeTcpConnection::From(filter).config->config())
                       .counters;
  if (id == 0 || id > counters.size()) {
    return sabi::MetricsResult::kMetricNotFound;
  }
  counters[id - 1].value += value;
  return sabi::MetricsResult::kSuccess;
}

sabi::NetworkFilterScheduler*
envoy_dynamic_module_callback_network_filter_scheduler_new(
    sabi::NetworkFilter* filter) {
  FakeTcpConnection& fake = FakeTcpConnection::From(filter);
  if (fake.has_no_worker) return nullptr;
  auto* scheduler =
      new std::shared_ptr<FakeTcpConnection::Wakeups>(fake.wakeups());
  absl::MutexLock lock(&(*scheduler)->mu);
  ++(*scheduler)->schedulers;
  return reinterpret_cast<sabi::NetworkFilterScheduler*>(scheduler);
}

void envoy_dynamic_module_callback_network_filter_scheduler_commit(
    sabi::NetworkFilterScheduler* scheduler, uint64_t event_id) {
  auto& wakeups =
      *reinterpret_cast<std::shared_ptr<FakeTcpConnection::Wakeups>*>(
          scheduler);
  absl::MutexLock lock(&wakeups->mu);
  wakeups->events.push_back(event_id);
}

void envoy_dynamic_module_callback_network_filter_scheduler_delete(
    sabi::NetworkFilterScheduler* scheduler) {
  auto* own =
      reinterpret_cast<std::shared_ptr<FakeTcpConnection::Wakeups>*>(scheduler);
  {
    absl::MutexLock lock(&(*own)->mu);
    --(*own)->schedulers;
  }
  delete own;
}

}  // extern "C"
