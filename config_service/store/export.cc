#include "config_service/store/export.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/violations.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/draft_record.h"
#include "config_service/store/keys.h"
#include "config_service/store/record_io.h"
#include "google/protobuf/io/coded_stream.h"
#include "proto/sallyport/store/v1/export.pb.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using domain::Reason;

constexpr absl::string_view kServerKeys = "serverCertificates.versions/";
constexpr absl::string_view kClientKeys = "clientCertificates/";
// Of a varint of 64 bits.
constexpr size_t kMaxLengthBytes = 10;

struct RuleRow {
  absl::string_view prefix;
  ExportRule rule;
};
constexpr RuleRow kRules[] = {
    // Whoever may sign requests here may not where the export is imported.
    {"accessKeys/", ExportRule::kNotExported},
    {"apis/", ExportRule::kResource},
    {"apis.deployments/", ExportRule::kResource},
    {kDraftsPrefix, ExportRule::kResource},
    {"apis.routes/", ExportRule::kResource},
    {"apis.stages/", ExportRule::kResource},
    {"certificateLists/", ExportRule::kResource},
    {"certificateLists.entries/", ExportRule::kResource},
    {kClientKeys, ExportRule::kResource},
    {"domainNames/", ExportRule::kResource},
    {"domainNames.apiMappings/", ExportRule::kResource},
    {"fleets/", ExportRule::kResource},
    {"fleets.nodes/", ExportRule::kResource},
    {"revocationLists/", ExportRule::kResource},
    {"serverCertificates/", ExportRule::kResource},
    {kServerKeys, ExportRule::kResource},
    {"truststores/", ExportRule::kResource},
    {"truststores.versions/", ExportRule::kResource},
    {kProxyCaKey, ExportRule::kOwnKey},
    {kIssuerCaKey, ExportRule::kOwnKey},
    {kCarrierCertificateKey, ExportRule::kOwnKey},
    {kAuditPrefix, ExportRule::kAuditEntry},
    {kRequestsPrefix, ExportRule::kNotExported},
    {"refs/", ExportRule::kNotExported},
    {"status/", ExportRule::kNotExported},
    {"system/", ExportRule::kNotExported},
    {"installation/", ExportRule::kNotExported},
};

// How many hexadecimal digits end an audit entry's key, and a lineage has.
constexpr size_t kAuditKeyDigits = 16;
constexpr size_t kLineageDigits = 32;

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

absl::Status Invalid(absl::string_view why) {
  return domain::MakeError(Reason::kExportInvalid, why);
}

// Calls `use` with the record's message, if it is of a kind with a private key;
// `use` may change it, and `value` is what it has then.
template <typename Message>
absl::Status WithMessage(absl::string_view key, std::string& value,
                         absl::FunctionRef<absl::Status(std::string&)> use) {
  SALLYPORT_ASSIGN_OR_RETURN(
      Message message, internal::ParseRecord<Message>(Printable(key), value));
  SALLYPORT_RETURN_IF_ERROR(use(*message.mutable_sealed_private_key()));
  value = internal::Bytes(message);
  return absl::OkStatus();
}

absl::Status WithSealedKey(absl::string_view key, std::string& value,
                           absl::FunctionRef<absl::Status(std::string&)> use) {
  if (absl::StartsWith(key, kServerKeys)) {
    return WithMessage<proto::ServerCertificateVersion>(key, value, use);
  }
  if (absl::StartsWith(key, kClientKeys)) {
    return WithMessage<proto::ClientCertificate>(key, value, use);
  }
  if (key == kCarrierCertificateKey) return use(value);
  return WithMessage<proto::StoredCa>(key, value, use);
}

}  // namespace

std::optional<ExportRule> ExportRuleOf(absl::string_view key) {
  for (const RuleRow& row : kRules) {
    if (absl::StartsWith(key, row.prefix)) return row.rule;
  }
  return std::nullopt;
}

bool IsAuditKey(absl::string_view key, absl::Time time) {
  const std::string head = AuditKey(time, "");
  return absl::ConsumePrefix(&key, head) && IsHex(key, kAuditKeyDigits);
}

bool IsLineage(absl::string_view text) { return IsHex(text, kLineageDigits); }

bool HasPrivateKey(absl::string_view key) {
  return absl::StartsWith(key, kServerKeys) ||
         absl::StartsWith(key, kClientKeys) || key == kProxyCaKey ||
         key == kIssuerCaKey || key == kCarrierCertificateKey;
}

