// The API over a real gRPC server on the loopback interface.

#include "config_service/api/gate.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "config_service/api/audit_format.h"
#include "config_service/api/audit_log.h"
#include "config_service/api/errors.h"
#include "config_service/api/limits.h"
#include "config_service/api/open_calls.h"
#include "config_service/api/truststores.h"
#include "config_service/api/upload_pace.h"
#include "config_service/domain/violations.h"
#include "config_service/store/memory.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/config/v1/audit.grpc.pb.h"
#include "proto/sallyport/config/v1/truststore.grpc.pb.h"

namespace sallyport::api {
namespace {

namespace proto = sallyport::config::v1;

class Recorder : public Observer {
 public:
  void OnCall(const CallRecord& record) override {
    absl::MutexLock lock(&mu_);
    last_ = record;
  }
  void OnEnded(const OpenCalls::Label&) override {
    absl::MutexLock lock(&mu_);
    ++ended_;
  }
  int ended() {
    absl::MutexLock lock(&mu_);
    return ended_;
  }
  CallRecord last() {
    absl::MutexLock lock(&mu_);
    return last_;
  }

 private:
  absl::Mutex mu_;
  CallRecord last_;
  int ended_ = 0;
};

struct Reply {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string reason;
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, std::string>> violations;
};

Reply ReplyOf(const grpc::Status& status) {
  Reply out;
  out.code = status.error_code();
  out.message = status.error_message();
  if (status.ok()) return out;
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), status.error_code());
  int infos = 0;
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&info)) {
      ++infos;
      EXPECT_EQ(info.domain(), "sallyport.dev");
      out.reason = info.reason();
      out.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (any.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) {
        out.violations.emplace_back(violation.field(), violation.reason());
      }
    }
  }
  EXPECT_EQ(infos, 1);
  return out;
}

class GateTest : public testing::Test {
 protected:
  GateTest()
      : clock_(pki::TestNow()),
        store_(store::NewMemoryStore()),
        truststores_({store_.get(), &clock_, &format_}),
        audit_log_(store_.get()) {}

