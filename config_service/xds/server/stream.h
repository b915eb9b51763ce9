// Stream: the state machine of one ADS stream, without a transport: requests
// as bytes in, responses out.
//
// What it does, of both forms of the protocol
// (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol):
//   - follows what its proxy subscribes to and has, by ids and stamps of the
//     fleet (four bytes for each resource);
//   - offers, one after another, the responses that are due: additions and
//     changes in the order of ResourceType, then removals in reverse;
//   - remembers what was sent and not answered, and what was refused: that is
//     not sent again until it changes, or the proxy asks for it anew;
//   - takes a refused response that had several resources apart, so that the
//     good ones get through and the bad one is named.
// No step depends on how many resources the proxy has, but for a request's own
// names, a wildcard that begins, and a state-of-the-world response that must
// hold everything.
//
// Deviations: a request of a state-of-the-world stream with an old nonce still
// counts as what the proxy wants now (it is the newest request there is). Types
// other than clusters and listeners have no implicit wildcard: a proxy that
// comes back without any name of a type left would be sent all of it.
//
// Not thread-safe: one lock of its owner's guards it. It takes its fleet's lock
// in its functions, and calls its observer without it.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_STREAM_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/cache/fleet.h"
#include "config_service/xds/cache/resource.h"
#include "config_service/xds/server/id_map.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/server/options.h"
#include "config_service/xds/server/request.h"

namespace sallyport::xds {

// A response: the parts, which are shared bytes, then the tail.
struct Response {
  // Part of resource->wire().
  struct Part {
    ResourcePtr resource;
    size_t offset = 0;
    size_t size = 0;
  };
  std::vector<Part> parts;
  std::string tail;

  ResourceType type = ResourceType::kCluster;
  size_t bytes = 0;  // of all

  // All in one piece, for tests.
  std::string Bytes() const;
};

// StreamObserver is told what happens; it must not call back.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void OnRefused(const Refusal& refusal) = 0;
  virtual void OnRecovered(const ResourceKey& resource,
                           const std::string& version) = 0;
};

// Where one resource stands that a proxy asked for, or was sent.
struct ResourceStatus {
  enum class State {
    kNotSent,   // there is one that it does not have yet
    kSent,      // `version` is on its way to it
    kAccepted,  // it has `version`, which is in force
    kRefused,   // `version`; of many refusals, only the newest have texts
    kAbsent,    // there is none
  };
  ResourceKey resource;
  State state = State::kNotSent;
  std::string version;                     // as State says; else empty
  std::string reason;                      // of a refusal
  absl::Time time = absl::InfinitePast();  // of a refusal
};

class Stream {
 public:
  enum class Form { kDelta, kStateOfTheWorld };

  // `fleet` must have been published: until then a stream has nothing to say,
  // so there is no point in having one. `observer` must outlive the stream.
  Stream(Form form, std::shared_ptr<Fleet> fleet, const StreamOptions& options,
         StreamObserver& observer);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // What a request asks of the transport.
  struct Accepted {
    // The request only asks for a few names, as a starting proxy does again and
    // again: more of its kind may follow at once.
    bool may_wait = false;
    // Bytes of responses that it answered.
    size_t answered_bytes = 0;
  };
  // A request, parsed by the function for the stream's form. An error ends the
  // stream with that status, whose message may be shown to the peer:
  // InvalidArgument, ResourceExhausted.
  absl::StatusOr<Accepted> OnRequest(const Request& request, absl::Time now);

  // The next response to send, or nothing when nothing is due or too much is
  // unanswered. What is returned counts as sent.
  std::optional<Response> NextResponse(absl::Time now);

  // See NodeStatus.
  Sequence sequence() const { return sequence_; }
  // Nothing is due or unanswered as of the last NextResponse.
  bool idle() const;
  size_t unanswered_bytes() const { return unanswered_bytes_; }
  // When the oldest unanswered response was sent; InfiniteFuture: none.
  absl::Time unanswered_since() const;
  const Fleet& fleet() const { return *fleet_; }

