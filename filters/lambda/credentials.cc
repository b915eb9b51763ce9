#include "filters/lambda/credentials.h"

#include <cstdlib>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/followed_file.h"

namespace sallyport::lambda {
namespace {

using cert_validator::FollowedFile;

constexpr absl::string_view kKeyId = "aws_access_key_id";
constexpr absl::string_view kSecretKey = "aws_secret_access_key";
constexpr absl::string_view kToken = "aws_session_token";
// How long before they end credentials are asked for again.
constexpr absl::Duration kRenewBefore = absl::Minutes(5);
// And how soon again, while they still serve.
constexpr absl::Duration kAskAgainAfter = absl::Seconds(30);

SharedCredentials Make(absl::string_view key_id, absl::string_view secret,
                       absl::string_view token) {
  auto credentials = std::make_shared<sigv4::Credentials>();
  credentials->access_key_id = std::string(key_id);
  credentials->secret_access_key = Secret::CopyOf(secret);
  credentials->session_token = std::string(token);
  return credentials;
}

// They become header values.
bool IsVisible(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

class Fixed : public CredentialsSource {
 public:
  explicit Fixed(SharedCredentials credentials)
      : credentials_(std::move(credentials)) {}
  SharedCredentials Current(absl::Time /*now*/) const override {
    return credentials_;
  }

 private:
  const SharedCredentials credentials_;
};

class SharedFile : public CredentialsSource {
 public:
  explicit SharedFile(std::shared_ptr<FollowedFile> file)
      : file_(std::move(file)) {}
  SharedCredentials Current(absl::Time /*now*/) const override {
    return std::static_pointer_cast<const sigv4::Credentials>(file_->current());
  }

 private:
  const std::shared_ptr<FollowedFile> file_;
};

class WebIdentity : public CredentialsSource {
 public:
  WebIdentity(const filter::v1::AwsCredentials::WebIdentity& config,
              std::shared_ptr<FollowedFile> file)
      : config_(config), file_(std::move(file)) {}

  SharedCredentials Current(absl::Time now) const override {
    absl::MutexLock lock(&mu_);
    return now < held_.expiration ? held_.credentials : nullptr;
  }
  bool NeedsAsking(absl::Time now) const override {
    absl::MutexLock lock(&mu_);
    if (held_.credentials == nullptr || now >= held_.expiration) return true;
    // They still serve while STS cannot be reached.
    return now >= held_.expiration - kRenewBefore &&
           (now < asked_at_ || now >= asked_at_ + kAskAgainAfter);
  }
  absl::StatusOr<StsRequest> Ask(absl::Time now) override {
    {
      absl::MutexLock lock(&mu_);
      asked_at_ = now;
    }
    const auto token = std::static_pointer_cast<const Secret>(file_->current());
    StsRequest request;
    request.cluster = config_.cluster();
    request.authority = config_.authority();
    const std::string& session = config_.session_name();
    request.body = absl::StrCat(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=",
        sigv4::UriEncode(config_.role_arn(), /*keep_slash=*/false),
        "&RoleSessionName=",
        sigv4::UriEncode(session.empty() ? "sallyport" : session,
                         /*keep_slash=*/false),
        "&WebIdentityToken=",
        sigv4::UriEncode(token->Reveal(), /*keep_slash=*/false));
    return request;
  }
  absl::Status Take(absl::string_view body, absl::Time now) override {
    SALLYPORT_ASSIGN_OR_RETURN(StsCredentials taken, ReadStsAnswer(body));
    if (taken.expiration <= now) {
      return Wrong("STS answered with credentials that have ended");
    }
    absl::MutexLock lock(&mu_);
    held_ = std::move(taken);
    return absl::OkStatus();
  }

 private:
  const filter::v1::AwsCredentials::WebIdentity config_;
  const std::shared_ptr<FollowedFile> file_;
  mutable absl::Mutex mu_;
  StsCredentials held_ ABSL_GUARDED_BY(mu_);
  absl::Time asked_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

// What is between <name> and </name>, the first time.
std::string XmlText(absl::string_view xml, absl::string_view name) {
  const std::string open = absl::StrCat("<", name, ">");
  const std::string close = absl::StrCat("</", name, ">");
  const size_t begin = xml.find(open);
  if (begin == absl::string_view::npos) return "";
  const size_t from = begin + open.size();
  const size_t end = xml.find(close, from);
  if (end == absl::string_view::npos) return "";
  return absl::StrReplaceAll(
      absl::StripAsciiWhitespace(xml.substr(from, end - from)),
      {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}});
}

absl::Status CheckPath(absl::string_view path, absl::string_view field) {
  if (absl::StartsWith(path, "/")) return absl::OkStatus();
  return Wrong(absl::StrCat(field, ": is no absolute path"));
}

absl::Status Prefixed(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(field, ": ", status.message()));
}

absl::StatusOr<std::shared_ptr<CredentialsSource>> FromFile(
    const filter::v1::AwsCredentials::SharedFile& config,
    absl::string_view field) {
  SALLYPORT_RETURN_IF_ERROR(
      CheckPath(config.path(), absl::StrCat(field, ".shared_file.path")));
  const std::string profile =
      config.profile().empty() ? "default" : config.profile();
  FollowedFile::Format format;
  format.noun = "credentials file";
  format.key = absl::StrCat("aws credentials of ", profile);
  format.max_bytes = kMaxCredentialsFileBytes;
  format.parse =
      [profile](
          absl::string_view bytes) -> absl::StatusOr<FollowedFile::Content> {
    SALLYPORT_ASSIGN_OR_RETURN(SharedCredentials read,
                               ReadCredentialsFile(bytes, profile));
    return FollowedFile::Content(std::move(read));
  };
  format.describe = [](const FollowedFile::Content&) {
    return std::string("credentials");
  };
  auto file = FollowedFile::Open(config.path(), format);
  if (!file.ok()) {
    return Prefixed(absl::StrCat(field, ".shared_file"), file.status());
  }
  return std::shared_ptr<CredentialsSource>(
      std::make_shared<SharedFile>(*std::move(file)));
}

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<std::shared_ptr<CredentialsSource>> FromEnvironment(
    absl::string_view field) {
  const std::string key_id = Variable("AWS_ACCESS_KEY_ID");
  std::string secret = Variable("AWS_SECRET_ACCESS_KEY");
  const std::string token = Variable("AWS_SESSION_TOKEN");
  const bool good = !key_id.empty() && !secret.empty() && IsVisible(key_id) &&
                    IsVisible(token);
  SharedCredentials made = Make(key_id, secret, token);
  WipeString(secret);
  if (!good) {
    return Wrong(absl::StrCat(field,
                              ".environment: AWS_ACCESS_KEY_ID and "
                              "AWS_SECRET_ACCESS_KEY are not both set, to "
                              "visible characters, in Envoy's environment"));
  }
  return std::shared_ptr<CredentialsSource>(
      std::make_shared<Fixed>(std::move(made)));
}

absl::StatusOr<std::shared_ptr<CredentialsSource>> FromWebIdentity(
    const filter::v1::AwsCredentials::WebIdentity& config,
    const std::string& field) {
  SALLYPORT_RETURN_IF_ERROR(
      CheckPath(config.token_file(), absl::StrCat(field, ".token_file")));
  for (const auto& [name, value] :
       {std::pair<absl::string_view, absl::string_view>{"role_arn",
                                                        config.role_arn()},
        {"cluster", config.cluster()},
        {"authority", config.authority()}}) {
    if (value.empty() || !IsVisible(value)) {
      return Wrong(absl::StrCat(field, ".", name,
                                ": is empty, or has something but visible "
                                "ASCII characters"));
    }
  }
  FollowedFile::Format format;
  format.noun = "web identity token";
  format.key = "web identity token";
  format.max_bytes = kMaxWebIdentityTokenBytes;
  format.parse =
      [](absl::string_view bytes) -> absl::StatusOr<FollowedFile::Content> {
    const absl::string_view token = absl::StripAsciiWhitespace(bytes);
    if (token.empty()) return Wrong("is empty");
    return FollowedFile::Content(
        std::make_shared<Secret>(Secret::CopyOf(token)));
  };
  format.describe = [](const FollowedFile::Content&) {
    return std::string("a token");
  };
  auto file = FollowedFile::Open(config.token_file(), format);
  if (!file.ok()) return Prefixed(field, file.status());
  return std::shared_ptr<CredentialsSource>(
      std::make_shared<WebIdentity>(config, *std::move(file)));
}

}  // namespace

absl::StatusOr<StsRequest> CredentialsSource::Ask(absl::Time /*now*/) {
  return absl::InternalError("these credentials are not asked for");
}

absl::Status CredentialsSource::Take(absl::string_view /*body*/,
                                     absl::Time /*now*/) {
  return absl::InternalError("these credentials are not asked for");
}

absl::StatusOr<SharedCredentials> ReadCredentialsFile(
    absl::string_view bytes, absl::string_view profile) {
  bool inside = false;
  bool found = false;
  std::map<std::string, absl::string_view> values;
  for (absl::string_view line : absl::StrSplit(bytes, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (absl::ConsumePrefix(&line, "[")) {
      absl::ConsumeSuffix(&line, "]");
      inside = absl::StripAsciiWhitespace(line) == profile;
      found = found || inside;
      continue;
    }
    if (!inside) continue;
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) continue;
    values[absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.substr(
        0, equals)))] = absl::StripAsciiWhitespace(line.substr(equals + 1));
  }
  const std::string name = Printable(profile, 80);
  if (!found) {
    return Wrong(absl::StrCat("there is no profile [", name, "]"));
  }
  for (const absl::string_view key : {kKeyId, kSecretKey}) {
    if (values[std::string(key)].empty()) {
      return Wrong(absl::StrCat("the profile [", name, "] has no ", key));
    }
  }
  for (const absl::string_view key : {kKeyId, kToken}) {
    if (!IsVisible(values[std::string(key)])) {
      return Wrong(absl::StrCat("the profile [", name, "] has a ", key,
                                " with something but visible characters"));
    }
  }
  return Make(values[std::string(kKeyId)], values[std::string(kSecretKey)],
              values[std::string(kToken)]);
}

