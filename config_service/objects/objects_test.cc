#include "config_service/objects/objects.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/secret.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::objects {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FileObjects : public ::testing::Test {
 protected:
  FileObjects() {
    std::string pattern = absl::StrCat(
        absl::StripSuffix(::testing::TempDir(), "/"), "/objects.XXXXXX");
    root_ = mkdtemp(pattern.data());
    allowed_ = root_ + "/allowed";
    mkdir(allowed_.c_str(), 0700);
    mkdir((root_ + "/allowed-not").c_str(), 0700);
    Options options;
    options.files.folders = {allowed_};
    reader_ = *NewObjectReader(std::move(options), &Clock::System());
  }

  static void Write(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
  }

  absl::StatusOr<Object> Read(const std::string& path,
                              const std::string& etag = "",
                              size_t max_bytes = 100) {
    ReadRequest request;
    request.uri = "file://" + path;
    request.known_etag = etag;
    request.max_bytes = max_bytes;
    return reader_->Read(request);
  }

  std::string root_;
  std::string allowed_;
  std::unique_ptr<ObjectReader> reader_;
};

TEST_F(FileObjects, AreReadOnceForEachContent) {
  const std::string path = allowed_ + "/trust.pem";
  Write(path, "one");
  const auto first = Read(path);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->content, "one");
  EXPECT_FALSE(first->unchanged);
  EXPECT_EQ(first->version, "");
  const auto again = Read(path, first->etag);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->content, "");
  EXPECT_EQ(again->etag, first->etag);
  // Moved into its place, as such files are replaced.
  Write(path + ".new", "two");
  ASSERT_EQ(std::rename((path + ".new").c_str(), path.c_str()), 0);
  const auto changed = Read(path, first->etag);
  ASSERT_TRUE(changed.ok());
  EXPECT_FALSE(changed->unchanged);
  EXPECT_EQ(changed->content, "two");
  EXPECT_NE(changed->etag, first->etag);
}

TEST_F(FileObjects, HaveALimit) {
  const std::string path = allowed_ + "/trust.pem";
  Write(path, "12345");
  EXPECT_TRUE(Read(path, "", 5).ok());
  const auto large = Read(path, "", 4);
  EXPECT_EQ(large.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(large.status().message(), HasSubstr("limit of 4 bytes"));
}

TEST_F(FileObjects, AreInAllowedFoldersOnly) {
  Write(root_ + "/secret", "secret");
  Write(root_ + "/allowed-not/secret", "secret");
  const absl::Status denied = Read(root_ + "/secret").status();
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Read(root_ + "/allowed-not/secret").status(), denied);
  // Whether there is one is not told either.
  EXPECT_EQ(Read(root_ + "/missing").status(), denied);
  EXPECT_FALSE(Read(allowed_ + "/../secret").ok());
  // A link out of the folder, and one within it.
  ASSERT_EQ(symlink((root_ + "/secret").c_str(), (allowed_ + "/out").c_str()),
            0);
  EXPECT_EQ(Read(allowed_ + "/out").status(), denied);
  Write(allowed_ + "/good", "good");
  ASSERT_EQ(symlink("good", (allowed_ + "/in").c_str()), 0);
  EXPECT_TRUE(Read(allowed_ + "/in").ok());
}

TEST_F(FileObjects, AreFollowedThroughAFolderThatIsALink) {
  ASSERT_EQ(symlink(allowed_.c_str(), (root_ + "/link").c_str()), 0);
  Write(allowed_ + "/good", "good");
  Options options;
  options.files.folders = {root_ + "/link"};
  reader_ = *NewObjectReader(std::move(options), &Clock::System());
  EXPECT_TRUE(Read(root_ + "/link/good").ok());
}

TEST_F(FileObjects, AreRegularFilesThatAreThere) {
  EXPECT_EQ(Read(allowed_ + "/missing").status().code(),
            absl::StatusCode::kNotFound);
  mkdir((allowed_ + "/folder").c_str(), 0700);
  EXPECT_EQ(Read(allowed_ + "/folder").status().code(),
            absl::StatusCode::kInvalidArgument);
  // Nobody waits for a pipe's writer.
  ASSERT_EQ(mkfifo((allowed_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Read(allowed_ + "/pipe").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(FileObjects, HaveNoVersions) {
  Write(allowed_ + "/good", "good");
  ReadRequest request;
  request.uri = absl::StrCat("file://", allowed_, "/good");
  request.version = "1";
  request.max_bytes = 10;
  EXPECT_EQ(reader_->Read(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ObjectReader, RefusesWhatItCannotRead) {
  const auto reader = *NewObjectReader(Options(), &Clock::System());
  const auto code = [&](const char* uri) {
    ReadRequest request;
    request.uri = uri;
    return reader->Read(request).status().code();
  };
  EXPECT_EQ(code(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("https://example.com/x"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("file:///etc/passwd"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code("s3://bucket/key"), absl::StatusCode::kFailedPrecondition);
}

TEST(ObjectReader, ChecksItsOptions) {
  const auto problem = [](auto change) {
    Options options;
    change(options);
    return std::string(NewObjectReader(std::move(options), &Clock::System())
                           .status()
                           .message());
  };
  EXPECT_EQ(problem([](Options&) {}), "");
  EXPECT_EQ(problem([](Options& o) {
              o.s3.endpoint = "http://127.0.0.1:9000/";
              o.s3.region = "us-east-1";
            }),
            "");
  EXPECT_THAT(problem([](Options& o) { o.files.folders = {"relative"}; }),
              HasSubstr("not absolute"));
  for (const char* endpoint :
       {"minio", "ftp://x", "https://", "https://user@host", "https://h/path",
        "https://h?x", "https://h\r\nx"}) {
    EXPECT_THAT(problem([&](Options& o) { o.s3.endpoint = endpoint; }),
                HasSubstr("S3 endpoint"))
        << endpoint;
  }
  EXPECT_THAT(problem([](Options& o) { o.s3.region = "eu central"; }),
              HasSubstr("region"));
  // One of the two; and the secret is not in the message.
  const std::string half = problem([](Options& o) {
    o.s3.secret_access_key = Secret::CopyOf("very secret");
  });
  EXPECT_THAT(half, HasSubstr("credentials"));
  EXPECT_THAT(half, Not(HasSubstr("very")));
}

}  // namespace
}  // namespace sallyport::objects
