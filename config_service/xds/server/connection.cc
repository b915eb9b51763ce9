#include "config_service/xds/server/connection.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/text.h"
#include "config_service/xds/server/request.h"

namespace sallyport::xds {
namespace {

constexpr absl::Duration kTick = absl::Seconds(1);

// A response of no more than this is copied into one piece, which costs less
// than references to the shared ones.
constexpr size_t kCopyUpTo = 2048;

// Texts of a node that are shown.
constexpr size_t kMaxNodeTextBytes = 200;

// Refusals of one connection that are logged; the ledger counts them all.
constexpr uint64_t kMaxLoggedRefusals = 1000;

// Parked connections that are woken when there is room again.
constexpr size_t kUnparkAtOnce = 16;

// A gRPC slice of a resource's shared bytes.
class SliceWrapper final : public Wrapper {
 public:
  explicit SliceWrapper(const SharedBytes& bytes)
      : slice_(
            const_cast<char*>(bytes->data()), bytes->size(),
            [](void* held) { delete static_cast<SharedBytes*>(held); },
            new SharedBytes(bytes)) {}
  const grpc::Slice& slice() const { return slice_; }

 private:
  const grpc::Slice slice_;
};

const grpc::Slice& SliceOf(const Resource& resource) {
  const Wrapper* wrapper = resource.wrapper();
  if (wrapper == nullptr) {
    wrapper =
        resource.SetWrapper(std::make_unique<SliceWrapper>(resource.wire()));
  }
  return static_cast<const SliceWrapper*>(wrapper)->slice();
}

grpc::ByteBuffer Buffer(const Response& response) {
  if (response.bytes <= kCopyUpTo) {
    const grpc::Slice slice(response.Bytes());
    return grpc::ByteBuffer(&slice, 1);
  }
  std::vector<grpc::Slice> slices;
  slices.reserve(response.parts.size() + 1);
  for (const Response::Part& part : response.parts) {
    const grpc::Slice& whole = SliceOf(*part.resource);
    if (part.size == whole.size()) {
      slices.push_back(whole);
    } else {
      slices.push_back(whole.sub(part.offset, part.offset + part.size));
    }
  }
  slices.emplace_back(response.tail);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::string_view View(const grpc::Slice& slice) {
  return absl::string_view(reinterpret_cast<const char*>(slice.begin()),
                           slice.size());
}

Peer PeerOf(const grpc::GenericCallbackServerContext& context) {
  Peer peer;
  // gRPC writes the brackets of IPv6 addresses in percent form.
  peer.address =
      absl::StrReplaceAll(context.peer(), {{"%5B", "["}, {"%5D", "]"}});
  const auto auth = context.auth_context();
  if (auth == nullptr) return peer;
  const auto certificates =
      auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  // The port demands a certificate that its roots verify, so that one that is
  // there is a good one.
  peer.authenticated = !certificates.empty();
  if (peer.authenticated) {
    peer.certificate_pem.assign(certificates.front().data(),
                                certificates.front().size());
  }
  for (const grpc::string_ref& uri :
       auth->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    peer.uris.emplace_back(uri.data(), uri.size());
  }
  return peer;
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

}  // namespace

Core::Core(const ServerOptions& options, Cache& cache, Ledger& ledger,
           const Authenticator& authenticator, const Clock& clock,
           std::function<void(absl::string_view)> log)
    : options_(options),
      cache_(cache),
      ledger_(ledger),
      authenticator_(authenticator),
      clock_(clock),
      log_(std::move(log)),
      pusher_([this](const std::string& fleet) { PushFleet(fleet); },
              [this] { Tick(); }, kTick) {}

Core::~Core() { pusher_.Stop(); }

absl::Status Core::Add(const std::shared_ptr<Connection>& connection) {
  const std::string names = connection->CertificateNames();
  absl::MutexLock lock(&mu_);
  if (closed_) return absl::UnavailableError("The config service is stopping.");
  if (connections_.size() >= options_.max_streams) {
    ledger_.RefusedStream();
    return absl::ResourceExhaustedError("There are too many nodes.");
  }
  if (!names.empty()) {
    const absl::Status status = TakePlace(connection.get(), names);
    if (!status.ok()) return status;
  }
  connections_.emplace(connection.get(), connection);
  return absl::OkStatus();
}

absl::Status Core::AddOfNode(Connection* connection, const std::string& node) {
  absl::MutexLock lock(&mu_);
  return TakePlace(connection, node);
}

absl::Status Core::TakePlace(Connection* connection, const std::string& node) {
  OfNode& of = of_nodes_[node];
  if (of.streams < options_.max_streams_of_node) {
    ++of.streams;
    node_of_[connection] = node;
    return absl::OkStatus();
  }
  ledger_.RefusedStream();
  // Whoever tries again and again does not fill the log.
  if (!of.logged) {
    Log(absl::StrCat("xds: ", Printable(node), " has ", of.streams,
                     " streams open, as many as a node may have "
                     "(--node-streams); more are refused"));
  }
  of.logged = true;
  return absl::ResourceExhaustedError(absl::StrCat(
      "The node has ", of.streams, " streams open, as many as one may have."));
}

void Core::Remove(Connection* connection) {
  absl::MutexLock lock(&mu_);
  for (auto fleet = followers_.begin(); fleet != followers_.end(); ++fleet) {
    if (fleet->second.erase(connection) == 0) continue;
    if (fleet->second.empty()) followers_.erase(fleet);
    break;
  }
  const auto node = node_of_.find(connection);
  if (node != node_of_.end()) {
    const auto of = of_nodes_.find(node->second);
    if (--of->second.streams == 0) of_nodes_.erase(of);
    node_of_.erase(node);
  }
  connections_.erase(connection);
}

void Core::Follow(Connection* connection, const std::string& fleet) {
  absl::MutexLock lock(&mu_);
  followers_[fleet].emplace(connection, connections_.at(connection));
}

std::vector<std::shared_ptr<Connection>> Core::Connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  absl::MutexLock lock(&mu_);
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

void Core::AwaitNone() {
  absl::MutexLock lock(&mu_);
  const auto none = [this]() { return connections_.empty(); };
  mu_.Await(absl::Condition(&none));
}

void Core::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

void Core::Count(size_t before, size_t after) {
  if (after >= before) {
    unanswered_bytes_.fetch_add(after - before, std::memory_order_relaxed);
    return;
  }
  unanswered_bytes_.fetch_sub(before - after, std::memory_order_relaxed);
  Unpark();
}

void Core::Unpark() {
  if (num_parked_.load(std::memory_order_acquire) == 0 || !HasRoom()) return;
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < kUnparkAtOnce && !parked_.empty(); ++i) {
    pusher_.RunAt(absl::InfinitePast(), [weak = parked_.front()] {
      if (const auto connection = weak.lock()) connection->Push();
    });
    parked_.pop_front();
  }
  num_parked_.store(parked_.size(), std::memory_order_release);
}

void Core::Park(const std::shared_ptr<Connection>& connection) {
  absl::MutexLock lock(&mu_);
  parked_.push_back(connection);
  num_parked_.store(parked_.size(), std::memory_order_release);
}

void Core::PushFleet(const std::string& fleet) {
  std::vector<std::shared_ptr<Connection>> connections;
  {
    absl::MutexLock lock(&mu_);
    const auto found = followers_.find(fleet);
    if (found == followers_.end()) return;
    connections.reserve(found->second.size());
    for (const auto& [key, connection] : found->second) {
      connections.push_back(connection);
    }
  }
  for (const auto& connection : connections) connection->Push();
}

void Core::Tick() {
  for (const auto& connection : Connections()) connection->Tick();
  // Room may have come while somebody was being parked.
  Unpark();
}

Connection::Connection(Core& core, grpc::GenericCallbackServerContext* context,
                       Stream::Form form)
    : core_(core),
      form_(form),
      created_(absl::Now()),
      peer_(PeerOf(*context)),
      context_(context),
      tokens_(static_cast<double>(core.options().request_burst)),
      tokens_at_(created_) {}

std::string Connection::CertificateNames() const {
  return peer_.authenticated ? absl::StrJoin(peer_.uris, " ") : "";
}

void Connection::Start() {
  absl::MutexLock lock(&mu_);
  Read();
}

void Connection::Read() { StartRead(&request_); }

void Connection::ReadWhenAllowed(absl::Time now) {
  const double rate = static_cast<double>(core_.options().requests_per_second);
  tokens_ = std::min(static_cast<double>(core_.options().request_burst),
                     tokens_ + absl::ToDoubleSeconds(now - tokens_at_) * rate);
  tokens_at_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) {
    Read();
    return;
  }
  core_.pusher().RunAt(now + absl::Seconds(-tokens_ / rate),
                       [weak = weak_from_this()] {
                         const auto self = weak.lock();
                         if (self == nullptr) return;
                         absl::MutexLock lock(&self->mu_);
                         if (!self->ended_) self->Read();
                       });
}

void Connection::OnReadDone(bool ok) {
  absl::MutexLock lock(&mu_);
  if (!ok) {
    EndLocked(grpc::Status::OK, "the node closed the stream");
    return;
  }
  if (ended_) return;
  grpc::Slice slice;
  if (!request_.TrySingleSlice(&slice).ok() &&
      !request_.DumpToSingleSlice(&slice).ok()) {
    EndLocked(grpc::Status(grpc::StatusCode::INTERNAL, ""),
              "a request could not be read");
    return;
  }
  request_.Clear();
  OnRequest(slice);
}

void Connection::OnRequest(const grpc::Slice& slice) {
  const absl::StatusOr<Request> request = form_ == Stream::Form::kDelta
                                              ? ParseDeltaRequest(View(slice))
                                              : ParseSotwRequest(View(slice));
  if (!request.ok()) {
    EndLocked(ToGrpc(request.status()), request.status().message());
    return;
  }
  if (number_ == 0) {
    if (!Identify(*request).ok()) return;
  } else if (request->has_node && (request->node.id != claim_.id ||
                                   request->node.cluster != claim_.cluster)) {
    EndLocked(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                           "The node changed within one stream."),
              "it changed its node's id or cluster");
    return;
  }
  if (stream_ == nullptr) {
    if (fleet_->sequence() == 0) {
      // Nothing is known of this fleet yet, not even what is not there. The
      // first publication comes to Push().
      held_ = slice;
      has_held_ = true;
      return;
    }
    stream_ = std::make_unique<Stream>(form_, fleet_, core_.options().stream,
                                       static_cast<StreamObserver&>(*this));
  }