  void Start(GateOptions options) {
    InstallCallHooks();
    gate_ = std::make_unique<Gate>(std::move(options), &recorder_, &clock_);
    truststores_service_ = NewTruststoresService(&truststores_, gate_.get());
    audit_service_ = NewAuditLogService(&audit_log_, gate_.get());
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.RegisterService(truststores_service_.get());
    builder.RegisterService(audit_service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    auto channel = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_),
                                       grpc::InsecureChannelCredentials());
    stub_ = proto::Truststores::NewStub(channel);
    audit_ = proto::AuditLog::NewStub(channel);
  }
  void StartWithTokens(const OpenCallLimits& open_calls = {}) {
    GateOptions options;
    options.open_calls = open_calls;
    options.credentials = *Credentials::Parse(
        absl::StrCat("token v viewer ", store::BlobDigest::Of("tv").ToHex(),
                     "\ntoken o operator ", store::BlobDigest::Of("to").ToHex(),
                     "\ntoken a admin ", store::BlobDigest::Of("ta").ToHex()));
    Start(std::move(options));
  }
  void StartTrustingLoopback() {
    GateOptions options;
    options.trust_loopback = true;
    Start(std::move(options));
  }

  void AwaitCount(CallKind kind, int count) {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    while (gate_->count(kind) != count && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    ASSERT_EQ(gate_->count(kind), count);
  }

  // It is told of after the client knows.
  void AwaitEnded(int count) {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    while (recorder_.ended() != count && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    ASSERT_EQ(recorder_.ended(), count);
  }

  Reply Get(const std::string& name, const std::string& authorization) {
    grpc::ClientContext context;
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    proto::GetTruststoreRequest request;
    request.set_name(name);
    proto::Truststore response;
    return ReplyOf(stub_->GetTruststore(&context, request, &response));
  }
  Reply Create(const std::string& id, const std::string& authorization = "") {
    grpc::ClientContext context;
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    proto::CreateTruststoreRequest request;
    request.set_truststore_id(id);
    request.set_pem(pem_);
    return ReplyOf(stub_->CreateTruststore(&context, request, &created_));
  }

  const std::string pem_ =
      pki::MakeTestCertificate(pki::TestCaSpec("Root A"), pki::TestKey::P256(),
                               nullptr)
          .pem;
  FakeClock clock_;
  JsonAuditFormat format_;
  std::unique_ptr<store::Store> store_;
  service::Truststores truststores_;
  service::AuditLog audit_log_;
  Recorder recorder_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<grpc::Service> truststores_service_;
  std::unique_ptr<grpc::Service> audit_service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<proto::Truststores::Stub> stub_;
  std::unique_ptr<proto::AuditLog::Stub> audit_;
  proto::Truststore created_;
};

TEST_F(GateTest, AsksWhoBeforeItSaysAnything) {
  StartWithTokens();
  // Whether the name is good, or there is such a truststore, makes no
  // difference.
  for (const char* name : {"", "nonsense", "truststores/none"}) {
    for (const char* authorization :
         {"", "Bearer", "Bearer ", "Bearer wrong", "Basic dHY=", "tv"}) {
      const Reply reply = Get(name, authorization);
      EXPECT_EQ(reply.code, grpc::StatusCode::UNAUTHENTICATED);
      EXPECT_EQ(reply.reason, "CREDENTIALS_MISSING");
      EXPECT_TRUE(reply.violations.empty());
    }
  }
  EXPECT_EQ(Get("truststores/none", "Bearer tv").code,
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get("truststores/none", "bearer tv").code,
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get("nonsense", "Bearer tv").reason, "NAME_MALFORMED");
}

TEST_F(GateTest, RefusesAViewerBeforeItLooksAtTheRequest) {
  StartWithTokens();
  const Reply reply = Create("Not-An-Id", "Bearer tv");
  EXPECT_EQ(reply.code, grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(reply.reason, "ROLE_MISSING");
  EXPECT_EQ(reply.metadata.at("required_role"), "operator");
  EXPECT_EQ(recorder_.last().principal, "token:v");
  EXPECT_EQ(recorder_.last().reason, "ROLE_MISSING");
  EXPECT_EQ(Create("p", "Bearer to").code, grpc::StatusCode::OK);
  EXPECT_EQ(created_.active_version(), "truststores/p/versions/1");
}

TEST_F(GateTest, TrustsTheLoopbackInterfaceOnlyWhenTold) {
  StartTrustingLoopback();
  EXPECT_EQ(Create("p").code, grpc::StatusCode::OK);
  EXPECT_EQ(recorder_.last().principal, "loopback");
  // Who sends a token is not taken for somebody else.
  EXPECT_EQ(Get("truststores/p", "Bearer wrong").reason, "CREDENTIALS_MISSING");
  const GateOptions options = [] {
    GateOptions o;
    o.trust_loopback = true;
    return o;
  }();
  const Gate gate(options, &recorder_, &clock_);
  EXPECT_TRUE(gate.Authenticate(nullptr, {}, "ipv4:127.0.0.1:99").ok());
  EXPECT_TRUE(gate.Authenticate(nullptr, {}, "ipv6:%5B::1%5D:99").ok());
  for (const char* peer :
       {"ipv4:10.0.0.1:99", "ipv6:[2001:db8::1]:99", "unix:/tmp/x", "",
        "ipv4:128.0.0.1:1", "ipv6:[::12]:1"}) {
    EXPECT_FALSE(gate.Authenticate(nullptr, {}, peer).ok()) << peer;
  }
  // A certificate that nobody knows is not made better by where it is from.
  EXPECT_FALSE(
      gate.Authenticate(nullptr, {"spiffe://other"}, "ipv4:127.0.0.1:99").ok());
}

TEST_F(GateTest, BelievesTheConsoleAloneWhereACallComesFrom) {
  GateOptions options;
  options.trust_loopback = true;
  options.console_key = "the console's key";
  Start(std::move(options));
  // By a channel inside the process, as the console's calls come.
  const auto stub = proto::Truststores::NewStub(server_->InProcessChannel({}));
  const auto call = [](proto::Truststores::Stub& by, const std::string& key,
                       const std::string& peer) {
    grpc::ClientContext context;
    if (!key.empty()) context.AddMetadata(kConsoleKeyHeader, key);
    if (!peer.empty()) context.AddMetadata(kConsolePeerHeader, peer);
    proto::ListTruststoresResponse response;
    return by.ListTruststores(&context, {}, &response).error_code();
  };
  EXPECT_EQ(call(*stub, "the console's key", "127.0.0.1:7000"),
            grpc::StatusCode::OK);
  EXPECT_EQ(recorder_.last().peer, "127.0.0.1:7000");
  EXPECT_EQ(call(*stub, "the console's key", "[::1]:7000"),
            grpc::StatusCode::OK);
  EXPECT_EQ(recorder_.last().peer, "[::1]:7000");
  EXPECT_EQ(call(*stub, "the console's key", "192.0.2.1:7000"),
            grpc::StatusCode::UNAUTHENTICATED);
  // Inside the process is not loopback.
  for (const char* key : {"", "the console's kez", "the console's key2"}) {
    EXPECT_EQ(call(*stub, key, "127.0.0.1:7000"),
              grpc::StatusCode::UNAUTHENTICATED)
        << key;
  }
  // From outside, without the key, the caller's own address counts.
  EXPECT_EQ(call(*stub_, "", "192.0.2.1:7000"), grpc::StatusCode::OK);
  EXPECT_EQ(call(*stub_, "no key", "192.0.2.1:7000"), grpc::StatusCode::OK);
  EXPECT_TRUE(absl::StartsWith(recorder_.last().peer, "127.0.0.1:"));
  EXPECT_NE(recorder_.last().peer, "127.0.0.1:7000");
}

TEST_F(GateTest, TrustsNoKeyWhenThereIsNoConsole) {
  StartTrustingLoopback();
  grpc::ClientContext context;
  context.AddMetadata(kConsoleKeyHeader, "");
  context.AddMetadata(kConsolePeerHeader, "192.0.2.1:7000");
  proto::ListTruststoresResponse response;
  EXPECT_TRUE(stub_->ListTruststores(&context, {}, &response).ok());
  EXPECT_TRUE(absl::StartsWith(recorder_.last().peer, "127.0.0.1:"));
}

TEST_F(GateTest, ReportsAllViolationsWithTheirReasons) {
  StartTrustingLoopback();
  grpc::ClientContext context;
  proto::CreateTruststoreRequest request;
  request.set_truststore_id("Bad");
  request.set_pem("nothing");
  request.mutable_truststore()->set_description(std::string(2000, 'x'));
  const Reply reply =
      ReplyOf(stub_->CreateTruststore(&context, request, &created_));
  EXPECT_EQ(reply.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(reply.reason, "FIELDS_INVALID");
  EXPECT_EQ(reply.metadata.at("field_violations"), "3");
  EXPECT_EQ(reply.violations,
            (std::vector<std::pair<std::string, std::string>>{
                {"truststore_id", "NAME_MALFORMED"},
                {"truststore.description", "FIELD_OUT_OF_RANGE"},
                {"pem", "TRUSTSTORE_EMPTY"}}));
  // An enum value that has no name is refused, not taken for a default.
  grpc::ClientContext second;
  request.set_truststore_id("good");
  request.set_pem(pem_);
  request.mutable_truststore()->Clear();
  request.mutable_truststore()->set_chain_policy(
      static_cast<sallyport::filter::v1::ChainPolicy>(99));
  EXPECT_EQ(ReplyOf(stub_->CreateTruststore(&second, request, &created_))
                .violations[0]
                .first,
            "truststore.chain_policy");
}

TEST_F(GateTest, LimitsWhatOnePrincipalSends) {
  GateOptions options;
  options.trust_loopback = true;
  options.call_burst = 3;
  options.calls_per_second = 0.5;
  Start(std::move(options));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Get("truststores/p", "").code, grpc::StatusCode::NOT_FOUND);
  }
  const Reply limited = Get("truststores/p", "");
  EXPECT_EQ(limited.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(limited.reason, "RATE_LIMITED");
  EXPECT_EQ(limited.metadata.at("retry_after_seconds"), "2");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Get("truststores/p", "").code, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get("truststores/p", "").reason, "RATE_LIMITED");
}

// An upload that has begun, and goes no further.
class OpenUpload {
 public:
  OpenUpload(proto::Truststores::Stub& stub, const std::string& token) {
    context_.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    writer_ = stub.UploadTruststoreVersion(&context_, &version_);
    proto::UploadTruststoreVersionRequest message;
    message.mutable_start()->set_parent("truststores/p");
    writer_->Write(message);
  }
  Reply Finish() {
    writer_->WritesDone();
    return ReplyOf(writer_->Finish());
  }
  // False: the call is over.
  bool Send(size_t bytes) {
    proto::UploadTruststoreVersionRequest message;
    message.set_chunk(std::string(bytes, '#'));
    return writer_->Write(message);
  }
  // Whatever it ends with by itself.
  grpc::Status Wait() { return writer_->Finish(); }

 private:
  grpc::ClientContext context_;
  proto::TruststoreVersion version_;
  std::unique_ptr<grpc::ClientWriter<proto::UploadTruststoreVersionRequest>>
      writer_;
};

TEST_F(GateTest, LimitsWhatOnePrincipalHasUnderWay) {
  OpenCallLimits limits;
  limits.of_principal = {1, 1, 2};
  StartWithTokens(limits);
  ASSERT_EQ(Create("p", "Bearer to").code, grpc::StatusCode::OK);
  OpenUpload first(*stub_, "to");
  AwaitCount(CallKind::kUpload, 1);
  OpenUpload second(*stub_, "to");
  AwaitCount(CallKind::kUpload, 2);
  OpenUpload third(*stub_, "to");
  const Reply refused = third.Finish();
  EXPECT_EQ(refused.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "RATE_LIMITED");
  EXPECT_EQ(refused.metadata.at("limit"), "principal-uploads");
  EXPECT_TRUE(absl::StrContains(refused.message, "--principal-uploads"))
      << refused.message;
  // Neither calls of another kind, nor anybody else's.
  EXPECT_EQ(Get("truststores/p", "Bearer to").code, grpc::StatusCode::OK);
  OpenUpload others(*stub_, "ta");
  AwaitCount(CallKind::kUpload, 3);
  EXPECT_EQ(others.Finish().reason, "UPLOAD_INVALID");
  // There is a place again once one is over.
  EXPECT_EQ(first.Finish().reason, "UPLOAD_INVALID");
  AwaitCount(CallKind::kUpload, 1);
  OpenUpload fourth(*stub_, "to");
  EXPECT_EQ(fourth.Finish().reason, "UPLOAD_INVALID");
  EXPECT_EQ(second.Finish().reason, "UPLOAD_INVALID");
}

TEST_F(GateTest, EndsACallWhoseClientSendsNothing) {
  OpenCallLimits limits;
  limits.client_timeout = absl::Milliseconds(200);
  StartWithTokens(limits);
  ASSERT_EQ(Create("p", "Bearer to").code, grpc::StatusCode::OK);
  OpenUpload upload(*stub_, "to");
  EXPECT_EQ(upload.Wait().error_code(), grpc::StatusCode::CANCELLED);
  AwaitCount(CallKind::kUpload, 0);
  AwaitEnded(1);
}

TEST_F(GateTest, EndsAnUploadThatComesInDrips) {
  OpenCallLimits limits;
  limits.client_timeout = absl::Milliseconds(500);
  StartWithTokens(limits);
  ASSERT_EQ(Create("p", "Bearer to").code, grpc::StatusCode::OK);
  for (const size_t bytes : {0, 1}) {
    OpenUpload upload(*stub_, "to");
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (upload.Send(bytes)) {
      ASSERT_LT(absl::Now(), deadline);
      absl::SleepFor(absl::Milliseconds(20));
    }
    const Reply reply = ReplyOf(upload.Wait());
    EXPECT_EQ(reply.reason, "UPLOAD_INVALID");
    EXPECT_TRUE(absl::StrContains(reply.message, "too slowly"))
        << reply.message;
    AwaitCount(CallKind::kUpload, 0);
  }
}

TEST(UploadPace, WaitsLongerForWhoSendsMore) {
  const auto rate = static_cast<size_t>(kMinUploadBytesPerSecond);
  UploadPace pace(absl::Seconds(60));
  // A minute for nothing.
  EXPECT_TRUE(pace.Took(absl::Seconds(60), 0));
  EXPECT_FALSE(pace.Took(absl::Milliseconds(1), 0));
  EXPECT_TRUE(absl::StrContains(pace.status().message(),
                                "0 bytes in 1m0.001s; all of it has 1m"))
      << pace.status();
  // Each second for what it is worth.
  UploadPace steady(absl::Seconds(60));
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(steady.Took(absl::Seconds(1), rate));
  }
  EXPECT_TRUE(steady.Took(absl::Seconds(60), 0));
  EXPECT_FALSE(steady.Took(absl::Seconds(1), rate - 1));
}

