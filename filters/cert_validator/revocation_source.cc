#include "filters/cert_validator/revocation_source.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/shim/config.h"
#include "filters/shim/log.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;

absl::Status InField(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(field, ": ", status.message()));
}

// One object for each content in the process, while somebody uses it.
template <typename T>
class Shared {
 public:
  std::shared_ptr<const T> Find(const pki::Sha256Digest& key)
      ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const auto it = by_key_.find(key);
    return it == by_key_.end() ? nullptr : it->second.lock();
  }
  void Put(const pki::Sha256Digest& key, const std::shared_ptr<const T>& value)
      ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    for (auto it = by_key_.begin(); it != by_key_.end();) {
      if (it->second.expired()) {
        by_key_.erase(it++);
      } else {
        ++it;
      }
    }
    by_key_[key] = value;
  }

 private:
  absl::Mutex mu_;
  absl::flat_hash_map<pki::Sha256Digest, std::weak_ptr<const T>> by_key_
      ABSL_GUARDED_BY(mu_);
};

Shared<pki::RevocationLists>& SharedLists() {
  static auto& shared = *new Shared<pki::RevocationLists>;  // never destroyed
  return shared;
}
Shared<pki::DenyList>& SharedDenyLists() {
  static auto& shared = *new Shared<pki::DenyList>;
  return shared;
}

// What a file of revocation lists holds. Kept parsed as well, so that a
// truststore with this file alone takes the same object and reads it no second
// time.
struct ListFile {
  std::string bytes;
  std::shared_ptr<const pki::RevocationLists> lists;
};

absl::StatusOr<std::shared_ptr<FollowedFile>> OpenListFile(
    absl::string_view path, const pki::RevocationLimits& limits) {
  FollowedFile::Format format;
  format.noun = "revocation list";
  format.key = absl::StrCat(limits.max_entries);
  format.max_bytes = limits.max_bytes;
  format.parse =
      [limits](
          absl::string_view bytes) -> absl::StatusOr<FollowedFile::Content> {
    const auto lists = ParseRevocationLists({bytes}, limits);
    if (!lists.ok()) return lists.status();
    if ((*lists)->lists().empty()) {
      return absl::InvalidArgumentError("holds no revocation list");
    }
    return std::make_shared<const ListFile>(
        ListFile{std::string(bytes), *lists});
  };
  format.describe = [](const FollowedFile::Content& content) {
    return absl::StrCat(
        static_cast<const ListFile*>(content.get())->bytes.size(), " bytes");
  };
  return FollowedFile::Open(path, format);
}

pki::DenyList::Entries EntriesOf(const v1::DenyList& config) {
  pki::DenyList::Entries entries;
  entries.certificate_sha256.assign(config.certificate_sha256().begin(),
                                    config.certificate_sha256().end());
  entries.spki_sha256.assign(config.spki_sha256().begin(),
                             config.spki_sha256().end());
  for (const auto& pair : config.issuer_and_serial()) {
    entries.issuer_and_serial.push_back({pair.issuer(), pair.serial()});
  }
  return entries;
}

absl::StatusOr<std::shared_ptr<FollowedFile>> OpenDenyFile(
    absl::string_view path) {
  FollowedFile::Format format;
  format.noun = "deny list";
  format.max_bytes = kMaxDenyFileBytes;
  format.parse =
      [](absl::string_view bytes) -> absl::StatusOr<FollowedFile::Content> {
    // Never the binary form: an empty or cut file would be an empty list.
    if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(bytes), "{")) {
      return absl::InvalidArgumentError(
          "is no JSON object; write {\"certificate_sha256\": [...]}");
    }
    v1::DenyList config;
    SALLYPORT_RETURN_IF_ERROR(shim::ReadConfig(bytes, config));
    if (!config.file().empty()) {
      return absl::InvalidArgumentError(
          "file: a deny file cannot name another file");
    }
    auto entries =
        std::make_shared<const pki::DenyList::Entries>(EntriesOf(config));
    const auto list = pki::DenyList::Create(*entries);
    if (!list.ok()) return list.status();
    return entries;
  };
  format.describe = [](const FollowedFile::Content& content) {
    const auto& entries =
        *static_cast<const pki::DenyList::Entries*>(content.get());
    return absl::StrCat(entries.certificate_sha256.size() +
                            entries.spki_sha256.size() +
                            entries.issuer_and_serial.size(),
                        " entries");
  };
  return FollowedFile::Open(path, format);
}

