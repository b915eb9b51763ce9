#include "config_service/store/checks.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"

namespace sallyport::store {
namespace {

// Violations that one error names.
constexpr size_t kMaxNamed = 20;
// Bytes of a key in an error.
constexpr size_t kMaxShownKey = 128;

std::string Shown(absl::string_view key) {
  return absl::StrCat("\"", Printable(key, kMaxShownKey), "\"");
}

std::string KeyProblem(absl::string_view key) {
  if (key.empty()) return "an empty key";
  if (key.size() > kMaxKeyBytes) {
    return absl::StrCat("the key ", Shown(key), " has ", key.size(),
                        " bytes; at most ", kMaxKeyBytes);
  }
  return "";
}

std::string PrefixProblem(absl::string_view prefix, absl::string_view what) {
  if (prefix.size() <= kMaxKeyBytes) return "";
  return absl::StrCat(what, " ", Shown(prefix), " has ", prefix.size(),
                      " bytes; at most ", kMaxKeyBytes);
}

// Violations: collects sentences and makes one error of them.
class Violations {
 public:
  void Add(std::string problem) {
    if (problem.empty()) return;
    ++total_;
    if (named_.size() < kMaxNamed) named_.push_back(std::move(problem));
  }

  absl::Status ToStatus() const {
    if (total_ == 0) return absl::OkStatus();
    std::string message = absl::StrJoin(named_, "; ");
    if (total_ > named_.size()) {
      absl::StrAppend(&message, "; and ", total_ - named_.size(), " more");
    }
    return absl::InvalidArgumentError(message);
  }