TEST_F(GateTest, EndsACallWhoseClientReadsNothing) {
  OpenCallLimits limits;
  limits.client_timeout = absl::Milliseconds(200);
  StartWithTokens(limits);
  // Text between the certificates is part of a version.
  proto::CreateTruststoreRequest create;
  create.set_truststore_id("p");
  create.set_pem(absl::StrCat(pem_, std::string(900 << 10, '#'), "\n"));
  grpc::ClientContext creating;
  creating.AddMetadata("authorization", "Bearer to");
  ASSERT_TRUE(stub_->CreateTruststore(&creating, create, &created_).ok());
  proto::ReadTruststoreVersionRequest request;
  request.set_name("truststores/p/versions/1");
  // A window that does not grow: who does not read takes little.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65535);
  const auto lazy = proto::Truststores::NewStub(
      grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_),
                                grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer tv");
  const auto reader = lazy->ReadTruststoreVersion(&context, request);
  AwaitCount(CallKind::kStream, 1);
  AwaitCount(CallKind::kStream, 0);
  AwaitEnded(1);
  // One that reads has it all.
  grpc::ClientContext second;
  second.AddMetadata("authorization", "Bearer tv");
  const auto all = stub_->ReadTruststoreVersion(&second, request);
  proto::ReadTruststoreVersionResponse piece;
  size_t bytes = 0;
  while (all->Read(&piece)) bytes += piece.chunk().size();
  EXPECT_TRUE(all->Finish().ok());
  EXPECT_EQ(bytes, create.pem().size());
}