absl::StatusOr<Put> ToPut(ExportedRecord record, const Sealer& sealer) {
  Put put{std::move(record.key), std::move(record.value),
          std::move(record.blobs)};
  if (!HasPrivateKey(put.key)) return put;
  SALLYPORT_RETURN_IF_ERROR(WithSealedKey(
      put.key, put.value, [&](std::string& sealed) -> absl::Status {
        if (!sealed.empty()) {
          return internal::Damaged(Printable(put.key),
                                   "has a private key where none belongs");
        }
        if (record.private_key_pem.empty()) return absl::OkStatus();
        SALLYPORT_ASSIGN_OR_RETURN(
            sealed, sealer.Seal(record.private_key_pem, put.key));
        return absl::OkStatus();
      }));
  return put;
}

// ------------------------------------------------------------------ writing

absl::StatusOr<std::unique_ptr<ExportWriter>> ExportWriter::Make(
    Store* store, const Sealer* sealer, absl::string_view recipient,
    Sink sink) {
  std::unique_ptr<ExportWriter> out(
      new ExportWriter(store, sealer, std::move(sink)));
  if (recipient.empty()) return out;
  SALLYPORT_ASSIGN_OR_RETURN(out->sender_,
                             pki::HpkeSender::Make(recipient, kExportHpkeInfo));
  proto::ExportItem item;
  item.set_encapsulated_key(out->sender_->encapsulated_key());
  SALLYPORT_RETURN_IF_ERROR(out->Write(item.SerializeAsString()));
  return out;
}

absl::Status ExportWriter::Write(const std::string& item) {
  uint8_t length[kMaxLengthBytes];
  uint8_t* const end =
      google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(item.size(),
                                                                    length);
  SALLYPORT_RETURN_IF_ERROR(
      sink_(absl::string_view(reinterpret_cast<const char*>(length),
                              static_cast<size_t>(end - length))));
  return sink_(item);
}

absl::Status ExportWriter::AddBlob(const BlobDigest& digest) {
  if (!written_.insert(digest).second) return absl::OkStatus();
  SALLYPORT_ASSIGN_OR_RETURN(const std::unique_ptr<BlobReader> reader,
                             store_->OpenBlob(digest));
  uint64_t left = reader->size();
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(std::string piece, reader->Read());
    left -= piece.size();
    proto::ExportItem item;
    item.mutable_blob_piece()->set_content(std::move(piece));
    const bool last = left == 0;
    if (last) {
      item.mutable_blob_piece()->set_sha256(std::string(digest.bytes()));
    }
    SALLYPORT_RETURN_IF_ERROR(Write(item.SerializeAsString()));
    if (last) return absl::OkStatus();
  }
}

absl::Status ExportWriter::Add(const Record& record, absl::string_view lineage,
                               int64_t revision) {
  for (const BlobDigest& digest : record.blobs) {
    SALLYPORT_RETURN_IF_ERROR(AddBlob(digest));
  }
  proto::ExportItem item;
  proto::ExportItem::Record& out = *item.mutable_record();
  out.set_key(record.key);
  out.set_lineage(std::string(lineage));
  out.set_revision(revision);
  std::string value = record.value;
  if (HasPrivateKey(record.key)) {
    SALLYPORT_RETURN_IF_ERROR(WithSealedKey(
        record.key, value, [&](std::string& sealed) -> absl::Status {
          const std::string mine = std::exchange(sealed, "");
          if (sender_ == nullptr || mine.empty()) return absl::OkStatus();
          SALLYPORT_ASSIGN_OR_RETURN(const Secret key,
                                     sealer_->Open(mine, record.key));
          SALLYPORT_ASSIGN_OR_RETURN(*out.mutable_sealed_private_key(),
                                     sender_->Seal(key, record.key));
          return absl::OkStatus();
        }));
  }
  out.set_value(std::move(value));
  for (const BlobDigest& digest : record.blobs) {
    out.add_blobs(std::string(digest.bytes()));
  }
  return Write(item.SerializeAsString());
}

// ------------------------------------------------------------------ reading