  const absl::Time now = absl::Now();
  const absl::StatusOr<Stream::Accepted> accepted =
      stream_->OnRequest(*request, core_.clock().Now());
  if (!accepted.ok()) {
    EndLocked(ToGrpc(accepted.status()), accepted.status().message());
    return;
  }
  if (accepted->answered_bytes > 0) {
    slow_ = false;
    if (request->refused) core_.ledger().RefusedResponse();
    CountUnanswered();
  }
  const absl::Duration gather = core_.options().gather;
  const bool one_of_many = accepted->may_wait && now - asked_at_ <= gather;
  if (accepted->may_wait) asked_at_ = now;
  if (one_of_many) {
    PumpLater(now + gather);
  } else {
    Pump();
  }
  if (stream_ == nullptr) return;
  TellLedger(accepted->answered_bytes > 0);
  ReadWhenAllowed(now);
}

absl::Status Connection::Identify(const Request& request) {
  claim_.id = std::string(request.node.id);
  claim_.cluster = std::string(request.node.cluster);
  const absl::StatusOr<NodeIdentity> identity =
      core_.authenticator().Identify(peer_, claim_);
  if (!identity.ok()) {
    core_.Log(absl::StrCat("xds: ", Printable(peer_.address),
                           " is refused: ", identity.status().message()));
    // Why is the operator's to know.
    EndLocked(
        grpc::Status(static_cast<grpc::StatusCode>(identity.status().code()),
                     "The node is not accepted."),
        identity.status().message());
    return identity.status();
  }
  absl::StatusOr<std::shared_ptr<Fleet>> fleet =
      core_.cache().GetFleet(identity->fleet);
  if (!fleet.ok()) {
    EndLocked(ToGrpc(fleet.status()), fleet.status().message());
    return fleet.status();
  }
  if (CertificateNames().empty()) {
    const absl::Status place = core_.AddOfNode(
        this, absl::StrCat(identity->fleet, "/", identity->name));
    if (!place.ok()) {
      EndLocked(ToGrpc(place), place.message());
      return place;
    }
  }
  fleet_ = *std::move(fleet);
  info_.name = identity->name;
  info_.fleet = identity->fleet;
  info_.cluster = Printable(claim_.cluster, kMaxNodeTextBytes);
  info_.user_agent =
      Printable(absl::StrCat(request.node.user_agent_name,
                             request.node.user_agent_version.empty() ? "" : " ",
                             request.node.user_agent_version),
                kMaxNodeTextBytes);
  info_.address = Printable(peer_.address, kMaxNodeTextBytes);
  connected_at_ = core_.clock().Now();
  number_ = core_.ledger().NewConnectionNumber();
  core_.Follow(this, info_.fleet);
  core_.ledger().Connected(number_, shared_from_this(), info_);
  core_.Log(absl::StrCat("xds: node ", info_.name, " of fleet ", info_.fleet,
                         " connected from ", info_.address));
  return absl::OkStatus();
}

