#include "config_service/store/export.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/store/v1/export.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;

std::unique_ptr<Sealer> NewSealer(char fill) {
  std::vector<Secret> keys;
  keys.push_back(Secret(std::string(kSealingKeyBytes, fill)));
  return *Sealer::FromKeys(std::move(keys));
}

domain::Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : domain::Reason::kInternal;
}

// One item as the format has it; shorter than 128 bytes.
std::string Item(const proto::ExportItem& item) {
  const std::string bytes = item.SerializeAsString();
  EXPECT_LT(bytes.size(), 128u);
  return absl::StrCat(std::string(1, static_cast<char>(bytes.size())), bytes);
}

ExportedRecord Copy(const ExportedRecord& record) {
  ExportedRecord out;
  out.key = record.key;
  out.value = record.value;
  out.blobs = record.blobs;
  out.private_key_pem = record.private_key_pem.Clone();
  out.lineage = record.lineage;
  out.revision = record.revision;
  return out;
}

class ExportTest : public testing::Test {
 protected:
  // What an export of `records` has.
  std::string Export(const std::vector<Record>& records,
                     const std::string& recipient = "") {
    std::string out;
    auto writer = ExportWriter::Make(store_.get(), sealer_.get(), recipient,
                                     [&](absl::string_view bytes) {
                                       absl::StrAppend(&out, bytes);
                                       return absl::OkStatus();
                                     });
    EXPECT_TRUE(writer.ok()) << writer.status();
    for (const Record& record : records) {
      const absl::Status added = (*writer)->Add(record);
      EXPECT_TRUE(added.ok()) << added;
    }
    return out;
  }
  // Reads it in pieces of `piece` bytes, into another store.
  absl::Status Import(const std::string& bytes, const Secret& key = Secret(),
                      size_t piece = 7) {
    read_.clear();
    ExportReader reader(other_.get(), key, [this](ExportedRecord record) {
      read_.push_back(std::move(record));
      return absl::OkStatus();
    });
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const absl::Status status = reader.Append(bytes.substr(at, piece));
      if (!status.ok()) return status;
    }
    return reader.Finish();
  }

  const std::unique_ptr<Store> store_ = NewMemoryStore();
  const std::unique_ptr<Store> other_ = NewMemoryStore();
  const std::unique_ptr<Sealer> sealer_ = NewSealer('a');
  std::vector<ExportedRecord> read_;
};

TEST_F(ExportTest, GivesBackWhatWentIn) {
  const std::string content(kBlobPieceBytes + 10, 'b');
  Record record;
  record.key = "truststores.versions/p/1";
  record.value = std::string("\0value", 6);
  for (const std::string& text : {content, std::string("small")}) {
    auto blob = store_->NewBlob();
    ASSERT_TRUE((*blob)->Append(text).ok());
    record.blobs.push_back(*(*blob)->Finish());
  }
  Record again = record;
  again.key = "truststores.versions/q/1";
  const std::string bytes = Export({record, again});
  // Each blob once.
  EXPECT_LT(bytes.size(), content.size() + 1000);
  for (const size_t piece : {size_t{1000}, bytes.size()}) {
    ASSERT_TRUE(Import(bytes, Secret(), piece).ok());
    ASSERT_EQ(read_.size(), 2u);
    EXPECT_EQ(read_[0].key, record.key);
    EXPECT_EQ(read_[0].value, record.value);
    EXPECT_EQ(read_[0].blobs, record.blobs);
    EXPECT_EQ(read_[1].key, again.key);
  }
  const auto blob = other_->OpenBlob(record.blobs[0]);
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ((*blob)->size(), content.size());
}

