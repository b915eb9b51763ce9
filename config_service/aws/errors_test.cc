#include "config_service/aws/errors.h"

#include <string>

#include "config_service/domain/violations.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sallyport::aws {
namespace {

using domain::Reason;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using Json = nlohmann::json;

TEST(ToError, MapsReasonsToWhatEachServiceCallsThem) {
  struct Case {
    Reason reason;
    const char* api_gateway;
    int status;
    const char* acm;
  };
  for (const Case& c : {
           Case{Reason::kResourceNotFound, "NotFoundException", 404,
                "ResourceNotFoundException"},
           Case{Reason::kResourceAlreadyExists, "ConflictException", 409,
                "ConflictException"},
           Case{Reason::kEtagMismatch, "ConflictException", 409,
                "ConflictException"},
           Case{Reason::kResourceInUse, "ConflictException", 409,
                "ResourceInUseException"},
           Case{Reason::kRateLimited, "TooManyRequestsException", 429,
                "ThrottlingException"},
           Case{Reason::kQuotaExceeded, "LimitExceededException", 429,
                "LimitExceededException"},
           Case{Reason::kRoleMissing, "AccessDeniedException", 403,
                "AccessDeniedException"},
           Case{Reason::kDomainLocked, "BadRequestException", 400,
                "InvalidStateException"},
           Case{Reason::kFieldMalformed, "BadRequestException", 400,
                "ValidationException"},
           Case{Reason::kBasePathTaken, "ConflictException", 409,
                "ConflictException"},
       }) {
    const absl::Status status = domain::MakeError(c.reason, "why");
    const Error gateway = ToError(status, Service::kApiGateway);
    EXPECT_EQ(gateway.code, c.api_gateway) << domain::ReasonName(c.reason);
    EXPECT_EQ(gateway.status, c.status) << domain::ReasonName(c.reason);
    EXPECT_EQ(gateway.message, "why");
    const Error acm = ToError(status, Service::kAcm);
    EXPECT_EQ(acm.code, c.acm) << domain::ReasonName(c.reason);
    EXPECT_EQ(acm.status, 400) << domain::ReasonName(c.reason);
  }
}

TEST(ToError, HasACodeForEveryReason) {
  int reasons = 0;
  for (int number = 1; number < 1000; ++number) {
    const auto reason = domain::ReasonFromNumber(number);
    if (!reason.has_value()) continue;
    ++reasons;
    for (Service service : {Service::kAcm, Service::kApiGateway}) {
      const Error error =
          ToError(domain::MakeError(*reason, "the reason"), service);
      EXPECT_FALSE(error.code.empty());
      EXPECT_GE(error.status, 400);
      // Only faults of the service are its own.
      const bool fault =
          *reason == Reason::kInternal || *reason == Reason::kRecordDamaged;
      EXPECT_EQ(error.status == 500, fault) << domain::ReasonName(*reason);
    }
  }
  EXPECT_GT(reasons, 80);
}

TEST(ToError, NamesFieldsAsTheRequestHasThem) {
  domain::Violations violations;
  violations.Add("domain_name.server_certificate", Reason::kReferenceNotFound,
                 "is not there");
  violations.Add("domain_name.mutual_tls.truststores[0]",
                 Reason::kReferenceNotFound, "is gone");
  EXPECT_EQ(ToError(violations.ToStatus(), Service::kApiGateway).message,
            "regionalCertificateArn is not there; mutualTlsAuthentication is "
            "gone");
  domain::Violations material;
  material.Add("material.private_key_pem", Reason::kPrivateKeyMismatch, "is");
  EXPECT_EQ(ToError(material.ToStatus(), Service::kAcm).message,
            "PrivateKey is");
}

TEST(ToError, SaysNothingOfFaults) {
  for (const absl::Status& status :
       {absl::InternalError("secret"), absl::DataLossError("secret"),
        absl::UnknownError("secret"),
        domain::MakeError(Reason::kInternal, "secret"),
        domain::MakeError(Reason::kRecordDamaged, "secret")}) {
    const Error error = ToError(status, Service::kApiGateway);
    EXPECT_EQ(error.status, 500) << status;
    EXPECT_EQ(error.code, "InternalFailure") << status;
    EXPECT_THAT(error.message, Not(HasSubstr("secret")));
  }
}

TEST(ToError, SaysWhenToComeAgain) {
  const Error error =
      ToError(domain::MakeError(Reason::kRateLimited, "too many",
                                {{"retry_after_seconds", "7"}}),
              Service::kApiGateway);
  EXPECT_EQ(error.retry_after_seconds, 7);
  EXPECT_THAT(Render(error, Service::kApiGateway).headers,
              Contains(Pair("Retry-After", "7")));
}

TEST(Render, HasTheFormOfEachProtocol) {
  const Error error =
      ToError(MakeError(404, "NotFoundException", "no \"such\" thing"),
              Service::kApiGateway);
  const HttpResponse rest = Render(error, Service::kApiGateway);
  EXPECT_EQ(rest.status, 404);
  EXPECT_THAT(rest.headers,
              Contains(Pair("x-amzn-ErrorType", "NotFoundException")));
  EXPECT_EQ(Json::parse(rest.body), Json({{"message", "no \"such\" thing"}}));
  const HttpResponse json = Render(error, Service::kAcm);
  EXPECT_THAT(json.headers,
              Contains(Pair("Content-Type", "application/x-amz-json-1.1")));
  EXPECT_EQ(Json::parse(json.body)["__type"], "NotFoundException");
}

TEST(Render, EscapesWhatIsNotText) {
  const Error error =
      ToError(MakeError(400, "BadRequestException", "a\x01\xff\nb"),
              Service::kApiGateway);
  const HttpResponse response = Render(error, Service::kApiGateway);
  for (const char c : response.body) {
    EXPECT_TRUE(c >= ' ' && c < 0x7f) << response.body;
  }
}

}  // namespace
}  // namespace sallyport::aws