  // Whether the proxy has the resource as it is in force now: sent, and
  // answered (also by a refusal, see Refuses).
  bool Has(const ResourceKey& key) const;
  // Whether it refuses the resource as it is in force now.
  bool Refuses(const ResourceKey& key) const;
  size_t num_refusals() const;

  // All that the proxy asked for by name, and all that it was sent; by type.
  // Takes time, and holds the fleet's lock, for each of them.
  std::vector<ResourceStatus> Resources() const;

  // Fills in what a NodeStatus has from here: types, refusals, sequence and
  // the numbers of requests and responses.
  void FillStatus(NodeStatus* status) const;

 private:
  // A value of TypeState::known: what the proxy has of a resource, and whether
  // it asked for it by name. Below kFirstStamp:
  static constexpr uint32_t kUnknown = 0;  // nothing, and it is not asked for
  static constexpr uint32_t kWanted = 1;   // something else than it should
  static constexpr uint32_t kAbsent = 2;   // it was told that there is none
  static constexpr uint32_t kByName = 0x80000000;  // added to the others
  static uint32_t HasOf(uint32_t known) { return known & ~kByName; }

  // Where reading a type's log has come to.
  struct Cursor {
    uint64_t position = 0;
    // Entries of the table that are to be looked at before the log.
    ResourceId scan_next = 0;
    ResourceId scan_end = 0;
    bool scanning() const { return scan_next < scan_end; }
  };

  // Stands for a whole state-of-the-world response among the refusals.
  static constexpr ResourceId kEverything = 0xffffffff;

  // A resource in a response that was sent.
  struct Sent {
    ResourceId id = 0;
    Stamp stamp = 0;
    ResourcePtr resource;
  };
  struct Unanswered {
    uint64_t nonce = 0;
    size_t bytes = 0;
    absl::Time time;
    uint64_t store_revision = 0;
    std::string version;  // of the whole, in the state of the world
    std::vector<Sent> sent;
  };

  struct TypeState {
    bool requested = false;
    bool wildcard = false;
    bool owes_first = false;  // a first response, even without anything in it
    size_t num_by_name = 0;
    IdMap known;
    size_t num_sent = 0;  // ids of which the proxy was sent something
    absl::Time last_acknowledged = absl::InfinitePast();
    // Names that were asked for, to be looked at before the log.
    std::vector<ResourceId> asked;
    size_t asked_next = 0;
    Cursor additions;
    Cursor removals;
    // Ids to be sent, each group in one response.
    std::deque<std::vector<ResourceId>> ready;
    // Ids without a resource that the fleet keeps for this stream: names that
    // were asked for, or that the proxy says it has.
    absl::flat_hash_set<ResourceId> watched;
    std::deque<Unanswered> unanswered;
    // What is refused, and the stamp that is.
    absl::flat_hash_map<ResourceId, Stamp> refused;
    // State of the world: a hash of the names that were asked for last, and
    // whether there ever were any.
    uint64_t names_hash = 0;
    bool named_before = false;
  };

  // A refusal with its text.
  struct Detail {
    ResourceType type;
    ResourceId id;
    Refusal refusal;
  };

  TypeState& state(ResourceType type) {
    return types_[static_cast<size_t>(type)];
  }
  const TypeState& state(ResourceType type) const {
    return types_[static_cast<size_t>(type)];
  }

  static void SetKnown(TypeState& t, ResourceId id, uint32_t known);