TEST_F(ExportTest, HasPrivateKeysOnlySealedToTheRecipient) {
  domain::ClientCertificate certificate;
  certificate.name = domain::ClientCertificateName("c");
  certificate.certificate_chain_pem = "chain";
  const std::string secret = "-----BEGIN PRIVATE KEY----- of nobody's";
  Record record;
  record.key = KeyOf(certificate.name);
  record.value = *Encode(certificate, Secret::CopyOf(secret), *sealer_);
  const auto sealer = NewSealer('b');
  const pki::HpkeKey key = pki::NewHpkeKey();

  const std::string sealed = Export({record}, key.public_key);
  EXPECT_FALSE(absl::StrContains(sealed, "PRIVATE"));
  ASSERT_TRUE(Import(sealed, key.private_key).ok());
  ASSERT_EQ(read_.size(), 1u);
  EXPECT_EQ(read_[0].private_key_pem.Reveal(), secret);
  EXPECT_FALSE(absl::StrContains(read_[0].value, "PRIVATE"));
  Record there;
  const Put put = *ToPut(Copy(read_[0]), *sealer);
  there.key = put.key;
  there.value = put.value;
  EXPECT_EQ(OpenPrivateKey(certificate.name, there, *sealer)->Reveal(), secret);
  EXPECT_FALSE(OpenPrivateKey(certificate.name, there, *sealer_).ok());

  // To somebody else, and for another record.
  EXPECT_EQ(ReasonOf(Import(sealed, pki::NewHpkeKey().private_key)),
            domain::Reason::kExportInvalid);
  std::string moved = sealed;
  moved.replace(moved.find(record.key), record.key.size(),
                "clientCertificates/d");
  EXPECT_EQ(ReasonOf(Import(moved, key.private_key)),
            domain::Reason::kExportInvalid);
  EXPECT_EQ(ReasonOf(Import(sealed)), domain::Reason::kExportInvalid);

  const std::string without = Export({record});
  ASSERT_TRUE(Import(without).ok());
  EXPECT_TRUE(read_[0].private_key_pem.empty());
  there.value = ToPut(Copy(read_[0]), *sealer)->value;
  EXPECT_EQ(ReasonOf(OpenPrivateKey(certificate.name, there, *sealer).status()),
            domain::Reason::kPrivateKeyMissing);
  // One that somebody put in himself.
  read_[0].value = record.value;
  EXPECT_EQ(ReasonOf(ToPut(Copy(read_[0]), *sealer).status()),
            domain::Reason::kRecordDamaged);
}

TEST_F(ExportTest, RefusesWhatIsNoExport) {
  proto::ExportItem record;
  record.mutable_record()->set_key("truststores/p");
  proto::ExportItem piece;
  piece.mutable_blob_piece()->set_content("content");
  proto::ExportItem last = piece;
  last.mutable_blob_piece()->set_sha256(
      std::string(BlobDigest::Of("another").bytes()));
  proto::ExportItem empty;
  empty.mutable_blob_piece();
  proto::ExportItem key;
  key.set_encapsulated_key(pki::NewHpkeKey().public_key);
  proto::ExportItem blobs = record;
  blobs.mutable_record()->add_blobs("short");
  proto::ExportItem sealed = record;
  sealed.mutable_record()->set_sealed_private_key("x");
  const Secret mine = pki::NewHpkeKey().private_key;
  for (const std::string& bytes : {
           Item(record) + "\x05",               // cut off
           Item(piece),                         // a blob without an end
           Item(piece) + Item(record),          // within a blob
           Item(last),                          // another digest
           Item(empty),                         //
           Item(record) + Item(key),            // too late
           Item(blobs),                         //
           Item(sealed),                        // no key came before
           Item(proto::ExportItem()),           //
           std::string("\x02\x7a\x01", 3),      // an unknown field, cut off
           std::string("\xff\xff\xff\x7f", 4),  // too long an item
           std::string(11, '\xff'),             // no length
       }) {
    EXPECT_EQ(ReasonOf(Import(bytes, mine)), domain::Reason::kExportInvalid);
  }
  EXPECT_TRUE(Import(Item(record)).ok());
  EXPECT_TRUE(Import("").ok());
}

TEST_F(ExportTest, KnowsWhatBecomesOfEveryKindOfRecord) {
  EXPECT_EQ(ExportRuleOf("domainNames.apiMappings/a/b"), ExportRule::kResource);
  EXPECT_EQ(ExportRuleOf("apis.drafts/a"), ExportRule::kResource);
  EXPECT_EQ(ExportRuleOf("accessKeys/AKIA"), ExportRule::kNotExported);
  EXPECT_EQ(ExportRuleOf("system/proxyCa"), ExportRule::kOwnKey);
  EXPECT_EQ(ExportRuleOf("system/issuerCa"), ExportRule::kOwnKey);
  EXPECT_EQ(ExportRuleOf("system/other"), ExportRule::kNotExported);
  EXPECT_EQ(ExportRuleOf("status/domainNames/a"), ExportRule::kNotExported);
  EXPECT_EQ(ExportRuleOf("something/new"), std::nullopt);
  const absl::Time time = absl::FromUnixSeconds(1700000000);
  EXPECT_TRUE(IsAuditKey(AuditKey(time, "12345678"), time));
  EXPECT_FALSE(IsAuditKey(AuditKey(time, "12345678"), time + absl::Seconds(1)));
  EXPECT_FALSE(IsAuditKey(AuditKey(time, "123456789"), time));
  EXPECT_TRUE(IsLineage(store_->lineage().id()));
  EXPECT_FALSE(IsLineage("../" + store_->lineage().id().substr(3)));
}

}  // namespace
}  // namespace sallyport::store
