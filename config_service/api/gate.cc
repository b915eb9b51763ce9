#include "config_service/api/gate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/api/errors.h"
#include "config_service/api/limits.h"
#include "config_service/domain/violations.h"
#include "pki/crypto/crypto.h"

namespace sallyport::api {
namespace {

constexpr absl::string_view kRequestIdHeader = "x-request-id";
constexpr absl::string_view kAuthorizationHeader = "authorization";
constexpr absl::string_view kBearer = "bearer ";
// gRPC's names for what a verified client certificate has.
constexpr char kTransportSecurity[] = "transport_security_type";
constexpr char kPeerUri[] = "peer_uri";
constexpr size_t kRequestIdBytes = 8;

absl::Status Unauthenticated(absl::string_view why) {
  return domain::MakeError(domain::Reason::kCredentialsMissing, why);
}

bool IsRequestId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdLength &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '_' || c == '.';
         });
}

std::string RequestId(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find(
      grpc::string_ref(kRequestIdHeader.data(), kRequestIdHeader.size()));
  if (it != metadata.end()) {
    const absl::string_view id(it->second.data(), it->second.size());
    if (IsRequestId(id)) return std::string(id);
  }
  return HexLower(pki::RandomBytes(kRequestIdBytes));
}

// The URIs of the client's certificate, which gRPC verified.
std::vector<std::string> CertificateUris(const grpc::ServerContext& context) {
  std::vector<std::string> out;
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return out;
  const auto types = auth->FindPropertyValues(kTransportSecurity);
  if (types.empty() || types.front() != "ssl") return out;
  for (const grpc::string_ref& uri : auth->FindPropertyValues(kPeerUri)) {
    out.emplace_back(uri.data(), uri.size());
  }
  return out;
}

// "192.0.2.1:5000" of "ipv4:192.0.2.1:5000".
std::string PeerText(absl::string_view peer) {
  absl::string_view rest = peer;
  if (!absl::ConsumePrefix(&rest, "ipv4:")) absl::ConsumePrefix(&rest, "ipv6:");
  return Printable(absl::StrReplaceAll(rest, {{"%5B", "["}, {"%5D", "]"}}),
                   128);
}

std::array<uint8_t, 32> Digest(absl::string_view text) {
  pki::Sha256Hasher hasher;
  hasher.Update(text);
  return hasher.Finish();
}

// "192.0.2.1" of "192.0.2.1:5000", "[::1]" of "[::1]:5000".
absl::string_view HostOf(absl::string_view peer) {
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace

bool IsLoopback(absl::string_view peer) {
  const std::string plain =
      absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}});
  return absl::StartsWith(plain, "ipv4:127.") ||
         absl::StartsWith(plain, "ipv6:[::1]:") ||
         absl::StartsWith(plain, "ipv6:[::ffff:127.");
}

Gate::Gate(GateOptions options, Observer* observer, const Clock* clock)
    : options_(std::move(options)),
      observer_(observer),
      clock_(clock),
      known_({options_.call_burst, options_.calls_per_second,
              kMaxCountedPrincipals},
             clock),
      unknown_({options_.call_burst, options_.calls_per_second,
                kMaxCountedPrincipals},
               clock),
      open_calls_(options_.open_calls,
                  [observer](const OpenCalls::Label& label) {
                    observer->OnEnded(label);
                  }) {}

absl::StatusOr<service::Caller> Gate::Authenticate(
    const std::string* authorization,
    const std::vector<std::string>& certificate_uris,
    absl::string_view peer) const {
  SALLYPORT_ASSIGN_OR_RETURN(const Credentials::Known known,
                             Find(authorization, certificate_uris, peer));
  return service::Caller{known.principal, PeerText(peer), known.role};
}