 private:
  std::vector<std::string> named_;
  size_t total_ = 0;
};

std::string PreconditionProblem(const Precondition& precondition) {
  const bool of_prefix =
      precondition.kind == Precondition::Kind::kPrefixEmpty ||
      precondition.kind == Precondition::Kind::kPrefixNotPutAfter;
  std::string problem = of_prefix
                            ? PrefixProblem(precondition.key, "the prefix")
                            : KeyProblem(precondition.key);
  if (problem.empty() && precondition.revision < Revision()) {
    problem =
        absl::StrCat("the negative revision ", precondition.revision.value());
  }
  return problem.empty() ? "" : absl::StrCat("a precondition has ", problem);
}

// Adds what is wrong with `put`; `changed` are the keys that were before it.
void CheckPut(const Put& put, absl::flat_hash_set<absl::string_view>& changed,
              Violations& violations) {
  violations.Add(KeyProblem(put.key));
  if (!changed.insert(put.key).second) {
    violations.Add(absl::StrCat("the key ", Shown(put.key), " twice"));
  }
  if (put.value.size() > kMaxValueBytes) {
    violations.Add(absl::StrCat("the value of ", Shown(put.key), " has ",
                                put.value.size(), " bytes; at most ",
                                kMaxValueBytes, ", more is for a blob"));
  }
  if (put.blobs.size() > kMaxBlobsOfRecord) {
    violations.Add(absl::StrCat("the put of ", Shown(put.key), " names ",
                                put.blobs.size(), " blobs; at most ",
                                kMaxBlobsOfRecord));
  }
}

}  // namespace

absl::Status CheckKey(absl::string_view key) {
  Violations violations;
  violations.Add(KeyProblem(key));
  return violations.ToStatus();
}

absl::Status CheckPrefix(absl::string_view prefix) {
  Violations violations;
  violations.Add(PrefixProblem(prefix, "the prefix"));
  return violations.ToStatus();
}

absl::Status CheckCommit(const Commit& commit) {
  Violations violations;
  const size_t operations =
      commit.preconditions.size() + commit.puts.size() + commit.deletes.size();
  if (operations > kMaxCommitOperations) {
    violations.Add(absl::StrCat(operations,
                                " preconditions, puts and deletes; at most ",
                                kMaxCommitOperations, " in one commit"));
  }
  size_t bytes = 0;
  for (const Precondition& precondition : commit.preconditions) {
    bytes += precondition.key.size();
    violations.Add(PreconditionProblem(precondition));
  }
  absl::flat_hash_set<absl::string_view> changed;
  for (const Put& put : commit.puts) {
    bytes += put.key.size() + put.value.size() +
             put.blobs.size() * BlobDigest::kBytes;
    CheckPut(put, changed, violations);
  }
  for (const std::string& key : commit.deletes) {
    bytes += key.size();
    violations.Add(KeyProblem(key));
    if (!changed.insert(key).second) {
      violations.Add(absl::StrCat("the key ", Shown(key), " twice"));
    }
  }
  if (bytes > kMaxCommitBytes) {
    violations.Add(absl::StrCat(bytes, " bytes of keys and values; at most ",
                                kMaxCommitBytes, " in one commit"));
  }
  return violations.ToStatus();
}

absl::Status CheckReplacement(const Replacement& replacement) {
  Violations violations;
  absl::flat_hash_set<absl::string_view> changed;
  for (const Put& put : replacement.puts) CheckPut(put, changed, violations);
  for (const std::string& prefix : replacement.kept_prefixes) {
    violations.Add(PrefixProblem(prefix, "the kept prefix"));
  }
  return violations.ToStatus();
}

absl::Status ReplacementOvertaken(Revision expected, Revision current) {
  return absl::AbortedError(absl::StrCat(
      "the newest revision is ", current.value(), ", not ", expected.value()));
}

absl::Status CheckListRequest(const ListRequest& request) {
  Violations violations;
  violations.Add(PrefixProblem(request.prefix, "the prefix"));
  violations.Add(PrefixProblem(request.start_after, "the key to start after"));
  if (request.limit == 0) violations.Add("a page of 0 records; at least 1");
  return violations.ToStatus();
}

absl::Status CheckRevision(Revision at, Revision compacted, Revision current) {
  if (at < Revision()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the negative revision ", at.value()));
  }
  if (at < compacted) {
    return absl::OutOfRangeError(
        absl::StrCat("revision ", at.value(), " is compacted, up to ",
                     compacted.value(), "; list again"));
  }
  if (at > current) {
    return absl::OutOfRangeError(absl::StrCat("revision ", at.value(),
                                              " has not been reached; the "
                                              "newest is ",
                                              current.value()));
  }
  return absl::OkStatus();
}

absl::Status PreconditionFailed(const Precondition& precondition,
                                Revision found, absl::string_view key) {
  const std::string shown = Shown(precondition.key);
  switch (precondition.kind) {
    case Precondition::Kind::kModRevision:
      if (precondition.revision == Revision()) {
        return absl::AbortedError(
            absl::StrCat(shown, " exists, since revision ", found.value()));
      }
      if (found == Revision()) {
        return absl::AbortedError(absl::StrCat(shown, " does not exist"));
      }
      return absl::AbortedError(
          absl::StrCat(shown, " has changed: it is at revision ", found.value(),
                       ", not ", precondition.revision.value()));
    case Precondition::Kind::kExists:
      return absl::AbortedError(absl::StrCat(shown, " does not exist"));
    case Precondition::Kind::kPrefixEmpty:
      return absl::AbortedError(
          absl::StrCat("there is ", Shown(key), " under ", shown));
    case Precondition::Kind::kPrefixNotPutAfter:
      return absl::AbortedError(absl::StrCat(Shown(key), " under ", shown,
                                             " was put after revision ",
                                             precondition.revision.value()));
  }
  return absl::InternalError("a precondition of no known kind");
}

absl::Status BlobMissing(absl::string_view key, const BlobDigest& digest) {
  return absl::FailedPreconditionError(
      absl::StrCat("the put of ", Shown(key), " names the blob ",
                   digest.ToHex(), ", which is not in the store; upload it"));
}

absl::Status WatchCompacted(Revision after, Revision compacted) {
  return absl::OutOfRangeError(absl::StrCat(
      "the changes after revision ", after.value(), " are compacted, up to ",
      compacted.value(), "; list again, and watch from there"));
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    const auto last = static_cast<unsigned char>(end.back());
    if (last < 0xff) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  return end;
}

Revision CompactionTarget(Revision current, int64_t revisions) {
  const int64_t keep = std::max(revisions, kMinHistoryRevisions);
  // The newest revision is the first of those that stay.
  return Revision(std::max<int64_t>(0, current.value() - keep + 1));
}

}  // namespace sallyport::store