absl::Status ExportReader::Append(absl::string_view bytes) {
  buffer_.append(bytes.data(), bytes.size());
  absl::string_view rest = buffer_;
  while (true) {
    google::protobuf::io::CodedInputStream in(
        reinterpret_cast<const uint8_t*>(rest.data()),
        static_cast<int>(std::min(rest.size(), kMaxLengthBytes)));
    uint64_t length = 0;
    if (!in.ReadVarint64(&length)) {
      if (rest.size() >= kMaxLengthBytes) {
        return Invalid(absl::StrCat("item ", items_ + 1, " has no length"));
      }
      break;
    }
    if (length > kMaxExportItemBytes) {
      return Invalid(absl::StrCat("item ", items_ + 1, " has ", length,
                                  " bytes; at most ", kMaxExportItemBytes));
    }
    const auto head = static_cast<size_t>(in.CurrentPosition());
    if (rest.size() - head < length) break;
    ++items_;
    SALLYPORT_RETURN_IF_ERROR(ReadItem(rest.substr(head, length)));
    rest.remove_prefix(head + length);
  }
  buffer_.erase(0, buffer_.size() - rest.size());
  return absl::OkStatus();
}

absl::Status ExportReader::Finish() {
  if (!buffer_.empty() || blob_ != nullptr) {
    return Invalid("the export ends in the middle of something");
  }
  return absl::OkStatus();
}

absl::Status ExportReader::ReadItem(absl::string_view bytes) {
  const auto invalid = [this](absl::string_view why) {
    return Invalid(absl::StrCat("item ", items_, " ", why));
  };
  proto::ExportItem item;
  if (!internal::ParseWhole("an export", bytes, item).ok()) {
    return invalid("cannot be read");
  }
  if (blob_ != nullptr && !item.has_blob_piece()) {
    return invalid("comes in the middle of a blob");
  }
  switch (item.item_case()) {
    case proto::ExportItem::kEncapsulatedKey: {
      if (items_ != 1) return invalid("is a key that comes too late");
      if (private_key_.empty()) {
        return invalid("says that there are private keys; the header does not");
      }
      auto recipient = pki::HpkeRecipient::Make(
          private_key_, item.encapsulated_key(), kExportHpkeInfo);
      if (!recipient.ok()) return invalid(recipient.status().message());
      recipient_ = *std::move(recipient);
      return absl::OkStatus();
    }
    case proto::ExportItem::kBlobPiece: {
      if (blob_ == nullptr) {
        SALLYPORT_ASSIGN_OR_RETURN(blob_, store_->NewBlob());
      }
      const proto::ExportItem::BlobPiece& piece = item.blob_piece();
      if (piece.content().empty() && piece.sha256().empty()) {
        return invalid("is an empty piece");
      }
      SALLYPORT_RETURN_IF_ERROR(blob_->Append(piece.content()));
      if (piece.sha256().empty()) return absl::OkStatus();
      const absl::StatusOr<BlobDigest> wanted =
          BlobDigest::FromBytes(piece.sha256());
      if (!wanted.ok()) return invalid("has a digest that is none");
      SALLYPORT_ASSIGN_OR_RETURN(const BlobDigest digest, blob_->Finish());
      blob_.reset();
      if (digest != *wanted) return invalid("ends a blob of another digest");
      blobs_.insert(digest);
      return absl::OkStatus();
    }
    case proto::ExportItem::kRecord: {
      proto::ExportItem::Record& in = *item.mutable_record();
      ExportedRecord record;
      record.key = std::move(*in.mutable_key());
      record.value = std::move(*in.mutable_value());
      record.lineage = in.lineage();
      record.revision = in.revision();
      for (const std::string& text : in.blobs()) {
        const absl::StatusOr<BlobDigest> digest = BlobDigest::FromBytes(text);
        if (!digest.ok()) return invalid("names a blob by no digest");
        record.blobs.push_back(*digest);
      }
      if (!in.sealed_private_key().empty()) {
        if (recipient_ == nullptr || !HasPrivateKey(record.key)) {
          return invalid("has a private key where none belongs");
        }
        absl::StatusOr<Secret> key =
            recipient_->Open(in.sealed_private_key(), record.key);
        if (!key.ok()) {
          return invalid(
              "has a private key that was not sealed to this recipient, or is "
              "damaged");
        }
        record.private_key_pem = *std::move(key);
      }
      return take_(std::move(record));
    }
    case proto::ExportItem::ITEM_NOT_SET:
      return invalid("is of no known kind");
  }
  return invalid("is of no known kind");
}

}  // namespace sallyport::store
