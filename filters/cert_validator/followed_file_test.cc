#include "filters/cert_validator/followed_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "filters/cert_validator/file_stamp.h"
#include "filters/cert_validator/test_support.h"
#include "filters/cert_validator/truststore_file.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

namespace fs = std::filesystem;

size_t Size(const FollowedFile& file) {
  return TruststoreOf(file)->truststore().num_certificates();
}

class Recorder : public FollowedFile::Listener {
 public:
  void OnFileChanged() override { ++calls; }
  std::atomic<int> calls{0};
};

std::string One() { return Certificates().root.pem; }
std::string Two() { return One() + Certificates().partner.pem; }
std::string Three() { return Two() + Certificates().stranger.pem; }

TEST(FollowedFile, IsReadWhenItIsOpenedAndAgainWhenItIsReplaced) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  auto recorder = std::make_shared<Recorder>();
  file->Subscribe(recorder);
  EXPECT_EQ(Size(*file), 1u);
  Replace(dir / "t.pem", Two());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
  EXPECT_TRUE(WaitFor([&] { return recorder->calls == 1; }));
  Replace(dir / "t.pem", Three());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 3; }));
}

TEST(FollowedFile, IsOneObjectForOnePath) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  EXPECT_EQ(*OpenTruststoreFile(dir / "t.pem", {}), file);
  pki::TruststoreLimits limits;
  limits.max_certificates = 5;
  EXPECT_NE(*OpenTruststoreFile(dir / "t.pem", limits), file);
}

TEST(FollowedFile, KeepsItsLastGoodContentAndSaysWhy) {
  TempDir dir;
  Replace(dir / "t.pem", Two());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  const auto recorder = std::make_shared<Recorder>();
  file->Subscribe(recorder);
  shim::LogCapture log;
  for (const std::string& bad :
       {std::string("no certificate here"), std::string(),
        Two().substr(0, Two().size() - 100),
        Two() + Certificates().root.key.Pem()}) {
    const int before = log.Count("last good one stays");
    Replace(dir / "t.pem", bad);
    ASSERT_TRUE(
        WaitFor([&] { return log.Count("last good one stays") > before; }));
    EXPECT_EQ(Size(*file), 2u);
    // A configuration that comes now is refused.
    EXPECT_FALSE(OpenTruststoreFile(dir / "t.pem", {}).ok());
  }
  EXPECT_EQ(log.Count("last good one stays", abi::LogLevel::kError),
            log.Count("last good one stays"));
  EXPECT_EQ(log.Count("PRIVATE KEY-----"), 0);
  EXPECT_EQ(recorder->calls, 0);
  Replace(dir / "t.pem", Three());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 3; }));
  EXPECT_TRUE(OpenTruststoreFile(dir / "t.pem", {}).ok());
}

TEST(FollowedFile, IsRefusedWhenItCannotBeReadOrParsed) {
  TempDir dir;
  const auto missing = OpenTruststoreFile(dir / "none.pem", {});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(missing.status().message(), "none.pem"));
  EXPECT_FALSE(OpenTruststoreFile(dir.path(), {}).ok());
  Replace(dir / "bad.pem", "x");
  EXPECT_FALSE(OpenTruststoreFile(dir / "bad.pem", {}).ok());
  // The file came later.
  Replace(dir / "none.pem", One());
  EXPECT_TRUE(OpenTruststoreFile(dir / "none.pem", {}).ok());
}

// Moves something into `dir` and waits until the watcher has seen that.
void MoveSomethingThere(const TempDir& dir) {
  static int number = 0;
  const std::string name = "seen" + std::to_string(++number) + ".pem";
  Replace(dir / name, One());
  const auto seen = *OpenTruststoreFile(dir / name, {});
  Replace(dir / "unrelated.txt", "x");
  Replace(dir / name, Two());
  ASSERT_TRUE(WaitFor([&] { return Size(*seen) == 2; }));
}

TEST(FollowedFile, DoesNotCountWhatIsWrittenInPlace) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  WriteInPlace(dir / "t.pem", Two());
  MoveSomethingThere(dir);
  EXPECT_EQ(Size(*file), 1u);
  // Nor when a configuration is loaded that names it.
  EXPECT_EQ(Size(**OpenTruststoreFile(dir / "t.pem", {})), 1u);
  EXPECT_EQ(Size(*file), 1u);
  Replace(dir / "t.pem", Three());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 3; }));
}

