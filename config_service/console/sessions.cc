#include "config_service/console/sessions.h"

#include <array>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "base/text.h"
#include "config_service/console/limits.h"
#include "pki/crypto/crypto.h"

namespace sallyport::console {
namespace {

constexpr size_t kSecretBytes = 32;

std::string Digest(absl::string_view secret) {
  pki::Sha256Hasher hasher;
  hasher.Update(secret);
  const std::array<uint8_t, 32> digest = hasher.Finish();
  return std::string(digest.begin(), digest.end());
}

std::string NewSecret() { return HexLower(pki::RandomBytes(kSecretBytes)); }

absl::Status NoSession() {
  return absl::UnauthenticatedError(
      "there is no such session, or it is over; sign in");
}

}  // namespace

bool Sessions::IsOver(const Session& session, absl::Time now) const {
  return now - session.last_use >= kIdleTime ||
         now - session.begin >= kSessionTime;
}

absl::StatusOr<Sessions::Secrets> Sessions::Begin(Identity identity) {
  const absl::Time now = clock_->Now();
  Secrets secrets{NewSecret(), NewSecret()};
  absl::MutexLock lock(&mu_);
  size_t own = 0;
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (IsOver(it->second, now)) {
      sessions_.erase(it++);
      continue;
    }
    if (it->second.identity.principal == identity.principal) {
      ++own;
      if (oldest == sessions_.end() ||
          it->second.begin < oldest->second.begin) {
        oldest = it;
      }
    }
    ++it;
  }
  if (own >= kMaxSessionsOfPrincipal) sessions_.erase(oldest);
  if (sessions_.size() >= kMaxSessions) {
    return absl::ResourceExhaustedError(
        "too many people have signed in; try again later");
  }
  Session& session = sessions_[Digest(secrets.cookie)];
  session.identity = std::move(identity);
  session.proof_digest = Digest(secrets.proof);
  session.begin = now;
  session.last_use = now;
  return secrets;
}

absl::StatusOr<Sessions::Identity> Sessions::Find(absl::string_view cookie,
                                                  absl::string_view proof,
                                                  Use use) {
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&mu_);
  const auto it = sessions_.find(Digest(cookie));
  if (it == sessions_.end()) return NoSession();
  if (IsOver(it->second, now)) {
    sessions_.erase(it);
    return NoSession();
  }
  if (it->second.proof_digest != Digest(proof)) return NoSession();
  if (use == Use::kAsk) it->second.last_use = now;
  return it->second.identity;
}

void Sessions::End(absl::string_view cookie) {
  absl::MutexLock lock(&mu_);
  sessions_.erase(Digest(cookie));
}

size_t Sessions::size() const {
  absl::MutexLock lock(&mu_);
  return sessions_.size();
}

}  // namespace sallyport::console