absl::StatusOr<Credentials::Known> Gate::Find(
    const std::string* authorization,
    const std::vector<std::string>& certificate_uris,
    absl::string_view peer) const {
  std::optional<Credentials::Known> known;
  if (authorization != nullptr) {
    // Who sends a token is who the token says, or nobody.
    if (!absl::StartsWithIgnoreCase(*authorization, kBearer)) {
      return Unauthenticated(
          "the authorization header is not \"Bearer TOKEN\"");
    }
    known = options_.credentials.FindToken(
        absl::string_view(*authorization).substr(kBearer.size()));
    if (!known.has_value()) {
      return Unauthenticated("the token is not one that the service knows");
    }
    if (known->expire_time <= clock_->Now()) {
      return Unauthenticated(
          absl::StrCat("the token has expired (",
                       absl::FormatTime(absl::RFC3339_sec, known->expire_time,
                                        absl::UTCTimeZone()),
                       "); have another one made (sallyportctl token)"));
    }
  } else {
    known = options_.credentials.FindCertificate(certificate_uris);
    if (!known.has_value() && options_.trust_loopback && IsLoopback(peer) &&
        certificate_uris.empty()) {
      known = Credentials::Known{"loopback", service::Role::kAdmin};
    }
    if (!known.has_value()) {
      return Unauthenticated(
          "there is neither a token nor a client certificate that the service "
          "knows; send \"authorization: Bearer TOKEN\", or a certificate");
    }
  }
  return *std::move(known);
}

std::string Gate::PeerOf(const grpc::ServerContext& context) const {
  if (!options_.console_key.empty()) {
    const auto& metadata = context.client_metadata();
    const auto key = metadata.find(kConsoleKeyHeader);
    const auto peer = metadata.find(kConsolePeerHeader);
    // The digests: how far two differ says nothing about the key.
    if (key != metadata.end() && peer != metadata.end() &&
        Digest({key->second.data(), key->second.size()}) ==
            Digest(options_.console_key)) {
      const absl::string_view address(peer->second.data(), peer->second.size());
      return absl::StrCat(absl::StartsWith(address, "[") ? "ipv6:" : "ipv4:",
                          address);
    }
  }
  return context.peer();
}

absl::StatusOr<Credentials::Known> Gate::Identify(
    const grpc::ServerContext& context, const std::string& peer) const {
  const auto& metadata = context.client_metadata();
  const auto [first, last] = metadata.equal_range(grpc::string_ref(
      kAuthorizationHeader.data(), kAuthorizationHeader.size()));
  std::optional<std::string> authorization;
  for (auto it = first; it != last; ++it) {
    if (authorization.has_value()) {
      return Unauthenticated("there are several authorization headers");
    }
    authorization.emplace(it->second.data(), it->second.size());
  }
  return Find(authorization.has_value() ? &*authorization : nullptr,
              CertificateUris(context), peer);
}

grpc::Status Gate::Run(
    grpc::ServerContext& context, absl::string_view method,
    absl::FunctionRef<absl::Status(const service::Caller&)> handler) {
  CallRecord record;
  record.time = clock_->Now();
  record.method = std::string(method);
  const std::string peer = PeerOf(context);
  record.peer = PeerText(peer);
  record.request = RequestId(context);
  context.AddTrailingMetadata(std::string(kRequestIdHeader), record.request);

  const auto run = [&]() -> absl::Status {
    OpenCalls::Label label{record.method, "", record.peer, record.request};
    const absl::StatusOr<Credentials::Known> known = Identify(context, peer);
    if (!known.ok()) {
      // No principal's name has a space.
      label.principal = absl::StrCat("from ", HostOf(record.peer));
      open_calls_.BeginUnknown(context, label);
      SALLYPORT_RETURN_IF_ERROR(unknown_.Count(label.principal));
      return known.status();
    }
    record.principal = Printable(known->principal, 256);
    label.principal = known->principal;
    SALLYPORT_RETURN_IF_ERROR(
        open_calls_.Begin(context, KindOf(method), label, known->expire_time));
    // What is refused for the role counts too.
    SALLYPORT_RETURN_IF_ERROR(known_.Count(known->principal));
    SALLYPORT_RETURN_IF_ERROR(service::Authorize(known->role, method));
    return handler({known->principal, record.peer, known->role});
  };
  absl::Status status;
  try {
    status = run();
  } catch (const std::exception& error) {
    status = absl::InternalError(absl::StrCat("exception: ", error.what()));
  }
  record.duration = clock_->Now() - record.time;
  grpc::Status answer;
  if (!status.ok()) {
    answer = ToGrpc(status, record.request);
    const std::optional<domain::Error> error = domain::ErrorOf(status);
    record.reason = std::string(domain::ReasonName(
        error.has_value() ? error->reason : domain::Reason::kInternal));
    if (answer.error_code() == grpc::StatusCode::INTERNAL) {
      record.details = Printable(status.ToString(), 1024);
    }
  }
  record.code = answer.error_code();
  observer_->OnCall(record);
  open_calls_.AnswerBegins();
  return answer;
}

}  // namespace sallyport::api