pki::Sha256Digest KeyOf(const pki::DenyList::Entries& entries) {
  std::string all;
  const auto add = [&all](absl::string_view text) {
    absl::StrAppend(&all, text.size(), ":", text, ";");
  };
  for (const std::string& text : entries.certificate_sha256) add(text);
  all += '/';
  for (const std::string& text : entries.spki_sha256) add(text);
  all += '/';
  for (const auto& pair : entries.issuer_and_serial) {
    add(pair.issuer);
    add(pair.serial);
  }
  return pki::Sha256(all);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const pki::RevocationLists>>
ParseRevocationLists(const std::vector<absl::string_view>& sources,
                     const pki::RevocationLimits& limits) {
  std::string all = absl::StrCat(limits.max_bytes, "/", limits.max_entries);
  for (const absl::string_view source : sources) {
    absl::StrAppend(&all, ";", pki::AsBytes(pki::Sha256(source)));
  }
  const pki::Sha256Digest key = pki::Sha256(all);
  if (auto found = SharedLists().Find(key)) return found;
  pki::RevocationLists::ParseResult parsed =
      pki::RevocationLists::Parse(sources, limits);
  if (parsed.lists == nullptr) {
    return absl::InvalidArgumentError(parsed.error.ToString());
  }
  SharedLists().Put(key, parsed.lists);
  return std::move(parsed.lists);
}

absl::Status CheckPath(absl::string_view path) {
  if (path.empty()) {
    return absl::InvalidArgumentError("is empty; give the path of a file");
  }
  if (absl::StrContains(path, "-----BEGIN") ||
      std::any_of(path.begin(), path.end(), [](char c) {
        return absl::ascii_iscntrl(static_cast<unsigned char>(c));
      })) {
    return absl::InvalidArgumentError(
        "is no path (PEM text goes into inline_pem)");
  }
  if (path.front() != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Printable(path, 200),
                     "\" is not absolute; give a path that starts with '/'"));
  }
  if (path.back() == '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", Printable(path, 200), "\" is a directory; name a file in it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<RevocationSource> RevocationSource::Read(
    const v1::Truststore& config) {
  RevocationSource source;
  const auto& limits = config.revocation_limits();
  if (limits.max_bytes() != 0) source.limits_.max_bytes = limits.max_bytes();
  if (limits.max_entries() != 0) {
    source.limits_.max_entries = limits.max_entries();
  }
  // Held until Combine(), which takes the object again when it is the only one.
  std::vector<std::shared_ptr<const pki::RevocationLists>> inline_lists;
  for (int i = 0; i < config.revocation_lists_size(); ++i) {
    const v1::RevocationList& list = config.revocation_lists(i);
    const std::string field = absl::StrCat("revocation_lists[", i, "]");
    Part part;
    switch (list.source_case()) {
      case v1::RevocationList::kInlinePem:
        part.bytes = list.inline_pem();
        break;
      case v1::RevocationList::kInlineDer:
        part.bytes = list.inline_der();
        break;
      case v1::RevocationList::kFile: {
        const absl::Status path = CheckPath(list.file());
        if (!path.ok()) return InField(absl::StrCat(field, ".file"), path);
        auto file = OpenListFile(list.file(), source.limits_);
        if (!file.ok()) {
          return InField(absl::StrCat(field, ".file"), file.status());
        }
        part.file = *std::move(file);
        source.files_.push_back(part.file);
        break;
      }
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            field, ": has no source; set inline_pem, inline_der or file"));
    }
    absl::StrAppend(&source.origin_, part.file != nullptr ? "file:" : "inline",
                    list.file(), ";");
    if (part.file == nullptr) {
      auto alone = ParseRevocationLists({part.bytes}, source.limits_);
      if (!alone.ok()) return InField(field, alone.status());
      inline_lists.push_back(*std::move(alone));
    }
    source.parts_.push_back(std::move(part));
  }
  if (source.parts_.empty()) return source;
  auto lists = source.Combine();
  if (!lists.ok()) return InField("revocation_lists", lists.status());
  source.lists_ = *std::move(lists);
  return source;
}

