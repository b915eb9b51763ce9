// AnswerCache: answers of one authorizer that are still good.

#ifndef SALLYPORT_FILTERS_LAMBDA_CACHE_H_
#define SALLYPORT_FILTERS_LAMBDA_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "filters/lambda/answer.h"

namespace sallyport::lambda {

// Of one configuration.
inline constexpr size_t kMaxCachedAnswers = 10000;
inline constexpr size_t kMaxCachedAnswerBytes = size_t{16} << 20;
// Of one certificate, so that the holder of one, who sends tokens that nobody
// sent before, cannot push out the answers about others.
inline constexpr size_t kMaxCachedAnswersOfOneClient = 1000;

using CacheKey = std::string;

// CacheKeyOf: SHA-256 over `parts` with their lengths: two lists have one key
// only when they are equal one by one.
CacheKey CacheKeyOf(absl::Span<const absl::string_view> parts);

// Belongs to one configuration of one filter, so that no authorizer and no
// domain ever finds another's answers, and a new configuration begins empty.
// The least recently used go first. Thread-safe.
class AnswerCache {
 public:
  explicit AnswerCache(absl::Duration ttl) : ttl_(ttl) {}
  AnswerCache(const AnswerCache&) = delete;

  // Null: none, or one whose time is over. The clock may be set back: an answer
  // that seems to be from the future is none.
  std::shared_ptr<const AuthorizerAnswer> Find(const CacheKey& key,
                                               absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  // `client`: whose answer it is.
  void Put(const CacheKey& key, const std::string& client,
           std::shared_ptr<const AuthorizerAnswer> answer, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    CacheKey key;
    std::string client;
    std::shared_ptr<const AuthorizerAnswer> answer;
    absl::Time from;
  };
  using Entries = std::list<Entry>;

  void Remove(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const absl::Duration ttl_;
  mutable absl::Mutex mu_;
  // Most recently used first.
  Entries entries_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<CacheKey, Entries::iterator> by_key_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, size_t> of_client_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_CACHE_H_
