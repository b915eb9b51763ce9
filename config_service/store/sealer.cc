#include "config_service/store/sealer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {
namespace {

constexpr char kVersion = 1;
constexpr size_t kKeyIdBytes = 8;
constexpr size_t kHeaderBytes = 1 + kKeyIdBytes;
constexpr size_t kMaxKeyFileBytes = 64 << 10;

static_assert(kSealOverheadBytes ==
                  kHeaderBytes + pki::kGcmNonceBytes + pki::kGcmTagBytes,
              "the documented format");

// The id of a key: part of a digest, so that it says nothing about the key.
std::string KeyId(const Secret& key) {
  pki::Sha256Hasher hasher;
  hasher.Update("sallyport key-encryption key id v1");
  hasher.Update(key.Reveal());
  const std::array<uint8_t, 32> digest = hasher.Finish();
  return std::string(reinterpret_cast<const char*>(digest.data()), kKeyIdBytes);
}

std::string AssociatedData(absl::string_view header,
                           absl::string_view record_key) {
  return absl::StrCat(header, record_key);
}

absl::Status SystemError(absl::string_view what, absl::string_view path) {
  const int error = errno;
  const std::string message =
      absl::StrCat(what, " ", Printable(path), ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(message);
  }
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(message);
  }
  return absl::UnavailableError(message);
}

absl::Status WriteAll(int fd, absl::string_view bytes, absl::string_view path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return SystemError("cannot write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// Makes the entries of the folder of `path` durable.
absl::Status SyncFolder(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot open the folder", folder);
  const auto close_it = absl::MakeCleanup([fd] { close(fd); });
  if (fsync(fd) != 0) return SystemError("cannot sync the folder", folder);
  return absl::OkStatus();
}

// Makes the key file, unless somebody else makes it at the same time. It
// appears whole or not at all.
absl::Status CreateKeyFile(const std::string& path) {
  std::string draft = absl::StrCat(path, ".XXXXXX");
  // Mode 0600.
  const int fd = mkostemp(&draft[0], O_CLOEXEC);
  if (fd < 0) return SystemError("cannot make", path);
  const auto clean_up = absl::MakeCleanup([fd, &draft] {
    close(fd);
    unlink(draft.c_str());
  });
  std::string random = pki::RandomBytes(kSealingKeyBytes);
  const Secret key(std::move(random));
  std::string text = absl::Base64Escape(key.Reveal());
  text.push_back('\n');
  const Secret line(std::move(text));
  SALLYPORT_RETURN_IF_ERROR(WriteAll(
      fd,
      "# Key-encryption key of sallyportd. Without it, the private keys in "
      "the\n"
      "# store are lost: keep a copy, apart from the store's backups.\n",
      path));
  SALLYPORT_RETURN_IF_ERROR(WriteAll(fd, line.Reveal(), path));
  if (fsync(fd) != 0) return SystemError("cannot sync", path);
  if (link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    return SystemError("cannot make", path);
  }
  return SyncFolder(path);
}

absl::StatusOr<Secret> ReadKeyFile(const std::string& path) {
  // Not to wait for the writer of a pipe.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError("cannot read the key file", path);
  const auto close_it = absl::MakeCleanup([fd] { close(fd); });
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return SystemError("cannot read the key file", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the key file ", Printable(path), " is no regular file"));
  }
  if ((info.st_mode & (S_IWGRP | S_IROTH | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the key file ", Printable(path), " has mode ",
        absl::Hex((info.st_mode >> 6) & 7), absl::Hex((info.st_mode >> 3) & 7),
        absl::Hex(info.st_mode & 7),
        ": others than its owner can read or change it; chmod 600 it, and "
        "rotate the key if others could have read it"));
  }
  std::string text(kMaxKeyFileBytes + 1, '\0');
  size_t len = 0;
  while (len < text.size()) {
    const ssize_t got = read(fd, &text[len], text.size() - len);
    if (got < 0) {
      if (errno == EINTR) continue;
      const absl::Status status = SystemError("cannot read the key file", path);
      WipeString(text);
      return status;
    }
    if (got == 0) break;
    len += static_cast<size_t>(got);
  }
  if (len > kMaxKeyFileBytes) {
    WipeString(text);
    return absl::InvalidArgumentError(absl::StrCat("the key file ",
                                                   Printable(path), " is over ",
                                                   kMaxKeyFileBytes, " bytes"));
  }
  text.resize(len);
  return Secret(std::move(text));
}

absl::StatusOr<std::vector<Secret>> ParseKeys(const Secret& text,
                                              absl::string_view path) {
  std::vector<Secret> keys;
  std::vector<std::string> ids;
  std::vector<int> lines;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text.Reveal(), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    const std::string where =
        absl::StrCat("the key file ", Printable(path), ", line ", number, ": ");
    std::string bytes;
    bytes.reserve(line.size());
    const bool decoded = absl::Base64Unescape(line, &bytes);
    Secret key(std::move(bytes));
    if (!decoded || key.Reveal().size() != kSealingKeyBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, "this is not the base64 of ", kSealingKeyBytes,
          " bytes; make a key with: head -c 32 /dev/urandom | base64"));
    }
    const std::string id = KeyId(key);
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == id) {
        return absl::InvalidArgumentError(absl::StrCat(
            where, "this is the key of line ", lines[i], " again"));
      }
    }
    if (keys.size() == kMaxSealingKeys) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, "more than ", kMaxSealingKeys,
                       " keys; remove those that no record needs any more"));
    }
    keys.push_back(std::move(key));
    ids.push_back(id);
    lines.push_back(number);
  }
  if (keys.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key file ", Printable(path), " has no key"));
  }
  return keys;
}

}  // namespace