absl::StatusOr<std::shared_ptr<const pki::RevocationLists>>
RevocationSource::Combine() const {
  std::vector<FollowedFile::Content> held;
  std::vector<absl::string_view> sources;
  for (const Part& part : parts_) {
    if (part.file == nullptr) {
      sources.push_back(part.bytes);
      continue;
    }
    held.push_back(part.file->current());
    sources.push_back(static_cast<const ListFile*>(held.back().get())->bytes);
  }
  return ParseRevocationLists(sources, limits_);
}

void RevocationSource::Refresh() {
  if (files_.empty()) return;
  auto lists = Combine();
  if (lists.ok()) {
    lists_ = *std::move(lists);
    return;
  }
  shim::Log(shim::LogLevel::kError,
            absl::StrCat("revocation lists are refused together, the last good "
                         "ones stay in force: ",
                         Printable(lists.status().message(), 1024)));
}

absl::StatusOr<DenySource> DenySource::Read(const v1::DenyList& config,
                                            absl::string_view field) {
  DenySource source;
  source.entries_ = EntriesOf(config);
  const auto alone = pki::DenyList::Create(source.entries_);
  if (!alone.ok()) {
    return absl::Status(alone.status().code(),
                        absl::StrCat(field, ".", alone.status().message()));
  }
  source.origin_ = "deny";
  if (!config.file().empty()) {
    const absl::Status path = CheckPath(config.file());
    if (!path.ok()) return InField(absl::StrCat(field, ".file"), path);
    auto file = OpenDenyFile(config.file());
    if (!file.ok()) {
      return InField(absl::StrCat(field, ".file"), file.status());
    }
    source.file_ = *std::move(file);
    absl::StrAppend(&source.origin_, ":", config.file());
  }
  auto list = source.Combine();
  if (!list.ok()) return InField(field, list.status());
  source.list_ = *std::move(list);
  return source;
}

absl::StatusOr<std::shared_ptr<const pki::DenyList>> DenySource::Combine()
    const {
  pki::DenyList::Entries all = entries_;
  if (file_ != nullptr) {
    const FollowedFile::Content content = file_->current();
    const auto& more =
        *static_cast<const pki::DenyList::Entries*>(content.get());
    all.certificate_sha256.insert(all.certificate_sha256.end(),
                                  more.certificate_sha256.begin(),
                                  more.certificate_sha256.end());
    all.spki_sha256.insert(all.spki_sha256.end(), more.spki_sha256.begin(),
                           more.spki_sha256.end());
    all.issuer_and_serial.insert(all.issuer_and_serial.end(),
                                 more.issuer_and_serial.begin(),
                                 more.issuer_and_serial.end());
  }
  const pki::Sha256Digest key = KeyOf(all);
  if (auto found = SharedDenyLists().Find(key)) return found;
  auto list = pki::DenyList::Create(all);
  if (list.ok()) SharedDenyLists().Put(key, *list);
  return list;
}

void DenySource::Refresh() {
  if (file_ == nullptr) return;
  auto list = Combine();
  if (list.ok()) {
    list_ = *std::move(list);
    return;
  }
  shim::Log(shim::LogLevel::kError,
            absl::StrCat("deny lists are refused together, the last good one "
                         "stays in force: ",
                         Printable(list.status().message(), 1024)));
}

}  // namespace sallyport::cert_validator
