#include "config_service/store/sealer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "pki/crypto/crypto.h"

namespace sallyport::store {
namespace {

std::string Folder() {
  const char* dir = std::getenv("TEST_TMPDIR");
  std::string name =
      absl::StrCat(dir != nullptr ? dir : "/tmp", "/sealer.XXXXXX");
  EXPECT_NE(mkdtemp(&name[0]), nullptr);
  return name;
}

void WriteKeys(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string Base64Of(char c) {
  return absl::Base64Escape(std::string(kSealingKeyBytes, c));
}

std::unique_ptr<Sealer> Make(std::initializer_list<char> keys) {
  std::vector<Secret> secrets;
  for (char c : keys) secrets.emplace_back(std::string(kSealingKeyBytes, c));
  return Sealer::FromKeys(std::move(secrets)).value();
}

absl::StatusCode OpenFile(const std::string& path) {
  return Sealer::FromFile(path, Sealer::IfMissing::kFail).status().code();
}

TEST(Sealer, OpensWhatItSealed) {
  const auto sealer = Make({'a'});
  for (size_t len : {0, 1, 31, 4096, 1 << 20}) {
    const std::string text(len, 'x');
    const auto sealed = sealer->Seal(Secret::CopyOf(text), "keys/1");
    ASSERT_TRUE(sealed.ok());
    EXPECT_EQ(sealed->size(), len + kSealOverheadBytes);
    const auto opened = sealer->Open(*sealed, "keys/1");
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(opened->Reveal(), text);
  }
}

TEST(Sealer, NeverSealsTheSameWayTwice) {
  const auto sealer = Make({'a'});
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(sealer->Seal(Secret::CopyOf("text"), "k").value());
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Sealer, DoesNotOpenInAnotherRecord) {
  const auto sealer = Make({'a'});
  const std::string sealed =
      sealer->Seal(Secret::CopyOf("text"), "keys/1").value();
  for (const char* other : {"keys/2", "keys/", "keys/11", ""}) {
    const auto opened = sealer->Open(sealed, other);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss) << other;
  }
}

TEST(Sealer, OpensNothingThatWasChanged) {
  const auto sealer = Make({'a', 'b'});
  const std::string sealed = sealer->Seal(Secret::CopyOf("text"), "k").value();
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 0x20;
    EXPECT_FALSE(sealer->Open(changed, "k").ok()) << i;
    EXPECT_FALSE(sealer->Open(sealed.substr(0, i), "k").ok()) << i;
  }
  EXPECT_FALSE(sealer->Open(sealed + "x", "k").ok());
}

TEST(Sealer, RotatesKeys) {
  const auto before = Make({'a'});
  const std::string old = before->Seal(Secret::CopyOf("text"), "k").value();
  EXPECT_FALSE(before->NeedsResealing(old));

  const auto both = Make({'b', 'a'});
  EXPECT_EQ(both->Open(old, "k").value().Reveal(), "text");
  EXPECT_TRUE(both->NeedsResealing(old));
  const std::string resealed = both->Seal(*both->Open(old, "k"), "k").value();
  EXPECT_FALSE(both->NeedsResealing(resealed));

  const auto after = Make({'b'});
  EXPECT_EQ(after->Open(resealed, "k").value().Reveal(), "text");
  const auto lost = after->Open(old, "k");
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(lost.status().message().find(before->active_key_id()),
            std::string::npos)
      << lost.status();
  EXPECT_TRUE(after->NeedsResealing("short"));
}

TEST(Sealer, HasAKeyIdThatIsNotTheKey) {
  const auto sealer = Make({'a'});
  EXPECT_EQ(sealer->active_key_id().size(), 16u);
  EXPECT_EQ(sealer->active_key_id().find("6161"), std::string::npos);
  EXPECT_NE(sealer->active_key_id(), Make({'b'})->active_key_id());
  EXPECT_EQ(sealer->active_key_id(), Make({'a', 'b'})->active_key_id());
}

TEST(SealerFile, IsMadeForItsOwnerAloneAndReadAgain) {
  const std::string path = Folder() + "/kek";
  EXPECT_EQ(OpenFile(path), absl::StatusCode::kNotFound);

  const auto made = Sealer::FromFile(path, Sealer::IfMissing::kCreate);
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_nlink, 1u);  // No draft is left.