TEST(CallKinds, AreThoseOfTheDescriptors) {
  EXPECT_EQ(KindOf("sallyport.config.v1.Truststores/GetTruststore"),
            CallKind::kCall);
  EXPECT_EQ(KindOf("sallyport.config.v1.Truststores/ReadTruststoreVersion"),
            CallKind::kStream);
  EXPECT_EQ(KindOf("sallyport.config.v1.Truststores/UploadTruststoreVersion"),
            CallKind::kUpload);
  EXPECT_EQ(KindOf("sallyport.config.v1.Fleets/WaitForRollout"),
            CallKind::kStream);
  EXPECT_EQ(KindOf("nobody/Knows"), CallKind::kCall);
}

TEST_F(GateTest, LimitsWhatOneAddressTriesWithoutCredentials) {
  GateOptions options;
  options.credentials = *Credentials::Parse(
      absl::StrCat("token v viewer ", store::BlobDigest::Of("tv").ToHex()));
  options.call_burst = 3;
  options.calls_per_second = 0.5;
  Start(std::move(options));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Get("truststores/p", "Bearer no").reason, "CREDENTIALS_MISSING");
  }
  EXPECT_EQ(Get("truststores/p", "Bearer no").reason, "RATE_LIMITED");
  // Who is known has a rate of its own, wherever it calls from.
  EXPECT_EQ(Get("truststores/p", "Bearer tv").code,
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(GateTest, RefusesATokenThatHasExpiredAndEndsItsCalls) {
  const auto line = [](absl::Time expires) {
    return absl::StrCat(
        "token o operator ", store::BlobDigest::Of("to").ToHex(), " ",
        absl::FormatTime(absl::RFC3339_full, expires, absl::UTCTimeZone()));
  };
  GateOptions options;
  options.credentials =
      *Credentials::Parse(line(clock_.Now() + absl::Hours(1)));
  Start(std::move(options));
  EXPECT_EQ(Get("truststores/p", "Bearer to").code,
            grpc::StatusCode::NOT_FOUND);
  clock_.Advance(absl::Hours(1));
  const Reply expired = Get("truststores/p", "Bearer to");
  EXPECT_EQ(expired.code, grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(absl::StrContains(expired.message, "has expired"))
      << expired.message;
}

TEST_F(GateTest, EndsACallWhenItsCredentialsExpire) {
  // Calls are ended by the machine's clock.
  clock_.Set(absl::Now());
  GateOptions options;
  options.open_calls.client_timeout = absl::Seconds(60);
  options.credentials = *Credentials::Parse(absl::StrCat(
      "token o operator ", store::BlobDigest::Of("to").ToHex(), " ",
      absl::FormatTime(absl::RFC3339_full, absl::Now() + absl::Seconds(2),
                       absl::UTCTimeZone())));
  Start(std::move(options));
  ASSERT_EQ(Create("p", "Bearer to").code, grpc::StatusCode::OK);
  OpenUpload upload(*stub_, "to");
  EXPECT_EQ(upload.Wait().error_code(), grpc::StatusCode::CANCELLED);
  AwaitEnded(1);
}

TEST_F(GateTest, NamesEachRequest) {
  StartTrustingLoopback();
  const auto call = [&](const char* id) {
    grpc::ClientContext context;
    if (id != nullptr) context.AddMetadata("x-request-id", id);
    proto::GetTruststoreRequest request;
    request.set_name("truststores/p");
    proto::Truststore response;
    EXPECT_FALSE(stub_->GetTruststore(&context, request, &response).ok());
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto it = trailing.find("x-request-id");
    EXPECT_NE(it, trailing.end());
    const std::string name(it->second.data(), it->second.size());
    EXPECT_EQ(recorder_.last().request, name);
    return name;
  };
  EXPECT_EQ(call("abc-1.2_3"), "abc-1.2_3");
  EXPECT_EQ(call(nullptr).size(), 16u);
  EXPECT_NE(call(nullptr), call(nullptr));
  // Nobody forges a line of the log.
  EXPECT_EQ(call("a b\"c").size(), 16u);
  EXPECT_EQ(call(std::string(kMaxRequestIdLength + 1, 'a').c_str()).size(),
            16u);
}

TEST_F(GateTest, HidesFaultsOfTheServiceFromTheCaller) {
  StartTrustingLoopback();
  const auto status =
      ToGrpc(absl::InternalError("disk /secret/path is broken"), "r1");
  const Reply reply = ReplyOf(status);
  EXPECT_EQ(reply.code, grpc::StatusCode::INTERNAL);
  EXPECT_EQ(reply.reason, "INTERNAL");
  EXPECT_EQ(reply.metadata.at("request"), "r1");
  EXPECT_FALSE(absl::StrContains(status.error_message(), "secret"));
  EXPECT_FALSE(absl::StrContains(status.error_details(), "secret"));
  // Also one that carries our own error.
  EXPECT_FALSE(absl::StrContains(
      ToGrpc(domain::MakeError(domain::Reason::kInternal, "secret"), "r1")
          .error_details(),
      "secret"));
}

TEST_F(GateTest, TakesUploadsThatArriveWhole) {
  StartTrustingLoopback();
  ASSERT_EQ(Create("p").code, grpc::StatusCode::OK);
  std::string pem;
  for (int i = 0; i < 3; ++i) {
    pem += pki::MakeTestCertificate(pki::TestCaSpec(absl::StrCat("Root ", i)),
                                    pki::TestKey::P256(), nullptr)
               .pem;
  }
  const auto upload = [&](const std::string& sha256, bool start,
                          size_t piece_bytes,
                          proto::TruststoreVersion* version) {
    grpc::ClientContext context;
    auto writer = stub_->UploadTruststoreVersion(&context, version);
    proto::UploadTruststoreVersionRequest message;
    if (start) {
      message.mutable_start()->set_parent("truststores/p");
      writer->Write(message);
    }
    for (size_t i = 0; i < pem.size(); i += piece_bytes) {
      message.set_chunk(pem.substr(i, piece_bytes));
      writer->Write(message);
    }
    if (!sha256.empty()) {
      message.set_sha256(sha256);
      writer->Write(message);
    }
    writer->WritesDone();
    return ReplyOf(writer->Finish());
  };
  proto::TruststoreVersion version;
  const std::string sha256 = store::BlobDigest::Of(pem).ToHex();
  EXPECT_EQ(upload(sha256, true, 100, &version).code, grpc::StatusCode::OK);
  EXPECT_EQ(version.name(), "truststores/p/versions/2");
  EXPECT_EQ(version.certificate_count(), 3);
  EXPECT_EQ(version.sha256(), sha256);
  EXPECT_EQ(upload("", true, 100, &version).reason, "UPLOAD_INVALID");
  EXPECT_EQ(upload(std::string(64, '0'), true, 100, &version).reason,
            "UPLOAD_INVALID");
  EXPECT_EQ(upload(sha256, false, 100, &version).reason, "UPLOAD_INVALID");
  // Over the limit it ends before everything is here.
  pem = std::string((1 << 20) + 1, 'x');
  EXPECT_EQ(upload(store::BlobDigest::Of(pem).ToHex(), true, 1 << 19, &version)
                .reason,
            "TRUSTSTORE_TOO_LARGE");
  EXPECT_EQ(upload(store::BlobDigest::Of(pem).ToHex(), true, kMaxChunkBytes + 1,
                   &version)
                .reason,
            "UPLOAD_INVALID");
}

TEST_F(GateTest, RefusesAMessageThatIsTooLarge) {
  StartTrustingLoopback();
  grpc::ClientContext context;
  proto::CreateTruststoreRequest request;
  request.set_truststore_id("p");
  request.set_pem(std::string(kMaxRequestBytes, 'x'));
  EXPECT_EQ(stub_->CreateTruststore(&context, request, &created_).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GateTest, UpdatesTheFieldsThatAreSetWhenThereIsNoMask) {
  StartTrustingLoopback();
  ASSERT_EQ(Create("p").code, grpc::StatusCode::OK);
  const auto update = [&](proto::UpdateTruststoreRequest request) {
    grpc::ClientContext context;
    // The order of the audit log is that of time.
    clock_.Advance(absl::Seconds(1));
    return ReplyOf(stub_->UpdateTruststore(&context, request, &created_));
  };
  proto::UpdateTruststoreRequest request;
  request.mutable_truststore()->set_name("truststores/p");
  request.mutable_truststore()->set_description("new");
  request.mutable_truststore()->set_pin_leaf(true);
  EXPECT_EQ(update(request).code, grpc::StatusCode::OK);
  EXPECT_EQ(created_.description(), "new");
  EXPECT_TRUE(created_.pin_leaf());
  // A mask sets to nothing what is not there.
  request.mutable_truststore()->clear_description();
  request.mutable_update_mask()->add_paths("description");
  request.mutable_truststore()->set_pin_leaf(false);
  EXPECT_EQ(update(request).code, grpc::StatusCode::OK);
  EXPECT_EQ(created_.description(), "");
  EXPECT_TRUE(created_.pin_leaf());
  request.mutable_truststore()->set_etag("\"old\"");
  EXPECT_EQ(update(request).reason, "ETAG_MISMATCH");
  // The audit log has all of it, in the words of the API.
  grpc::ClientContext context;
  proto::ListAuditEntriesResponse entries;
  ASSERT_TRUE(audit_->ListAuditEntries(&context, {}, &entries).ok());
  ASSERT_EQ(entries.audit_entries_size(), 3);
  const auto& change = entries.audit_entries(1).changes(0);
  EXPECT_EQ(change.resource(), "truststores/p");
  ASSERT_EQ(change.changed_fields_size(), 2);
  EXPECT_EQ(change.changed_fields(0), "description");
  EXPECT_EQ(change.changed_fields(1), "pin_leaf");
  EXPECT_EQ(entries.audit_entries(1).principal(), "loopback");
}

}  // namespace
}  // namespace sallyport::api
