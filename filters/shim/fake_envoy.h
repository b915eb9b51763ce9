// A stand-in for Envoy in unit tests: it defines the
// envoy_dynamic_module_callback_* functions that the module calls, over plain
// objects that a test fills and reads. Hooks are called directly, in any order.
//
// Where Envoy punishes misuse with undefined behaviour (a buffer used after a
// setter, an object used after its end), the fake makes the mistake visible: a
// setter scrambles what earlier getters returned, and objects check that they
// are alive.

#ifndef SALLYPORT_FILTERS_SHIM_FAKE_ENVOY_H_
#define SALLYPORT_FILTERS_SHIM_FAKE_ENVOY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "filters/abi/abi.h"

namespace sallyport::shim {

// What is logged while this object lives, by any thread. One at a time.
class LogCapture {
 public:
  explicit LogCapture(abi::LogLevel level = abi::LogLevel::kTrace);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;

  struct Line {
    abi::LogLevel level;
    std::string text;
  };
  std::vector<Line> Lines() const;
  // Lines that contain `text`, at `level` if given.
  int Count(absl::string_view text,
            absl::optional<abi::LogLevel> level = absl::nullopt) const;
  // All lines, one after the other.
  std::string Text() const;
};

// A buffer as Envoy passes it to a hook; `text` must outlive it.
inline abi::EnvoyBuffer Envoy(absl::string_view text) {
  return abi::EnvoyBuffer{text.data(), text.size()};
}

// One downstream connection.
struct FakeConnection {
  // Filter state with the connection's life span.
  std::map<std::string, std::string> filter_state;
  // connection.mtls; absent: Envoy does not know.
  absl::optional<bool> mtls = true;
  // connection.sha256_peer_certificate_digest; empty: Envoy does not know.
  std::string peer_sha256;
};

// One call of do_verify_cert_chain.
class FakeHandshake {
 public:
  // A null connection: set_filter_state fails, as in Envoy.
  explicit FakeHandshake(FakeConnection* on);
  ~FakeHandshake();
  FakeHandshake(const FakeHandshake&) = delete;

  abi::CertValidatorCall* call() {
    return reinterpret_cast<abi::CertValidatorCall*>(this);
  }
  static FakeHandshake& From(abi::CertValidatorCall* call);

  FakeConnection* connection;
  std::string error_details;
  // set_filter_state throws, as if memory had run out.
  bool throws = false;

 private:
  uint64_t alive_;
};

// What schedulers of one object have posted; outlives the object, as Envoy's
// schedulers do: what is posted after its end does nothing.
struct PostedEvents;

// An HTTP filter's configuration in Envoy.
class FakeHttpFilterConfig {
 public:
  FakeHttpFilterConfig();
  ~FakeHttpFilterConfig();
  FakeHttpFilterConfig(const FakeHttpFilterConfig&) = delete;

  abi::HttpFilterConfig* config() {
    return reinterpret_cast<abi::HttpFilterConfig*>(this);
  }
  static FakeHttpFilterConfig& From(abi::HttpFilterConfig* config);

  struct Counter {
    std::string name;
    std::vector<std::string> labels;
    // By label values.
    std::map<std::vector<std::string>, uint64_t> values;
  };
  std::vector<Counter> counters;
  // Set by the test when config_new has returned: definitions then fail.
  bool frozen = false;

  // The value of one counter; 0 when it was never incremented.
  uint64_t Value(absl::string_view name,
                 const std::vector<std::string>& labels) const;
  // Event ids of commits that were not delivered yet; by any thread.
  std::vector<uint64_t> TakeEvents();

  // For the callbacks.
  std::shared_ptr<PostedEvents> scheduler;

 private:
  uint64_t alive_;
};

// One stream with its filter.
class FakeStream {
 public:
  FakeStream(FakeHttpFilterConfig* of, FakeConnection* on);
  ~FakeStream();
  FakeStream(const FakeStream&) = delete;

  abi::HttpFilter* filter() { return reinterpret_cast<abi::HttpFilter*>(this); }
  static FakeStream& From(abi::HttpFilter* filter);

  using Headers = std::vector<std::pair<std::string, std::string>>;
  Headers request_headers;
  Headers request_trailers;
  // What the body hook sees: what came with its call, and what earlier calls
  // had Envoy keep.
  std::string received_body;
  std::string buffered_body;
  // Filter state of the stream alone.
  std::map<std::string, std::string> filter_state;
  // source.address, request.protocol; empty: Envoy does not know.
  std::string source_address = "192.0.2.7:40000";
  std::string protocol = "HTTP/1.1";