void Connection::Reauthenticate() {
  absl::MutexLock lock(&mu_);
  // Whoever has not said yet who they are is asked when they do.
  if (ended_ || number_ == 0) return;
  const absl::Status status =
      core_.authenticator().Identify(peer_, claim_).status();
  if (status.ok()) return;
  EndLocked(grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                         "The node is not accepted."),
            status.message());
  // What is being written does not arrive any more.
  if (writing_ && context_ != nullptr) context_->TryCancel();
}

void Connection::Push() {
  absl::MutexLock lock(&mu_);
  if (ended_) return;
  if (stream_ == nullptr) {
    if (!has_held_ || fleet_->sequence() == 0) return;
    const grpc::Slice held = std::move(held_);
    has_held_ = false;
    OnRequest(held);
    return;
  }
  parked_ = false;
  Pump();
  TellLedger(false);
}

void Connection::PumpLater(absl::Time time) {
  if (pump_later_) return;
  pump_later_ = true;
  core_.pusher().RunAt(time, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    absl::MutexLock lock(&self->mu_);
    self->pump_later_ = false;
    if (self->ended_ || self->stream_ == nullptr) return;
    self->Pump();
    self->TellLedger(false);
  });
}

void Connection::Pump() {
  if (ended_ || writing_ || stream_ == nullptr) return;
  if (slow_ && stream_->unanswered_bytes() > 0) return;
  if (!core_.HasRoom() && stream_->unanswered_bytes() > 0) return;
  if (!core_.HasRoom()) {
    // Others have to answer first.
    if (!parked_) core_.Park(shared_from_this());
    parked_ = true;
    return;
  }
  const std::optional<Response> response =
      stream_->NextResponse(core_.clock().Now());
  if (!response.has_value()) return;
  response_ = Buffer(*response);
  writing_ = true;
  writing_since_ = absl::Now();
  CountUnanswered();
  StartWrite(&response_);
}

