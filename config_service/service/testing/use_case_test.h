// What the tests of use cases begin with.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_USE_CASE_TEST_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_USE_CASE_TEST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "config_service/service/caller.h"
#include "config_service/service/testing/fake_rollouts.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/service/transaction.h"
#include "config_service/store/memory.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {

// With the same key each time.
inline std::unique_ptr<store::Sealer> NewTestSealer() {
  std::vector<Secret> keys;
  keys.emplace_back(std::string(store::kSealingKeyBytes, 'k'));
  return store::Sealer::FromKeys(std::move(keys)).value();
}

// An empty store, an operator who calls, and TestNow().
class UseCaseTest : public testing::Test {
 protected:
  enum class Nodes { kNone, kFake };
  // kFake: the nodes are those of `rollouts_`.
  explicit UseCaseTest(Nodes nodes = Nodes::kNone)
      : clock_(pki::TestNow()),
        store_(store::NewMemoryStore()),
        sealer_(NewTestSealer()),
        context_{store_.get(), &clock_, &format_, sealer_.get(),
                 nodes == Nodes::kFake ? &rollouts_ : nullptr} {}

  FakeClock clock_;
  PlainAuditFormat format_;
  FakeRollouts rollouts_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Sealer> sealer_;
  Context context_;
  Caller caller_{"token:alice", "192.0.2.1", Role::kOperator};
  Write write_{"Test/Test", false, "", {}};
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TESTING_USE_CASE_TEST_H_