struct Sealer::Key {
  std::string id;
  Secret secret;
};

Sealer::Sealer(std::vector<Key> keys)
    : keys_(std::move(keys)), active_key_id_(HexLower(keys_.front().id)) {}

Sealer::~Sealer() = default;

absl::StatusOr<std::unique_ptr<Sealer>> Sealer::FromFile(absl::string_view path,
                                                         IfMissing if_missing) {
  const std::string name(path);
  absl::StatusOr<Secret> text = ReadKeyFile(name);
  if (absl::IsNotFound(text.status()) && if_missing == IfMissing::kCreate) {
    SALLYPORT_RETURN_IF_ERROR(CreateKeyFile(name));
    text = ReadKeyFile(name);
  }
  if (!text.ok()) return std::move(text).status();
  SALLYPORT_ASSIGN_OR_RETURN(std::vector<Secret> keys, ParseKeys(*text, path));
  return FromKeys(std::move(keys));
}

absl::StatusOr<std::unique_ptr<Sealer>> Sealer::FromKeys(
    std::vector<Secret> keys) {
  if (keys.empty() || keys.size() > kMaxSealingKeys) {
    return absl::InvalidArgumentError(
        absl::StrCat("1 to ", kMaxSealingKeys, " key-encryption keys"));
  }
  std::vector<Key> named;
  named.reserve(keys.size());
  for (Secret& key : keys) {
    if (key.Reveal().size() != kSealingKeyBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a key-encryption key has ", kSealingKeyBytes, " bytes"));
    }
    std::string id = KeyId(key);
    named.push_back(Key{std::move(id), std::move(key)});
  }
  return std::unique_ptr<Sealer>(new Sealer(std::move(named)));
}

absl::StatusOr<std::string> Sealer::Seal(const Secret& secret,
                                         absl::string_view record_key) const {
  const Key& key = keys_.front();
  const std::string header =
      absl::StrCat(absl::string_view(&kVersion, 1), key.id);
  const std::string nonce = pki::RandomBytes(pki::kGcmNonceBytes);
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string ciphertext,
      pki::SealAes256Gcm(key.secret, nonce, AssociatedData(header, record_key),
                         secret));
  return absl::StrCat(header, nonce, ciphertext);
}

absl::StatusOr<Secret> Sealer::Open(absl::string_view sealed,
                                    absl::string_view record_key) const {
  const std::string record = Printable(record_key);
  if (sealed.size() < kSealOverheadBytes) {
    return absl::DataLossError(
        absl::StrCat("the sealed value of ", record, " is cut short"));
  }
  if (sealed[0] != kVersion) {
    return absl::DataLossError(
        absl::StrCat("the sealed value of ", record, " has format ",
                     static_cast<int>(static_cast<unsigned char>(sealed[0])),
                     ", not 1: it is damaged, or made by a newer version"));
  }
  const absl::string_view header = sealed.substr(0, kHeaderBytes);
  const absl::string_view id = header.substr(1);
  for (const Key& key : keys_) {
    if (key.id != id) continue;
    absl::StatusOr<Secret> secret = pki::OpenAes256Gcm(
        key.secret, sealed.substr(kHeaderBytes, pki::kGcmNonceBytes),
        AssociatedData(header, record_key),
        sealed.substr(kHeaderBytes + pki::kGcmNonceBytes));
    if (absl::IsDataLoss(secret.status())) {
      return absl::DataLossError(
          absl::StrCat("the sealed value of ", record,
                       " is damaged, or was sealed for another record"));
    }
    return secret;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the sealed value of ", record,
                   " needs the key-encryption key ", HexLower(id),
                   ", which is not in the key file; put it back as a second "
                   "line"));
}

bool Sealer::NeedsResealing(absl::string_view sealed) const {
  return sealed.size() < kSealOverheadBytes || sealed[0] != kVersion ||
         sealed.substr(1, kKeyIdBytes) != keys_.front().id;
}

}  // namespace sallyport::store