void Connection::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  response_.Clear();
  if (ended_) {
    Finish(deferred_status_);
    return;
  }
  if (!ok) {
    EndLocked(grpc::Status::CANCELLED, "the connection broke");
    return;
  }
  Pump();
  if (stream_ != nullptr) TellLedger(false);
}

void Connection::OnCancel() {
  absl::MutexLock lock(&mu_);
  EndLocked(grpc::Status::CANCELLED, "the connection ended");
}

void Connection::End(const grpc::Status& status, absl::string_view reason) {
  absl::MutexLock lock(&mu_);
  EndLocked(status, reason);
}

void Connection::EndLocked(const grpc::Status& status,
                           absl::string_view reason) {
  if (ended_) return;
  ended_ = true;
  // The first reason counts, as when this server cancelled the call.
  if (end_reason_.empty()) end_reason_ = Printable(reason, kMaxNodeTextBytes);
  if (writing_) {
    deferred_status_ = status;
  } else {
    Finish(status);
  }
}

void Connection::OnDone() {
  const std::shared_ptr<Connection> self = shared_from_this();
  {
    absl::MutexLock lock(&mu_);
    context_ = nullptr;
    ended_ = true;
    if (number_ != 0) {
      core_.ledger().Disconnected(number_, StatusLocked());
      core_.Log(absl::StrCat("xds: node ", info_.name, " of fleet ",
                             info_.fleet, " left: ", end_reason_));
    }
    stream_.reset();
    core_.Count(counted_, 0);
    counted_ = 0;
  }
  core_.Remove(this);
}