  // Requests.
  void Begin(FleetView& view, ResourceType type);
  void BeginWildcard(FleetView& view, ResourceType type);
  void EndWildcard(FleetView& view, ResourceType type);
  absl::Status Subscribe(FleetView& view, ResourceType type,
                         absl::string_view name);
  void Unsubscribe(FleetView& view, ResourceType type, ResourceId id);
  absl::Status OnDelta(FleetView& view, ResourceType type,
                       const Request& request, bool first);
  absl::Status OnSotw(FleetView& view, ResourceType type,
                      const Request& request, bool first);
  absl::Status TakeVersion(FleetView& view, ResourceType type,
                           absl::string_view name, absl::string_view version);
  void HadBefore(FleetView& view, ResourceType type, absl::string_view name);
  void Ask(FleetView& view, ResourceType type, ResourceId id);
  void Watch(FleetView& view, ResourceType type, ResourceId id);
  ResourceId WatchName(FleetView& view, ResourceType type,
                       absl::string_view name);
  void Unwatch(FleetView& view, ResourceType type, ResourceId id);
  absl::Status CheckWatched() const;

  // Answers.
  size_t OnAnswer(ResourceType type, const Request& request, absl::Time now);
  void OnRefusal(ResourceType type, const Unanswered& answered,
                 absl::string_view message, absl::Time now);
  void OnAcceptance(ResourceType type, const Unanswered& answered);
  void Refuse(ResourceType type, ResourceId id, Stamp stamp, Refusal refusal);
  void ForgetRefusal(ResourceType type, ResourceId id,
                     const std::string& version);
  void UpdateSequence();
  void TellObserver();

  // Responses.
  bool SendsEverything(ResourceType type) const;
  bool Blocked(ResourceType type) const;
  bool IsDue(const FleetView& view, ResourceType type, ResourceId id) const;
  bool IsAbsentDue(const FleetView& view, ResourceType type,
                   ResourceId id) const;
  bool IsRemovalDue(const FleetView& view, ResourceType type,
                    ResourceId id) const;
  // Where the cursor stands: first what is to be scanned, then the log; nothing
  // at the end. A cursor that the log was cut past begins to scan.
  static std::optional<ResourceId> At(const FleetView& view, ResourceType type,
                                      Cursor& cursor);
  static void Advance(Cursor& cursor);
  // The next id that something is due for; what is before it is passed over.
  std::optional<ResourceId> PeekAddition(FleetView& view, ResourceType type);
  void TakeAddition(ResourceType type);
  std::optional<ResourceId> PeekRemoval(FleetView& view, ResourceType type);
  void TakeRemoval(ResourceType type);
  void Gather(FleetView& view, ResourceType type,
              std::vector<std::string>* absent);
  void MarkRemoved(FleetView& view, ResourceType type, ResourceId id);
  // What is due, if anything; sets *blocked when it may not be sent yet.
  std::optional<Response> Additions(FleetView& view, ResourceType type,
                                    absl::Time now, bool* blocked);
  std::optional<Response> Removals(FleetView& view, ResourceType type,
                                   absl::Time now, bool* blocked);
  Response Everything(FleetView& view, ResourceType type, absl::Time now);
  Response Compose(FleetView& view, ResourceType type,
                   const std::vector<ResourceId>& ids,
                   const std::vector<std::string>& removed, absl::Time now);

  const Form form_;
  const std::shared_ptr<Fleet> fleet_;
  const StreamOptions options_;
  StreamObserver& observer_;

  FleetReader reader_;
  std::array<TypeState, kNumResourceTypes> types_;
  uint64_t last_nonce_ = 0;
  size_t unanswered_bytes_ = 0;
  size_t num_unanswered_ = 0;
  size_t num_watched_ = 0;
  size_t watched_bytes_ = 0;  // of their names
  std::deque<Detail> details_;
  // What the observer is told once no lock is held.
  std::vector<Refusal> refused_now_;
  std::vector<std::pair<ResourceKey, std::string>> recovered_now_;

  // Everything up to `sequence` is in responses up to `nonce`.
  struct Checkpoint {
    Sequence sequence;
    uint64_t nonce;
  };
  std::deque<Checkpoint> checkpoints_;
  Sequence sequence_ = 0;
  bool all_sent_ = false;
  absl::Time began_ = absl::InfiniteFuture();  // the first request

  uint64_t num_requests_ = 0;
  uint64_t num_responses_ = 0;
  uint64_t num_refused_responses_ = 0;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_STREAM_H_