  struct Response {
    uint32_t status = 0;
    Headers headers;
    std::string body;
    std::string details;
  };
  absl::optional<Response> response;
  // Of a response that was sent in pieces: the last one was.
  bool response_ended = false;
  // What was called out for, and what http_callout answers. `on_callout` runs
  // within it.
  struct Callout {
    uint64_t id = 0;
    std::string cluster;
    Headers headers;
    std::string body;
    uint64_t timeout_ms = 0;
  };
  std::vector<Callout> callouts;
  abi::CalloutStart callout_start = abi::CalloutStart::kSuccess;
  std::function<void(const Callout&)> on_callout;
  // Calls of continue_decoding.
  int continued = 0;
  // Details of reset_stream.
  absl::optional<std::string> reset;
  // Whether send_go_away_and_close was called.
  bool closed = false;
  // What per_route_config_new returned; null: the route has none.
  const void* route_config = nullptr;
  // Chooses `route_config` again after clear_route_cache; empty: it stays.
  std::function<const void*(const FakeStream&)> choose_route;
  // Calls of clear_route_cache.
  int route_clears = 0;
  // Event ids of commits that were not delivered yet; by any thread.
  std::vector<uint64_t> TakeEvents();
  // "ns:key" -> value.
  std::map<std::string, std::string> metadata;

  // All values of `name`.
  std::vector<std::string> Values(absl::string_view name) const;
  bool Has(absl::string_view name) const { return !Values(name).empty(); }

  FakeHttpFilterConfig* config;
  FakeConnection* connection;
  // get_headers fails; get_headers_size throws.
  bool fails_get_headers = false;
  bool throws = false;

  // For the callbacks.
  std::shared_ptr<PostedEvents> scheduler;
  // What getters handed out, scrambled by setters.
  Headers& MapFor(abi::HeaderMap map);
  absl::string_view HandOut(const std::string& text);
  void ScrambleHandedOut();

 private:
  std::vector<std::unique_ptr<std::string>> handed_out_;
  uint64_t alive_;
};

// A network filter's configuration in Envoy.
class FakeNetworkFilterConfig {
 public:
  FakeNetworkFilterConfig();
  ~FakeNetworkFilterConfig();
  FakeNetworkFilterConfig(const FakeNetworkFilterConfig&) = delete;

  abi::NetworkFilterConfig* config() {
    return reinterpret_cast<abi::NetworkFilterConfig*>(this);
  }
  static FakeNetworkFilterConfig& From(abi::NetworkFilterConfig* config);

  struct Counter {
    std::string name;
    uint64_t value = 0;
  };
  std::vector<Counter> counters;
  // Set by the test when config_new has returned: definitions then fail.
  bool frozen = false;

  // The value of one counter; 0 when there is none.
  uint64_t Value(absl::string_view name) const;
  // The sum of all.
  uint64_t Total() const;

 private:
  uint64_t alive_;
};

// One connection with its filter, and a tcp_proxy after it.
class FakeTcpConnection {
 public:
  FakeTcpConnection(FakeNetworkFilterConfig* of, FakeConnection* on);
  ~FakeTcpConnection();
  FakeTcpConnection(const FakeTcpConnection&) = delete;

  abi::NetworkFilter* filter() {
    return reinterpret_cast<abi::NetworkFilter*>(this);
  }
  static FakeTcpConnection& From(abi::NetworkFilter* filter);

  // As tcp_proxy without max_early_data_bytes is made: it has switched reading
  // off, and drops what comes before its upstream.
  void ProxyDisablesReads() { read_disabled_ = 1; }
  // What the proxy does when its upstream is there.
  void UpstreamConnects();

  FakeNetworkFilterConfig* config;
  FakeConnection* connection;
  bool is_ssl = true;
  std::string server_name = "db.example.com";
  std::string remote_address = "192.0.2.7";
  uint32_t remote_port = 40000;
  std::string local_address = "192.0.2.1";
  uint32_t local_port = 5432;
  std::string tls_version = "TLSv1.3";
  // Calls the hooks would throw in.
  bool throws = false;
  // A filter before the proxy holds data back: what is injected is lost.
  bool holds_back = false;
  // Something gave the connection an id before tcp_proxy does.
  bool has_request_id = false;
  // There is no worker to be woken on.
  bool has_no_worker = false;

  // What came of it.
  // Whether the filters after ours began.
  bool proxy_began = false;
  // What they were given.
  std::string proxied;
  absl::optional<std::string> closed_with;
  std::map<std::string, std::string> metadata;  // "ns:key" -> value
  bool reads() const { return read_disabled_ == 0; }
  // Events that were committed and not yet run, oldest first.
  std::vector<uint64_t> TakeScheduled();
  // Schedulers that exist.
  int num_schedulers() const;
  // Called within close_with_details, as Envoy calls the event hook.
  std::function<void()> on_close;
  // Called when the filters after ours begin.
  std::function<void()> on_proxy_begins;

  // For the callbacks.
  void BeginProxy();
  absl::string_view HandOut(const std::string& text);
  void ScrambleHandedOut();
  int read_disabled_ = 0;
  struct Wakeups;
  const std::shared_ptr<Wakeups>& wakeups() const { return wakeups_; }

 private:
  std::shared_ptr<Wakeups> wakeups_;
  std::vector<std::unique_ptr<std::string>> handed_out_;
  uint64_t alive_;
};

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_FAKE_ENVOY_H_