void Connection::Tick() {
  absl::MutexLock lock(&mu_);
  if (context_ == nullptr || ended_) return;
  const ServerOptions& options = core_.options();
  const absl::Time now = absl::Now();
  if (number_ == 0 && now - created_ > options.first_request_timeout) {
    end_reason_ = "it did not identify itself in time";
    context_->TryCancel();
    return;
  }
  if (writing_ && now - writing_since_ > options.stalled_after) {
    end_reason_ = "it does not read what it is sent";
    context_->TryCancel();
    return;
  }
  if (stream_ == nullptr) return;
  if (!slow_ &&
      core_.clock().Now() - stream_->unanswered_since() > options.slow_after) {
    slow_ = true;
    CountUnanswered();
  }
  if (stream_->sequence() == 0) {
    Pump();
    TellLedger(false);
  }
}

void Connection::CountUnanswered() {
  const size_t bytes = slow_ ? 0 : stream_->unanswered_bytes();
  if (bytes == counted_) return;
  const size_t before = counted_;
  counted_ = bytes;
  core_.Count(before, bytes);
}

void Connection::TellLedger(bool answered) {
  const Sequence sequence = stream_->sequence();
  if (answered || sequence != told_sequence_) {
    told_sequence_ = sequence;
    core_.ledger().Progressed(number_, info_);
  }
  if (sequence != told_up_to_date_ && stream_->idle() &&
      sequence == fleet_->sequence()) {
    told_up_to_date_ = sequence;
    core_.ledger().UpToDate(number_, info_, sequence,
                            fleet_->RevisionAt(sequence));
  }
}

void Connection::OnRefused(const Refusal& refusal) {
  core_.ledger().Refused(number_, info_, refusal);
  if (++num_logged_refusals_ > kMaxLoggedRefusals) return;
  core_.Log(absl::StrCat("xds: node ", info_.name, " of fleet ", info_.fleet,
                         " refuses ", TypeName(refusal.resource.type), " \"",
                         Printable(refusal.resource.name), "\" version ",
                         refusal.version, ": ", refusal.reason));
}

void Connection::OnRecovered(const ResourceKey& resource,
                             const std::string& version) {
  core_.ledger().Recovered(number_, info_, resource, version);
}

NodeStatus Connection::StatusLocked() const {
  NodeStatus status;
  status.connection = number_;
  status.info = info_;
  status.connected = true;
  status.connected_at = connected_at_;
  status.disconnect_reason = end_reason_;
  status.delta = form_ == Stream::Form::kDelta;
  if (stream_ != nullptr) {
    stream_->FillStatus(&status);
  } else if (fleet_ != nullptr) {
    status.behind = fleet_->sequence();
  }
  return status;
}

NodeStatus Connection::Status() const {
  absl::MutexLock lock(&mu_);
  return StatusLocked();
}

void Connection::WithStream(
    const std::function<void(const Stream&)>& look) const {
  absl::MutexLock lock(&mu_);
  if (stream_ != nullptr) look(*stream_);
}

}  // namespace sallyport::xds
