#include "filters/cert_validator/withdrawal.h"

#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

TEST(Withdrawal, LastsAsLongAsOneOfTheDomainLives) {
  EXPECT_FALSE(Withdrawal::Is("gone.example.com"));
  {
    const Withdrawal one("gone.example.com");
    {
      const Withdrawal two("gone.example.com");
      EXPECT_TRUE(Withdrawal::Is("gone.example.com"));
    }
    EXPECT_TRUE(Withdrawal::Is("gone.example.com"));
    EXPECT_FALSE(Withdrawal::Is("here.example.com"));
  }
  EXPECT_FALSE(Withdrawal::Is("gone.example.com"));
}

}  // namespace
}  // namespace sallyport::cert_validator
