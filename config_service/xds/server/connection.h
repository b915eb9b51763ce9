// Connection: one call of the discovery service: the gRPC side of a Stream.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CONNECTION_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CONNECTION_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/slice.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/authenticator.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/server/options.h"
#include "config_service/xds/server/pusher.h"
#include "config_service/xds/server/stream.h"

namespace sallyport::xds {

class Connection;

// Core: what the connections of a server share. Outlives them.
class Core {
 public:
  Core(const ServerOptions& options, Cache& cache, Ledger& ledger,
       const Authenticator& authenticator, const Clock& clock,
       std::function<void(absl::string_view)> log);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const ServerOptions& options() const { return options_; }
  Cache& cache() { return cache_; }
  Ledger& ledger() { return ledger_; }
  const Authenticator& authenticator() const { return authenticator_; }
  const Clock& clock() const { return clock_; }
  Pusher& pusher() { return pusher_; }
  void Log(absl::string_view line) const {
    if (log_) log_(line);
  }

  // RESOURCE_EXHAUSTED when there is no room for one more connection, or none
  // for one more of its certificate; each OK is answered by one Remove().
  absl::Status Add(const std::shared_ptr<Connection>& connection);
  void Remove(Connection* connection);
  // The same for the node that a connection without a certificate says it is
  // of; once for each.
  absl::Status AddOfNode(Connection* connection, const std::string& node);
  // The connection follows `fleet` from now on.
  void Follow(Connection* connection, const std::string& fleet);
  std::vector<std::shared_ptr<Connection>> Connections() const;
  // Waits until all are removed.
  void AwaitNone();
  // From now on, Add() is false.
  void Close();

  // Wakes some of those that are parked, if there is room.
  void Unpark();

  // Bytes that are sent and not answered, of all connections that count.
  bool HasRoom() const {
    return unanswered_bytes_.load(std::memory_order_relaxed) <
           options_.max_unanswered_bytes;
  }
  // A connection's share changes from `before` to `after`.
  void Count(size_t before, size_t after);
  // `connection` waits until there is room.
  void Park(const std::shared_ptr<Connection>& connection);

 private:
  // The connections of one node.
  struct OfNode {
    size_t streams = 0;
    bool logged = false;  // that it wanted more
  };

  void PushFleet(const std::string& fleet);
  void Tick();
  absl::Status TakePlace(Connection* connection, const std::string& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ServerOptions options_;
  Cache& cache_;
  Ledger& ledger_;
  const Authenticator& authenticator_;
  const Clock& clock_;
  const std::function<void(absl::string_view)> log_;

  std::atomic<size_t> unanswered_bytes_{0};
  std::atomic<size_t> num_parked_{0};

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<Connection*, std::shared_ptr<Connection>> connections_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<
      std::string,
      absl::flat_hash_map<Connection*, std::shared_ptr<Connection>>>
      followers_ ABSL_GUARDED_BY(mu_);
  // By the URIs of the certificate, or what the node says of itself.
  absl::flat_hash_map<std::string, OfNode> of_nodes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Connection*, std::string> node_of_ ABSL_GUARDED_BY(mu_);
  std::deque<std::weak_ptr<Connection>> parked_ ABSL_GUARDED_BY(mu_);
  Pusher pusher_;  // last: its thread uses the others
};

// Connection: gRPC calls its reactions from several threads; one lock guards
// the rest. gRPC's own functions are called with it held, which is safe: they
// do not run reactions in the caller's thread.
class Connection final : public grpc::ServerGenericBidiReactor,
                         public NodeConnection,
                         public std::enable_shared_from_this<Connection>,
                         private StreamObserver {
 public:
  // `context` is gRPC's, and valid until OnDone.
  Connection(Core& core, grpc::GenericCallbackServerContext* context,
             Stream::Form form);

  // The URIs of the peer's certificate; empty: it has none.
  std::string CertificateNames() const;

  // Begins to read. Once, after Core::Add.
  void Start();
  // Ends the call without an answer, as the options or the limits demand.
  void End(const grpc::Status& status, absl::string_view reason);

  // Ends the call if the authenticator does not take the node any more.
  void Reauthenticate();

  // Something was published, or there is room again.
  void Push();
  void Tick();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // NodeConnection.
  NodeStatus Status() const override;
  void WithStream(
      const std::function<void(const Stream&)>& look) const override;

 private:
  // StreamObserver.
  void OnRefused(const Refusal& refusal) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnRecovered(const ResourceKey& resource,
                   const std::string& version) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReadWhenAllowed(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnRequest(const grpc::Slice& slice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Identify(const Request& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PumpLater(absl::Time time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountUnanswered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellLedger(bool answered) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(const grpc::Status& status, absl::string_view reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  NodeStatus StatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Core& core_;
  const Stream::Form form_;
  const absl::Time created_;  // machine's clock
  const Peer peer_;

  mutable absl::Mutex mu_;
  // Null once the call is over.
  grpc::GenericCallbackServerContext* context_ ABSL_GUARDED_BY(mu_);
  grpc::ByteBuffer request_;   // gRPC's while a read is under way
  grpc::ByteBuffer response_;  // gRPC's while a write is under way
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time writing_since_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // What the call ends with once the write that is under way is done.
  grpc::Status deferred_status_ ABSL_GUARDED_BY(mu_);
  std::string end_reason_ ABSL_GUARDED_BY(mu_);

  // Who it is.
  uint64_t number_ ABSL_GUARDED_BY(mu_) = 0;  // 0: not identified yet
  NodeInfo info_ ABSL_GUARDED_BY(mu_);
  NodeClaim claim_ ABSL_GUARDED_BY(mu_);
  absl::Time connected_at_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Fleet> fleet_ ABSL_GUARDED_BY(mu_);
  // Null until the fleet has been published; the first request waits for that.
  std::unique_ptr<Stream> stream_ ABSL_GUARDED_BY(mu_);
  bool has_held_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Slice held_ ABSL_GUARDED_BY(mu_);

  // How fast it is read.
  double tokens_ ABSL_GUARDED_BY(mu_);
  absl::Time tokens_at_ ABSL_GUARDED_BY(mu_);

  // When it asked for a few names last, and whether a push is to come.
  absl::Time asked_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  bool pump_later_ ABSL_GUARDED_BY(mu_) = false;

  size_t counted_ ABSL_GUARDED_BY(mu_) = 0;  // its share of the core's bytes
  bool slow_ ABSL_GUARDED_BY(mu_) = false;
  bool parked_ ABSL_GUARDED_BY(mu_) = false;

  Sequence told_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  Sequence told_up_to_date_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t num_logged_refusals_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_CONNECTION_H_