absl::StatusOr<StsCredentials> ReadStsAnswer(absl::string_view xml) {
  const std::string key_id = XmlText(xml, "AccessKeyId");
  std::string secret = XmlText(xml, "SecretAccessKey");
  const std::string token = XmlText(xml, "SessionToken");
  const std::string expiration = XmlText(xml, "Expiration");
  StsCredentials out;
  const bool good =
      !key_id.empty() && !secret.empty() && !token.empty() &&
      IsVisible(key_id) && IsVisible(token) &&
      absl::ParseTime(absl::RFC3339_full, expiration, &out.expiration, nullptr);
  out.credentials = Make(key_id, secret, token);
  WipeString(secret);
  if (!good) {
    return Wrong(
        "STS did not answer with AccessKeyId, SecretAccessKey, SessionToken "
        "and Expiration");
  }
  return out;
}

absl::StatusOr<std::shared_ptr<CredentialsSource>> CredentialsSource::Create(
    const filter::v1::AwsCredentials& config, absl::string_view field) {
  using filter::v1::AwsCredentials;
  switch (config.source_case()) {
    case AwsCredentials::kSharedFile:
      return FromFile(config.shared_file(), field);
    case AwsCredentials::kEnvironment:
      return FromEnvironment(field);
    case AwsCredentials::kWebIdentity:
      return FromWebIdentity(config.web_identity(),
                             absl::StrCat(field, ".web_identity"));
    default:
      return Wrong(
          absl::StrCat(field,
                       ": is missing; give shared_file, environment or "
                       "web_identity"));
  }
}

}  // namespace sallyport::lambda