TEST(FollowedFile, DoesNotCountWhatIsWrittenInPlaceBehindALink) {
  TempDir dir, elsewhere;
  Replace(elsewhere / "real.pem", One());
  fs::create_symlink(elsewhere / "real.pem", dir / "t.pem");
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  shim::LogCapture log;
  WriteInPlace(elsewhere / "real.pem", Two());
  MoveSomethingThere(dir);
  EXPECT_EQ(Size(**OpenTruststoreFile(dir / "t.pem", {})), 1u);
  EXPECT_TRUE(
      WaitFor([&] { return log.Count("t.pem was written to in place") == 1; }));
  EXPECT_EQ(Size(*file), 1u);
}

TEST(FollowedFile, TakesAnotherFileWhenAConfigurationIsLoaded) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  fs::remove(dir / "t.pem");
  EXPECT_FALSE(OpenTruststoreFile(dir / "t.pem", {}).ok());
  EXPECT_EQ(Size(*file), 1u);
  // Not moved there, so nothing tells of it.
  WriteInPlace(dir / "t.pem", Two());
  EXPECT_EQ(Size(**OpenTruststoreFile(dir / "t.pem", {})), 2u);
}

TEST(FollowedFile, WarnsOnceOfWhatIsWrittenInPlace) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  shim::LogCapture log;
  const auto warnings = [&](int number) {
    return WaitFor([&] {
      return log.Count("t.pem was written to in place",
                       abi::LogLevel::kWarning) == number;
    });
  };
  WriteInPlace(dir / "t.pem", Two());
  EXPECT_TRUE(warnings(1)) << log.Text();
  // Of the same length, at another time.
  WriteInPlace(dir / "t.pem", Two());
  EXPECT_TRUE(warnings(2)) << log.Text();
  EXPECT_EQ(Size(*file), 1u);
  // Moves and permissions are nothing to warn of.
  Replace(dir / "t.pem", Three());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 3; }));
  fs::permissions(dir / "t.pem", fs::perms::owner_read);
  absl::SleepFor(absl::Seconds(3));
  EXPECT_TRUE(warnings(2)) << log.Text();
  fs::remove(dir / "t.pem");
  EXPECT_TRUE(WaitFor([&] {
    return log.Count("t.pem is gone", abi::LogLevel::kWarning) == 1;
  })) << log.Text();
  EXPECT_EQ(Size(*file), 3u);
}

TEST(FollowedFile, FollowsTheLinkThatKubernetesSwaps) {
  // t.pem -> ..data/t.pem, ..data -> ..1
  TempDir dir;
  fs::create_directory(dir / "..1");
  fs::create_directory(dir / "..2");
  WriteInPlace(dir / "..1/t.pem", One());
  WriteInPlace(dir / "..2/t.pem", Two());
  fs::create_symlink("..1", dir / "..data");
  fs::create_symlink("..data/t.pem", dir / "t.pem");
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  EXPECT_EQ(Size(*file), 1u);
  fs::create_symlink("..2", dir / "..data_tmp");
  fs::rename(dir / "..data_tmp", dir / "..data");
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
}

TEST(FollowedFile, FollowsALinkIntoAnotherDirectory) {
  TempDir dir, elsewhere;
  Replace(elsewhere / "real.pem", One());
  fs::create_symlink(elsewhere / "real.pem", dir / "t.pem");
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  EXPECT_EQ(Size(*file), 1u);
  Replace(elsewhere / "real.pem", Two());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
}

TEST(FollowedFile, TellsAFileBehindALinkFromOneThatHadItsInode) {
  TempDir dir, elsewhere;
  const std::string real = elsewhere / "real.pem";
  Replace(real, One());
  fs::create_symlink(real, dir / "t.pem");
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  if (StampOf(real).identity.born_nanos == 0) {
    GTEST_SKIP() << "the file system has no times of birth";
  }
  int same_inode = 0;
  for (int i = 0; i < 20; ++i) {
    const size_t want = Size(*file) == 1 ? 2 : 1;
    const uint64_t inode = StampOf(real).identity.inode;
    // The first move frees the inode, the second file gets it.
    Replace(real, Three());
    Replace(real, want == 1 ? One() : Two());
    if (StampOf(real).identity.inode == inode) ++same_inode;
    ASSERT_TRUE(WaitFor([&] { return Size(*file) == want; })) << i;
    if (same_inode == 2) return;
  }
  GTEST_SKIP() << "the file system does not give inodes again";
}