  const std::string sealed = (*made)->Seal(Secret::CopyOf("text"), "k").value();
  const std::string before = ReadText(path);
  const auto again = Sealer::FromFile(path, Sealer::IfMissing::kCreate);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(ReadText(path), before);
  EXPECT_EQ((*again)->Open(sealed, "k").value().Reveal(), "text");
}

TEST(SealerFile, IsMadeOnceWhenManyStart) {
  const std::string path = Folder() + "/kek";
  std::vector<std::string> ids(8);
  std::vector<std::thread> threads;
  threads.reserve(ids.size());
  for (std::string& id : ids) {
    threads.emplace_back([&id, &path] {
      const auto sealer = Sealer::FromFile(path, Sealer::IfMissing::kCreate);
      ASSERT_TRUE(sealer.ok()) << sealer.status();
      id = (*sealer)->active_key_id();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
}

TEST(SealerFile, MayHaveCommentsAndSeveralKeys) {
  const std::string path = Folder() + "/kek";
  WriteKeys(path, absl::StrCat("# new\r\n", Base64Of('b'), "\r\n\n  # old\n",
                               Base64Of('a')));
  const auto sealer = Sealer::FromFile(path, Sealer::IfMissing::kFail);
  ASSERT_TRUE(sealer.ok()) << sealer.status();
  EXPECT_EQ((*sealer)->active_key_id(), Make({'b'})->active_key_id());
  const std::string old = Make({'a'})->Seal(Secret::CopyOf("t"), "k").value();
  EXPECT_TRUE((*sealer)->Open(old, "k").ok());
}

TEST(SealerFile, IsRefusedWhenOthersCanReadOrWriteIt) {
  const std::string path = Folder() + "/kek";
  WriteKeys(path, Base64Of('a'));
  for (mode_t mode : {0604, 0602, 0620, 0660, 0644, 0666}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const auto sealer = Sealer::FromFile(path, Sealer::IfMissing::kCreate);
    EXPECT_EQ(sealer.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(sealer.status().message().find("chmod 600"), std::string::npos);
  }
  for (mode_t mode : {0600, 0400, 0640, 0440}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_EQ(OpenFile(path), absl::StatusCode::kOk) << std::oct << mode;
  }
}

TEST(SealerFile, IsRefusedWithTheLineAndWithoutItsContents) {
  const std::string path = Folder() + "/kek";
  const std::string too_short =
      absl::Base64Escape(std::string(kSealingKeyBytes - 1, 'a'));
  const std::string too_long =
      absl::Base64Escape(std::string(kSealingKeyBytes + 1, 'a'));
  for (const std::string& bad :
       {too_short, too_long, std::string("hunter2"), Base64Of('b') + "!"}) {
    WriteKeys(path, absl::StrCat(Base64Of('a'), "\n\n", bad, "\n"));
    const auto sealer = Sealer::FromFile(path, Sealer::IfMissing::kFail);
    EXPECT_EQ(sealer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(sealer.status().message().find("line 3"), std::string::npos)
        << sealer.status();
    EXPECT_EQ(sealer.status().message().find(bad), std::string::npos)
        << sealer.status();
  }
  WriteKeys(path, absl::StrCat(Base64Of('a'), "\n", Base64Of('a')));
  EXPECT_EQ(OpenFile(path), absl::StatusCode::kInvalidArgument);
  for (const char* nothing : {"", "\n\n", "# only a comment\n"}) {
    WriteKeys(path, nothing);
    EXPECT_EQ(OpenFile(path), absl::StatusCode::kInvalidArgument);
  }
}

TEST(SealerFile, MayHaveSixteenKeysAndNoMore) {
  const std::string path = Folder() + "/kek";
  std::string text;
  for (size_t i = 0; i < kMaxSealingKeys; ++i) {
    absl::StrAppend(&text, Base64Of(static_cast<char>('a' + i)), "\n");
  }
  WriteKeys(path, text);
  EXPECT_EQ(OpenFile(path), absl::StatusCode::kOk);
  WriteKeys(path, text + Base64Of('z'));
  EXPECT_EQ(OpenFile(path), absl::StatusCode::kInvalidArgument);
}

TEST(SealerFile, IsARegularFile) {
  const std::string folder = Folder();
  EXPECT_EQ(OpenFile(folder), absl::StatusCode::kFailedPrecondition);
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(OpenFile(pipe), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Sealer::FromFile(folder + "/none/kek", Sealer::IfMissing::kCreate)
                .status()
                .code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sallyport::store
