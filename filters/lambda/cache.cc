#include "filters/lambda/cache.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "pki/crypto/crypto.h"

namespace sallyport::lambda {

CacheKey CacheKeyOf(absl::Span<const absl::string_view> parts) {
  pki::Sha256Hasher hasher;
  for (const absl::string_view part : parts) {
    hasher.Update(absl::StrCat(part.size(), ":"));
    hasher.Update(part);
  }
  const std::array<uint8_t, 32> digest = hasher.Finish();
  return CacheKey(digest.begin(), digest.end());
}

std::shared_ptr<const AuthorizerAnswer> AnswerCache::Find(const CacheKey& key,
                                                          absl::Time now) {
  absl::MutexLock lock(&mu_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const Entries::iterator entry = found->second;
  if (now < entry->from || now >= entry->from + ttl_) {
    Remove(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->answer;
}

void AnswerCache::Put(const CacheKey& key, const std::string& client,
                      std::shared_ptr<const AuthorizerAnswer> answer,
                      absl::Time now) {
  if (ttl_ <= absl::ZeroDuration() || answer->bytes > kMaxCachedAnswerBytes) {
    return;
  }
  absl::MutexLock lock(&mu_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) Remove(found->second);
  if (of_client_[client] >= kMaxCachedAnswersOfOneClient) {
    // Its own that was not used for the longest time.
    const auto oldest =
        std::find_if(entries_.rbegin(), entries_.rend(),
                     [&](const Entry& e) { return e.client == client; });
    if (oldest != entries_.rend()) Remove(std::prev(oldest.base()));
  }
  bytes_ += answer->bytes;
  ++of_client_[client];
  entries_.push_front({key, client, std::move(answer), now});
  by_key_[key] = entries_.begin();
  while (entries_.size() > kMaxCachedAnswers ||
         bytes_ > kMaxCachedAnswerBytes) {
    Remove(std::prev(entries_.end()));
  }
}

size_t AnswerCache::size() const {
  absl::MutexLock lock(&mu_);
  return entries_.size();
}

void AnswerCache::Remove(Entries::iterator entry) {
  bytes_ -= entry->answer->bytes;
  const auto client = of_client_.find(entry->client);
  if (client != of_client_.end() && --client->second == 0) {
    of_client_.erase(client);
  }
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace sallyport::lambda