TEST(FollowedFile, IsToldOfALinkWhoseTargetChangedWhenAnotherListenerComes) {
  TempDir dir, elsewhere;
  Replace(elsewhere / "real.pem", One());
  fs::create_symlink(elsewhere / "real.pem", dir / "t.pem");
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  for (size_t i = 0; i < 5; ++i) {
    const size_t want = Size(*file) == 1 ? 2 : 1;
    Replace(elsewhere / "real.pem", want == 1 ? One() : Two());
    pki::TruststoreLimits limits;
    limits.max_certificates = 10 + i;
    const auto other = *OpenTruststoreFile(dir / "t.pem", limits);
    EXPECT_EQ(Size(*other), want);
    ASSERT_TRUE(WaitFor([&] { return Size(*file) == want; })) << i;
  }
}

TEST(FollowedFile, KeepsItsContentWhenAPipeTakesItsPlace) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  const auto file = *OpenTruststoreFile(dir / "t.pem", {});
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  shim::LogCapture log;
  fs::rename(dir / "pipe", dir / "t.pem");
  EXPECT_TRUE(WaitFor([&] { return log.Count("not a regular file") > 0; }));
  EXPECT_EQ(Size(*file), 1u);
  // The thread still reads.
  Replace(dir / "t.pem", Two());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
}

TEST(FollowedFile, SurvivesItsDirectoryBeingReplaced) {
  TempDir dir;
  fs::create_directory(dir / "d");
  fs::create_directory(dir / "d2");
  WriteInPlace(dir / "d/t.pem", One());
  WriteInPlace(dir / "d2/t.pem", Two());
  const auto file = *OpenTruststoreFile(dir / "d/t.pem", {});
  // Moved away, and another one in its place.
  fs::rename(dir / "d", dir / "gone");
  fs::rename(dir / "d2", dir / "d");
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
  Replace(dir / "d/t.pem", Three());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 3; }));
  // Removed, and made again.
  fs::remove_all(dir / "d");
  fs::create_directory(dir / "d");
  Replace(dir / "d/t.pem", One());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 1; }));
  Replace(dir / "d/t.pem", Two());
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
}

TEST(FollowedFile, FollowsALinkToItsDirectory) {
  TempDir dir;
  fs::create_directory(dir / "release1");
  fs::create_directory(dir / "release2");
  WriteInPlace(dir / "release1/t.pem", One());
  WriteInPlace(dir / "release2/t.pem", Two());
  fs::create_symlink("release1", dir / "now");
  const auto file = *OpenTruststoreFile(dir / "now/t.pem", {});
  fs::create_symlink("release2", dir / "next");
  fs::rename(dir / "next", dir / "now");
  EXPECT_TRUE(WaitFor([&] { return Size(*file) == 2; }));
}

TEST(FollowedFile, IsToldApartFromItsNeighbours) {
  TempDir dir;
  std::vector<std::shared_ptr<FollowedFile>> files;
  for (int i = 0; i < 100; ++i) {
    const std::string path = dir / std::to_string(i);
    Replace(path, One());
    files.push_back(*OpenTruststoreFile(path, {}));
  }
  for (int i = 0; i < 100; i += 2) Replace(dir / std::to_string(i), Two());
  EXPECT_TRUE(WaitFor([&] {
    for (int i = 0; i < 100; i += 2) {
      if (Size(*files[i]) != 2) return false;
    }
    return true;
  }));
  for (int i = 1; i < 100; i += 2) EXPECT_EQ(Size(*files[i]), 1u) << i;
}

TEST(FollowedFile, MayBeLetGoOfWhileItIsReplaced) {
  TempDir dir;
  Replace(dir / "t.pem", One());
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    for (int i = 0; !stop; ++i) {
      Replace(dir / "t.pem", i % 2 == 0 ? Two() : One());
    }
  });
  for (int i = 0; i < 300; ++i) {
    const auto file = OpenTruststoreFile(dir / "t.pem", {});
    ASSERT_TRUE(file.ok()) << file.status();
    const auto recorder = std::make_shared<Recorder>();
    (*file)->Subscribe(recorder);
    EXPECT_NE((*file)->current(), nullptr);
  }
  stop = true;
  mover.join();
}

}  // namespace
}  // namespace sallyport::cert_validator
